/** `POST /events` and `POST /batch_events`: what a back end publishes. */
import type { App } from '../../apps.ts'
import type { ApiResponse } from '../../contracts.ts'
import { USER_CHANNEL_PREFIX } from '../../protocol/pusherName.ts'
import { attributesOf } from './attributes.ts'
import type { Answer, AppRequest, PusherApiParts } from './contracts.ts'
import { EMPTY_ANSWER, Failure, okAnswer } from './failure.ts'
import { type Fields, type Publication, publicationOf } from './publication.ts'

const utf8 = new TextDecoder('utf-8', { fatal: true })

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const bodyOf = ({ request }: AppRequest): Fields => {
  let body: unknown
  try {
    body = JSON.parse(utf8.decode(request.body))
  } catch (error) {
    // The decoder throws a TypeError, the parser a SyntaxError.
    if (!(error instanceof TypeError || error instanceof SyntaxError)) throw error
    throw new Failure(400, 'The body is not JSON in UTF-8; expected one JSON object.')
  }
  if (!isFields(body)) throw new Failure(400, 'The body is no JSON object.')
  return body
}

const publishIn = (parts: PusherApiParts, app: App, channel: string, { event }: Publication): unknown => {
  if (!channel.startsWith(USER_CHANNEL_PREFIX)) return parts.channels.trigger(app.prefix + channel, event)
  return parts.pusher.users.sendToUser(app, channel.slice(USER_CHANNEL_PREFIX.length), event)
}

const allDone = async (waiting: readonly Promise<unknown>[]): Promise<void> => {
  const outcomes = await Promise.allSettled(waiting)
  const refused = outcomes.find((outcome) => outcome.status === 'rejected')
  if (refused) throw refused.reason
}

/**
 * Publishes in order; a promise only where something makes it wait. What a hook refuses in one channel goes to the
 * others all the same, and the promise rejects with the first refusal.
 */
const publish = (parts: PusherApiParts, app: App, publications: readonly Publication[]): Promise<void> | undefined => {
  const waiting: Promise<unknown>[] = []
  for (const publication of publications) {
    for (const channel of publication.channels) {
      try {
        const published = publishIn(parts, app, channel, publication)
        if (published instanceof Promise) waiting.push(published)
      } catch (error) {
        waiting.push(Promise.reject(error))
      }
    }
  }
  return waiting.length > 0 ? allDone(waiting) : undefined
}

export const postEvent: Answer = (parts, appRequest) => {
  const { app } = appRequest
  const fields = bodyOf(appRequest)
  const { channel, channels = channel === undefined ? [] : [channel] } = fields
  if (!Array.isArray(channels)) throw new Failure(400, 'channels is no array; expected the names of channels in one.')
  const publication = publicationOf(parts, appRequest, fields, channels)
  const answer = (): ApiResponse => {
    const { attributes } = publication
    if (attributes.length === 0) return EMPTY_ANSWER
    const asked = publication.channels.map((name) => [name, attributesOf(parts, app, name, attributes)])
    return okAnswer({ channels: Object.fromEntries(asked) })
  }
  return publish(parts, app, [publication])?.then(answer) ?? answer()
}

export const postBatch: Answer = (parts, appRequest) => {
  const { app } = appRequest
  const { batch } = bodyOf(appRequest)
  if (!Array.isArray(batch)) throw new Failure(400, 'batch is missing or no array; expected events in one.')
  const { maxBatchEvents } = app.limits
  if (batch.length > maxBatchEvents) {
    throw new Failure(400, `A batch of ${batch.length} events came; at most ${maxBatchEvents} are allowed.`)
  }
  // All are checked before any is published.
  const publications = batch.map((fields: unknown) => {
    if (!isFields(fields)) throw new Failure(400, 'An event of the batch is no JSON object.')
    return publicationOf(parts, appRequest, fields, [fields.channel])
  })
  const answer = (): ApiResponse => {
    if (publications.every(({ attributes }) => attributes.length === 0)) return EMPTY_ANSWER
    const asked = publications.map(({ channels, attributes }) => attributesOf(parts, app, channels[0]!, attributes))
    return okAnswer({ batch: asked })
  }
  return publish(parts, app, publications)?.then(answer) ?? answer()
}
