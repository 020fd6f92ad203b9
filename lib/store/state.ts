/** A document seen through a schema: what a store, a seed and an edit of the back end have in common. */
import type { Doc } from 'yjs'
import { createGraph, faceOf } from './graph.ts'
import { object } from './object.ts'
import { newId } from './parse.ts'
import type { Graph, GraphOptions, Live, Shape } from './schema.ts'
import { checkShape } from './shape.ts'
import { transact } from './write.ts'

export interface OpenState<Sh extends Shape> {
  readonly graph: Graph
  readonly state: Live<Sh>
}

/**
 * Adds one listener to the document, which `graph.destroy()` takes away. Throws `INVALID_SCHEMA` where the document
 * holds other types than those of the shape, which is not checked here.
 */
export const openState = <Sh extends Shape>(
  doc: Doc,
  shape: Sh,
  {
    validateRemote = 'coerce',
    onError = console.warn,
    makeId = newId,
  }: { readonly [K in keyof GraphOptions]?: GraphOptions[K] | undefined } = {},
): OpenState<Sh> => {
  const graph = createGraph(doc, object(shape), { validateRemote, onError, makeId })
  return { graph, state: faceOf(graph.root) as Live<Sh> }
}

/**
 * Changes a document through a schema, all or nothing, in one Yjs transaction (the open one, if there is one). Leaves
 * no listener behind. Throws `INVALID_SCHEMA`.
 */
export const editDocument = <Sh extends Shape, R>(doc: Doc, shape: Sh, fn: (state: Live<Sh>) => R): R => {
  checkShape(shape)
  const { graph, state } = openState(doc, shape)
  try {
    return transact(graph, () => fn(state), {})
  } finally {
    graph.destroy()
  }
}
