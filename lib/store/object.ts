/** Objects: `s.object(fields)`, kept as a `Y.Map`; they behave as plain ones. */
import * as Y from 'yjs'
import { unknownKey } from './failure.ts'
import { pathOf, read, track } from './graph.ts'
import { NODE } from './live.ts'
import { buildMap, copyMap } from './map.ts'
import { isPlain, parse } from './parse.ts'
import {
  define,
  type Input,
  type Live,
  type Node,
  type Schema,
  type Shape,
  type Snapshot,
  type Stored,
} from './schema.ts'
import { parseIn, setKey, write } from './write.ts'

/** The field of a key that may be none of the schema's, which has no symbols. */
const fieldOf = (node: Node, key: string | symbol) => node.schema.fields[key as string]

const get = (node: Node, key: string | symbol): unknown => {
  const name = key as string
  if (!fieldOf(node, key)) return undefined
  // A top-level type is there for ever.
  if (!node.roots?.[name]) track(node, name)
  return read(node, name)
}

const set = (node: Node, key: string | symbol, value: unknown): boolean => {
  const name = key as string
  const field = fieldOf(node, key) ?? unknownKey(pathOf(node), key, node.schema.fields)
  const stored = parseIn(node, field, value, name)
  write(node, () => setKey(node, name, stored))
  return true
}

/** Fields, spread, `in`, `delete`, `Object.keys`, JSON. */
const handler: ProxyHandler<Node> = {
  get(node, key) {
    if (key === NODE) return node
    if (fieldOf(node, key)) return get(node, key)
    return Reflect.get(Object.prototype, key)
  },
  set,
  deleteProperty: (node, key) => set(node, key, undefined),
  defineProperty: (node, key, { value }) => set(node, key, value),
  has: (node, key) => get(node, key) !== undefined,
  ownKeys: (node) => Object.keys(node.schema.fields).filter((key) => get(node, key) !== undefined),
  getOwnPropertyDescriptor(node, key) {
    const value = get(node, key)
    return value === undefined ? undefined : { value, writable: true, enumerable: true, configurable: true }
  },
  getPrototypeOf: () => Object.prototype,
}

/** An object whose fields merge one by one. */
export const object = <Sh extends Shape>(
  shape: Sh,
  // biome-ignore lint/complexity/noBannedTypes: `{}` is the empty object whose assignability is asked for
): Schema<Live<Sh>, Input<Sh>, Snapshot<Sh>, {} extends Input<Sh> ? 'default' : never> => {
  const fields: Shape = { __proto__: null as never, ...shape }
  return define({
    kind: 'object',
    fields,
    type: Y.Map,
    empty: {},
    check: (value, path, makeId, id) => {
      if (!isPlain(value)) return undefined
      for (const key of Object.keys(value)) if (!fields[key]) unknownKey(path, key, fields)
      const result: Record<string, Stored> = {}
      for (const [key, field] of Object.entries(fields)) {
        const stored = parse(field, value[key], [...path, key], makeId, field.kind === 'id' ? id : undefined)
        if (stored !== undefined) result[key] = stored
      }
      return result
    },
    build: (stored) => buildMap(stored, (key) => fields[key]),
    face: (node) => new Proxy(node, handler),
    copy: (node) => copyMap(node, Object.keys(fields)),
    assign: (node, stored) => {
      for (const key in fields) setKey(node, key, (stored as Record<string, Stored> | undefined)?.[key])
    },
  })
}
