/** The rules of a room's stored segments, the same for every storage. */
import { TuttiError } from '../../lib/errors.ts'
import { roomNameProblem } from '../../lib/protocol.ts'
import type { RoomChange, Segment, StoredRoom } from '../contracts.ts'

/** Segment ids are kept in six bytes. */
const MAX_SEGMENT_ID = 2 ** 48 - 1

/**
 * Puts a loaded room's segments in the order of their sequence numbers, which start at 1. A hole or an overlap means
 * that part of the document is missing or stands there twice, and a summary of more than there is would make the server
 * take news for known: `STORAGE_FAILED`, for half a document must never be served as a whole one.
 */
export const checkRoom = (room: string, stored: StoredRoom): StoredRoom => {
  // Not by id: compaction writes the oldest sequence numbers anew, under ids above those of the tail.
  const segments = [...stored.segments].sort((a, b) => a.firstSeq - b.firstSeq)
  let lastSeq = 0
  for (const segment of segments) {
    const range = `segment ${segment.id} holds updates ${segment.firstSeq} to ${segment.lastSeq}`
    if (segment.lastSeq < segment.firstSeq) throw damaged(room, `${range}`)
    if (segment.firstSeq > lastSeq + 1) throw damaged(room, `${range}, and none holds ${lastSeq + 1}`)
    if (segment.firstSeq <= lastSeq) throw damaged(room, `${range}, and ${segment.firstSeq} is in another one, too`)
    lastSeq = segment.lastSeq
  }
  if (stored.summary && stored.summary.seq > lastSeq) {
    throw damaged(room, `its summary counts updates up to ${stored.summary.seq}, and there are ${lastSeq}`)
  }
  return { ...stored, segments }
}

/** The error of a room whose records contradict each other. */
export const damaged = (room: string, fault: string, cause?: unknown): TuttiError =>
  new TuttiError('STORAGE_FAILED', `The stored document of room "${room}" is damaged: ${fault}.`, {
    hint: 'Restore the data folder from a backup, or delete this room.',
    cause,
    retryable: false,
  })

/** The error of a call after `close`. */
export const closed = (): TuttiError =>
  new TuttiError('STORAGE_FAILED', 'The storage is closed.', {
    hint: 'Call nothing on a storage after its close().',
    retryable: false,
  })

/** Throws `INVALID_ROOM` if the name is not one. */
export const checkRoomName = (room: string): void => {
  const problem = roomNameProblem(room)
  if (problem !== undefined) {
    throw new TuttiError('INVALID_ROOM', `"${room}" is not a room name: ${problem}.`, {
      hint: 'Use 1–255 bytes of UTF-8, with no control characters and no empty, "." or ".." segment.',
    })
  }
}

/** Throws `STORAGE_FAILED` for a change that no storage may take, whatever it holds. */
export const checkChange = (change: RoomChange): void => {
  checkRoomName(change.room)
  if (change.documentId === '') throw refused(change.room, 'its document id is empty')
  const ids = new Set<number>()
  for (const segment of change.add) {
    if (!Number.isSafeInteger(segment.id) || segment.id < 0 || segment.id > MAX_SEGMENT_ID) {
      throw refused(change.room, `${segment.id} is not a segment id (0 to ${MAX_SEGMENT_ID})`)
    }
    if (ids.has(segment.id)) throw refused(change.room, `segment ${segment.id} is added twice`)
    ids.add(segment.id)
    if (!isSequence(segment)) {
      throw refused(change.room, `segment ${segment.id} has no valid range (${segment.firstSeq} to ${segment.lastSeq})`)
    }
  }
}

const isSequence = ({ firstSeq, lastSeq }: Segment): boolean =>
  Number.isSafeInteger(firstSeq) && Number.isSafeInteger(lastSeq) && firstSeq >= 1 && lastSeq >= firstSeq

/** The error of a change that contradicts what is stored. */
export const refused = (room: string, fault: string): TuttiError =>
  new TuttiError('STORAGE_FAILED', `The change of room "${room}" was not stored: ${fault}.`, {
    hint: 'This is a fault of the caller, not of the disk.',
    retryable: false,
  })

/** A copy that shares no memory with its source: the caller may go on writing to what it gave. */
export const copyBytes = (bytes: Uint8Array): Uint8Array<ArrayBuffer> => new Uint8Array(bytes)
