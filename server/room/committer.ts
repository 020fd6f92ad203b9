/**
 * Group commit: while one commit is being synced to disk, everything accepted meanwhile gathers for the next one. One
 * commit carries all rooms that have something.
 */
import { TuttiError } from '../../lib/errors.ts'
import type { Logger, RoomChange, Storage } from '../contracts.ts'
import type { Room } from './room.ts'

export interface Committer {
  /** Has the room's accepted updates committed, after this turn of the event loop. */
  commitSoon(room: Room): void
  /** Runs a change of a room between two commits, so that no other change of the room is under way. */
  exclusive(task: () => Promise<void>): Promise<void>
  /** Resolves when everything accepted so far is durable, or its room has failed. */
  settle(): Promise<void>
}

export const createCommitter = (storage: Storage, log: Logger): Committer => {
  let dirty = new Set<Room>()
  let tail: Promise<void> = Promise.resolve()
  let isScheduled = false

  /** One after the other; a failure of one is its caller's. */
  const enqueue = (task: () => Promise<void>): Promise<void> => {
    const run = tail.then(task)
    tail = run.catch((error: unknown) => log.error({ err: error }, 'storing failed'))
    return run
  }

  const failed = (room: Room, cause: unknown): void => {
    log.error({ room: room.name, err: cause }, 'commit failed')
    const error = new TuttiError('STORAGE_FAILED', 'The server could not store the last changes.', {
      cause,
      hint: 'Connect again; what was not acknowledged is sent again.',
    })
    room.fail(error)
  }

  const gather = async (rooms: Iterable<Room>): Promise<Map<Room, RoomChange>> => {
    const changes = new Map<Room, RoomChange>()
    for (const room of rooms) {
      try {
        const change = await room.nextChange()
        if (change) changes.set(room, change)
      } catch (error) {
        failed(room, error)
      }
    }
    return changes
  }

  const commitDirty = async (): Promise<void> => {
    isScheduled = false
    const rooms = dirty
    dirty = new Set()
    const changes = await gather(rooms)
    if (changes.size > 0) await commit(changes)
  }

  /** All rooms in one commit. If one of them is at fault and not the disk, each by itself: the others are not to suffer. */
  const commit = async (changes: ReadonlyMap<Room, RoomChange>): Promise<void> => {
    try {
      await storage.commit([...changes.values()])
    } catch (error) {
      const isOnesFault = error instanceof TuttiError && !error.retryable
      if (isOnesFault && changes.size > 1) {
        for (const entry of changes) await commit(new Map([entry]))
      } else {
        for (const room of changes.keys()) failed(room, error)
      }
      return
    }
    for (const [room, change] of changes) room.committed(change)
  }

  const schedule = (): void => {
    if (isScheduled) return
    isScheduled = true
    setImmediate(() => enqueue(commitDirty))
  }

  const commitSoon = (room: Room): void => {
    dirty.add(room)
    schedule()
  }

  const settle = async (): Promise<void> => {
    do await enqueue(commitDirty)
    while (dirty.size > 0)
    await tail
  }

  return { commitSoon, exclusive: enqueue, settle }
}
