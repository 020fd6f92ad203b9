import type { Node } from './graph.ts'
import { NODE } from './live.ts'
import { parse, unknownKey } from './parse.ts'
import type { Schema } from './schema.ts'
import { setKey, write } from './write.ts'

const read = (node: Node, key: string, field: Schema): unknown => {
  // A top-level type is there for ever.
  if (!node.roots?.[key]) node.track(key)
  return node.read(key, field, node.raw(key))
}

/** As `read`, for a key that may be none of the schema's. */
const lookUp = (node: Node, key: string | symbol): unknown => {
  const field = typeof key === 'string' ? node.schema.fields[key] : undefined
  return field && read(node, key as string, field)
}

const set = (node: Node, key: string | symbol, value: unknown): boolean => {
  const field = node.schema.fields[key as string]
  if (!field) return unknownKey(node.path, String(key), node.schema.fields)
  const stored = parse(field, value, [...node.path, key as string], node.graph.options.makeId)
  write(node, () => setKey(node, key as string, field, stored))
  return true
}

/** An object as a plain one would behave: fields, spread, `in`, `delete`, `Object.keys`, JSON. */
const handler: ProxyHandler<Node> = {
  get(node, key) {
    if (key === NODE) return node
    const field = node.schema.fields[key as string]
    if (field) return read(node, key as string, field)
    return typeof key === 'string' ? Reflect.get(Object.prototype, key) : undefined
  },
  set,
  deleteProperty: (node, key) => set(node, key, undefined),
  defineProperty: (node, key, { value }) => set(node, key, value),
  has: (node, key) => lookUp(node, key) !== undefined,
  ownKeys: (node) => Object.keys(node.schema.fields).filter((key) => lookUp(node, key) !== undefined),
  getOwnPropertyDescriptor(node, key) {
    const value = lookUp(node, key)
    return value === undefined ? undefined : { value, writable: true, enumerable: true, configurable: true }
  },
  getPrototypeOf: () => Object.prototype,
}

export const createObject = (node: Node): object => new Proxy(node, handler)
