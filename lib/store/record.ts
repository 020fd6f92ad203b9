/** Values by id: `s.record(item)`, kept as a `Y.Map`. */
import * as Y from 'yjs'
import { bulk, read, readPlain, track, trackedSnapshot } from './graph.ts'
import { type LiveRecord, NODE } from './live.ts'
import { buildMap, copyMap } from './map.ts'
import { checkId, isPlain, parseItem } from './parse.ts'
import { define, type Flag, type Node, type Schema, type Stored } from './schema.ts'
import { parseIn, replaceContent, setKey, write } from './write.ts'

type Entry = readonly [id: string, value: unknown]

const yOf = (node: Node): Y.Map<unknown> => node.y as Y.Map<unknown>

const all = (node: Node): Entry[] => Array.from(yOf(node), ([id, stored]) => [id, read(node, id, stored)])

const entries = (node: Node): readonly Entry[] => bulk(node, all) as readonly Entry[]

const has = (node: Node, id: string): boolean => {
  track(node, id)
  return yOf(node).has(id)
}

class RecordFace implements LiveRecord<unknown> {
  readonly #node: Node

  constructor(node: Node) {
    this.#node = node
    // A mistake such as `record.key = value` must not pass in silence.
    Object.freeze(this)
  }

  get [NODE](): Node {
    return this.#node
  }

  get y(): Y.Map<unknown> {
    return yOf(this.#node)
  }

  get size(): number {
    track(this.#node, null)
    return this.y.size
  }

  get(id: string): unknown {
    return has(this.#node, id) ? read(this.#node, id) : undefined
  }

  has(id: string): boolean {
    return has(this.#node, id)
  }

  set(id: string, value: unknown): void {
    const node = this.#node
    const stored = parseIn(node, node.schema, { [id]: value }) as Record<string, Stored>
    write(node, () => {
      for (const key in stored) setKey(node, key, stored[key])
    })
  }

  add(value: unknown): string {
    const { schema, graph } = this.#node
    const { fields } = schema.item
    const name = Object.keys(fields).find((key) => fields[key]?.kind === 'id')
    const own = name && (value as Record<string, unknown> | null | undefined)?.[name]
    const id = own === undefined || this.y.has(own as string) ? graph.options.makeId() : (own as string)
    this.set(id, value)
    return id
  }

  delete(id: string): unknown {
    const node = this.#node
    if (!this.y.has(id)) return undefined
    const removed = readPlain(node, id)
    write(node, () => setKey(node, id, undefined))
    return removed
  }

  clear(): void {
    replaceContent(this.#node, {})
  }

  replace(values: Readonly<Record<string, unknown>>): void {
    replaceContent(this.#node, values)
  }

  keys(): string[] {
    return entries(this.#node).map(([id]) => id)
  }

  values(): unknown[] {
    return entries(this.#node).map(([, value]) => value)
  }

  entries(): [string, unknown][] {
    return entries(this.#node).map(([id, value]) => [id, value])
  }

  sorted(by: string | ((value: unknown) => string | number)): unknown[] {
    const rank = typeof by === 'function' ? by : (value: unknown) => (value as Record<string, string | number>)[by]!
    return entries(this.#node)
      .map(([id, value]) => [value, rank(value), id] as const)
      .sort(([, a, idA], [, b, idB]) => (a < b || (!(b < a) && idA < idB) ? -1 : 1))
      .map(([value]) => value)
  }

  [Symbol.iterator](): Iterator<[string, unknown]> {
    return this.entries().values()
  }

  toJSON(): unknown {
    return trackedSnapshot(this.#node)
  }
}

/** Values by id. Drag-sorted collections are records with an `order` field: see `orderBetween`. */
export const record = <L, I, S, F extends Flag>(
  item: Schema<L, I, S, F>,
): Schema<
  LiveRecord<L, I, S>,
  Readonly<Record<string, I>> | LiveRecord<L, I, S>,
  Readonly<Record<string, S>>,
  'default'
> =>
  define({
    kind: 'record',
    item,
    type: Y.Map,
    empty: {},
    check: (value, path, makeId) => {
      if (!isPlain(value)) return undefined
      const result: Record<string, Stored> = {}
      for (const [id, each] of Object.entries(value)) {
        checkId(id, [...path, id])
        result[id] = parseItem(item, each, [...path, id], makeId, id)
      }
      return result
    },
    build: (stored) => buildMap(stored, () => item),
    face: (node) => new RecordFace(node),
    copy: (node) => copyMap(node, yOf(node).keys()),
    assign: (node, stored) => {
      const given = stored as Record<string, Stored> | undefined
      for (const id of [...yOf(node).keys()]) if (!given || !Object.hasOwn(given, id)) setKey(node, id, undefined)
      for (const id in given) setKey(node, id, given[id])
    },
  })
