/** `POST /events` and `POST /batch_events`: what a back end publishes. */
import { eventNameProblem } from '../../../lib/protocol.ts'
import type { App } from '../../apps.ts'
import type { NewEvent } from '../../contracts.ts'
import { kindOf, USER_CHANNEL_PREFIX } from '../../protocol/pusherName.ts'
import { type Attribute, attributesOf, checkAttributes, checkChannelName, parseAttributes } from './attributes.ts'
import type { Answer, AppRequest, PusherApiParts } from './contracts.ts'
import { EMPTY_ANSWER, Failure, okAnswer } from './failure.ts'

interface Publication {
  readonly channels: readonly string[]
  readonly event: NewEvent
  readonly attributes: readonly Attribute[]
}

type Fields = Readonly<Record<string, unknown>>

const EVENT_ATTRIBUTES: readonly Attribute[] = ['user_count', 'subscription_count']

const utf8 = new TextDecoder('utf-8', { fatal: true })

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const bodyOf = ({ request }: AppRequest): Fields => {
  let body: unknown
  try {
    body = JSON.parse(utf8.decode(request.body))
  } catch (error) {
    // The decoder throws a TypeError, the parser a SyntaxError.
    if (error instanceof TypeError || error instanceof SyntaxError)
      throw new Failure(400, 'The body is not JSON in UTF-8.')
    throw error
  }
  if (!isFields(body)) throw new Failure(400, 'The body is no JSON object.')
  return body
}

const dataOf = ({ limits }: App, data: unknown): string => {
  if (data === undefined || data === null) throw new Failure(400, 'data is missing; expected a text, JSON as a rule.')
  const text = typeof data === 'string' ? data : JSON.stringify(data)
  // A UTF-16 unit has at most 3 bytes in UTF-8: most texts need not be measured.
  if (text.length * 3 > limits.maxEventBytes) {
    const bytes = Buffer.byteLength(text)
    if (bytes > limits.maxEventBytes) {
      throw new Failure(413, `data has ${bytes} bytes; at most ${limits.maxEventBytes} are allowed.`)
    }
  }
  return text
}

const nameOf = ({ limits }: App, name: unknown): string => {
  if (typeof name !== 'string') throw new Failure(400, 'name is missing; expected the name of an event.')
  const problem =
    name.length > limits.maxEventNameLength
      ? `it has ${name.length} characters; at most ${limits.maxEventNameLength} are allowed`
      : // A limit that was raised is the app's own.
        eventNameProblem(name.slice(0, APP_NAME_CHECK))
  if (problem !== undefined) throw new Failure(400, `name is no name of an event: ${problem}.`)
  return name
}

/** `eventNameProblem` knows 200 characters; what comes after them only has a length. */
const APP_NAME_CHECK = 200

const socketIdOf = (value: unknown): string | undefined => {
  if (value === undefined || value === null || value === '') return undefined
  if (typeof value === 'string' && /^\d+\.\d+$/.test(value)) return value
  throw new Failure(400, 'socket_id is none; expected two numbers with a dot between.')
}

const publicationOf = (app: App, fields: Fields, channels: readonly unknown[]): Publication => {
  if (channels.length === 0) throw new Failure(400, 'channels is empty; expected at least one channel.')
  const { maxChannelsPerEvent } = app.limits
  if (channels.length > maxChannelsPerEvent) {
    throw new Failure(400, `An event for ${channels.length} channels came; at most ${maxChannelsPerEvent} are allowed.`)
  }
  const names = channels.map((channel) => checkChannelName(app, channel))
  if (names.length > 1 && names.some((name) => kindOf(name).isEncrypted)) {
    throw new Failure(400, 'An event for an encrypted channel is for that channel alone: each has a key of its own.')
  }
  const event: NewEvent = {
    event: nameOf(app, fields.name),
    body: dataOf(app, fields.data),
    except: socketIdOf(fields.socket_id),
    from: 'server',
  }
  const attributes = parseAttributes(fields.info, EVENT_ATTRIBUTES)
  for (const name of names) checkAttributes(name, attributes)
  return { channels: names, event, attributes }
}

const publishIn = (parts: PusherApiParts, app: App, channel: string, event: NewEvent): unknown => {
  if (!channel.startsWith(USER_CHANNEL_PREFIX)) return parts.channels.trigger(app.prefix + channel, event)
  const user = channel.slice(USER_CHANNEL_PREFIX.length)
  return parts.pusher.users.sendToUser(app, user, { event: event.event, body: event.body as string })
}

/** Publishes in order; a promise only where something makes it wait. */
const publish = (
  parts: PusherApiParts,
  app: App,
  publications: readonly Publication[],
): Promise<unknown> | undefined => {
  const waiting: unknown[] = []
  for (const { channels, event } of publications) {
    for (const channel of channels) {
      const published = publishIn(parts, app, channel, event)
      if (published instanceof Promise) waiting.push(published)
    }
  }
  return waiting.length > 0 ? Promise.all(waiting) : undefined
}

export const postEvent: Answer = async (parts, appRequest) => {
  const { app } = appRequest
  const fields = bodyOf(appRequest)
  const { channel, channels = channel === undefined ? [] : [channel] } = fields
  if (!Array.isArray(channels)) throw new Failure(400, 'channels is no array of channels.')
  const publication = publicationOf(app, fields, channels)
  const published = publish(parts, app, [publication])
  if (published) await published
  if (publication.attributes.length === 0) return EMPTY_ANSWER
  const asked = publication.channels.map((name) => [name, attributesOf(parts, app, name, publication.attributes)])
  return okAnswer({ channels: Object.fromEntries(asked) })
}

export const postBatch: Answer = async (parts, appRequest) => {
  const { app } = appRequest
  const { batch } = bodyOf(appRequest)
  if (!Array.isArray(batch)) throw new Failure(400, 'batch is no array of events.')
  const { maxBatchEvents } = app.limits
  if (batch.length > maxBatchEvents) {
    throw new Failure(400, `A batch of ${batch.length} events came; at most ${maxBatchEvents} are allowed.`)
  }
  // All are checked before any is published.
  const publications = batch.map((fields: unknown) => {
    if (!isFields(fields)) throw new Failure(400, 'An event of the batch is no JSON object.')
    return publicationOf(app, fields, [fields.channel])
  })
  const published = publish(parts, app, publications)
  if (published) await published
  if (publications.every(({ attributes }) => attributes.length === 0)) return EMPTY_ANSWER
  const asked = publications.map(({ channels, attributes }) => attributesOf(parts, app, channels[0]!, attributes))
  return okAnswer({ batch: asked })
}
