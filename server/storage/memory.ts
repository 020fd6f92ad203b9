import type { RoomChange, Storage, Summary } from '../contracts.ts'
import { compareRoomNames } from '../protocol/roomOrder.ts'
import { checkChange, checkRoom, checkRoomName, closed, copyBytes, refused } from './segments.ts'

interface MemorySegment {
  readonly firstSeq: number
  readonly lastSeq: number
  readonly update: Uint8Array<ArrayBuffer>
}

interface MemoryRoom {
  readonly documentId: string
  readonly segments: Map<number, MemorySegment>
  summary: Summary | undefined
}

/** Keeps rooms in this process only: what `--data memory` asks for. Nothing survives `close`. */
export const createMemoryStorage = (): Storage => {
  const rooms = new Map<string, MemoryRoom>()
  let open = true

  const checkOpen = (): void => {
    if (!open) throw closed()
  }

  const checkStored = (change: RoomChange): void => {
    checkChange(change)
    const stored = rooms.get(change.room)
    if (!stored) return
    if (stored.documentId !== change.documentId) {
      throw refused(change.room, `it holds document ${stored.documentId}, not ${change.documentId}`)
    }
    for (const { id } of change.add) {
      if (stored.segments.has(id)) throw refused(change.room, `segment ${id} is there already`)
    }
  }

  const apply = (change: RoomChange): void => {
    let stored = rooms.get(change.room)
    if (!stored) {
      stored = { documentId: change.documentId, segments: new Map(), summary: undefined }
      rooms.set(change.room, stored)
    }
    for (const id of change.remove ?? []) stored.segments.delete(id)
    for (const { id, firstSeq, lastSeq, update } of change.add) {
      stored.segments.set(id, { firstSeq, lastSeq, update: copyBytes(update) })
    }
    if (change.summary) stored.summary = copySummary(change.summary)
  }

  return {
    async load(room) {
      checkOpen()
      checkRoomName(room)
      const stored = rooms.get(room)
      if (!stored) return undefined
      const refs = [...stored.segments].map(([id, segment]) => ({
        id,
        firstSeq: segment.firstSeq,
        lastSeq: segment.lastSeq,
        bytes: segment.update.byteLength,
      }))
      return checkRoom(room, {
        documentId: stored.documentId,
        segments: refs,
        summary: stored.summary && copySummary(stored.summary),
      })
    },

    async read(room, id) {
      checkOpen()
      checkRoomName(room)
      const segment = rooms.get(room)?.segments.get(id)
      return segment && copyBytes(segment.update)
    },

    async commit(changes) {
      checkOpen()
      for (const change of changes) checkStored(change)
      for (const change of changes) apply(change)
    },

    async delete(room) {
      checkOpen()
      checkRoomName(room)
      rooms.delete(room)
    },

    async list(prefix, after, limit) {
      checkOpen()
      const names = [...rooms.keys()].filter((room) => room.startsWith(prefix) && compareRoomNames(room, after) > 0)
      return names.sort(compareRoomNames).slice(0, limit)
    },

    async close() {
      open = false
      rooms.clear()
    },
  }
}

const copySummary = (summary: Summary): Summary => ({
  seq: summary.seq,
  stateVector: copyBytes(summary.stateVector),
  deleteSet: copyBytes(summary.deleteSet),
  compactedBytes: summary.compactedBytes,
})
