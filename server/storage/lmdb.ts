/**
 * Rooms on disk, in LMDB. All records stand in one B-tree, those of a room side by side:
 *
 * ```
 * <0x01> "format"                 version of this layout, as text
 * <room> <0x00> 1                 document id, as text
 * <room> <0x00> 2                 summary: varUints seq and compactedBytes, then state vector and delete set
 * <room> <0x00> 3 <id, 6 bytes>   segment: varUints firstSeq, lastSeq and length in bytes
 * <room> <0x00> 4 <id, 6 bytes>   segment: its update, as it is
 * ```
 *
 * A room name holds no control character, so no key of one room is the beginning of a key of another. Segments are
 * described apart from their bytes, so that loading a room reads a few bytes for each; bytes beyond about 2 KB stand in
 * pages of their own, which loading does not touch. A keystroke writes two short records side by side.
 */
import { resolve } from 'node:path'
import * as decoding from 'lib0/decoding'
import * as encoding from 'lib0/encoding'
import type { RoomChange, SegmentRef, Storage, StoredRoom, Summary } from '../contracts.ts'
import { compareRoomNames } from '../protocol/roomOrder.ts'
import { committed, type Database, openDatabase } from './lmdbDatabase.ts'
import { lockFolder } from './lock.ts'
import { checkChange, checkRoom, checkRoomName, closed, copyBytes, damaged, refused } from './segments.ts'

const DOCUMENT_ID = 1
const SUMMARY = 2
const SEGMENT_REF = 3
const SEGMENT_BYTES = 4
/** One above the last kind: where the keys of a room end. */
const KINDS_END = 5

/** Not above any name of a room: those hold no control character. */
const FIRST_NAME = Buffer.from(' ')
/** Raised when a server of the version before could no longer read what is written. */
const FORMAT = 1

/**
 * Opens a data folder, and creates it if it is missing. The folder belongs to this process until `close`, or until the
 * process ends in whatever way.
 *
 * @throws `DATA_IN_USE` if another process, or an open storage of this one, has it; `INVALID_OPTION` if it is no folder;
 * `STORAGE_FAILED` if it can't be used, holds something else, or was written by a newer version.
 */
export const openLmdbStorage = async (folder: string): Promise<Storage> => {
  const path = resolve(folder)
  const unlock = await lockFolder(path)
  try {
    return createLmdbStorage(await openDatabase(path, FORMAT), unlock)
  } catch (error) {
    unlock()
    throw error
  }
}

const createLmdbStorage = (db: Database, unlock: () => void): Storage => {
  let closing: Promise<void> | undefined
  /** What was last asked of a room and is not done yet. */
  const running = new Map<string, Promise<void>>()

  const checkOpen = (): void => {
    if (closing) throw closed()
  }

  /**
   * Starts `work` when what was asked of these rooms before is done, and fails with it: a change that follows a lost one
   * would leave a gap. Rooms don't wait for each other.
   */
  const inOrder = (rooms: readonly string[], work: () => Promise<void>): Promise<void> => {
    const before = rooms.flatMap((room) => running.get(room) ?? [])
    const result = before.length === 0 ? work() : Promise.all(before).then(work)
    for (const room of rooms) running.set(room, result)
    const forget = () => {
      for (const room of rooms) if (running.get(room) === result) running.delete(room)
    }
    result.then(forget, forget)
    return result
  }

  const load = (room: string): StoredRoom | undefined => {
    const prefix = roomPrefix(room)
    let documentId: string | undefined
    let summary: Summary | undefined
    const refs: SegmentRef[] = []
    const range = { start: recordKey(prefix, DOCUMENT_ID), end: recordKey(prefix, SEGMENT_BYTES) }
    try {
      for (const { key, value } of db.getRange(range)) {
        const kind = key[prefix.length]
        if (kind === DOCUMENT_ID) documentId = Buffer.from(value).toString()
        else if (kind === SUMMARY) summary = decodeSummary(value)
        else refs.push(decodeRef(readId(key), value))
      }
    } catch (error) {
      throw damaged(room, `a record can't be read (${messageOf(error)})`, error)
    }
    if (documentId === undefined) {
      if (summary || refs.length > 0) throw damaged(room, 'it has content but no document id')
      return undefined
    }
    return checkRoom(room, { documentId, segments: refs, summary })
  }

  /**
   * Queues all records of a commit in one go, without an `await` in between: lmdb-js puts what is queued in one turn of
   * the event loop into one transaction, together with what other commits queue in it. (No `transactionSync` is ever
   * used: it would end a transaction that is being written halfway.)
   */
  const queue = async (writes: readonly Write[]): Promise<void> => {
    await committed(
      db,
      writes.map(({ key, value }) => (value === undefined ? db.remove(key) : db.put(key, value))),
    )
  }

  /** The writes that make a change, in order. */
  const addWrites = (change: RoomChange, writes: Write[]): void => {
    const prefix = roomPrefix(change.room)
    const stored = db.get(recordKey(prefix, DOCUMENT_ID))
    if (stored === undefined) {
      writes.push({ key: recordKey(prefix, DOCUMENT_ID), value: Buffer.from(change.documentId) })
    } else if (Buffer.from(stored).toString() !== change.documentId) {
      throw refused(change.room, `it holds document ${Buffer.from(stored).toString()}, not ${change.documentId}`)
    }
    for (const id of change.remove ?? []) {
      writes.push({ key: segmentKey(prefix, SEGMENT_REF, id) }, { key: segmentKey(prefix, SEGMENT_BYTES, id) })
    }
    for (const segment of change.add) {
      const key = segmentKey(prefix, SEGMENT_REF, segment.id)
      if (db.doesExist(key)) throw refused(change.room, `segment ${segment.id} is there already`)
      const { firstSeq, lastSeq, update } = segment
      writes.push(
        { key, value: encodeRef(firstSeq, lastSeq, update.byteLength) },
        // A copy: it is written by another thread, later, and the caller may go on writing to what it gave.
        { key: segmentKey(prefix, SEGMENT_BYTES, segment.id), value: copyBytes(update) },
      )
    }
    if (change.summary) writes.push({ key: recordKey(prefix, SUMMARY), value: encodeSummary(change.summary) })
  }

  const commitNow = async (changes: readonly RoomChange[]): Promise<void> => {
    // Everything that can be refused is refused before the first record is queued: what is queued will be written.
    const writes: Write[] = []
    for (const change of changes) addWrites(change, writes)
    await queue(writes)
  }

  const deleteNow = async (room: string): Promise<void> => {
    const prefix = roomPrefix(room)
    const range = { start: recordKey(prefix, DOCUMENT_ID), end: recordKey(prefix, KINDS_END) }
    await queue(Array.from(db.getKeys(range), (key) => ({ key })))
  }

  /** Walks from room to room, over the records of each. */
  const list = (prefix: string, after: string, limit: number): string[] => {
    const names: string[] = []
    const first = Buffer.from(prefix)
    let start = compareRoomNames(after, prefix) < 0 ? first : recordKey(roomPrefix(after), KINDS_END)
    // The record of the format stands before all names.
    if (Buffer.compare(start, FIRST_NAME) < 0) start = FIRST_NAME
    while (names.length < limit) {
      const [key] = db.getKeys({ start, limit: 1 })
      if (key === undefined || Buffer.compare(key.subarray(0, first.length), first) !== 0) break
      const name = Buffer.from(key.subarray(0, key.indexOf(0)))
      names.push(name.toString())
      start = recordKey(Buffer.concat([name, Buffer.of(0)]), KINDS_END)
    }
    return names
  }

  return {
    async load(room) {
      checkOpen()
      checkRoomName(room)
      return load(room)
    },

    async read(room, id) {
      checkOpen()
      checkRoomName(room)
      const update = db.getBinary(segmentKey(roomPrefix(room), SEGMENT_BYTES, id))
      // LMDB may have read it into a buffer that it uses again, and a pooled Buffer can't be transferred to a worker.
      return update && copyBytes(update)
    },

    async commit(changes) {
      checkOpen()
      for (const change of changes) checkChange(change)
      const rooms = changes.map(({ room }) => room)
      const waits = rooms.some((room) => running.has(room))
      const taken = waits ? changes.map(copyChange) : changes
      await inOrder(rooms, () => commitNow(taken))
    },

    async delete(room) {
      checkOpen()
      checkRoomName(room)
      await inOrder([room], () => deleteNow(room))
    },

    async list(prefix, after, limit) {
      checkOpen()
      return list(prefix, after, limit)
    },

    close() {
      closing ??= (async () => {
        while (running.size > 0) await Promise.allSettled(running.values())
        await db.close()
        unlock()
      })()
      return closing
    },
  }
}

/** A record to write; without a value, to remove. */
interface Write {
  readonly key: Uint8Array
  readonly value?: Uint8Array
}

const roomPrefix = (room: string): Buffer => Buffer.from(`${room}\0`)

const recordKey = (prefix: Buffer, kind: number): Buffer => {
  const key = Buffer.allocUnsafe(prefix.length + 1)
  prefix.copy(key)
  key[prefix.length] = kind
  return key
}

const segmentKey = (prefix: Buffer, kind: number, id: number): Buffer => {
  const key = Buffer.allocUnsafe(prefix.length + 7)
  prefix.copy(key)
  key[prefix.length] = kind
  key.writeUIntBE(id, prefix.length + 1, 6)
  return key
}

const readId = (key: Uint8Array): number => Buffer.from(key).readUIntBE(key.length - 6, 6)

const encodeRef = (firstSeq: number, lastSeq: number, bytes: number): Uint8Array =>
  encoding.encode((encoder) => {
    encoding.writeVarUint(encoder, firstSeq)
    encoding.writeVarUint(encoder, lastSeq)
    encoding.writeVarUint(encoder, bytes)
  })

const decodeRef = (id: number, record: Uint8Array): SegmentRef => {
  const decoder = decoding.createDecoder(record)
  return {
    id,
    firstSeq: decoding.readVarUint(decoder),
    lastSeq: decoding.readVarUint(decoder),
    bytes: decoding.readVarUint(decoder),
  }
}

const encodeSummary = (summary: Summary): Uint8Array =>
  encoding.encode((encoder) => {
    encoding.writeVarUint(encoder, summary.seq)
    encoding.writeVarUint(encoder, summary.compactedBytes)
    encoding.writeVarUint8Array(encoder, summary.stateVector)
    encoding.writeVarUint8Array(encoder, summary.deleteSet)
  })

const decodeSummary = (record: Uint8Array): Summary => {
  const decoder = decoding.createDecoder(record)
  const seq = decoding.readVarUint(decoder)
  const compactedBytes = decoding.readVarUint(decoder)
  return {
    seq,
    compactedBytes,
    // lib0 reads views.
    stateVector: copyBytes(decoding.readVarUint8Array(decoder)),
    deleteSet: copyBytes(decoding.readVarUint8Array(decoder)),
  }
}

/** The parts of a change that the caller could write to while it waits. */
const copyChange = (change: RoomChange): RoomChange => ({
  ...change,
  add: change.add.map((segment) => ({ ...segment, update: copyBytes(segment.update) })),
  ...(change.remove && { remove: [...change.remove] }),
  ...(change.summary && {
    summary: {
      ...change.summary,
      stateVector: copyBytes(change.summary.stateVector),
      deleteSet: copyBytes(change.summary.deleteSet),
    },
  }),
})

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
