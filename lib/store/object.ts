import type { Node } from './graph.ts'
import { NODE } from './live.ts'
import { parse, unknownKey } from './parse.ts'
import { setKey, write } from './write.ts'

const read = (node: Node, key: string): unknown => {
  const field = node.schema.fields[key]
  if (!field) return undefined
  // A top-level type is there for ever.
  if (!node.roots?.[key]) node.track(key)
  return node.read(key, field, node.raw(key))
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
    if (typeof key === 'string') {
      if (key in node.schema.fields) return read(node, key)
      return Reflect.get(Object.prototype, key)
    }
    return key === NODE ? node : undefined
  },
  set,
  deleteProperty: (node, key) => set(node, key, undefined),
  defineProperty: (node, key, { value }) => set(node, key, value),
  has: (node, key) => typeof key === 'string' && read(node, key) !== undefined,
  ownKeys: (node) => Object.keys(node.schema.fields).filter((key) => read(node, key) !== undefined),
  getOwnPropertyDescriptor(node, key) {
    const value = typeof key === 'string' ? read(node, key) : undefined
    return value === undefined ? undefined : { value, writable: true, enumerable: true, configurable: true }
  },
  getPrototypeOf: () => Object.prototype,
}

export const createObject = (node: Node): object => new Proxy(node, handler)
