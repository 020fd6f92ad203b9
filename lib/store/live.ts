/** The types of what a store hands out: live lists, records and texts. Types, and the one symbol they share. */
import type * as Y from 'yjs'

/** Under this key a live value carries its node. Not enumerable, not part of the public types. */
export const NODE: unique symbol = Symbol('tutti.node')

/**
 * A list in the document, kept as a `Y.Array`. Reads like a readonly array; writes are the methods below.
 * `L` is what reading an item gives, `I` what writing one takes, `S` its plain snapshot.
 */
export interface LiveList<L, I = L, S = L> extends ReadonlyArray<L> {
  /** Appends items; returns the new length. */
  push(...items: I[]): number
  /** Puts items in front; returns the new length. */
  unshift(...items: I[]): number
  /** Inserts items before `index` (0 to `length`). */
  insert(index: number, ...items: I[]): void
  /** Writes `item` over the one at `index`, in place where it is an object, list, record or text. */
  set(index: number, item: I): void
  /** As `Array.prototype.splice`; returns plain snapshots of what it removed. */
  splice(start: number, deleteCount?: number, ...items: I[]): S[]
  /** Removes the item at `index`; returns its plain snapshot, or `undefined` if there is none (as for -1). */
  remove(index: number): S | undefined
  /**
   * Moves an item so that it ends up at index `to`. Yjs has no move: this is a copy and a deletion in one transaction,
   * and a concurrent edit of the moved item by a peer is lost. For lists that people drag, use `s.record` and
   * `orderBetween`.
   */
  move(from: number, to: number): void
  clear(): void
  /** Makes the content equal to `items`; the common start and end stay as they are. */
  replace(items: Iterable<I>): void
  /** The Yjs type behind it. */
  readonly y: Y.Array<unknown>
}

/** Values by id, kept as a `Y.Map`. Concurrent changes of different ids, or of different fields of one, all survive. */
export interface LiveRecord<L, I = L, S = L> extends Iterable<[string, L]> {
  readonly size: number
  get(id: string): L | undefined
  has(id: string): boolean
  /** Writes the value of `id`, in place where it exists. An `s.id()` field of the value becomes `id`. */
  set(id: string, value: I): void
  /** Adds a value under its own `s.id()` field, or a new random id if it has none or it is taken; returns the id. */
  add(value: I): string
  /** Removes `id`; returns a plain snapshot of its value, or `undefined` if there was none. */
  delete(id: string): S | undefined
  clear(): void
  /** Makes the content equal to `values`. */
  replace(values: Readonly<Record<string, I>>): void
  /** Ids, in no order that peers share; the same holds for `values` and `entries`. See `sorted`. */
  keys(): string[]
  values(): L[]
  entries(): [string, L][]
  /** Values in the order of a field, or of what `by` returns for each; ties in the order of ids, so equal for all peers. */
  sorted(by: KeysOf<L> | ((value: L) => string | number)): L[]
  /** The Yjs type behind it. */
  readonly y: Y.Map<unknown>
}

type KeysOf<L> = L extends object ? keyof L & string : never

/** A text that several people can write at once, kept as a `Y.Text`. Indexes count UTF-16 code units. */
export interface LiveText {
  readonly length: number
  toString(): string
  toJSON(): string
  /** Inserts `text` before `index`; never between the halves of a surrogate pair. */
  insert(index: number, text: string): void
  /** Deletes `length` code units from `index`; a surrogate pair is deleted whole. */
  delete(index: number, length: number): void
  /** Makes the content equal to `text`, changing only the differing middle. */
  set(text: string): void
  /** The Yjs type behind it, for editor bindings and rich text. */
  readonly y: Y.Text
}

type Plain = string | number | bigint | boolean | symbol | null | undefined | Date | Uint8Array

/** The plain, frozen form of a live value. */
export type SnapshotOf<V> = V extends Plain
  ? V
  : V extends LiveText
    ? string
    : V extends LiveList<infer _L, infer _I, infer S>
      ? readonly S[]
      : V extends LiveRecord<infer _L, infer _I, infer S>
        ? Readonly<Record<string, S>>
        : V extends object
          ? { readonly [K in keyof V]: SnapshotOf<V[K]> }
          : V
