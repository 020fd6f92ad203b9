/** Lists: `s.list(item)`, kept as a `Y.Array`. */
import * as Y from 'yjs'
import { fail, unknownKey } from './failure.ts'
import { bulk, changed, pathOf, read, readPlain, track } from './graph.ts'
import { type LiveList, NODE } from './live.ts'
import { isCount, parseItem } from './parse.ts'
import { define, type Flag, type Node, type Schema, type Stored } from './schema.ts'
import { build, common, keep, listOf, replaceContent, same, setInPlace, write } from './write.ts'

const yOf = (node: Node): Y.Array<unknown> => node.y as Y.Array<unknown>

const lengthOf = (node: Node): number => yOf(node).length

/** Replaces `count` items from `index` by new ones. */
const replace = (node: Node, index: number, count: number, stored: readonly Stored[]): void => {
  const swap = (length: number, items: unknown[]): void => {
    const y = yOf(node)
    y.delete(index, length)
    y.insert(index, items)
    changed(node, [null])
  }
  if (count === 0 && stored.length === 0) return
  keep(node.graph, yOf(node).slice(index, index + count), (copies) => swap(stored.length, copies))
  swap(
    count,
    stored.map((item) => build(node.schema.item, item)),
  )
}

/** Makes a list equal to `stored`; the common start and end stay as they are. */
const replaceAll = (node: Node, stored: Stored = []): void => {
  const next = stored as readonly Stored[]
  const old = yOf(node).toArray()
  const [start, end] = common(old.length, next.length, (index, nextIndex) => same(next[nextIndex], old[index]))
  replace(node, start, old.length - end - start, next.slice(start, next.length - end))
}

const parseItems = (node: Node, items: Iterable<unknown>, index: number): Stored[] => {
  const path = pathOf(node)
  return Array.from(items, (each, offset) =>
    parseItem(node.schema.item, each, [...path, index + offset], node.graph.options.makeId),
  )
}

const checkIndex = (node: Node, index: number, end = lengthOf(node)): void => {
  if (!isCount(index) || index >= end) {
    fail('INVALID_VALUE', [...pathOf(node), index], `no such index in a list of ${lengthOf(node)}`)
  }
}

const at = (node: Node, index: number): unknown => {
  track(node, null)
  if (node.items) return node.items[index]
  return index < lengthOf(node) ? read(node, index) : undefined
}

const all = (node: Node, asPlain?: boolean): unknown[] =>
  yOf(node)
    .toArray()
    .map((stored, index) => read(node, index, stored, asPlain))

/** Writes over an item, in place where it is a shared type. */
const set = (node: Node, index: number, value: unknown): void => {
  checkIndex(node, index)
  const { item } = node.schema
  const [stored] = parseItems(node, [value], index)
  write(node, () => {
    if (!setInPlace(node, item, yOf(node).get(index), stored)) replace(node, index, 1, [stored])
  })
}

/** As arrays take an index or a count: without its fraction, and 0 for what is no number. */
const toInteger = (value: number): number => Math.trunc(value) || 0

const splice = (node: Node, at: number, count: number, items: readonly unknown[]): unknown[] => {
  const length = lengthOf(node)
  const from = toInteger(at)
  const start = from < 0 ? Math.max(length + from, 0) : Math.min(from, length)
  const deleted = Math.max(0, Math.min(toInteger(count), length - start))
  const stored = parseItems(node, items, start)
  const removed = yOf(node)
    .slice(start, start + deleted)
    .map((raw, offset) => readPlain(node, start + offset, raw))
  write(node, () => replace(node, start, deleted, stored))
  return removed
}

const insert = (node: Node, index: number, items: readonly unknown[]): number => {
  splice(node, index, 0, items)
  return lengthOf(node)
}

const METHODS: Readonly<Record<PropertyKey, (node: Node, ...args: never[]) => unknown>> = {
  __proto__: null as never,
  push: (node, ...items: unknown[]) => insert(node, lengthOf(node), items),
  unshift: (node, ...items: unknown[]) => insert(node, 0, items),
  insert: (node, index: number, ...items: unknown[]) => {
    checkIndex(node, index, lengthOf(node) + 1)
    insert(node, index, items)
  },
  set,
  splice: (node, start: number, count = Number.POSITIVE_INFINITY, ...items: unknown[]) =>
    splice(node, start, count, items),
  remove: (node, index: number) => (isCount(index) ? splice(node, index, 1, [])[0] : undefined),
  move: (node, from: number, to: number) => {
    checkIndex(node, from)
    checkIndex(node, to)
    if (from === to) return
    const stored = parseItems(node, [readPlain(node, from)], from)
    write(node, () => {
      replace(node, from, 1, [])
      replace(node, to, 0, stored)
    })
  },
  clear: (node) => replaceContent(node, []),
  replace: (node, items: Iterable<unknown>) => replaceContent(node, [...items]),
}

/** The target is an array so that `Array.isArray` holds; it stays empty. */
type Target = unknown[] & { node: Node }

/** `3` for `'3'`; -1 for what is no array index. */
const toIndex = (key: string | symbol): number =>
  typeof key === 'string' && String(Number(key) >>> 0) === key ? Number(key) : -1

/** An array of the same keys. Not the bulk form, which lists of dates or bytes make anew each time. */
const slots = (node: Node): unknown[] => {
  track(node, null)
  return Array(lengthOf(node)).fill(0)
}

const handler: ProxyHandler<Target> = {
  get({ node }, key) {
    const index = toIndex(key)
    if (index >= 0) return at(node, index)
    if (key === 'length') {
      track(node, null)
      return lengthOf(node)
    }
    if (key === NODE) return node
    if (key === 'y') return node.y
    const method = METHODS[key]
    if (method) return (...args: never[]) => method(node, ...args)
    const native: unknown = Reflect.get(Array.prototype, key)
    // Reading methods of arrays work on the bulk form; those that change an array fail on it, for it is frozen.
    if (typeof native !== 'function' || key === 'constructor') return native
    return (...args: unknown[]) => native.apply(bulk(node, all), args)
  },
  set({ node }, key, value) {
    const index = toIndex(key)
    if (index < 0) unknownKey(pathOf(node), key, {})
    set(node, index, value)
    return true
  },
  has: ({ node }, key) => key in slots(node),
  deleteProperty: () => false,
  defineProperty: () => false,
  ownKeys: ({ node }) => Reflect.ownKeys(slots(node)),
  getOwnPropertyDescriptor({ node }, key) {
    const own = Object.getOwnPropertyDescriptor(slots(node), key)
    return own && key !== 'length' ? { ...own, value: at(node, toIndex(key)) } : own
  },
}

export const list = <L, I, S, F extends Flag>(
  item: Schema<L, I, S, F>,
): Schema<LiveList<L, I, S>, readonly I[], readonly S[], 'default'> =>
  define({
    kind: 'list',
    item,
    type: Y.Array,
    empty: [],
    check: (value, path, makeId) =>
      Array.isArray(value)
        ? Array.from(value, (each, index) => parseItem(item, each, [...path, index], makeId))
        : undefined,
    build: (stored) => (Array.isArray(stored) ? listOf(stored.map((each) => build(item, each))) : undefined),
    face: (node) => new Proxy(Object.assign([] as unknown[], { node }), handler),
    copy: (node) => all(node, true),
    assign: replaceAll,
  })
