/**
 * Messages of the Pusher Channels protocol, versions 5 to 7: what its clients send, read and checked, and the frames
 * that they get. Text in, text out.
 *
 * In every frame of the server `data` is a JSON string, except in `pusher:error`, where it is an object: known clients
 * read exactly that.
 */
import { TuttiError } from '../../lib/errors.ts'
import { MAX_DEPTH, nestsWithin } from './bounds.ts'

/** What a wrapper of ours adds to a subscription: where its client stood when the connection was lost. */
export interface RecoverRequest {
  readonly epoch: string
  /** As `recovery` of the last subscription told it. */
  readonly offset: number
  /** Events that came on the channel since. */
  readonly count: number
  /** Of the lost connection. */
  readonly socketId: string
}

export interface SubscribeRequest {
  readonly type: 'subscribe'
  readonly channel: string
  /** `<key>:<signature>`; empty if none was given. */
  readonly auth: string
  /** Exactly as it was signed. */
  readonly channelData: string | undefined
  readonly recover: RecoverRequest | undefined
}

export interface SigninRequest {
  readonly type: 'signin'
  readonly auth: string
  /** Exactly as it was signed. */
  readonly userData: string
}

export interface ClientEventRequest {
  readonly type: 'event'
  readonly event: string
  readonly channel: string
  /** What the others get as `data`. */
  readonly body: string
}

/** A message of a client. */
export type PusherRequest =
  | SubscribeRequest
  | SigninRequest
  | ClientEventRequest
  | { readonly type: 'unsubscribe'; readonly channel: string }
  | { readonly type: 'ping' }
  /** The answer to a `pusher:ping` of the server. */
  | { readonly type: 'pong' }

type Fields = Readonly<Record<string, unknown>>

const isObject = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const kindOf = (value: unknown): string => {
  if (value === undefined) return 'missing'
  if (value === null) return 'null'
  return Array.isArray(value) ? 'an array' : `of type ${typeof value}`
}

/** As much of a text as belongs into a message about it. */
const shown = (text: string): string => JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text)

const malformed = (message: string, hint: string): TuttiError => new TuttiError('PROTOCOL', message, { hint })

const dataOf = (event: string, { data }: Fields): Fields => {
  if (isObject(data)) return data
  throw malformed(
    `The data of ${event} is ${kindOf(data)}; expected an object.`,
    'Send data as an object, not as text.',
  )
}

const textOf = (event: string, fields: Fields, name: string): string => {
  const value = fields[name]
  if (typeof value === 'string') return value
  throw malformed(`${name} of ${event} is ${kindOf(value)}; expected text.`, `Send ${name} as a JSON string.`)
}

const optionalTextOf = (event: string, fields: Fields, name: string): string | undefined =>
  fields[name] === undefined || fields[name] === null ? undefined : textOf(event, fields, name)

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0

/** What can't be understood is as good as no request: nothing is recovered, and the client is told so. */
const recoverOf = (value: unknown): RecoverRequest | undefined => {
  if (!isObject(value)) return undefined
  const { epoch, offset, count, socket_id: socketId } = value
  if (typeof epoch !== 'string' || typeof socketId !== 'string' || !isCount(offset) || !isCount(count)) return undefined
  return { epoch, offset, count, socketId }
}

const readSubscribe = (message: Fields): SubscribeRequest => {
  const event = 'pusher:subscribe'
  const fields = dataOf(event, message)
  return {
    type: 'subscribe',
    channel: textOf(event, fields, 'channel'),
    auth: optionalTextOf(event, fields, 'auth') ?? '',
    channelData: optionalTextOf(event, fields, 'channel_data'),
    recover: recoverOf(fields.recover),
  }
}

const readClientEvent = (event: string, message: Fields): ClientEventRequest => {
  const channel = textOf(shown(event), message, 'channel')
  const { data } = message
  if (!nestsWithin(data, MAX_DEPTH)) {
    throw malformed(`The data of ${shown(event)} nests deeper than ${MAX_DEPTH}.`, 'Send data that is flatter.')
  }
  // Swift's client reads text only; a text is passed on as it is, since Java's sends its JSON as one.
  return { type: 'event', event, channel, body: typeof data === 'string' ? data : JSON.stringify(data ?? null) }
}

/**
 * Reads a message of a client.
 * @throws TuttiError `PROTOCOL`
 */
export const readPusherMessage = (text: string): PusherRequest => {
  let message: unknown
  try {
    message = JSON.parse(text)
  } catch (cause) {
    throw new TuttiError('PROTOCOL', `A message is not JSON: ${shown(text)}.`, {
      hint: 'Send a JSON object with event and data.',
      cause,
    })
  }
  if (!isObject(message)) {
    throw malformed(`A message is ${kindOf(message)}; expected an object.`, 'Send a JSON object with event and data.')
  }
  const { event } = message
  if (typeof event !== 'string') {
    throw malformed(`The event of a message is ${kindOf(event)}; expected text.`, 'Send event as a JSON string.')
  }
  switch (event) {
    case 'pusher:ping':
      return { type: 'ping' }
    case 'pusher:pong':
      return { type: 'pong' }
    case 'pusher:subscribe':
      return readSubscribe(message)
    case 'pusher:unsubscribe':
      return { type: 'unsubscribe', channel: textOf(event, dataOf(event, message), 'channel') }
    case 'pusher:signin': {
      const fields = dataOf(event, message)
      return {
        type: 'signin',
        auth: textOf(event, fields, 'auth'),
        userData: textOf(event, fields, 'user_data'),
      }
    }
    default:
      if (event.startsWith('client-')) return readClientEvent(event, message)
      throw malformed(
        `There is no event ${shown(event)} that a client may send.`,
        'A client sends pusher:subscribe, pusher:unsubscribe, pusher:signin, pusher:ping, or an event named client-….',
      )
  }
}

// --- Frames of the server -------------------------------------------------------------------------------------------

/** Someone in a presence channel. `info` `null`: nothing is told of them. */
export interface PusherMember {
  readonly id: string
  readonly info: unknown
}

/** Where a subscription begins in the channel's events. */
export interface Recovery {
  readonly epoch: string
  /** The position before whatever follows. */
  readonly offset: number
  /** Everything that was missed follows. `false`: nothing was asked for, or some of it is gone. */
  readonly recovered: boolean
  /** The next event of the channel is its cached one, and has no place in the numbering. */
  readonly cached?: true
}

const frame = (event: string, data: unknown, channel?: string): string =>
  JSON.stringify({ event, channel, data: JSON.stringify(data) })

/** @param activityTimeout seconds of silence after which the client pings; 0 would make it give up for ever */
export const connectionEstablishedFrame = (socketId: string, activityTimeout: number): string =>
  frame('pusher:connection_established', { socket_id: socketId, activity_timeout: activityTimeout })

export const PONG_FRAME = frame('pusher:pong', {})

/** @param code 4301 for a client event over the rate, 4302 for a watchlist over its limit, else of section 4 or none */
export const errorFrame = (code: number | null, message: string): string =>
  JSON.stringify({ event: 'pusher:error', data: { code, message } })

const presenceOf = (members: readonly PusherMember[]): object => ({
  ids: members.map(({ id }) => id),
  // No prototype: a user may be called `__proto__`.
  hash: members.reduce<Record<string, unknown>>((hash, { id, info }) => {
    hash[id] = info
    return hash
  }, Object.create(null)),
  count: members.length,
})

/** @param members of a presence channel, the newcomer included; all three of ids, hash and count are needed */
export const subscriptionSucceededFrame = (
  channel: string,
  recovery: Recovery | undefined,
  members: readonly PusherMember[] | undefined,
): string => {
  const presence = members === undefined ? undefined : presenceOf(members)
  return frame('pusher_internal:subscription_succeeded', { presence, recovery }, channel)
}

/** @param status as an HTTP status */
export const subscriptionErrorFrame = (channel: string, type: string, error: string, status: number): string =>
  frame('pusher:subscription_error', { type, error, status }, channel)

export const memberAddedFrame = (channel: string, { id, info }: PusherMember): string =>
  frame('pusher_internal:member_added', { user_id: id, user_info: info }, channel)

export const memberRemovedFrame = (channel: string, id: string): string =>
  frame('pusher_internal:member_removed', { user_id: id }, channel)

export const subscriptionCountFrame = (channel: string, count: number): string =>
  frame('pusher_internal:subscription_count', { subscription_count: count }, channel)

export const cacheMissFrame = (channel: string): string => frame('pusher:cache_miss', {}, channel)

/** @param userData the very text that was signed: clients take nothing else for a success */
export const signinSuccessFrame = (userData: string): string => frame('pusher:signin_success', { user_data: userData })

export interface WatchlistNews {
  readonly name: 'online' | 'offline'
  readonly user_ids: readonly string[]
}

export const watchlistFrame = (events: readonly WatchlistNews[]): string =>
  frame('pusher_internal:watchlist_events', { events })

/**
 * An event of an application.
 * @param body passed on as it is: it is the text already that a client gets as `data`
 */
export const eventFrame = (event: string, channel: string, body: string, userId: string | undefined): string =>
  JSON.stringify({ event, channel, data: body, user_id: userId })
