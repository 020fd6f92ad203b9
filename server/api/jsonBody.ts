/** Bodies of requests: whether they are of a type that is taken here, and the JSON in them. */
import { TuttiError } from '../../lib/errors.ts'
import type { ApiRequest } from '../contracts.ts'
import type { Json } from './documentJson.ts'
import { parseMediaType } from './negotiation.ts'

/** "a, b or c". */
const listed = (names: readonly string[]): string =>
  names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} or ${names.at(-1)}`

/**
 * The media type of a request's body: one of `types`, in UTF-8, without a content encoding.
 * @throws TuttiError `UNSUPPORTED_TYPE`
 */
export const checkBodyType = <T extends string>(request: Pick<ApiRequest, 'header'>, types: readonly T[]): T => {
  const { type, charset } = parseMediaType(request.header('content-type'))
  const coding = request.header('content-encoding').trim().toLowerCase()
  const known = types.find((candidate) => candidate === type)
  const problem =
    known === undefined
      ? `The content type is ${type === '' ? 'missing' : `"${type}"`}; expected ${listed(types)}.`
      : charset !== undefined && charset !== 'utf-8' && charset !== 'utf8'
        ? `The charset is "${charset}"; expected utf-8.`
        : coding !== '' && coding !== 'identity'
          ? `The content encoding is "${coding}"; expected none.`
          : undefined
  if (known !== undefined && problem === undefined) return known
  throw new TuttiError('UNSUPPORTED_TYPE', problem ?? 'The content type is not known.', {
    hint: `Send the header "Content-Type: ${types[0]}" and the body as it is.`,
  })
}

/**
 * The JSON of a body.
 * @param what the body should be, as it reads after "expected": `a JSON object`
 * @param example one such body
 * @throws TuttiError `INVALID_JSON`
 */
export const parseJsonBody = (body: Uint8Array, what: string, example: string): Json => {
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(body)
  } catch (cause) {
    throw new TuttiError('INVALID_JSON', 'The body is not valid UTF-8.', { hint: 'Send JSON encoded as UTF-8.', cause })
  }
  if (text.trim() === '') {
    throw new TuttiError('INVALID_JSON', `The body is empty; expected ${what}.`, { hint: `Send e.g. ${example}.` })
  }
  try {
    return JSON.parse(text) as Json
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause
    throw new TuttiError('INVALID_JSON', `The body is not JSON: ${cause.message}`, {
      hint: `Send ${what}, e.g. ${example}.`,
      cause,
    })
  }
}
