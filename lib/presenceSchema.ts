import { fail, unknownKey } from './store/failure.ts'
import { fallback } from './store/graph.ts'
import { isDevelopment } from './store/hints.ts'
import { isPlain, newId, parse } from './store/parse.ts'
import type { Schema, Shape } from './store/schema.ts'
import { checkShape } from './store/shape.ts'

/** A client's state, whatever its keys. */
export type Plain = Readonly<Record<string, unknown>>

/** The keys a client shows of itself. Anything `s` makes, but for `s.bytes()`: presence travels as JSON. */
export type PresenceShape = Shape

/** How a client's awareness state is read and written. */
export interface PresenceCodec {
  /** The keys of the schema; `undefined` where there is none and states are shown as they come. */
  readonly keys: readonly string[] | undefined
  /** A first state as it goes on the wire: a key that is left out is optional, or has a default. Throws as `encode`. */
  start(initial: Plain): Plain
  /** A state after a change, as it goes on the wire. Throws `UNKNOWN_KEY`, `INVALID_VALUE` or `CYCLE`. */
  encode(patch: Plain, state: Plain): Plain
  /** The value as the application sees it: what does not fit is the default, or `undefined`. Never throws. */
  decode(key: string, raw: unknown): unknown
}

const PATH = ['presence'] as const

const isPresent = (value: unknown): boolean => value !== undefined

const read = (schema: Schema, raw: unknown, isStrict: boolean): unknown => {
  if (schema.kind === 'list') {
    if (!Array.isArray(raw)) return undefined
    const items = raw.map((item) => readOr(schema.item, item, isStrict)).filter(isPresent)
    return isStrict && items.length < raw.length ? undefined : items
  }
  if (schema.kind !== 'record' && schema.kind !== 'object') return schema.read(raw)
  if (!isPlain(raw)) return undefined
  const { fields, item } = schema
  const names = schema.kind === 'record' ? Object.keys(raw) : Object.keys(fields)
  const result: Record<string, unknown> = {}
  for (const name of names) {
    const field = fields[name] ?? item
    const given = Object.hasOwn(raw, name) ? raw[name] : undefined
    const value = readOr(field, given, isStrict)
    if (value !== undefined) result[name] = value
    // Half a cursor is none.
    else if ((field !== item && !field.isOptional) || (isStrict && given !== undefined)) return undefined
  }
  return result
}

/**
 * The value that one which came as JSON stands for. Where it is absent or does not fit: its default, or `undefined`.
 * `isStrict`: only where it is absent; what does not fit, anywhere inside, makes `undefined` of the whole.
 */
export const readOr = (schema: Schema, raw: unknown, isStrict = false): unknown => {
  const value = raw === null && schema.isNullable ? null : read(schema, raw, isStrict)
  return value === undefined && !(isStrict && raw !== undefined) ? fallback(schema) : value
}

/** Throws `INVALID_SCHEMA` where bytes are to travel as JSON. */
export const refuseBytes = (schema: Schema, path: readonly string[]): void => {
  if (schema.kind === 'bytes') {
    fail('INVALID_SCHEMA', path, 'it travels as JSON')
  }
  for (const [key, field] of Object.entries(schema.fields)) refuseBytes(field, [...path, key])
  if (schema.kind === 'list' || schema.kind === 'record') refuseBytes(schema.item, [...path, '*'])
}

/** Throws `INVALID_SCHEMA`. Without a shape, states are shown as they come and nothing can be written. */
export const presenceCodec = (shape: PresenceShape | undefined): PresenceCodec => {
  const schemas: PresenceShape = Object.assign(Object.create(null), shape)
  if (isDevelopment) checkShape(schemas, PATH)
  for (const [key, schema] of Object.entries(schemas)) refuseBytes(schema, [...PATH, key])
  const keys = Object.keys(schemas)
  const encode = (patch: Plain, state: Plain): Plain => {
    const next = { ...state }
    for (const [key, given] of Object.entries(patch)) {
      const schema = schemas[key] ?? unknownKey(PATH, key, schemas)
      const value = parse(schema, given, [...PATH, key], newId)
      if (value === undefined) delete next[key]
      else next[key] = value
    }
    return next
  }
  return {
    keys: shape && keys,
    start: (initial) => encode({ ...Object.fromEntries(keys.map((key) => [key, undefined])), ...initial }, {}),
    encode,
    decode: (key, raw) => {
      const schema = schemas[key]
      return schema === undefined ? raw : readOr(schema, raw)
    },
  }
}
