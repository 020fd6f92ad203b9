/** From what an application writes to what Yjs may store: everything is checked before anything is stored. */
import { fail, invalid } from './failure.ts'
import { snapshot } from './graph.ts'
import { NODE } from './live.ts'
import type { Node, Path, Schema, Stored } from './schema.ts'

/** At most 256 characters, none of them half a surrogate pair. */
const ID = /^(?!__proto__$)\P{Surrogate}{1,256}$/su

/** A random id of 80 bits in 16 characters. `crypto.randomUUID` is missing on plain-http pages. */
export const newId = (): string =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => (byte & 31).toString(32)).join('')

/** The plain copy of a live value; any other value as it is. */
export const unwrap = (value: unknown): unknown => {
  const node = (value as { [NODE]?: Node } | null | undefined)?.[NODE]
  return node ? snapshot(node) : value
}

export const isPlain = (value: unknown): value is Record<string, unknown> => {
  const proto: unknown = typeof value === 'object' && value !== null && Object.getPrototypeOf(value)
  return proto === Object.prototype || proto === null
}

export const readText = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined)

// Half a surrogate pair leaves as U+FFFD on the wire; storing it so keeps this client equal to its peers.
export const checkText = (value: unknown): string | undefined =>
  readText(value) && (value as string).replace(/\p{Surrogate}/gu, '\ufffd')

/** A number of items or characters, or the index of one. */
export const isCount = (value: unknown): boolean => Number.isInteger(value) && (value as number) >= 0

export const checkId = (id: unknown, path: Path): void => {
  if (typeof id !== 'string' || !ID.test(id)) fail('INVALID_VALUE', path, 'not an id of 1 to 256 characters')
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
