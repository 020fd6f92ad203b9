/** How the Pusher protocol says no: by a close code, by an error of one subscription, or by a frame that ends nothing. */
import { type ErrorCode, meaningOf, type TuttiError } from '../../lib/errors.ts'
import { errorFrame, subscriptionErrorFrame } from '../protocol/pusherMessage.ts'

/**
 * Close codes that this door uses. What clients do on each was measured: 4000–4099 keeps them away for ever, 4100–4199
 * has them back after one second, as 1001 does. Never 4200–4299 for a new connection: a client would come back at
 * once, hundreds of times a second.
 */
export const CLOSE = {
  noApp: 4001,
  path: 4005,
  version: 4006,
  unsupportedProtocol: 4007,
  noProtocol: 4008,
  unauthorised: 4009,
  overCapacity: 4100,
  goingAway: 1001,
} as const

/** The codes of `pusher:error` that clients know. */
export const CLIENT_EVENT_RATE = 4301
export const WATCHLIST_LIMIT = 4302

const RETRIED: ReadonlySet<ErrorCode> = new Set([
  'TRY_LATER',
  'STORAGE_FAILED',
  'INTERNAL',
  'TIMEOUT',
  'RATE_LIMITED',
] satisfies ErrorCode[])

/** The close code for a connection that is not taken. */
export const closeCodeOf = ({ code }: TuttiError): number => {
  if (code === 'GOING_AWAY') return CLOSE.goingAway
  return RETRIED.has(code) ? CLOSE.overCapacity : CLOSE.unauthorised
}

/** What an application's `pusher:subscription_error` handler finds as `type`; anything else is `ServerError`. */
const TYPES: Partial<Record<ErrorCode, string>> = {
  UNAUTHENTICATED: 'AuthError',
  FORBIDDEN: 'AuthError',
  INVALID_ROOM: 'InvalidChannel',
  INVALID_VALUE: 'InvalidData',
  RATE_LIMITED: 'LimitReached',
}

const textOf = ({ message, hint }: TuttiError): string => (hint === '' ? message : `${message} ${hint}`)

/** A subscription is refused; the connection and its other subscriptions go on. */
export const subscriptionRefusal = (channel: string, error: TuttiError): string =>
  subscriptionErrorFrame(
    channel,
    TYPES[error.code] ?? 'ServerError',
    textOf(error),
    meaningOf(error.code).status ?? 500,
  )

/** Something else is refused; nothing ends. */
export const refusalFrame = (error: TuttiError, code: number | null = null): string => errorFrame(code, textOf(error))
