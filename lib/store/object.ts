import type { Node } from './graph.ts'
import { NODE } from './live.ts'
import { unknownKey } from './parse.ts'
import { parseIn, setKey, write } from './write.ts'

/** The field of a key that may be none of the schema's, which has no symbols. */
const fieldOf = (node: Node, key: string | symbol) => node.schema.fields[key as string]

const read = (node: Node, given: string | symbol): unknown => {
  const key = given as string
  const field = fieldOf(node, key)
  if (!field) return undefined
  // A top-level type is there for ever.
  if (!node.roots?.[key]) node.track(key)
  return node.read(key, field, node.raw(key))
}

const set = (node: Node, key: string | symbol, value: unknown): boolean => {
  const field = fieldOf(node, key)
  if (!field) return unknownKey(node.path, String(key), node.schema.fields)
  const stored = parseIn(node, field, value, key as string)
  write(node, () => setKey(node, key as string, field, stored))
  return true
}

/** An object as a plain one would behave: fields, spread, `in`, `delete`, `Object.keys`, JSON. */
const handler: ProxyHandler<Node> = {
  get(node, key) {
    if (key === NODE) return node
    if (fieldOf(node, key)) return read(node, key)
    return typeof key === 'string' ? Reflect.get(Object.prototype, key) : undefined
  },
  set,
  deleteProperty: (node, key) => set(node, key, undefined),
  defineProperty: (node, key, { value }) => set(node, key, value),
  has: (node, key) => read(node, key) !== undefined,
  ownKeys: (node) => Object.keys(node.schema.fields).filter((key) => read(node, key) !== undefined),
  getOwnPropertyDescriptor(node, key) {
    const value = read(node, key)
    return value === undefined ? undefined : { value, writable: true, enumerable: true, configurable: true }
  },
  getPrototypeOf: () => Object.prototype,
}

export const createObject = (node: Node): object => new Proxy(node, handler)
