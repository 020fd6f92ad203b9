/** The live nodes of one document: what was read from it, who reads it, and what a remote change touches. */
import * as Y from 'yjs'
import type { TuttiError } from '../errors.ts'
import { hints } from './hints.ts'
import { errorAt, fail, isPlain, type Path, scalar } from './parse.ts'
import { batch, isTracking, Signal } from './reactive.ts'
import { EMPTY, type Schema } from './schema.ts'

export { batch as settle }

export type YType = Y.AbstractType<unknown>

/** A field, the structure of a list or record or the content of a text (`null`), or a node with all inside it. */
type Key = string | null | typeof DEEP
const DEEP: unique symbol = Symbol('deep')

const TYPES = { object: Y.Map, record: Y.Map, list: Y.Array, text: Y.Text } as const
type ContainerKind = keyof typeof TYPES

type Container = { readonly kind: ContainerKind }

export const isContainer = (schema: Schema): schema is Schema & Container => schema.isContainer

/** Whether a stored value is the Yjs type that the schema asks for. */
export const fits = (schema: Schema, raw: unknown): raw is YType =>
  isContainer(schema) && raw instanceof TYPES[schema.kind]

/** How a node shows itself to the application. */
export type Faces = Readonly<Record<ContainerKind, (node: Node) => unknown>>

export interface GraphOptions {
  readonly faces: Faces
  /** What a stored value that does not fit reads as: its default, the value with a warning, or the value. */
  readonly validateRemote: 'coerce' | 'warn' | 'off'
  readonly onError: (error: TuttiError) => void
  readonly makeId: () => string
}

/** One Yjs type seen through its schema. There is one node per type as long as the type lives. */
export class Node {
  readonly graph: Graph
  readonly schema: Schema
  /** Changes only by `Graph.rebind`. */
  y: YType
  /** Top-level containers of the root node by name; its scalars live in `y`. */
  readonly roots: Readonly<Record<string, YType>> | undefined
  deps: Map<Key, Signal<number>> | undefined
  /** The frozen plain form, until something inside changes. If a node has one, all nodes inside it have one. */
  plain: unknown
  /** Bulk form of a list (values) or record (entries), until its structure changes. */
  items: readonly unknown[] | undefined
  #face: unknown
  #standIns: Map<unknown, { raw: unknown; node: Node }> | undefined
  #misfits: Set<unknown> | undefined

  constructor(graph: Graph, schema: Schema, y: YType, roots?: Record<string, YType>) {
    this.graph = graph
    this.schema = schema
    this.y = y
    this.roots = roots
  }

  get face(): unknown {
    this.#face ??= this.graph.options.faces[this.schema.kind as ContainerKind](this)
    return this.#face
  }

  /** In the document, and not deleted from it. */
  get isAttached(): boolean {
    return this.y.doc === this.graph.doc && !this.y._item?.deleted
  }

  get parent(): Node | undefined {
    const { root, nodes } = this.graph
    if (this === root) return undefined
    const item = this.y._item
    return item ? nodes.get(item.parent as YType) : root
  }

  /** Keys from the root. Costs a walk: for errors only. */
  get path(): Path {
    const path: (string | number)[] = []
    let type = this.y
    while (type._item) {
      const { parent, parentSub } = type._item
      path.unshift(parentSub ?? (parent as Y.Array<unknown>).toArray().indexOf(type))
      type = parent as YType
    }
    // The scalars of the root have no name of their own; what is not in the document has none at all.
    const name = type.doc === this.graph.doc && Y.findRootTypeKey(type)
    return name ? [name, ...path] : path
  }

  /** Records that the running computation, if any, read `key`. */
  track(key: Key): void {
    const dep = this.deps?.get(key)
    if (dep) void dep.value
    else this.graph.trackFirst(this, key)
  }

  touch(key: Key): void {
    const dep = this.deps?.get(key)
    if (dep) dep.value = ++this.graph.clock
  }

  /** Takes in that keys of the type changed. */
  changed(keys: Iterable<string | null>): void {
    this.items = undefined
    for (const key of keys) this.touch(key)
    if (this.schema.kind === 'record') this.touch(null)
    let node: Node | undefined = this
    while (node && node.plain !== undefined) {
      node.plain = undefined
      node.touch(DEEP)
      node = node.parent
    }
  }

  /** The stored value under `key` of an object or record. */
  raw(key: string): unknown {
    return this.roots?.[key] ?? (this.y as Y.Map<unknown>).get(key)
  }

  /** The live value that `raw`, found under `key`, stands for; a plain and frozen one if asked for. Does not track. */
  read(key: string | number, schema: Schema, raw: unknown, asPlain = false): unknown {
    if (!isContainer(schema)) return this.#value(key, schema, raw)
    const node = this.#container(key, schema, raw)
    return node && asPlain ? node.snapshot() : (node?.face ?? node)
  }

  readPlain(key: string | number, schema: Schema, raw: unknown): unknown {
    return this.read(key, schema, raw, true)
  }

  /** The frozen plain form of everything inside; parts that did not change are the same objects as last time. */
  snapshot(): unknown {
    this.plain ??= Object.freeze(this.#copy())
    return this.plain
  }

  /** As `snapshot`, and tracked: the running computation depends on everything inside. */
  trackedSnapshot(): unknown {
    const plain = this.snapshot()
    this.track(DEEP)
    return plain
  }

  /** Values of a list or entries of a record, tracked: from one walk, and the same array until the structure changes. */
  all(): readonly unknown[] {
    this.track(null)
    if (this.items) return this.items
    const items = Object.freeze(this.#all(false))
    // Dates and bytes can't be frozen: each reading makes its own.
    if (!/date|bytes/.test(this.schema.item.kind)) this.items = items
    return items
  }

  #all(asPlain: boolean): unknown[] {
    const { kind, item } = this.schema
    return kind === 'list'
      ? (this.y as Y.Array<unknown>).toArray().map((raw, index) => this.read(index, item, raw, asPlain))
      : Array.from((this.y as Y.Map<unknown>).entries(), ([id, raw]) => [id, this.read(id, item, raw, asPlain)])
  }

  #copy(): unknown {
    const { schema, y } = this
    if (schema.kind === 'text') return (y as Y.Text).toString()
    if (schema.kind === 'list') return this.#all(true)
    const values =
      schema.kind === 'record'
        ? (this.#all(true) as [string, unknown][])
        : Object.entries(schema.fields).map(([key, field]) => [key, this.readPlain(key, field, this.raw(key))] as const)
    const result: Record<string, unknown> = {}
    for (const [key, value] of values) if (value !== undefined && key !== '__proto__') result[key] = value
    return result
  }

  #value(key: string | number, schema: Schema, raw: unknown): unknown {
    if (raw === undefined) {
      // After its deletion a node still shows what was last seen of it, for a render that comes late.
      const last = this.isAttached ? undefined : (this.plain as Record<string, unknown> | undefined)?.[key]
      return last ?? fallback(schema)
    }
    const value = raw === null && schema.isNullable ? null : decode(schema, raw)
    if (value === undefined) return this.#misfit(key, schema, raw)
    if (schema.kind === 'json' && raw instanceof Y.AbstractType) this.graph.watchInside(raw, this, key)
    return value
  }

  #misfit(key: string | number, schema: Schema, raw: unknown): unknown {
    const { validateRemote, onError } = this.graph.options
    if (validateRemote !== 'off') {
      this.#misfits ??= new Set()
      if (!this.#misfits.has(key)) {
        this.#misfits.add(key)
        const path = [...this.path, key]
        const error = errorAt('INVALID_VALUE', path, `what is stored is no s.${schema.kind}()`, hints.misfit)
        // Not within the reading computation, whose render an exception of the application would break.
        queueMicrotask(() => onError(error))
      }
    }
    if (validateRemote === 'coerce' || isContainer(schema)) return this.#value(key, schema, undefined)
    return raw
  }

  /** The node of a container under `key`; `null` or `undefined` for a nullable or optional one that is not there. */
  #container(key: string | number, schema: Schema & Container, raw: unknown): Node | null | undefined {
    if (fits(schema, raw)) return this.graph.node(raw, schema)
    if (raw === null && schema.isNullable) return null
    if (raw === undefined && schema.isOptional) return undefined
    // Plain JSON under a schema of shared types, or nothing yet: readable, but there is no type to write to.
    const known = this.#standIns?.get(key)
    if (known && known.raw === raw) return known.node
    const node = this.graph.standIn(schema, raw)
    if (!node) {
      this.#misfit(key, schema, raw)
      return schema.isOptional ? undefined : this.#container(key, schema, undefined)
    }
    this.#standIns ??= new Map()
    this.#standIns.set(key, { raw, node })
    return node
  }
}

/** The default of a schema as reading gives it. */
export const fallback = (schema: Schema): unknown => {
  const value = schema.fallback instanceof Date ? +schema.fallback : schema.fallback
  return value === null || value === undefined ? value : decode(schema, value)
}

const freeze = (value: unknown): unknown => {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value) && !ArrayBuffer.isView(value)) {
    for (const item of Object.values(value)) freeze(item)
    Object.freeze(value)
  }
  return value
}

/** The value that a stored one stands for; `undefined` if it does not fit. */
export const decode = (schema: Schema, raw: unknown): unknown => {
  if (schema.kind === 'json') return freeze(raw instanceof Y.AbstractType ? raw.toJSON() : raw)
  if (schema.kind === 'date') return Number.isFinite(raw) ? new Date(raw as number) : undefined
  return scalar(schema, raw)
}

// `Y.Array.from` takes JSON only.
export const listOf = (items: unknown[]): Y.Array<unknown> => {
  const list = new Y.Array<unknown>()
  list.push(items)
  return list
}

/** What Yjs takes for a stored value. Parts that do not fit stay as they are: they come from elsewhere (`standIn`). */
export const build = (schema: Schema | undefined, stored: unknown): unknown => {
  if (schema?.kind === 'text' && typeof stored === 'string') return new Y.Text(stored)
  if (schema?.kind === 'list' && Array.isArray(stored)) {
    return listOf(stored.map((item) => build(schema.item, item)))
  }
  if ((schema?.kind === 'object' || schema?.kind === 'record') && isPlain(stored)) {
    return new Y.Map(
      Object.entries(stored).map(([key, value]) => [
        key,
        build(schema.kind === 'object' ? schema.fields[key] : schema.item, value),
      ]),
    )
  }
  return stored
}

/** What computations that read one key depend on. */
class Dependency extends Signal<number> {
  readonly #graph: Graph

  constructor(graph: Graph) {
    super(0)
    this.#graph = graph
  }

  protected override watched(): void {
    this.#graph.subscriptions++
  }

  protected override unwatched(): void {
    this.#graph.subscriptions--
  }
}

/** The nodes of one document. It adds one listener to the document, whatever is read. */
export class Graph {
  readonly doc: Y.Doc
  readonly options: GraphOptions
  readonly nodes = new WeakMap<YType, Node>()
  readonly root: Node
  /** Counts changes; gives every touched dependency a value it never had. */
  clock = 0
  /** Dependencies that someone subscribes to. */
  subscriptions = 0
  isDestroyed = false
  /** Inverse operations of the open `transact`, oldest first. */
  log: (() => void)[] | undefined
  readonly #empty = new Map<Schema, Node>()
  #inside: WeakMap<YType, [node: Node, key: string | number]> | undefined

  constructor(doc: Y.Doc, schema: Schema, options: GraphOptions) {
    this.doc = doc
    this.options = options
    const roots: Record<string, YType> = Object.create(null)
    for (const [name, field] of Object.entries(schema.fields)) {
      if (isContainer(field)) {
        roots[name] = this.#define(name, TYPES[field.kind])
        this.node(roots[name], field)
      }
    }
    const y = this.#define('', Y.Map)
    this.root = this.rebind(new Node(this, schema, y, roots), y)
    doc.on('afterTransaction', this.#afterTransaction)
  }

  destroy(): void {
    this.isDestroyed = true
    this.doc.off('afterTransaction', this.#afterTransaction)
  }

  node(y: YType, schema: Schema): Node {
    return this.nodes.get(y) ?? this.rebind(new Node(this, schema, y), y)
  }

  /** Makes a node stand for a type, such as a copy of its own. */
  rebind(node: Node, y: YType): Node {
    node.y = y
    this.nodes.set(y, node)
    return node
  }

  /** Records a first reading: a dependency is kept only if some computation asked for it. */
  trackFirst(node: Node, key: Key): void {
    if (!isTracking()) return
    const dep = new Dependency(this)
    node.deps ??= new Map()
    node.deps.set(key, dep)
    void dep.value
  }

  /** A node to read what is stored as plain JSON, or not at all, where a shared type was expected. */
  standIn(schema: Schema & Container, raw: unknown): Node | undefined {
    const known = raw === undefined ? this.#empty.get(schema) : undefined
    if (known) return known
    const y = build(schema, raw ?? EMPTY[schema.kind])
    if (!fits(schema, y)) return undefined
    // A Yjs type can be read only within a document; this one is alive as long as the node.
    new Y.Doc().getMap('').set('', y)
    const node = new Node(this, schema, y)
    if (raw === undefined) this.#empty.set(schema, node)
    return node
  }

  /** Makes changes inside a shared type that is read as JSON count as changes of `key`. */
  watchInside(y: YType, node: Node, key: string | number): void {
    this.#inside ??= new WeakMap()
    this.#inside.set(y, [node, key])
    if (y instanceof Y.Map || y instanceof Y.Array) {
      y.forEach((each: unknown) => {
        if (each instanceof Y.AbstractType) this.watchInside(each, node, key)
      })
    }
  }

  #define(name: string, type: (typeof TYPES)[ContainerKind]): YType {
    try {
      return this.doc.get(name, type as new () => Y.AbstractType<unknown>)
    } catch (cause) {
      return fail('INVALID_SCHEMA', [name], 'the document holds another type under this name', hints.otherType, cause)
    }
  }

  readonly #afterTransaction = (transaction: Y.Transaction): void => {
    if (transaction.changed.size === 0) return
    batch(() => {
      for (const [type, keys] of transaction.changed as Map<YType, Set<string | null>>) {
        const node = this.nodes.get(type)
        if (node) node.changed(keys)
        else this.#changedInside(type)
      }
    })
  }

  #changedInside(type: YType): void {
    const inside = this.#inside?.get(type)
    if (inside) inside[0].changed([typeof inside[1] === 'number' ? null : inside[1]])
  }
}
