/** The header `Idempotency-Key`: a request that is sent again, since its answer was lost, is carried out once. */
import { createHash } from 'node:crypto'
import { TuttiError } from '../../lib/errors.ts'
import type { ApiRequest, ApiResponse } from '../contracts.ts'
import { Answers } from './answers.ts'

export const LIFETIME_MS = 5 * 60_000
export const MAX_KEPT = 10_000
export const MAX_KEPT_BYTES = 16 * 1024 * 1024
const MAX_KEY_LENGTH = 255

/** What takes no key: a request without an effect is carried out whenever it is sent. */
const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS'])

/** Headers that change what a request does. */
const MEANING = ['content-type', 'if-match', 'if-none-match', 'x-tutti-origin']
/** Headers that tell who sent it: nobody is given the answer to another. */
const SENDER = ['authorization', 'cookie']

/** A short name of a list of texts and some bytes, which no other list has. */
export const digest = (parts: readonly string[], body?: Uint8Array | string): string => {
  const hash = createHash('sha256')
  // Lengths, so that no two lists of parts read the same.
  for (const part of parts) hash.update(`${part.length}:${part}`)
  if (body) hash.update(body)
  return hash.digest('base64url')
}

const headersOf = (request: ApiRequest, names: readonly string[]): string[] => names.map((name) => request.header(name))

const checkKey = (key: string): void => {
  const isVisible = /^[\x21-\x7e]+$/.test(key)
  if (isVisible && key.length <= MAX_KEY_LENGTH) return
  throw new TuttiError('INVALID_REQUEST', 'The Idempotency-Key is no key.', {
    hint: `Send 1–${MAX_KEY_LENGTH} visible ASCII characters without spaces, best a random UUID.`,
  })
}

/** Only what was carried out is kept: a request that was refused has changed nothing, and may be right the next time. */
const bytesOf = ({ status, body, stream }: ApiResponse): number | undefined =>
  status < 200 || status > 299 || stream !== undefined
    ? undefined
    : typeof body === 'string'
      ? 2 * body.length
      : body.byteLength

export interface Idempotency {
  /**
   * The answer to a request: what `work` makes, or if it was answered with success before, under the same key and in
   * the last 5 minutes, that same answer. A request that comes while the first is under way waits for it.
   * @throws TuttiError `KEY_REUSED`, `INVALID_REQUEST`
   */
  answer(request: ApiRequest, work: () => ApiResponse | Promise<ApiResponse>): ApiResponse | Promise<ApiResponse>
}

/** @param now the time, in ms */
export const createIdempotency = (now: () => number = Date.now): Idempotency => {
  const answers = new Answers<ApiResponse>({
    lifetimeMs: LIFETIME_MS,
    maxCount: MAX_KEPT,
    maxBytes: MAX_KEPT_BYTES,
    bytesOf,
    reused: () =>
      new TuttiError('KEY_REUSED', 'Another request was sent under this Idempotency-Key.', {
        hint: 'Use a new key for each request, and the old one only to send the same request again.',
      }),
    now,
  })
  return {
    answer: (request, work) => {
      const key = request.header('idempotency-key')
      const isGiven = key !== '' || request.hasHeader?.('idempotency-key') === true
      if (!isGiven || SAFE_METHODS.has(request.method)) return work()
      checkKey(key)
      const { method, path, query, body } = request
      const place = digest([key, ...headersOf(request, SENDER)])
      const meaning = digest([method, path, query, ...headersOf(request, MEANING)], body)
      return answers.once(place, meaning, work)
    },
  }
}
