/** Signatures of the Pusher protocol by which an application lets its users in: `<key>:<HMAC-SHA256 in hexadecimal>`. */
import { TuttiError } from '../../lib/errors.ts'
import { createSigner, isSignedByAny } from './hmac.ts'

/** What an app signs with. */
export interface Credentials {
  readonly key: string
  /** Each is accepted. */
  readonly secrets: readonly string[]
}

const checkSigned = ({ key, secrets }: Credentials, auth: string, signed: string, what: string): void => {
  const colon = auth.lastIndexOf(':')
  const hint = `Sign ${JSON.stringify(signed)} with HMAC-SHA256 and the app's secret, in lower-case hexadecimal, and send auth as <key>:<signature>.`
  const refuse = (problem: string): never => {
    throw new TuttiError('UNAUTHENTICATED', `${what}: ${problem}.`, { hint })
  }
  if (auth === '') refuse('auth is missing')
  if (colon < 0) refuse('auth has no colon')
  if (auth.slice(0, colon) !== key) refuse("auth does not start with the app's key")
  if (!isSignedByAny(secrets.map(createSigner), signed, auth.slice(colon + 1))) refuse('the signature is not valid')
}

/**
 * Checks that the application let a connection into a private or presence channel.
 * @param channelData exactly as it came; where it is given it is part of what was signed, on any channel
 * @throws TuttiError `UNAUTHENTICATED`
 */
export const checkChannelAuth = (
  credentials: Credentials,
  socketId: string,
  channel: string,
  channelData: string | undefined,
  auth: string,
): void => {
  const signed = `${socketId}:${channel}${channelData === undefined ? '' : `:${channelData}`}`
  checkSigned(credentials, auth, signed, `The subscription of ${channel} is not signed`)
}

/**
 * Checks that the application vouches for a user.
 * @param userData exactly as it came
 * @throws TuttiError `UNAUTHENTICATED`
 */
export const checkUserAuth = (credentials: Credentials, socketId: string, userData: string, auth: string): void =>
  checkSigned(credentials, auth, `${socketId}::user::${userData}`, 'The sign-in is not signed')
