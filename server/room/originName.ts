import { TuttiError } from '../../lib/errors.ts'

/** Characters of the name that a back end gives itself. */
export const MAX_ORIGIN_LENGTH = 64

/**
 * Checks the name that a back end gives itself, and that clients show: 1–64 characters without control characters, and
 * without white space at its ends.
 * @param code what is thrown
 * @throws TuttiError `code`
 */
export const checkOrigin = (name: string, code: 'INVALID_VALUE' | 'INVALID_REQUEST'): void => {
  const problem =
    name === ''
      ? 'it is empty'
      : [...name].length > MAX_ORIGIN_LENGTH
        ? `it is longer than ${MAX_ORIGIN_LENGTH} characters`
        : /\p{Surrogate}/u.test(name)
          ? 'it holds half a surrogate pair'
          : /\p{Cc}/u.test(name)
            ? 'it holds a control character'
            : name !== name.trim()
              ? 'it begins or ends with white space'
              : undefined
  if (problem === undefined) return
  throw new TuttiError(code, `This is no name of an origin: ${problem}.`, {
    hint: 'Use a short name that people read, e.g. "Warehouse".',
  })
}
