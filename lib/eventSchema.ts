import { readOr, refuseBytes } from './presenceSchema.ts'
import { eventNameProblem } from './protocol.ts'
import { errorAt, fail, unknownKey } from './store/failure.ts'
import { isDevelopment } from './store/hints.ts'
import { newId, parse } from './store/parse.ts'
import type { Json, Schema, Shape } from './store/schema.ts'
import { checkShape } from './store/shape.ts'
import { json } from './store/values.ts'

/** Events by name and what each carries; `s.bytes()` travels as the bytes themselves, anything else as JSON. */
export type EventShape = Shape

type ReadOf<Sc> = Sc extends Schema<infer _L, infer _I, infer S, infer _F> ? S : never
type GivenOf<Sc> =
  Sc extends Schema<infer _L, infer I, infer _S, infer F> ? I | ('default' extends F ? undefined : never) : never

/** Names of a channel's events: without a schema, any. */
export type EventName<E extends EventShape> = keyof E extends never ? string : keyof E & string

/** What a listener gets. Shared by all listeners: JSON without a schema is frozen. */
export type EventData<E extends EventShape, K extends string> = keyof E extends never ? Json | Uint8Array : ReadOf<E[K]>

/** What `trigger` takes. */
export type EventInput<E extends EventShape, K extends string> = keyof E extends never
  ? Json | Uint8Array | undefined
  : GivenOf<E[K]>

/** How a channel's events are written and read. */
export interface EventCodec {
  /** Throws `UNKNOWN_KEY`, or `INVALID_VALUE` for a name that no event can have. */
  check(event: string): void
  /** Data as it goes on the wire. Throws as `check`, and `INVALID_VALUE`, `UNKNOWN_KEY` or `CYCLE` for the data. */
  encode(event: string, data: unknown): string | Uint8Array
  /** Data that came, `undefined` for an event that is not in the schema. Throws `INVALID_VALUE` if it does not fit. */
  decode(event: string, raw: unknown): { readonly data: unknown } | undefined
}

const PATH = ['events'] as const

const checkName = (code: 'INVALID_SCHEMA' | 'INVALID_VALUE', event: string): void => {
  const problem = eventNameProblem(event)
  if (problem !== undefined) fail(code, PATH, `"${event}" is no name of an event: ${problem}`)
}

/** Throws `INVALID_SCHEMA`. */
export const eventCodec = (shape: EventShape | undefined): EventCodec => {
  const schemas: EventShape = Object.assign(Object.create(null), shape)
  if (isDevelopment) checkShape(schemas, PATH)
  for (const [event, schema] of Object.entries(schemas)) {
    checkName('INVALID_SCHEMA', event)
    if (schema.kind !== 'bytes') refuseBytes(schema, [...PATH, event])
  }
  const anything = json<unknown>()
  const schemaOf = (event: string): Schema | undefined => (shape ? schemas[event] : anything)

  const known = (event: string): Schema => {
    if (!shape) checkName('INVALID_VALUE', String(event))
    return schemaOf(event) ?? unknownKey(PATH, event, schemas)
  }

  return {
    check: known,
    encode: (event, data) => {
      const schema = known(event)
      if (!shape && data instanceof Uint8Array) return data
      // What is absent is `null` in JSON.
      const value = parse(schema, shape ? data : (data ?? null), [...PATH, event], newId) ?? null
      return value instanceof Uint8Array ? value : JSON.stringify(value)
    },
    decode: (event, raw) => {
      const schema = schemaOf(event)
      if (!schema) return undefined
      const isAbsent = raw === null && !schema.isNullable && schema.kind !== 'json'
      const fits = !(shape && schema.kind === 'json' && raw instanceof Uint8Array)
      const data = fits ? readOr(schema, isAbsent ? undefined : raw, true) : undefined
      if (data !== undefined || (isAbsent && schema.isOptional)) return { data }
      throw errorAt('INVALID_VALUE', [...PATH, event], 'what came does not fit the schema; it is dropped')
    },
  }
}
