/** From what an application writes to what Yjs may store: everything is checked before anything is stored. */
import { type ErrorCode, TuttiError } from '../errors.ts'
import { hints } from './hints.ts'
import { NODE, type Snapshotable } from './live.ts'
import { EMPTY, isSchema, type Schema, type Shape } from './schema.ts'

export type Path = readonly (string | number)[]

/** A value as Yjs stores it; objects, lists and records of a schema as plain objects and arrays, texts as strings. */
export type Stored = unknown

/** Deeper JSON would risk the stack of every reader. */
const MAX_DEPTH = 200
const MAX_ID_LENGTH = 256

export const errorAt = (code: ErrorCode, path: Path, message: string, hint?: string, cause?: unknown): TuttiError =>
  new TuttiError(code, path.length > 0 ? `${path.join('.')}: ${message}` : message, { path, hint, cause })

export const fail = (...given: Parameters<typeof errorAt>): never => {
  throw errorAt(...given)
}

/** A random id of 80 bits in 16 characters. `crypto.randomUUID` is missing on plain-http pages. */
export const newId = (): string =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => (byte & 31).toString(32)).join('')

export const unknownKey = (path: Path, key: string, known: Shape): never =>
  fail('UNKNOWN_KEY', [...path, key], 'not in the schema', hints.unknownKey?.(key, known))

const invalid = (path: Path, expected: string, value: unknown): never => {
  // An object without a prototype has no constructor.
  const name = value === null || value === undefined ? String(value) : (value.constructor?.name ?? 'Object')
  const got = Number.isNaN(value) ? 'NaN' : name
  return fail('INVALID_VALUE', path, `expected ${expected}, got ${got}`, hints.invalidValue?.(name))
}

export const isPlain = (value: unknown): value is Record<string, unknown> => {
  if (typeof value !== 'object' || value === null) return false
  const proto: unknown = Object.getPrototypeOf(value)
  return proto === Object.prototype || proto === null
}

// Half a surrogate pair leaves as U+FFFD on the wire; storing it so keeps this client equal to its peers.
const wellFormed = (text: string): string => text.replace(/\p{Surrogate}/gu, '\ufffd')

const unwrap = (value: unknown): unknown => {
  const node = (value as { [NODE]?: Snapshotable } | null | undefined)?.[NODE]
  return node ? node.snapshot() : value
}

/** A value of a kind that reads as it is stored; `undefined` for one that does not fit. */
export const scalar = (schema: Schema, value: unknown): Stored => {
  const { kind, values } = schema
  switch (kind) {
    case 'number':
      // Adding 0 makes 0 of -0, which would not survive the wire.
      return Number.isFinite(value) ? (value as number) + 0 : undefined
    case 'boolean':
      return typeof value === 'boolean' ? value : undefined
    case 'literal':
      return values.includes(value) ? value : undefined
    case 'bytes':
      return value instanceof Uint8Array ? value.slice() : undefined
    case 'string':
    case 'text':
    case 'id':
      return typeof value === 'string' ? value : undefined
    default:
      return undefined
  }
}

const json = (given: unknown, path: Path, parents: readonly unknown[]): Stored => {
  const value = unwrap(given)
  if (typeof value === 'string') return wellFormed(value)
  if (typeof value === 'number' && Number.isFinite(value)) return value + 0
  if (typeof value === 'boolean' || value === null) return value
  const isArray = Array.isArray(value)
  if (!isArray && !isPlain(value)) return invalid(path, 'JSON', value)
  if (parents.includes(value)) return fail('CYCLE', path, 'it contains itself', hints.cycle)
  if (parents.length > MAX_DEPTH) return fail('INVALID_VALUE', path, `nested deeper than ${MAX_DEPTH}`, hints.tooDeep)
  const inside = [...parents, value]
  if (isArray) return Array.from(value, (item, index) => json(item, [...path, index], inside))
  const result: Record<string, Stored> = {}
  for (const [key, item] of Object.entries(value)) {
    if (key === '__proto__') invalid([...path, key], 'another key than __proto__', item)
    if (item !== undefined) result[key] = json(item, [...path, key], inside)
  }
  return result
}

const checkId = (id: unknown, path: Path): void => {
  if (typeof id !== 'string' || id === '' || id.length > MAX_ID_LENGTH || id === '__proto__' || wellFormed(id) !== id) {
    fail('INVALID_VALUE', path, 'not an id', hints.invalidId?.(MAX_ID_LENGTH))
  }
}

/**
 * Checks `given` against `schema` and returns what to store; `undefined` means: store nothing. Throws `INVALID_VALUE`,
 * `UNKNOWN_KEY` or `CYCLE`. Live values are copied. `id` is the value's id, where its place in a record gives one.
 */
export const parse = (schema: Schema, given: unknown, path: Path, makeId: () => string, id?: string): Stored => {
  let value = unwrap(given)
  if (value === null && schema.isNullable) return null
  if (value === undefined) {
    if (schema.isOptional || schema.fallback !== undefined) return undefined
    if (schema.kind === 'id') return id ?? makeId()
    // Nested containers are created by whoever creates their parent.
    value = EMPTY[schema.kind as keyof typeof EMPTY]
  }
  const { kind, fields, item } = schema
  if (kind === 'id') {
    checkId(value, path)
    return id ?? value
  }
  if (kind === 'json' && value !== undefined) return json(value, path, [])
  if (kind === 'date' && value instanceof Date && !Number.isNaN(+value)) return +value
  if (kind === 'list' && Array.isArray(value)) {
    return Array.from(value, (each, index) => parseItem(item, each, [...path, index], makeId))
  }
  if ((kind === 'record' || kind === 'object') && isPlain(value)) {
    const result: Record<string, Stored> = {}
    for (const key of Object.keys(value)) {
      if (kind === 'record') {
        checkId(key, [...path, key])
        result[key] = parseItem(item, value[key], [...path, key], makeId, key)
      } else if (!fields[key]) unknownKey(path, key, fields)
    }
    for (const [key, field] of Object.entries(fields)) {
      const stored = parse(field, value[key], [...path, key], makeId, field.kind === 'id' ? id : undefined)
      if (stored !== undefined) result[key] = stored
    }
    return result
  }
  const isLiteral = kind === 'literal'
  const stored = scalar(schema, value)
  if (stored === undefined) invalid(path, isLiteral ? `one of ${JSON.stringify(schema.values)}` : `s.${kind}()`, value)
  return typeof stored === 'string' && !isLiteral ? wellFormed(stored) : stored
}

/** As `parse`, for an item of a list or record, which cannot be absent. */
export const parseItem = (schema: Schema, value: unknown, path: Path, makeId: () => string, id?: string): Stored => {
  const stored = parse(schema, value, path, makeId, id)
  return stored === undefined ? invalid(path, `s.${schema.kind}()`, value) : stored
}

/** Checks the schema itself: its fields are schemas, its names are usable, its defaults fit. Throws `INVALID_SCHEMA`. */
export const checkShape = (shape: Shape, path: Path): void => {
  for (const [key, schema] of Object.entries(shape)) checkSchema(schema, [...path, key])
}

const checkSchema = (schema: Schema, path: Path): void => {
  if (!isSchema(schema)) {
    fail('INVALID_SCHEMA', path, 'not a schema', hints.noSchema)
  }
  const name = path.at(-1)
  if (name === '' || name === '__proto__') fail('INVALID_SCHEMA', path, 'not a usable name', hints.unusableName)
  if (schema.fallback !== undefined) {
    try {
      parse(schema, schema.fallback, path, newId)
    } catch (cause) {
      fail('INVALID_SCHEMA', path, 'its default does not fit', (cause as TuttiError).message, cause)
    }
  }
  checkShape(schema.fields, path)
  if (schema.kind === 'list' || schema.kind === 'record') checkSchema(schema.item, [...path, '*'])
}
