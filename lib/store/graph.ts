/** The live nodes of one document: what was read from it, who reads it, and what a remote change touches. */
import * as Y from 'yjs'
import { errorAt, fail } from './failure.ts'
import { isDevelopment } from './hints.ts'
import { batch, isTracking, Signal } from './reactive.ts'
import {
  DEEP,
  type Graph,
  type GraphOptions,
  type Key,
  type Node,
  type Path,
  type Place,
  type Schema,
  type YType,
} from './schema.ts'

/** Tells tests whether everybody has left. */
class Counted extends Signal<number> {
  readonly #graph: Graph

  constructor(graph: Graph) {
    super(0)
    graph.subscriptions ??= 0
    this.#graph = graph
  }

  protected override watched(): void {
    this.#graph.subscriptions!++
  }

  protected override unwatched(): void {
    this.#graph.subscriptions!--
  }
}

const createNode = (graph: Graph, schema: Schema, y: YType, roots?: Node['roots']): Node => ({
  graph,
  schema,
  y,
  roots,
  face: undefined,
  deps: undefined,
  plain: undefined,
  items: undefined,
})

/** Makes a node stand for a type, such as a copy of its own. */
export const rebind = (node: Node, y: YType): Node => {
  node.y = y
  node.graph.nodes.set(y, node)
  return node
}

export const nodeOf = (graph: Graph, y: YType, schema: Schema): Node =>
  graph.nodes.get(y) ?? rebind(createNode(graph, schema, y), y)

export const faceOf = (node: Node): unknown => {
  node.face ??= node.schema.face?.(node)
  return node.face
}

/** In the document, and not deleted from it. */
export const isAttached = ({ y, graph }: Node): boolean => y.doc === graph.doc && !y._item?.deleted

const parentOf = ({ y, graph }: Node): Node | undefined =>
  // The other top-level types are in the root.
  y._item ? graph.nodes.get(y._item.parent as YType) : graph.root

/** Keys from the root. Costs a walk: for errors only. */
export const pathOf = ({ y, graph }: Pick<Node, 'y' | 'graph'>): Path => {
  if (y._item) {
    const { parent, parentSub } = y._item
    const key = parentSub ?? (parent as Y.Array<unknown>).toArray().indexOf(y)
    return [...pathOf({ y: parent as YType, graph }), key]
  }
  // The scalars of the root have no name of their own; what is not in the document has none at all.
  const name = y.doc === graph.doc && Y.findRootTypeKey(y)
  return name ? [name] : []
}

/** Records that the running computation, if any, read `key`. */
export const track = (node: Node, key: Key): void => {
  if (!isTracking()) return
  node.deps ??= new Map()
  let dep = node.deps.get(key)
  if (!dep) {
    dep = isDevelopment ? new Counted(node.graph) : new Signal(0)
    node.deps.set(key, dep)
  }
  void dep.value
}

/** Tells computations that read `key` that it changed. */
const touch = ({ deps }: Node, key: Key): void => {
  const dep = deps?.get(key)
  if (dep) dep.value = dep.refresh() + 1
}

/** Takes in that keys of a node changed. */
export const changed = (node: Node, keys: Iterable<string | null>): void => {
  node.items = undefined
  for (const key of keys) touch(node, key)
  if (node.schema.kind === 'record') touch(node, null)
  let inside: Node | undefined = node
  while (inside && inside.plain !== undefined) {
    inside.plain = undefined
    touch(inside, DEEP)
    inside = inside === inside.graph.root ? undefined : parentOf(inside)
  }
}

/** The schema of what stands under `key`. */
export const schemaAt = ({ fields, item }: Schema, key: string | number): Schema => fields[key] ?? item

/** Whether a stored value is the Yjs type that a schema asks for. */
export const fits = ({ type }: Schema, stored: unknown): stored is YType => type !== undefined && stored instanceof type

/** The stored value under `key`. */
export const storedAt = ({ roots, y }: Node, key: string | number): unknown =>
  roots?.[key] ?? (y as Y.Map<unknown>).get(key as string)

/** The live value that `stored`, found under `key`, stands for; a plain and frozen one if asked for. Does not track. */
export const read = (node: Node, key: string | number, stored = storedAt(node, key), asPlain = false): unknown => {
  const schema = schemaAt(node.schema, key)
  if (!schema.type) return readValue(node, key, schema, stored)
  const inside = readContainer(node, key, schema, stored)
  return inside && (asPlain ? snapshot(inside) : faceOf(inside))
}

export const readPlain = (node: Node, key: string | number, stored?: unknown): unknown => read(node, key, stored, true)

/** The frozen plain form of everything inside; parts that did not change are the same objects as last time. */
export const snapshot = (node: Node): unknown => {
  node.plain ??= Object.freeze(node.schema.copy?.(node))
  return node.plain
}

/** As `snapshot`, and tracked: the running computation depends on everything inside. */
export const trackedSnapshot = (node: Node): unknown => {
  const plain = snapshot(node)
  track(node, DEEP)
  return plain
}

/** What `make` makes of a list or record in one walk, tracked: the same array until the structure changes. */
export const bulk = (node: Node, make: (node: Node) => unknown[]): readonly unknown[] => {
  track(node, null)
  if (node.items) return node.items
  const items = Object.freeze(make(node))
  // Dates and bytes can't be frozen: each reading makes its own.
  if (!/date|bytes/.test(node.schema.item.kind)) node.items = items
  return items
}

const readValue = (node: Node, key: string | number, schema: Schema, stored: unknown): unknown => {
  if (stored === undefined) {
    // After its deletion a node still shows what was last seen of it, for a render that comes late.
    const last = isAttached(node) ? undefined : (node.plain as Record<string, unknown> | undefined)?.[key]
    return last ?? fallback(schema)
  }
  if (stored === null && schema.isNullable) return null
  const value = schema.read(stored)
  if (value !== undefined) {
    if (schema.kind === 'json' && stored instanceof Y.AbstractType)
      watchInside(stored, [node, [typeof key === 'number' ? null : key]])
    return value
  }
  reportMisfit(node, key, schema)
  return node.graph.options.validateRemote === 'coerce' ? readValue(node, key, schema, undefined) : stored
}

/** The default of a schema as reading gives it. */
export const fallback = ({ fallback, read }: Schema): unknown =>
  fallback === null || fallback === undefined ? fallback : read(fallback)

/** Tells once of a stored value that does not fit. */
const reportMisfit = (node: Node, key: string | number, schema: Schema): void => {
  const { validateRemote, onError } = node.graph.options
  node.misfits ??= new Set()
  if (validateRemote === 'off' || node.misfits.has(key)) return
  node.misfits.add(key)
  const error = errorAt('INVALID_VALUE', [...pathOf(node), key], `stored is no s.${schema.kind}()`)
  // Not within the reading computation, whose render an exception of the application would break.
  queueMicrotask(() => onError(error))
}

/** The node of a container under `key`; `null` or `undefined` for a nullable or optional one that is not there. */
const readContainer = (node: Node, key: string | number, schema: Schema, stored: unknown): Node | null | undefined => {
  if (fits(schema, stored)) return nodeOf(node.graph, stored, schema)
  if (stored === null && schema.isNullable) return null
  if (stored === undefined && schema.isOptional) return undefined
  // Plain JSON under a schema of shared types, or nothing yet: readable, but there is no type to write to.
  const known = node.standIns?.get(key)
  if (known && known.raw === stored) return known.node
  const made = standIn(node.graph, schema, stored)
  if (!made) {
    reportMisfit(node, key, schema)
    return readContainer(node, key, schema, undefined)
  }
  node.standIns ??= new Map()
  node.standIns.set(key, { raw: stored, node: made })
  return made
}

/** A node to read what is stored as plain JSON, or not at all, where a shared type was expected. */
const standIn = (graph: Graph, schema: Schema, stored: unknown): Node | undefined => {
  const known = stored === undefined ? graph.empty.get(schema) : undefined
  if (known) return known
  const y = schema.build?.(stored ?? schema.empty)
  if (!y) return undefined
  // A Yjs type can be read only within a document; this one is alive as long as the node.
  const node = createNode(graph, schema, new Y.Doc().getMap<unknown>('').set('', y) as YType)
  if (stored === undefined) graph.empty.set(schema, node)
  return node
}

/** Makes changes inside a shared type that is read as JSON count as changes of its place. */
const watchInside = (y: YType, place: Place): void => {
  place[0].graph.inside.set(y, place)
  if (y instanceof Y.Map || y instanceof Y.Array) {
    y.forEach((each: unknown) => {
      if (each instanceof Y.AbstractType) watchInside(each, place)
    })
  }
}

/** Adds one listener to the document, whatever is read. */
export const createGraph = (doc: Y.Doc, schema: Schema, options: GraphOptions): Graph => {
  const typeOf = (name: string, type: NonNullable<Schema['type']>): YType => {
    try {
      return doc.get(name, type as new () => Y.AbstractType<unknown>)
    } catch (cause) {
      return fail('INVALID_SCHEMA', [name], 'the document has another type', cause)
    }
  }
  const roots: Record<string, YType> = { __proto__: null as never }
  for (const [name, { type }] of Object.entries(schema.fields)) if (type) roots[name] = typeOf(name, type)
  const onTransaction = ({ changed: types }: Y.Transaction): void => {
    batch(() => {
      for (const [type, keys] of types as Map<YType, Set<string | null>>) {
        const node = graph.nodes.get(type)
        const inside = graph.inside.get(type)
        if (node) changed(node, keys)
        else if (inside) changed(...inside)
      }
    })
  }
  const graph: Graph = {
    doc,
    options,
    nodes: new WeakMap(),
    get root() {
      return root
    },
    isDestroyed: false,
    empty: new Map(),
    inside: new WeakMap(),
    destroy: () => {
      graph.isDestroyed = true
      doc.off('afterTransaction', onTransaction)
    },
  }
  const y = typeOf('', Y.Map)
  const root = rebind(createNode(graph, schema, y, roots), y)
  doc.on('afterTransaction', onTransaction)
  return graph
}
