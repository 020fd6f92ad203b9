/** What a back end wants published: read from the fields of a request and checked before anything is. */
import { eventNameProblem, roomNameProblem } from '../../../lib/protocol.ts'
import type { App } from '../../apps.ts'
import type { NewEvent } from '../../contracts.ts'
import { MAX_DEPTH, nestsWithin } from '../../protocol/bounds.ts'
import { kindOf, USER_CHANNEL_PREFIX } from '../../protocol/pusherName.ts'
import { type Attribute, checkAttributes, parseAttributes } from './attributes.ts'
import { channelNameOf } from './channelName.ts'
import type { AppRequest, PusherApiParts } from './contracts.ts'
import { Failure } from './failure.ts'

export interface Publication {
  /** Each once, in the order in which they were named. */
  readonly channels: readonly string[]
  readonly event: NewEvent & { readonly body: string }
  /** What is to be told of the channels afterwards. */
  readonly attributes: readonly Attribute[]
}

export type Fields = Readonly<Record<string, unknown>>

const EVENT_ATTRIBUTES: readonly Attribute[] = ['user_count', 'subscription_count']

const dataOf = ({ limits }: App, data: unknown): string => {
  if (data === undefined || data === null) throw new Failure(400, 'data is missing; expected a text, JSON as a rule.')
  if (!nestsWithin(data, MAX_DEPTH)) throw new Failure(400, `data nests deeper than ${MAX_DEPTH}.`)
  const text = typeof data === 'string' ? data : JSON.stringify(data)
  // A UTF-16 unit has at most 3 bytes in UTF-8: most texts need not be measured.
  if (text.length * 3 <= limits.maxEventBytes) return text
  const bytes = Buffer.byteLength(text)
  if (bytes <= limits.maxEventBytes) return text
  throw new Failure(413, `data has ${bytes} bytes; at most ${limits.maxEventBytes} are allowed.`)
}

const eventNameOf = ({ limits }: App, name: unknown): string => {
  if (typeof name !== 'string') throw new Failure(400, 'name is missing or no text; expected the name of an event.')
  const problem = eventNameProblem(name, limits.maxEventNameLength)
  if (problem === undefined) return name
  throw new Failure(400, `name is no name of an event: ${problem}.`)
}

/** Characters of a refused socket_id that are shown. */
const SHOWN = 40

const socketIdOf = (value: unknown): string | undefined => {
  if (value === undefined || value === null || value === '') return undefined
  if (typeof value === 'string' && /^\d+\.\d+$/.test(value)) return value
  const shown = typeof value === 'string' ? JSON.stringify(value.slice(0, SHOWN)) : 'no text'
  throw new Failure(400, `socket_id is ${shown}; expected two numbers with a dot between.`)
}

const checkRoom = ({ channels }: PusherApiParts, app: App, channel: string): void => {
  const room = app.prefix + channel
  if (channels.find(room) !== undefined || channel.startsWith(USER_CHANNEL_PREFIX)) return
  const problem = roomNameProblem(room)
  if (problem !== undefined) throw new Failure(400, `${JSON.stringify(channel)} makes no name of a room: ${problem}.`)
}

/** @throws Failure 400, 413 */
export const publicationOf = (
  parts: PusherApiParts,
  { app, request }: AppRequest,
  fields: Fields,
  channels: readonly unknown[],
): Publication => {
  if (channels.length === 0) throw new Failure(400, 'channels is empty; expected at least one channel.')
  const { maxChannelsPerEvent } = app.limits
  if (channels.length > maxChannelsPerEvent) {
    throw new Failure(400, `An event for ${channels.length} channels came; at most ${maxChannelsPerEvent} are allowed.`)
  }
  const names = [...new Set(channels.map((channel) => channelNameOf(app, channel)))]
  if (names.length > 1 && names.some((name) => kindOf(name).isEncrypted)) {
    throw new Failure(400, 'An event for an encrypted channel is for that channel alone: each has a key of its own.')
  }
  const event = {
    event: eventNameOf(app, fields.name),
    body: dataOf(app, fields.data),
    except: socketIdOf(fields.socket_id),
    from: 'server',
    caller: parts.callerOf?.(request),
  } as const
  const attributes = parseAttributes(fields.info, EVENT_ATTRIBUTES)
  for (const name of names) {
    checkAttributes(name, attributes)
    checkRoom(parts, app, name)
  }
  return { channels: names, event, attributes }
}
