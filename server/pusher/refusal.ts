/** How the Pusher protocol says no: by a close code, by an error of one subscription, or by a frame that ends nothing. */
import { type ErrorCode, meaningOf, type TuttiError } from '../../lib/errors.ts'
import { PUSHER_CLOSE } from '../protocol/closeCode.ts'
import { errorFrame, subscriptionErrorFrame } from '../protocol/pusherMessage.ts'

const RETRIED: ReadonlySet<ErrorCode> = new Set([
  'TRY_LATER',
  'STORAGE_FAILED',
  'INTERNAL',
  'TIMEOUT',
  'RATE_LIMITED',
] satisfies ErrorCode[])

/** The close code for a connection that is not taken. */
export const closeCodeOf = ({ code }: TuttiError): number => {
  if (code === 'GOING_AWAY') return PUSHER_CLOSE.goingAway
  return RETRIED.has(code) ? PUSHER_CLOSE.overCapacity : PUSHER_CLOSE.unauthorised
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
