import { type ErrorCode, TuttiError } from '../errors.ts'
import { hintOf } from './hints.ts'
import type { Path, Shape } from './schema.ts'

/** `known`: the keys that there are, where the last one of the path is none of them. */
export const errorAt = (code: ErrorCode, path: Path, message: string, cause?: unknown, known?: Shape): TuttiError =>
  new TuttiError(code, path.length > 0 ? `${path.join('.')}: ${message}` : message, {
    path,
    hint: hintOf?.(message, path.at(-1), known),
    cause,
  })

export const fail = (...given: Parameters<typeof errorAt>): never => {
  throw errorAt(...given)
}

export const unknownKey = (path: Path, key: string | symbol, known: Shape): never =>
  fail('UNKNOWN_KEY', [...path, String(key)], 'not in the schema', undefined, known)

export const invalid = (path: Path, expected: string, value: unknown): never => {
  // NaN is told by itself; an object without a prototype has no constructor.
  const got =
    value === null || value === undefined || Number.isNaN(value) ? value : (value.constructor?.name ?? 'Object')
  return fail('INVALID_VALUE', path, `expected ${expected}, got ${got}`)
}
