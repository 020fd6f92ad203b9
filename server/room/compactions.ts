/** Compaction of rooms, one at a time: reads the segments, has them compacted off the event loop, swaps them. */
import type { Compactor, Logger, SegmentRef, Storage } from '../contracts.ts'
import type { Committer } from './committer.ts'
import type { RoomLog } from './log.ts'
import type { Room } from './room.ts'

export interface Compactions {
  /** Compacts the room if its log has grown enough. @returns whether it is being compacted. */
  consider(room: Room, isIdle: boolean): boolean
  /** Compacts the room's log, which is full, if that may make room. @returns whether it is being compacted. */
  makeRoom(room: Room): boolean
  /** Resolves when nothing is being compacted; nothing new starts. */
  close(): Promise<void>
}

export const createCompactions = (
  storage: Storage,
  compactor: Compactor,
  committer: Committer,
  logger: Logger,
): Compactions => {
  let running: Promise<void> = Promise.resolve()
  let isClosed = false

  const compact = async (room: Room, log: RoomLog): Promise<void> => {
    let segments: readonly SegmentRef[] = []
    // Between two commits: a roll-up under way would take segments away.
    await committer.exclusive(async () => {
      segments = log.startCompaction()
    })
    const updates: Uint8Array[] = []
    for (const { id } of segments) {
      const update = await storage.read(room.name, id)
      if (!update) throw new Error(`segment ${id} is missing`)
      updates.push(update)
    }
    const before = updates.reduce((sum, update) => sum + update.byteLength, 0)
    const compacted = await compactor.compact(updates)
    const change = log.compactionChange(segments, compacted.updates, compacted)
    // A room that failed or was forgotten meanwhile has a new log, of which this one knows nothing.
    if (!change || room.log !== log) {
      log.compactionFailed()
      return
    }
    await committer.exclusive(async () => {
      if (room.log !== log) return
      await storage.commit([change])
      log.compacted(change)
    })
    logger.debug({ room: room.name, before, after: change.summary?.compactedBytes }, 'compacted')
  }

  const run = async (room: Room, log: RoomLog): Promise<void> => {
    if (isClosed || room.log !== log) {
      log.compactionFailed()
      return
    }
    try {
      await compact(room, log)
    } catch (error) {
      log.compactionFailed()
      // A deleted room has no segments.
      if (room.log !== log) return
      logger.error({ room: room.name, err: error }, 'compaction failed; the segments stay as they are')
    }
    // It may have grown enough meanwhile.
    consider(room, false)
  }

  const start = (room: Room, log: RoomLog): void => {
    log.startCompaction()
    running = running.then(() => run(room, log))
  }

  const consider = (room: Room, isIdle: boolean): boolean => {
    const { log } = room
    if (isClosed || !log || log.isCompacting || !log.wantsCompaction(isIdle)) return false
    start(room, log)
    return true
  }

  const makeRoom = (room: Room): boolean => {
    const { log } = room
    if (isClosed || !log?.mayShrink) return false
    if (!log.isCompacting) start(room, log)
    return true
  }

  const close = (): Promise<void> => {
    isClosed = true
    return running
  }

  return { consider, makeRoom, close }
}
