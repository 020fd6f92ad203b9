/** Changes of a document. Everything given here was parsed before; each change leaves its inverse in an open `transact`. */
import { equalityDeep } from 'lib0/function'
import * as Y from 'yjs'
import type { TuttiError } from '../errors.ts'
import { build, fits, type Graph, isContainer, listOf, type Node, settle, type YType } from './graph.ts'
import { hints } from './hints.ts'
import { errorAt, fail, parse, type Stored } from './parse.ts'
import { isRendering } from './render.ts'
import type { Schema } from './schema.ts'

/** Key in `Transaction.meta`: whether the history of this graph records the transaction. */
export const RECORDED: unique symbol = Symbol('tutti.recorded')

export interface TransactOptions {
  /** The Yjs origin of the transaction; `null` if left out. */
  readonly origin?: unknown
  /** `false` keeps the change out of undo and redo. */
  readonly history?: boolean
}

const warned = new WeakSet<Graph>()

export const destroyedError = (): TuttiError => errorAt('DESTROYED', [], 'the store was destroyed', hints.destroyed)

/** Throws `DESTROYED`, or `WRITE_IN_RENDER` while a component renders. */
export const checkWritable = (graph: Graph): void => {
  if (graph.isDestroyed) throw destroyedError()
  if (!isRendering()) return
  const message = 'a component wrote to the store while it was rendering'
  if (hints.writeInRender) fail('WRITE_IN_RENDER', [], message, hints.writeInRender)
  // Only development has hints; in production what worked so far goes on.
  if (!warned.has(graph)) {
    warned.add(graph)
    console.warn(`Tutti: ${message}`)
  }
}

const checkNode = (node: Node): void => {
  checkWritable(node.graph)
  if (!node.isAttached) {
    fail('DETACHED', node.path, `this ${node.schema.kind} is not in the document`, hints.detached)
  }
}

/** Checks a value that is to stand in `node`, or in it under `keys`; see `parse`. */
export const parseIn = (node: Node, schema: Schema, value: unknown, ...keys: readonly (string | number)[]): Stored =>
  parse(schema, value, [...node.path, ...keys], node.graph.options.makeId)

/** Runs one write of the application on `node`. What `fn` does is complete once its values were parsed. */
export const write = <R>(node: Node, fn: () => R): R => {
  checkNode(node)
  return commit(node.graph, fn, {})
}

const commit = <R>(graph: Graph, fn: () => R, { origin = null, history = true }: TransactOptions): R =>
  settle(() =>
    graph.doc.transact((transaction) => {
      // A nested transaction is part of the outer one, which has decided.
      if (!transaction.meta.has(RECORDED)) transaction.meta.set(RECORDED, history)
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
      const isOuter = graph.log === undefined
      graph.log ??= []
      const { log } = graph
      const start = log.length
      try {
        const result = fn()
        // What an asynchronous function writes after its first `await` would be outside.
        if (result instanceof Promise) {
          fail('INVALID_VALUE', [], 'transact got an asynchronous function', hints.asynchronous)
        }
        return result
      } catch (error) {
        graph.log = undefined
        while (log.length > start) log.pop()!()
        graph.log = log
        throw error
      } finally {
        if (isOuter) graph.log = undefined
      }
    },
    options,
  )
}

/**
 * A copy of what is about to be deleted, for an open `transact`. Once `rebind` was called, the nodes of the original
 * stand for the copy: they keep their identity, and older inverse operations on them reach it.
 */
const copyOf = (graph: Graph, raw: unknown): { copy: unknown; rebind: () => void } => {
  const pairs: [Node, YType][] = []
  const walk = (original: unknown): unknown => {
    if (!(original instanceof Y.AbstractType)) return original
    const copy =
      original instanceof Y.Map
        ? new Y.Map(Array.from(original.entries(), ([key, value]) => [key, walk(value)]))
        : original instanceof Y.Array
          ? listOf(original.toArray().map(walk))
          : original.clone()
    const node = graph.nodes.get(original as YType)
    if (node) pairs.push([node, copy as YType])
    return copy
  }
  const copy = walk(raw)
  const rebind = (): void => {
    for (const [node, type] of pairs) graph.rebind(node, type)
  }
  return { copy, rebind }
}

/** Stored values are equal: plain ones deeply, shared types by their JSON. */
const same = (stored: Stored, raw: unknown): boolean =>
  equalityDeep(stored, raw instanceof Y.AbstractType ? raw.toJSON() : raw)

/** Writes a field or an entry; `undefined` removes it. Where its shared type exists already, that one is changed. */
export const setKey = (node: Node, key: string, schema: Schema, stored: Stored): void => {
  const old = node.raw(key)
  // A top-level type can't be removed, only emptied.
  if (fits(schema, old) && (node.roots?.[key] || (stored !== undefined && stored !== null))) {
    assign(node.graph.node(old, schema), stored ?? undefined)
    return
  }
  if (stored === undefined || stored === null || !isContainer(schema) ? same(stored, old) : false) return
  const set = (value: unknown): void => {
    const y = node.y as Y.Map<unknown>
    if (value === undefined) y.delete(key)
    else y.set(key, value)
    node.changed([key])
  }
  if (node.graph.log) {
    const { copy, rebind } = copyOf(node.graph, old)
    node.graph.log.push(() => {
      set(copy)
      rebind()
    })
  }
  set(build(schema, stored))
}

/** Replaces `count` items from `index` by new ones. */
export const spliceList = (node: Node, index: number, count: number, stored: readonly Stored[]): void => {
  if (count === 0 && stored.length === 0) return
  const replace = (length: number, items: unknown[]): void => {
    const y = node.y as Y.Array<unknown>
    if (length > 0) y.delete(index, length)
    if (items.length > 0) y.insert(index, items)
    node.changed([null])
  }
  if (node.graph.log) {
    const before = (node.y as Y.Array<unknown>).slice(index, index + count).map((raw) => copyOf(node.graph, raw))
    node.graph.log.push(() => {
      replace(
        stored.length,
        before.map(({ copy }) => copy),
      )
      for (const { rebind } of before) rebind()
    })
  }
  replace(
    count,
    stored.map((item) => build(node.schema.item, item)),
  )
}

type Delta = { insert: string | object; attributes?: Record<string, unknown> }[]

/** The part of a text from `from` to `to`, with its formats; an embed counts one. */
const cut = (text: Y.Text, from: number, to: number): Delta => {
  let at = 0
  const part: Delta = []
  for (const op of text.toDelta() as Delta) {
    const length = typeof op.insert === 'string' ? op.insert.length : 1
    const start = Math.max(from - at, 0)
    const end = Math.min(to - at, length)
    if (start < end) part.push(typeof op.insert === 'string' ? { ...op, insert: op.insert.slice(start, end) } : op)
    at += length
  }
  return part
}

/** Whether `index` lies between the halves of a surrogate pair. */
const splits = (text: string, index: number): boolean => text.codePointAt(index - 1)! > 0xffff

/** How long the common start of two sequences is, and how long the common end of what remains. */
const common = (
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

/** Replaces a range of a text. Ends that would split a surrogate pair move outwards: Yjs would destroy both halves. */
export const spliceText = (node: Node, index: number, count: number, inserted: string): void => {
  const y = node.y as Y.Text
  const text = y.toString()
  // Embeds count in a Y.Text and not in its string: pairs can't be found then.
  const start = y.length === text.length && splits(text, index) ? index - 1 : index
  let end = index + count
  if (count > 0 && y.length === text.length && splits(text, end)) end++
  const length = count > 0 ? end - start : 0
  if (length === 0 && inserted === '') return
  if (node.graph.log) {
    const before = cut(y, start, start + length)
    node.graph.log.push(() => {
      ;(node.y as Y.Text).applyDelta([{ retain: start }, { delete: inserted.length }, ...before])
      node.changed([null])
    })
  }
  if (length > 0) y.delete(start, length)
  if (inserted !== '') y.insert(start, inserted)
  node.changed([null])
}

/** Makes a text equal to `next` by changing only the differing middle. */
const assignText = (node: Node, next: string): void => {
  const y = node.y as Y.Text
  const old = y.toString()
  // Embeds count in a Y.Text and not in its string: there is no common middle to find.
  if (y.length !== old.length) {
    spliceText(node, 0, y.length, next)
    return
  }
  let [start, end] = common(old.length, next.length, (index, nextIndex) => old[index] === next[nextIndex])
  if (splits(old, start) || splits(next, start)) start--
  if (splits(old, old.length - end) || splits(next, next.length - end)) end--
  spliceText(node, start, old.length - end - start, next.slice(start, next.length - end))
}

const assignList = (node: Node, next: readonly Stored[]): void => {
  const old = (node.y as Y.Array<unknown>).toArray()
  const [start, end] = common(old.length, next.length, (index, nextIndex) => same(next[nextIndex], old[index]))
  spliceList(node, start, old.length - end - start, next.slice(start, next.length - end))
}

/** Writes an item of a list, in place where it is a shared type already. */
export const setItem = (node: Node, index: number, stored: Stored): void => {
  const { item } = node.schema
  const old = (node.y as Y.Array<unknown>).get(index)
  if (fits(item, old) && stored !== null) assign(node.graph.node(old, item), stored)
  else if (isContainer(item) || !same(stored, old)) spliceList(node, index, 1, [stored])
}

/** Makes the content of a node equal to `stored`, in place; `undefined` empties it. */
export const assign = (node: Node, stored: Stored): void => {
  const { schema } = node
  const given = stored as Record<string, Stored> | undefined
  if (schema.kind === 'text') {
    assignText(node, (stored as string | undefined) ?? '')
  } else if (schema.kind === 'list') {
    assignList(node, (stored as readonly Stored[] | undefined) ?? [])
  } else if (schema.kind === 'record') {
    for (const key of [...(node.y as Y.Map<unknown>).keys()]) {
      if (!given || !Object.hasOwn(given, key)) setKey(node, key, schema.item, undefined)
    }
    for (const key in given) setKey(node, key, schema.item, given[key])
  } else {
    for (const key in schema.fields) setKey(node, key, schema.fields[key]!, given?.[key])
  }
}
