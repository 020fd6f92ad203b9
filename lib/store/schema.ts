import type * as Y from 'yjs'
import type { TuttiError } from '../errors.ts'
import type { Signal } from './reactive.ts'

export type Path = readonly (string | number)[]

export type YType = Y.AbstractType<unknown>

/** A value as Yjs stores it; objects, lists and records of a schema as plain objects and arrays, texts as strings. */
export type Stored = unknown

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
export type Flag = 'optional' | 'default'

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
  /** @internal How an error names what fits. */
  readonly expected: string
  /** @internal */
  readonly fallback: unknown
  /** @internal */
  readonly isOptional?: true
  /** @internal */
  readonly isNullable?: true
  /** @internal The Yjs type of a container: a value that is kept as one. */
  readonly type?: typeof Y.Map | typeof Y.Array | typeof Y.Text
  /** @internal What a container begins with. */
  readonly empty?: Stored
  /**
   * @internal What to store for a value; `undefined` if it does not fit. Throws where it knows better what is wrong. A
   * value that was left out is given too (`undefined`). `id`: the value's id, where its place in a record gives one.
   */
  check(value: unknown, path: Path, makeId: () => string, id?: string): Stored
  /** @internal The value that a stored one stands for; `undefined` if it does not fit. */
  read(stored: unknown): unknown
  /** @internal The container for what `check` returned; `undefined` for anything else. */
  build?(stored: Stored): Y.Map<unknown> | Y.Array<unknown> | Y.Text | undefined
  /** @internal How a container shows itself to the application. */
  face?(node: Node): unknown
  /** @internal The plain form of a container. */
  copy?(node: Node): unknown
  /** @internal Makes the content of a container equal to `stored`, in place; `undefined` empties it. */
  assign?(node: Node, stored: Stored): void
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

/** A field, the structure of a list or record or the content of a text (`null`), or a node with all inside it. */
export type Key = string | null | typeof DEEP
export const DEEP: unique symbol = Symbol('deep')

/** One Yjs type seen through its schema. There is one node per type as long as the type lives. */
export interface Node {
  readonly graph: Graph
  readonly schema: Schema
  /** Changes only by `rebind`. */
  y: YType
  /** Top-level containers of the root node by name; its scalars live in `y`. */
  readonly roots: Readonly<Record<string, YType>> | undefined
  face: unknown
  /** What computations that read a key depend on. */
  deps: Map<Key, Signal<number>> | undefined
  /** The frozen plain form, until something inside changes. If a node has one, all nodes inside it have one. */
  plain: unknown
  /** Bulk form of a list (values) or record (entries), until its structure changes. */
  items: readonly unknown[] | undefined
  /** Nodes for what is stored in another form under a key, or not at all. */
  standIns?: Map<unknown, { raw: unknown; node: Node }>
  /** Keys whose stored value was reported as one that does not fit. */
  misfits?: Set<unknown>
}

export interface GraphOptions {
  /** What a stored value that does not fit reads as: its default, the value with a warning, or the value. */
  readonly validateRemote: 'coerce' | 'warn' | 'off'
  readonly onError: (error: TuttiError) => void
  readonly makeId: () => string
}

/** A node and, of its keys, the one that stands for a change. */
export type Place = readonly [node: Node, keys: readonly (string | null)[]]

/** The nodes of one document. */
export interface Graph {
  readonly doc: Y.Doc
  readonly options: GraphOptions
  readonly nodes: WeakMap<YType, Node>
  readonly root: Node
  /** Dependencies that someone subscribes to; counted in development, from the first on. */
  subscriptions?: number
  isDestroyed: boolean
  /** Inverse operations of the open `transact`, oldest first. */
  log?: (() => void)[] | undefined
  /** Nodes to read what is not stored. */
  readonly empty: Map<Schema, Node>
  /** Shared types that are read as JSON, and where. */
  readonly inside: WeakMap<YType, Place>
  destroy(): void
}

const NOTHING: Shape = Object.freeze({ __proto__: null as never })

/** @internal */
type Parts = Partial<Omit<Schema, 'kind'>> & Pick<Schema, 'kind' | 'check'>

class Definition {
  constructor(parts: Parts) {
    Object.assign(this, { fields: NOTHING, expected: `s.${parts.kind}()`, ...parts })
  }

  /** No plain value stands for a container. */
  read(): undefined {
    return undefined
  }

  default(fallback: unknown): Definition {
    return new Definition({ ...(this as unknown as Parts), fallback })
  }

  optional(): Definition {
    return new Definition({ ...(this as unknown as Parts), isOptional: true })
  }

  nullable(): Definition {
    return new Definition({ ...(this as unknown as Parts), isNullable: true })
  }
}

/**
 * @internal Makes a schema of what its kind can do. The one place where it gets its type, which exists only at compile
 * time.
 */
export const define = <T>(parts: Parts): T => new Definition(parts) as T

/** Whether a value is a schema made by `s`. */
export const isSchema = (value: unknown): value is Schema => value instanceof Definition
