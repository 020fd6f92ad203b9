/** From what an application writes to what Yjs may store: everything is checked before anything is stored. */
import { fail, invalid } from './failure.ts'
import { snapshot } from './graph.ts'
import { NODE } from './live.ts'
import { isSchema, type Node, type Path, type Schema, type Shape, type Stored } from './schema.ts'

const MAX_ID_LENGTH = 256

/** A random id of 80 bits in 16 characters. `crypto.randomUUID` is missing on plain-http pages. */
export const newId = (): string =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => (byte & 31).toString(32)).join('')

/** The plain copy of a live value; any other value as it is. */
export const unwrap = (value: unknown): unknown => {
  const node = (value as { [NODE]?: Node } | null | undefined)?.[NODE]
  return node ? snapshot(node) : value
}

export const isPlain = (value: unknown): value is Record<string, unknown> => {
  if (typeof value !== 'object' || value === null) return false
  const proto: unknown = Object.getPrototypeOf(value)
  return proto === Object.prototype || proto === null
}

// Half a surrogate pair leaves as U+FFFD on the wire; storing it so keeps this client equal to its peers.
const wellFormed = (text: string): string => text.replace(/\p{Surrogate}/gu, '\ufffd')

export const readText = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined)

export const checkText = (value: unknown): string | undefined => readText(value) && wellFormed(value as string)

export const checkId = (id: unknown, path: Path): void => {
  if (typeof id !== 'string' || id === '' || id.length > MAX_ID_LENGTH || id === '__proto__' || wellFormed(id) !== id) {
    fail('INVALID_VALUE', path, `not an id of 1 to ${MAX_ID_LENGTH} characters`)
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
    // Nested containers are created by whoever creates their parent.
    value = schema.empty
  }
  const stored = schema.check(value, path, makeId, id)
  return stored === undefined ? invalid(path, schema.expected, value) : stored
}

/** As `parse`, for an item of a list or record, which cannot be absent. */
export const parseItem: typeof parse = (schema, value, path, ...rest) => {
  const stored = parse(schema, value, path, ...rest)
  return stored === undefined ? invalid(path, schema.expected, value) : stored
}

/** Checks the schema itself: its fields are schemas, its names are usable, its defaults fit. Throws `INVALID_SCHEMA`. */
export const checkShape = (shape: Shape, path: Path): void => {
  for (const [key, schema] of Object.entries(shape)) checkSchema(schema, [...path, key])
}

const checkSchema = (schema: Schema, path: Path): void => {
  if (!isSchema(schema)) fail('INVALID_SCHEMA', path, 'not a schema')
  const name = path.at(-1)
  if (name === '' || name === '__proto__') fail('INVALID_SCHEMA', path, 'not a usable name')
  if (schema.fallback !== undefined) {
    try {
      parse(schema, schema.fallback, path, newId)
    } catch (cause) {
      fail('INVALID_SCHEMA', path, 'its default does not fit', cause)
    }
  }
  checkShape(schema.fields, path)
  if ('item' in schema) checkSchema(schema.item, [...path, '*'])
}
