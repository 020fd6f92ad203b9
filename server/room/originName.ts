import { TuttiError } from '../../lib/errors.ts'

/** Characters of the name that a back end gives itself. */
export const MAX_ORIGIN_LENGTH = 64

const problemOf = (name: unknown): string | undefined => {
  if (typeof name !== 'string') return 'it is no string'
  if (name === '') return 'it is empty'
  if ([...name].length > MAX_ORIGIN_LENGTH) return `it is longer than ${MAX_ORIGIN_LENGTH} characters`
  if (/\p{Surrogate}/u.test(name)) return 'it holds half a surrogate pair'
  if (/\p{Cc}/u.test(name)) return 'it holds a control character'
  return name === name.trim() ? undefined : 'it begins or ends with white space'
}

/**
 * Checks the name that a back end gives itself, and that clients show: 1–64 characters without control characters, and
 * without white space at its ends.
 * @param code what is thrown
 * @throws TuttiError `code`
 */
export const checkOrigin = (name: unknown, code: 'INVALID_VALUE' | 'INVALID_REQUEST'): void => {
  const problem = problemOf(name)
  if (problem === undefined) return
  throw new TuttiError(code, `This is no name of an origin: ${problem}.`, {
    hint: 'Use a short name that people read, e.g. "Warehouse".',
  })
}
