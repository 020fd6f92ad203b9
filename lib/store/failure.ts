import { type ErrorCode, TuttiError } from '../errors.ts'
import { hints } from './hints.ts'
import type { Path, Shape } from './schema.ts'

export const errorAt = (code: ErrorCode, path: Path, message: string, hint?: string, cause?: unknown): TuttiError =>
  new TuttiError(code, path.length > 0 ? `${path.join('.')}: ${message}` : message, { path, hint, cause })

export const fail = (...given: Parameters<typeof errorAt>): never => {
  throw errorAt(...given)
}

export const unknownKey = (path: Path, key: string, known: Shape): never =>
  fail('UNKNOWN_KEY', [...path, key], 'not in the schema', hints.unknownKey?.(key, known))

export const invalid = (path: Path, expected: string, value: unknown): never => {
  // An object without a prototype has no constructor.
  const name = value === null || value === undefined ? String(value) : (value.constructor?.name ?? 'Object')
  const got = Number.isNaN(value) ? 'NaN' : name
  return fail('INVALID_VALUE', path, `expected ${expected}, got ${got}`, hints.invalidValue?.(name))
}
