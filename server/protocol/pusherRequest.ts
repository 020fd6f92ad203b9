/**
 * Signatures of requests to Pusher's HTTP API: HMAC-SHA256 of `METHOD\n/path\nname=value&…`, where names are in lower
 * case and sorted, values are not URL-encoded, and `auth_signature` is left out.
 */
import { hash } from 'node:crypto'
import { equalsInConstantTime, isSignedByAny, type Signer } from './hmac.ts'
import { percentDecoded } from './percentDecoded.ts'

/** How far the clock of a back end may be off, in seconds. */
export const CLOCK_WINDOW_S = 600

/** Decoded parameters by their names in lower case. */
export type Parameters = ReadonlyMap<string, string>

export interface SignedRequest {
  readonly method: string
  /** Raw: percent-encoded. */
  readonly path: string
  readonly body: Uint8Array
}

/** As forms are encoded: a space may be `+`. */
const formDecoded = (text: string): string | undefined =>
  percentDecoded(text.includes('+') ? text.replaceAll('+', ' ') : text)

/** The parameters of a raw query; `undefined` if it is not percent-encoded UTF-8. Of equal names the last counts. */
export const parametersOf = (query: string): Parameters | undefined => {
  const parameters = new Map<string, string>()
  for (let start = 0; start < query.length; ) {
    const ampersand = query.indexOf('&', start)
    const end = ampersand < 0 ? query.length : ampersand
    const equals = query.indexOf('=', start)
    const nameEnd = equals < 0 || equals > end ? end : equals
    const name = formDecoded(query.slice(start, nameEnd))
    const value = formDecoded(query.slice(nameEnd + 1, end))
    if (name === undefined || value === undefined) return undefined
    if (end > start) parameters.set(name.toLowerCase(), value)
    start = end + 1
  }
  return parameters
}

/** What is signed. */
export const signedText = (method: string, path: string, parameters: Parameters): string => {
  const names = [...parameters.keys()].filter((name) => name !== 'auth_signature').sort()
  return `${method}\n${path}\n${names.map((name) => `${name}=${parameters.get(name)}`).join('&')}`
}

/**
 * Says what is wrong with the signature of a request, or `undefined` if one of the signers made it.
 * @param now seconds since 1970
 */
export const signatureProblem = (
  { method, path, body }: SignedRequest,
  parameters: Parameters,
  signers: readonly Signer[],
  now: number,
): string | undefined => {
  const stamp = parameters.get('auth_timestamp') ?? ''
  const signature = parameters.get('auth_signature') ?? ''
  const md5 = parameters.get('body_md5') ?? ''
  if (parameters.get('auth_version') !== '1.0') return 'auth_version must be 1.0'
  if (!/^\d{1,12}$/.test(stamp)) return 'auth_timestamp must be a number of seconds since 1970'
  if (Math.abs(now - Number(stamp)) > CLOCK_WINDOW_S) {
    return `auth_timestamp ${stamp} is more than ${CLOCK_WINDOW_S} s off; the clock of this server says ${Math.floor(now)}`
  }
  if (md5 === '' && body.byteLength > 0) return 'body_md5 is missing; expected the MD5 of the body'
  if (signature === '') return 'auth_signature is missing'
  const text = signedText(method, path, parameters)
  if (!isSignedByAny(signers, text, signature)) {
    // npm's pusher signs the path as it is and sends it percent-encoded; others sign what they send.
    const plain = path.includes('%') ? percentDecoded(path) : undefined
    if (plain === undefined || !isSignedByAny(signers, signedText(method, plain, parameters), signature)) {
      return `auth_signature is not the HMAC-SHA256, in lower-case hexadecimal, of ${JSON.stringify(text)} with the app's secret`
    }
  }
  // At last: a large body costs time that only who knows the secret may take.
  if (md5 !== '' && !equalsInConstantTime(md5, hash('md5', body))) {
    return 'body_md5 is not the MD5 of the body, in lower-case hexadecimal'
  }
  return undefined
}
