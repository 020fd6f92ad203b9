import type * as Y from 'yjs'
import type { Node } from './graph.ts'
import { hints } from './hints.ts'
import { NODE } from './live.ts'
import { fail, parseItem, unknownKey } from './parse.ts'
import { assign, setItem, spliceList, write } from './write.ts'

/** The target is an array so that `Array.isArray` holds; it stays empty. */
type Target = unknown[] & { node: Node }
type Self = { readonly [NODE]: Node }

const lengthOf = (node: Node): number => (node.y as Y.Array<unknown>).length

const at = (node: Node, index: number): unknown => {
  node.track(null)
  if (node.items) return node.items[index]
  if (index >= lengthOf(node)) return undefined
  return node.read(index, node.schema.item, (node.y as Y.Array<unknown>).get(index))
}

const parseItems = (node: Node, items: Iterable<unknown>, index: number): unknown[] => {
  const path = node.path
  return Array.from(items, (each, offset) =>
    parseItem(node.schema.item, each, [...path, index + offset], node.graph.options.makeId),
  )
}

const checkIndex = (node: Node, index: number, end: number): void => {
  if (!Number.isInteger(index) || index < 0 || index >= end) {
    fail('INVALID_VALUE', [...node.path, index], 'no such index', hints.listIndex?.(lengthOf(node)))
  }
}

const set = (node: Node, index: number, value: unknown): void => {
  checkIndex(node, index, lengthOf(node))
  const [stored] = parseItems(node, [value], index)
  write(node, () => setItem(node, index, stored))
}

const splice = (node: Node, from: number, count: number, items: readonly unknown[]): unknown[] => {
  const length = lengthOf(node)
  const start = from < 0 ? Math.max(length + from, 0) : Math.min(from, length)
  const deleted = Math.max(0, Math.min(count, length - start))
  const stored = parseItems(node, items, start)
  const removed = (node.y as Y.Array<unknown>)
    .slice(start, start + deleted)
    .map((raw, offset) => node.readPlain(start + offset, node.schema.item, raw))
  write(node, () => spliceList(node, start, deleted, stored))
  return removed
}

const insert = (node: Node, index: number, items: readonly unknown[]): number => {
  splice(node, index, 0, items)
  return lengthOf(node)
}

const methods: Readonly<Record<string, (this: Self, ...args: never[]) => unknown>> = {
  push(...items: unknown[]) {
    return insert(this[NODE], lengthOf(this[NODE]), items)
  },
  unshift(...items: unknown[]) {
    return insert(this[NODE], 0, items)
  },
  insert(index: number, ...items: unknown[]) {
    checkIndex(this[NODE], index, lengthOf(this[NODE]) + 1)
    insert(this[NODE], index, items)
  },
  set(index: number, value: unknown) {
    set(this[NODE], index, value)
  },
  splice(start: number, count = Number.POSITIVE_INFINITY, ...items: unknown[]) {
    return splice(this[NODE], start, count, items)
  },
  remove(index: number) {
    return index < 0 ? undefined : splice(this[NODE], index, 1, [])[0]
  },
  move(from: number, to: number) {
    const node = this[NODE]
    checkIndex(node, from, lengthOf(node))
    checkIndex(node, to, lengthOf(node))
    if (from === to) return
    const raw = (node.y as Y.Array<unknown>).get(from)
    const stored = parseItems(node, [node.readPlain(from, node.schema.item, raw)], from)
    write(node, () => {
      spliceList(node, from, 1, [])
      spliceList(node, to, 0, stored)
    })
  },
  clear() {
    splice(this[NODE], 0, Number.POSITIVE_INFINITY, [])
  },
  replace(items: Iterable<unknown>) {
    const node = this[NODE]
    const stored = parseItems(node, items, 0)
    write(node, () => assign(node, stored))
  },
}

/** `3` for `'3'`; -1 for what is no array index. */
const toIndex = (key: string | symbol): number => {
  if (typeof key !== 'string') return -1
  const index = Number(key)
  return Number.isInteger(index) && index >= 0 && String(index) === key ? index : -1
}

const handler: ProxyHandler<Target> = {
  get({ node }, key) {
    const index = toIndex(key)
    if (index >= 0) return at(node, index)
    if (key === 'length') {
      node.track(null)
      return lengthOf(node)
    }
    if (key === NODE) return node
    if (key === 'y') return node.y
    if (typeof key === 'string' && Object.hasOwn(methods, key)) return methods[key]
    const native: unknown = Reflect.get(Array.prototype, key)
    // Reading methods of arrays work on the bulk form; those that change an array fail on it, for it is frozen.
    if (typeof native !== 'function' || key === 'constructor') return native
    return (...args: unknown[]) => Reflect.apply(native, node.all(), args)
  },
  set({ node }, key, value) {
    const index = toIndex(key)
    if (index < 0) unknownKey(node.path, String(key), {})
    set(node, index, value)
    return true
  },
  has({ node }, key) {
    const index = toIndex(key)
    if (index < 0) return Reflect.has(Array.prototype, key)
    node.track(null)
    return index < lengthOf(node)
  },
  deleteProperty: () => false,
  defineProperty: () => false,
  ownKeys({ node }) {
    node.track(null)
    return [...Array.from({ length: lengthOf(node) }, (_, index) => String(index)), 'length']
  },
  getOwnPropertyDescriptor({ node }, key) {
    const index = toIndex(key)
    node.track(null)
    if (key === 'length') return { value: lengthOf(node), writable: true, enumerable: false, configurable: false }
    if (index < 0 || index >= lengthOf(node)) return undefined
    return { value: at(node, index), writable: true, enumerable: true, configurable: true }
  },
}

export const createList = (node: Node): unknown => new Proxy(Object.assign([] as unknown[], { node }), handler)
