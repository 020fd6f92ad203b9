/**
 * Y.Docs of rooms that need one: reconnect differences, back-end edits, updates with a gap. A Y.Doc costs 12–15 × its
 * encoded bytes, so they are kept by last use within a budget and never stand in the way of a live update.
 */
import * as Y from 'yjs'
import { TuttiError } from '../../lib/errors.ts'
import type { LogPosition, RoomLog } from './log.ts'

interface Hot {
  readonly doc: Y.Doc
  position: LogPosition
  bytes: number
  /** Who changes it right now may. */
  isOpen: boolean
  /** It was changed from outside, or ended: it no longer stands for the log. */
  isSpoilt: boolean
}

export interface HotDocuments {
  /**
   * Brings the room's document up to date with its log and calls `fn` with it in the same turn. What `fn` changes it
   * must hand to the log before it returns. If `fn` throws, the document is dropped. So it is if somebody who kept it
   * changes it later.
   */
  use<R>(log: RoomLog, read: ReadSegment, fn: (doc: Y.Doc) => R): Promise<R>
  drop(log: RoomLog): void
  /**
   * Takes the document out, from within `use`, since it holds something that the log does not have yet. Returns the
   * function that puts it back, to be called in the turn in which the log has got that, and nothing else since.
   */
  setAside(log: RoomLog): () => void
  clear(): void
}

export type ReadSegment = (id: number) => Promise<Uint8Array | undefined>

/** Something in it waits for updates that never came. */
export const hasPending = (doc: Y.Doc): boolean => doc.store.pendingStructs !== null || doc.store.pendingDs !== null

/**
 * @param maxBytes encoded bytes of all documents kept together.
 * @param changedOutside told once of a document that somebody changed who may not; that change is lost
 */
export const createHotDocuments = (maxBytes: number, changedOutside: (log: RoomLog) => void): HotDocuments => {
  // In order of last use: a Map remembers insertion.
  const hots = new Map<RoomLog, Hot>()
  const queues = new Map<RoomLog, Promise<void>>()

  const shrink = (): void => {
    let bytes = 0
    for (const hot of hots.values()) bytes += hot.bytes
    for (const [log, hot] of hots) {
      if (bytes <= maxBytes) return
      bytes -= hot.bytes
      hots.delete(log)
    }
  }

  const create = (log: RoomLog): Hot => {
    const doc = new Y.Doc()
    const hot: Hot = {
      doc,
      position: { seq: 0, generation: log.generation },
      bytes: 0,
      isOpen: false,
      isSpoilt: false,
    }
    const spoil = (): void => {
      if (hot.isSpoilt) return
      hot.isSpoilt = true
      if (hots.get(log) === hot) hots.delete(log)
      if (!hot.isOpen) changedOutside(log)
    }
    doc.on('update', () => {
      if (!hot.isOpen) spoil()
    })
    // It has no listeners from then on.
    doc.on('destroy', spoil)
    return hot
  }

  const open = <R>(hot: Hot, fn: (doc: Y.Doc) => R): R => {
    hot.isOpen = true
    try {
      return fn(hot.doc)
    } finally {
      hot.isOpen = false
    }
  }

  const catchUp = async (hot: Hot, log: RoomLog, read: ReadSegment): Promise<void> => {
    for (;;) {
      hot.position = log.resume(hot.position)
      const segment = log.segmentAfter(hot.position.seq)
      if (!segment) return
      const update = await read(segment.id)
      // Removed by a roll-up or compaction meanwhile: its content stands elsewhere in the list now.
      if (!update) continue
      open(hot, (doc) => Y.applyUpdate(doc, update))
      hot.position = { seq: segment.lastSeq, generation: hot.position.generation }
    }
  }

  const useNow = async <R>(log: RoomLog, read: ReadSegment, fn: (doc: Y.Doc) => R): Promise<R> => {
    const hot = hots.get(log) ?? create(log)
    hots.delete(log)
    hots.set(log, hot)
    try {
      await catchUp(hot, log, read)
      // Meanwhile, by somebody who kept it.
      if (hot.isSpoilt) return await useNow(log, read, fn)
      log.collect()
      open(hot, (doc) => {
        for (const update of log.tailAfter(hot.position.seq)) Y.applyUpdate(doc, update)
      })
      if (hasPending(hot.doc)) {
        throw new TuttiError('STORAGE_FAILED', `The stored log of room ${JSON.stringify(log.room)} has a gap.`, {
          hint: 'Restore the data folder from a backup; the room is not served from a part of its document.',
        })
      }
      const result = open(hot, fn)
      hot.position = log.position
      hot.bytes = log.bytes
      return result
    } catch (error) {
      hots.delete(log)
      throw error
    } finally {
      shrink()
    }
  }

  const use = async <R>(log: RoomLog, read: ReadSegment, fn: (doc: Y.Doc) => R): Promise<R> => {
    const before = queues.get(log)
    const now = before ? before.then(() => useNow(log, read, fn)) : useNow(log, read, fn)
    const settled = now.then(
      () => undefined,
      () => undefined, // its caller hears of it through `now`
    )
    queues.set(log, settled)
    try {
      return await now
    } finally {
      if (queues.get(log) === settled) queues.delete(log)
    }
  }

  const setAside = (log: RoomLog): (() => void) => {
    const hot = hots.get(log)
    hots.delete(log)
    return () => {
      if (!hot || hot.isSpoilt) return
      hot.position = log.position
      hot.bytes = log.bytes
      hots.set(log, hot)
      shrink()
    }
  }

  return { use, setAside, drop: (log) => hots.delete(log), clear: () => hots.clear() }
}
