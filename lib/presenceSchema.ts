import { checkShape, fail, newId, parse, unknownKey } from './store/parse.ts'
import type { Schema, Shape } from './store/schema.ts'

/** The keys a client shows of itself. Anything `s` makes, but for `s.bytes()`: presence travels as JSON. */
export type PresenceShape = Shape

/** How a client's awareness state is read and written. */
export interface PresenceCodec {
  /** The keys of the schema; `undefined` where there is none and states are shown as they come. */
  readonly keys: readonly string[] | undefined
  /** The value as it goes on the wire, `undefined` for none. Throws `UNKNOWN_KEY`, `INVALID_VALUE` or `CYCLE`. */
  encode(key: string, value: unknown): unknown
  /** The value as the application sees it: what does not fit is the default, or `undefined`. Never throws. */
  decode(key: string, raw: unknown): unknown
}

const PATH = ['presence'] as const

const isObject = (raw: unknown): raw is Record<string, unknown> =>
  typeof raw === 'object' && raw !== null && !Array.isArray(raw)

const read = (schema: Schema, raw: unknown): unknown => {
  switch (schema.kind) {
    case 'string':
    case 'text':
    case 'id':
      return typeof raw === 'string' ? raw : undefined
    case 'number':
      return typeof raw === 'number' ? raw : undefined
    case 'boolean':
      return typeof raw === 'boolean' ? raw : undefined
    case 'literal':
      return schema.values.includes(raw) ? raw : undefined
    case 'date': {
      const date = new Date(typeof raw === 'number' ? raw : Number.NaN)
      return Number.isNaN(+date) ? undefined : date
    }
    case 'json':
      return raw
    case 'list':
      return Array.isArray(raw) ? raw.map((item) => decode(schema.item, item)).filter(isPresent) : undefined
    case 'record':
      if (!isObject(raw)) return undefined
      return Object.fromEntries(
        Object.entries(raw)
          .map(([key, item]) => [key, decode(schema.item, item)])
          .filter(([, item]) => isPresent(item)),
      )
    case 'object': {
      if (!isObject(raw)) return undefined
      const result: Record<string, unknown> = {}
      for (const [key, field] of Object.entries(schema.fields)) {
        const value = decode(field, Object.hasOwn(raw, key) ? raw[key] : undefined)
        if (value !== undefined) result[key] = value
        // Half a cursor is none.
        else if (!field.isOptional) return undefined
      }
      return result
    }
    case 'bytes':
      return undefined
  }
}

const isPresent = (value: unknown): boolean => value !== undefined

const decode = (schema: Schema, raw: unknown): unknown => {
  if (raw === null && schema.isNullable) return null
  const value = raw === undefined ? undefined : read(schema, raw)
  return value === undefined ? schema.fallback : value
}

const refuseBytes = (schema: Schema, path: readonly string[]): void => {
  if (schema.kind === 'bytes') {
    fail('INVALID_SCHEMA', path, 'presence travels as JSON', 'Use s.string() or s.json() instead of s.bytes().')
  }
  for (const [key, field] of Object.entries(schema.fields)) refuseBytes(field, [...path, key])
  if (schema.kind === 'list' || schema.kind === 'record') refuseBytes(schema.item, [...path, '*'])
}

/** Throws `INVALID_SCHEMA`. Without a shape, states are shown as they come and nothing can be written. */
export const presenceCodec = (shape: PresenceShape | undefined): PresenceCodec => {
  if (shape === undefined) {
    return { keys: undefined, encode: (key) => unknownKey(PATH, key, {}), decode: (_key, raw) => raw }
  }
  checkShape(shape, PATH)
  for (const [key, schema] of Object.entries(shape)) refuseBytes(schema, [...PATH, key])
  const schemas = new Map(Object.entries(shape))
  return {
    keys: [...schemas.keys()],
    encode: (key, value) => {
      const schema = schemas.get(key)
      return schema === undefined ? unknownKey(PATH, key, shape) : parse(schema, value, [...PATH, key], newId)
    },
    decode: (key, raw) => {
      const schema = schemas.get(key)
      return schema === undefined ? raw : decode(schema, raw)
    },
  }
}
