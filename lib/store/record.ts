import type * as Y from 'yjs'
import type { Node } from './graph.ts'
import { type LiveRecord, NODE } from './live.ts'
import { assign, parseIn, setKey, write } from './write.ts'

type Entry = readonly [id: string, value: unknown]

const entries = (node: Node): readonly Entry[] => node.all() as readonly Entry[]

const has = (node: Node, id: string): boolean => {
  node.track(id)
  return (node.y as Y.Map<unknown>).has(id)
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
    return this.#node.y as Y.Map<unknown>
  }

  get size(): number {
    this.#node.track(null)
    return this.y.size
  }

  get(id: string): unknown {
    const node = this.#node
    return has(node, id) ? node.read(id, node.schema.item, this.y.get(id)) : undefined
  }

  has(id: string): boolean {
    return has(this.#node, id)
  }

  set(id: string, value: unknown): void {
    const node = this.#node
    const stored = parseIn(node, node.schema, { [id]: value }) as Record<string, unknown>
    write(node, () => {
      for (const key in stored) setKey(node, key, node.schema.item, stored[key])
    })
  }

  add(value: unknown): string {
    const node = this.#node
    const { item } = node.schema
    const { makeId } = node.graph.options
    const name = Object.keys(item.fields).find((key) => item.fields[key]?.kind === 'id')
    const own = name === undefined ? undefined : (value as Record<string, unknown> | null | undefined)?.[name]
    const id = own === undefined || this.y.has(own as string) ? makeId() : (own as string)
    this.set(id, value)
    return id
  }

  delete(id: string): unknown {
    const node = this.#node
    const raw = this.y.get(id)
    if (raw === undefined) return undefined
    const removed = node.readPlain(id, node.schema.item, raw)
    write(node, () => setKey(node, id, node.schema.item, undefined))
    return removed
  }

  clear(): void {
    write(this.#node, () => assign(this.#node, undefined))
  }

  replace(values: Readonly<Record<string, unknown>>): void {
    const node = this.#node
    const stored = parseIn(node, node.schema, values)
    write(node, () => assign(node, stored))
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
      .map(([id, value]) => ({ id, value, rank: rank(value) }))
      .sort((a, b) => (a.rank < b.rank ? -1 : a.rank > b.rank ? 1 : a.id < b.id ? -1 : 1))
      .map(({ value }) => value)
  }

  [Symbol.iterator](): Iterator<[string, unknown]> {
    return this.entries().values()
  }

  toJSON(): unknown {
    return this.#node.trackedSnapshot()
  }
}

export const createRecord = (node: Node): unknown => new RecordFace(node)
