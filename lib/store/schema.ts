import type { LiveList, LiveRecord, LiveText } from './live.ts'

export type Kind =
  | 'string'
  | 'number'
  | 'boolean'
  | 'literal'
  | 'date'
  | 'bytes'
  | 'json'
  | 'id'
  | 'text'
  | 'object'
  | 'list'
  | 'record'

/** A value that JSON can hold. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json }

/** `optional`: may be absent when read. `default`: may be left out when written. */
type Flag = 'optional' | 'default'

declare const TYPES: unique symbol

/**
 * What may stand in one place of a document. `L` is its type when read from `state`, `I` when written, `S` in a
 * snapshot. Immutable: every modifier returns a new schema.
 */
export interface Schema<L = unknown, I = unknown, S = unknown, F extends Flag = Flag> {
  /** @internal */
  readonly kind: Kind
  /** @internal */
  readonly fields: Readonly<Record<string, Schema>>
  /** @internal The item of a list or record. */
  readonly item: Schema
  /** @internal The values of a literal. */
  readonly values: readonly unknown[]
  /** @internal */
  readonly fallback: unknown
  /** @internal */
  readonly isOptional: boolean
  /** @internal */
  readonly isNullable: boolean
  /** @internal Kept as a type of Yjs. */
  readonly isContainer: boolean
  readonly [TYPES]?: [L, I, S, F]
  /** May be absent: reads as `undefined`, and `x.field = undefined` removes it. */
  optional(): Schema<L | undefined, I | undefined, S | undefined, F | 'optional' | 'default'>
  /** May be `null`. */
  nullable(): Schema<L | null, I | null, S | null, F>
}

/** A schema of plain values, which can have a default. */
export interface ValueSchema<T = unknown, F extends Flag = Flag> extends Schema<T, T, T, F> {
  optional(): ValueSchema<T | undefined, F | 'optional' | 'default'>
  nullable(): ValueSchema<T | null, F>
  /** What reading gives while nothing is stored. It is computed on reading, never written. */
  default(value: NonNullable<T> | (null extends T ? null : never)): ValueSchema<Exclude<T, undefined>, 'default'>
}

/** Names and what stands under them. */
export type Shape = Readonly<Record<string, Schema>>

type FlagOf<T> = T extends Schema<unknown, unknown, unknown, infer F> ? F : never
type LiveOf<T> = T extends Schema<infer L, infer _I, infer _S, infer _F> ? L : never
type InputOf<T> = T extends Schema<infer _L, infer I, infer _S, infer _F> ? I : never
type PlainOf<T> = T extends Schema<infer _L, infer _I, infer S, infer _F> ? S : never
type Flat<T> = { [K in keyof T]: T[K] } & {}

/** An object of this shape as read from `state`. */
export type Live<Sh extends Shape> = Flat<
  { [K in keyof Sh as 'optional' extends FlagOf<Sh[K]> ? never : K]: LiveOf<Sh[K]> } & {
    [K in keyof Sh as 'optional' extends FlagOf<Sh[K]> ? K : never]?: LiveOf<Sh[K]> | undefined
  }
>

/** What a write of an object of this shape takes; a live object of the same shape fits too, and is copied. */
export type Input<Sh extends Shape> = Flat<
  { readonly [K in keyof Sh as [FlagOf<Sh[K]>] extends [never] ? K : never]: InputOf<Sh[K]> } & {
    readonly [K in keyof Sh as [FlagOf<Sh[K]>] extends [never] ? never : K]?: InputOf<Sh[K]> | undefined
  }
>

/** The plain, frozen form of an object of this shape. */
export type Snapshot<Sh extends Shape> = Flat<
  { readonly [K in keyof Sh as 'optional' extends FlagOf<Sh[K]> ? never : K]: PlainOf<Sh[K]> } & {
    readonly [K in keyof Sh as 'optional' extends FlagOf<Sh[K]> ? K : never]?: PlainOf<Sh[K]> | undefined
  }
>

type Scalar = string | number | boolean

const NOTHING: Readonly<Record<string, never>> = Object.freeze(Object.create(null))

/** What the kinds that are kept as types of Yjs begin with. */
export const EMPTY = { text: '', list: [], object: {}, record: {} } as const

class Definition {
  readonly fields: Shape = NOTHING
  readonly item!: Schema
  readonly values: readonly unknown[] = []
  readonly fallback: unknown = undefined
  readonly isOptional: boolean = false
  readonly isNullable: boolean = false
  readonly isContainer: boolean
  readonly kind: Kind

  constructor(kind: Kind, patch?: Partial<Definition>) {
    this.kind = kind
    this.isContainer = kind in EMPTY
    Object.assign(this, patch)
  }

  default(fallback: unknown): Definition {
    return new Definition(this.kind, { ...this, fallback })
  }

  optional(): Definition {
    return new Definition(this.kind, { ...this, isOptional: true })
  }

  nullable(): Definition {
    return new Definition(this.kind, { ...this, isNullable: true })
  }
}

// The one place where a definition gets its compile-time type: the types exist only at compile time.
const define = <T>(kind: Kind, patch?: Partial<Definition>): T => new Definition(kind, patch) as T

/** Whether a value is a schema made by `s`. */
export const isSchema = (value: unknown): value is Schema => value instanceof Definition

/** Builds schemas: `s.object({ title: s.string(), done: s.boolean().default(false) })`. */
export const s = {
  string: (): ValueSchema<string, never> => define('string'),
  /** A finite number. */
  number: (): ValueSchema<number, never> => define('number'),
  boolean: (): ValueSchema<boolean, never> => define('boolean'),
  /** One of the given values. */
  literal: <const V extends readonly [Scalar, ...Scalar[]]>(...values: V): ValueSchema<V[number], never> =>
    define('literal', { values }),
  /** A `Date`, stored as milliseconds since 1970. Reading gives a fresh one each time. */
  date: (): ValueSchema<Date, never> => define('date'),
  /** A `Uint8Array`, copied on writing and on reading. */
  bytes: (): ValueSchema<Uint8Array, never> => define('bytes'),
  /** A JSON value, replaced as a whole (the last writer wins). Reading gives it frozen. */
  json: <T = Json>(): ValueSchema<T, never> => define('json'),
  /** A string that is filled with a random id where it is left out; in a record it is the value's id. */
  id: (): Schema<string, string, string, 'default'> => define('id'),
  /** A text that several people can write at once. */
  text: (): Schema<LiveText, string | LiveText, string, 'default'> => define('text'),
  /** An object whose fields merge one by one. */
  object: <Sh extends Shape>(
    fields: Sh,
    // biome-ignore lint/complexity/noBannedTypes: `{}` is the empty object whose assignability is asked for
  ): Schema<Live<Sh>, Input<Sh>, Snapshot<Sh>, {} extends Input<Sh> ? 'default' : never> =>
    define('object', { fields: Object.assign(Object.create(null), fields) }),
  list: <L, I, S, F extends Flag>(
    item: Schema<L, I, S, F>,
  ): Schema<LiveList<L, I, S>, readonly I[], readonly S[], 'default'> => define('list', { item }),
  /** Values by id. Drag-sorted collections are records with an `order` field: see `orderBetween`. */
  record: <L, I, S, F extends Flag>(
    item: Schema<L, I, S, F>,
  ): Schema<
    LiveRecord<L, I, S>,
    Readonly<Record<string, I>> | LiveRecord<L, I, S>,
    Readonly<Record<string, S>>,
    'default'
  > => define('record', { item }),
}
