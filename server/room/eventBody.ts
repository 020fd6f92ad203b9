/** Data of an event as the application has it, and as it travels: see `NewEvent.body`. */
import { TuttiError } from '../../lib/errors.ts'

/**
 * @param data JSON, or bytes; `undefined` is `null`
 * @throws TuttiError `INVALID_VALUE` for what JSON has no form for
 */
export const bodyOf = (data: unknown): string | Uint8Array => {
  if (data instanceof Uint8Array) return data
  if (data === undefined) return 'null'
  let body: string | undefined
  let cause: unknown
  try {
    body = JSON.stringify(data) as string | undefined
  } catch (error) {
    cause = error
  }
  if (body !== undefined) return body
  throw new TuttiError('INVALID_VALUE', `The data of the event, of type ${typeof data}, can not be written as JSON.`, {
    hint: 'Give JSON, or a Uint8Array for bytes.',
    cause,
  })
}

export const dataOf = (body: string | Uint8Array): unknown => {
  if (typeof body !== 'string') return body
  try {
    return JSON.parse(body)
  } catch {
    // Any other text stands for itself.
    return body
  }
}
