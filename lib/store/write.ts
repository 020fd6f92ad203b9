/** Changes of a document. Everything given here was parsed before; each change leaves its inverse in an open `transact`. */
import { equalityDeep } from 'lib0/function'
import * as Y from 'yjs'
import type { TuttiError } from '../errors.ts'
import { errorAt, fail } from './failure.ts'
import { changed, fits, isAttached, nodeOf, pathOf, rebind, schemaAt, storedAt } from './graph.ts'
import { isDevelopment } from './hints.ts'
import { parse } from './parse.ts'
import { batch } from './reactive.ts'
import { checkNotRendering } from './render.ts'
import type { Graph, Node, Schema, Stored, YType } from './schema.ts'

/** Key in `Transaction.meta`: whether the history of this graph records the transaction. */
export const RECORDED: unique symbol = Symbol('tutti.recorded')

export interface TransactOptions {
  /** The Yjs origin of the transaction; `null` if left out. */
  readonly origin?: unknown
  /** `false` keeps the change out of undo and redo. */
  readonly history?: boolean
}

export const destroyedError = (): TuttiError => errorAt('DESTROYED', [], 'the store was destroyed')

export const checkNotDestroyed = (graph: Graph): void => {
  if (graph.isDestroyed) throw destroyedError()
}

/** Throws `DESTROYED`, or `WRITE_IN_RENDER` while a component renders. */
export const checkWritable = (graph: Graph): void => {
  checkNotDestroyed(graph)
  checkNotRendering(graph)
}

const checkNode = (node: Node): void => {
  checkWritable(node.graph)
  if (!isAttached(node)) {
    fail('DETACHED', pathOf(node), `this ${node.schema.kind} is not in the document`)
  }
}

/** Checks a value that is to stand in `node`, or in it under `keys`; see `parse`. */
export const parseIn = (node: Node, schema: Schema, value: unknown, ...keys: readonly (string | number)[]): Stored =>
  parse(schema, value, [...pathOf(node), ...keys], node.graph.options.makeId)

/** Runs one write of the application on `node`. What `fn` does is complete once its values were parsed. */
export const write = <R>(node: Node, fn: () => R): R => {
  checkNode(node)
  return commit(node.graph, fn, {})
}

const commit = <R>(graph: Graph, fn: () => R, { origin = null, history = true }: TransactOptions): R =>
  batch(() =>
    graph.doc.transact(({ meta }) => {
      // A nested transaction is part of the outer one, which has decided.
      if (!meta.has(RECORDED)) meta.set(RECORDED, history)
      return fn()
    }, origin),
  )

/**
 * Runs `fn` in one Yjs transaction. If it throws, its changes are taken back before the transaction ends, so that what
 * leaves for the peers has no net effect.
 */
export const transact = <R>(graph: Graph, fn: () => R, options: TransactOptions): R => {
  checkWritable(graph)
  return commit(
    graph,
    () => {
      const outer = graph.log
      const log = outer ?? []
      const start = log.length
      graph.log = log
      try {
        const result = fn()
        // What an asynchronous function writes after its first `await` would be outside.
        if (isDevelopment && result instanceof Promise) {
          // What becomes of it is its own affair: it was told.
          result.catch(() => undefined)
          fail('INVALID_VALUE', [], 'transact got an asynchronous function')
        }
        return result
      } catch (error) {
        graph.log = undefined
        while (log.length > start) log.pop()!()
        throw error
      } finally {
        graph.log = outer
      }
    },
    options,
  )
}

export const listOf = (items: unknown[]): Y.Array<unknown> => {
  // `Y.Array.from` takes JSON only.
  const list = new Y.Array<unknown>()
  list.push(items)
  return list
}

/**
 * For an open `transact`: keeps copies of what is about to be deleted, for `restore` to put back. The nodes of the
 * originals then stand for the copies: they keep their identity, and older inverse operations on them reach it.
 */
export const keep = (graph: Graph, originals: unknown[], restore: (copies: unknown[]) => void): void => {
  if (!graph.log) return
  const pairs: [Node, YType][] = []
  const copyOf = (original: unknown): unknown => {
    if (!(original instanceof Y.AbstractType)) return original
    const copy =
      original instanceof Y.Map
        ? new Y.Map(Array.from(original.entries(), ([key, value]) => [key, copyOf(value)]))
        : original instanceof Y.Array
          ? listOf(original.toArray().map(copyOf))
          : original.clone()
    const node = graph.nodes.get(original as YType)
    if (node) pairs.push([node, copy as YType])
    return copy
  }
  const copies = originals.map(copyOf)
  graph.log.push(() => {
    restore(copies)
    for (const [node, copy] of pairs) rebind(node, copy)
  })
}

/** What Yjs takes for a stored value. Parts that do not fit stay as they are: they come from elsewhere (`standIn`). */
export const build = (schema: Schema | undefined, stored: Stored): unknown => schema?.build?.(stored) ?? stored

/** Stored values are equal: plain ones deeply, shared types by their JSON. */
export const same = (next: Stored, stored: unknown): boolean =>
  equalityDeep(next, stored instanceof Y.AbstractType ? stored.toJSON() : stored)

/**
 * Makes what stands in `node` as `old` equal to `next` without putting another value in its place, if that can be:
 * where both are of the same shared type, or equal already. `mustStay`: it is emptied rather than removed.
 */
export const setInPlace = (node: Node, schema: Schema, old: unknown, next: Stored, mustStay?: unknown): boolean => {
  const isNothing = next === undefined || next === null
  if (!fits(schema, old) || (isNothing && !mustStay)) return (isNothing || !schema.type) && same(next, old)
  assign(nodeOf(node.graph, old, schema), next ?? undefined)
  return true
}

/** Writes a key of an object or record, in place where it is a shared type already; `undefined` removes it. */
export const setKey = (node: Node, key: string, next: Stored): void => {
  const schema = schemaAt(node.schema, key)
  const old = storedAt(node, key)
  // A top-level type can't be removed.
  if (setInPlace(node, schema, old, next, node.roots?.[key])) return
  const set = (value: unknown): void => {
    const y = node.y as Y.Map<unknown>
    if (value === undefined) y.delete(key)
    else y.set(key, value)
    changed(node, [key])
  }
  keep(node.graph, [old], ([copy]) => set(copy))
  set(build(schema, next))
}

/** Makes the content of a node equal to `stored`, in place; `undefined` empties it. */
const assign = (node: Node, stored: Stored): void => node.schema.assign?.(node, stored)

/** Makes the content of a node equal to what the application gives, in one write. */
export const replaceContent = (node: Node, given: unknown): void => {
  const stored = parseIn(node, node.schema, given)
  write(node, () => assign(node, stored))
}

/** How long the common start of two sequences is, and how long the common end of what remains. */
export const common = (
  length: number,
  nextLength: number,
  isSame: (index: number, nextIndex: number) => boolean,
): [start: number, end: number] => {
  const shorter = Math.min(length, nextLength)
  let start = 0
  while (start < shorter && isSame(start, start)) start++
  let end = 0
  while (end < shorter - start && isSame(length - 1 - end, nextLength - 1 - end)) end++
  return [start, end]
}
