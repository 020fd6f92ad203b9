/** The kinds that are stored as plain values: `s.string()` and so on. */
import * as Y from 'yjs'
import { fail, invalid } from './failure.ts'
import { checkId, checkText, isPlain, readText, unwrap } from './parse.ts'
import { define, type Json, type Path, type Schema, type Stored, type ValueSchema } from './schema.ts'

/** Deeper JSON would risk the stack of every reader. */
const MAX_DEPTH = 200

export const string = (): ValueSchema<string, never> => define({ kind: 'string', check: checkText, read: readText })

// Adding 0 makes 0 of -0, which would not survive the wire.
const finite = (value: unknown): number | undefined => (Number.isFinite(value) ? (value as number) + 0 : undefined)

/** A finite number. */
export const number = (): ValueSchema<number, never> => define({ kind: 'number', check: finite, read: finite })

const flag = (value: unknown): boolean | undefined => (typeof value === 'boolean' ? value : undefined)

export const boolean = (): ValueSchema<boolean, never> => define({ kind: 'boolean', check: flag, read: flag })

type Scalar = string | number | boolean

/** One of the given values. */
export const literal = <const V extends readonly [Scalar, ...Scalar[]]>(
  ...values: V
): ValueSchema<V[number], never> => {
  const check = (value: unknown): unknown => (values.includes(value as Scalar) ? value : undefined)
  return define({ kind: 'literal', check, read: check, expected: `one of ${JSON.stringify(values)}` })
}

/** A `Date`, stored as milliseconds since 1970. Reading gives a fresh one each time. */
export const date = (): ValueSchema<Date, never> =>
  define({
    kind: 'date',
    check: (value) => (value instanceof Date ? finite(+value) : undefined),
    read: (stored) => {
      // The default is a date.
      const time = stored instanceof Date ? +stored : stored
      return Number.isFinite(time) ? new Date(time as number) : undefined
    },
  })

// Not `slice`: that of a Node `Buffer`, which Yjs does not know, shares its memory.
const copyBytes = (value: unknown): unknown => (value instanceof Uint8Array ? new Uint8Array(value) : undefined)

/** A `Uint8Array`, copied on writing and on reading. */
export const bytes = (): ValueSchema<Uint8Array, never> => define({ kind: 'bytes', check: copyBytes, read: copyBytes })

/** A string that is filled with a random id where it is left out; in a record it is the value's id. */
export const id = (): Schema<string, string, string, 'default'> =>
  define({
    kind: 'id',
    check: (value, path, makeId, id) => {
      if (value === undefined) return id ?? makeId()
      checkId(value, path)
      return id ?? value
    },
    read: readText,
  })

const checkJson = (given: unknown, path: Path, parents: readonly unknown[]): Stored => {
  const value = unwrap(given)
  const scalar = value === null ? null : (checkText(value) ?? finite(value) ?? flag(value))
  if (scalar !== undefined) return scalar
  const isArray = Array.isArray(value)
  if (!isArray && !isPlain(value)) return invalid(path, 'JSON', value)
  if (parents.includes(value)) return fail('CYCLE', path, 'contains itself')
  if (parents.length > MAX_DEPTH) return fail('INVALID_VALUE', path, `deeper than ${MAX_DEPTH}`)
  const inside = [...parents, value]
  if (isArray) return Array.from(value, (item, index) => checkJson(item, [...path, index], inside))
  const result: Record<string, Stored> = {}
  for (const [key, item] of Object.entries(value)) {
    if (key === '__proto__') invalid([...path, key], 'another key', item)
    if (item !== undefined) result[key] = checkJson(item, [...path, key], inside)
  }
  return result
}

const freeze = (value: unknown): unknown => {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value) && !ArrayBuffer.isView(value)) {
    for (const item of Object.values(value)) freeze(item)
    Object.freeze(value)
  }
  return value
}

/** A JSON value, replaced as a whole (the last writer wins). Reading gives it frozen. */
export const json = <T = Json>(): ValueSchema<T, never> =>
  define({
    kind: 'json',
    check: (value, path) => (value === undefined ? undefined : checkJson(value, path, [])),
    read: (stored) => freeze(stored instanceof Y.AbstractType ? stored.toJSON() : stored),
  })
