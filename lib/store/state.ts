/** A document seen through a schema: what a store, a seed and an edit of the back end have in common. */
import type { Doc } from 'yjs'
import { Graph, type GraphOptions } from './graph.ts'
import { hints } from './hints.ts'
import { createList } from './list.ts'
import { createObject } from './object.ts'
import { checkShape, fail, newId } from './parse.ts'
import { createRecord } from './record.ts'
import { type Live, type Shape, s } from './schema.ts'
import { createText } from './text.ts'
import { transact } from './write.ts'

const FACES = { object: createObject, list: createList, record: createRecord, text: createText } as const

export interface OpenState<Sh extends Shape> {
  readonly graph: Graph
  readonly state: Live<Sh>
}

/** Adds one listener to the document, which `graph.destroy()` takes away. Throws `INVALID_SCHEMA`. */
export const openState = <Sh extends Shape>(
  doc: Doc,
  shape: Sh,
  {
    validateRemote = 'coerce',
    onError = (error) => console.warn(error),
    makeId = newId,
  }: { readonly [K in keyof Omit<GraphOptions, 'faces'>]?: GraphOptions[K] | undefined } = {},
): OpenState<Sh> => {
  if (typeof shape !== 'object' || shape === null) {
    fail('INVALID_SCHEMA', [], 'the schema is not an object', hints.noShape)
  }
  checkShape(shape, [])
  const graph = new Graph(doc, s.object(shape), { faces: FACES, validateRemote, onError, makeId })
  return { graph, state: graph.root.face as Live<Sh> }
}

/**
 * Changes a document through a schema, all or nothing, in one Yjs transaction (the open one, if there is one). Leaves
 * no listener behind.
 */
export const editDocument = <Sh extends Shape, R>(doc: Doc, shape: Sh, fn: (state: Live<Sh>) => R): R => {
  const { graph, state } = openState(doc, shape)
  try {
    return transact(graph, () => fn(state), {})
  } finally {
    graph.destroy()
  }
}
