/** The documents of an API under test: in memory, as real Y.Docs, loaded from bytes as the server's are. */
import * as Y from 'yjs'
import type { Documents } from '../../server/contracts.ts'
import { EMPTY_REVISION } from '../../server/room/revision.ts'

export const createMemoryDocuments = (): Documents & { readonly rooms: Map<string, Y.Doc> } => {
  const rooms = new Map<string, Y.Doc>()
  const revisions = new Map<string, number>()
  const revisionOf = (room: string): string => `${revisions.get(room) ?? EMPTY_REVISION}`
  const change = <R>(room: string, fn: (doc: Y.Doc) => R): { result: R; changed: boolean; revision: string } => {
    const doc = new Y.Doc()
    const before = rooms.get(room)
    if (before !== undefined) Y.applyUpdate(doc, Y.encodeStateAsUpdate(before))
    let changed = false
    doc.on('update', () => {
      changed = true
    })
    const result = doc.transact(() => fn(doc))
    if (changed) {
      rooms.set(room, doc)
      revisions.set(room, (revisions.get(room) ?? 0) + 1)
    }
    return { result, changed, revision: revisionOf(room) }
  }
  const read: Documents['read'] = async (room, fn) => {
    const doc = rooms.get(room)
    return doc === undefined ? undefined : fn(doc)
  }
  return {
    rooms,
    read,
    view: async (room, fn) => ({ revision: revisionOf(room), result: await read(room, fn) }),
    revision: async (room) => revisionOf(room),
    edit: async (room, fn, { expect } = {}) => {
      expect?.(revisionOf(room))
      return change(room, fn)
    },
    apply: async (room, update, { expect } = {}) => {
      expect?.(revisionOf(room))
      const { changed, revision } = change(room, (doc) => Y.applyUpdate(doc, update))
      return { changed, revision }
    },
  }
}

/** Documents that can't be reached. */
export const createFailingDocuments = (error: unknown): Documents => {
  const fail = (): Promise<never> => Promise.reject(error)
  return { read: fail, view: fail, revision: fail, edit: fail, apply: fail }
}
