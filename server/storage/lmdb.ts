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
import { open } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import * as decoding from 'lib0/decoding'
import * as encoding from 'lib0/encoding'
import type { RootDatabase } from 'lmdb'
import { TuttiError } from '../../lib/errors.ts'
import type { RoomChange, SegmentRef, Storage, StoredRoom, Summary } from '../contracts.ts'
import { lockFolder } from './lock.ts'
import { checkChange, checkRoom, checkRoomName, closed, copyBytes, damaged, refused } from './segments.ts'

const DOCUMENT_ID = 1
const SUMMARY = 2
const SEGMENT_REF = 3
const SEGMENT_BYTES = 4
/** One above the last kind: where the keys of a room end. */
const KINDS_END = 5

const FORMAT_KEY = Buffer.from('\u0001format')
/** Raised when a server of the version before could no longer read what is written. */
const FORMAT = 1

/** Of LMDB's own page format, on a 64-bit machine: what `checkFile` looks at. */
const META_HEADER_BYTES = 52
const META_FLAG = 0x08
const MAGIC = 0xbeefc0de
const DATA_VERSION = 2

type Database = RootDatabase<Uint8Array, Uint8Array>

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
    const db = await openDatabase(path)
    try {
      await checkFormat(db, path)
    } catch (error) {
      await db.close()
      throw error
    }
    return createLmdbStorage(db, unlock)
  } catch (error) {
    unlock()
    throw error
  }
}

/**
 * Looks at the header of the database file, if there is one: lmdb-js 3.5 does not reject a file that LMDB refuses, it
 * ends the process by a segmentation fault.
 */
const checkFile = async (path: string): Promise<void> => {
  const file = join(path, 'data.mdb')
  let header: Buffer
  let size: number
  try {
    const handle = await open(file, 'r')
    try {
      size = (await handle.stat()).size
      header = (await handle.read(Buffer.alloc(META_HEADER_BYTES), 0, META_HEADER_BYTES, 0)).buffer
    } finally {
      await handle.close()
    }
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return
    throw unopened(path, error)
  }
  // An empty one is what a creation leaves that ended early.
  if (size === 0) return
  const isMeta =
    (header.readUInt16LE(18) & META_FLAG) !== 0 &&
    header.readUInt32LE(24) === MAGIC &&
    header.readUInt16LE(28) === DATA_VERSION &&
    // Two meta pages come first; the page size stands in the header.
    size >= 2 * header.readUInt32LE(48)
  if (!isMeta) throw unopened(path, new Error(`${file} is not an LMDB file, or is damaged`))
}

const openDatabase = async (path: string): Promise<Database> => {
  await checkFile(path)
  // Loaded here, not at the top: a server without a data folder needs no native code for it.
  const lmdb = await import('lmdb')
  try {
    return lmdb.open<Uint8Array, Uint8Array>(path, {
      keyEncoding: 'binary',
      encoding: 'binary',
      // Else a folder whose name has a dot is taken for the name of a file.
      noSubdir: false,
      // With lmdb-js's overlapping sync, a commit resolves while fdatasync is still running, `flushed` stays pending
      // for ever if that fails, and after a power cut the last state before the sync counts. Without it a transaction
      // is: pages written, fdatasync (F_FULLFSYNC on macOS, write-through on Windows), meta page written by a
      // synchronous write; only then TXN_COMMITTED is set and the promise of a `put` resolves, and any failure on the
      // way rejects it. `flushed` would await that same promise.
      overlappingSync: false,
    })
  } catch (error) {
    throw unopened(path, error)
  }
}

const unopened = (path: string, error: unknown): TuttiError =>
  new TuttiError('STORAGE_FAILED', `The database in ${path} can't be opened: ${messageOf(error)}.`, {
    hint: 'If its data.mdb is not a file of Tutti, choose another folder with --data; if it is, restore a backup.',
    cause: error,
    retryable: false,
  })

const checkFormat = async (db: Database, path: string): Promise<void> => {
  const stored = db.get(FORMAT_KEY)
  if (stored === undefined) {
    if (!isEmpty(db)) {
      throw new TuttiError('STORAGE_FAILED', `The database in ${path} was not written by Tutti.`, {
        hint: 'Choose another folder with --data.',
        retryable: false,
      })
    }
    await committed(db.put(FORMAT_KEY, Buffer.from(String(FORMAT))))
    await syncFolder(path)
    await syncFolder(dirname(path))
    return
  }
  const format = Number(Buffer.from(stored).toString())
  if (format !== FORMAT) {
    throw new TuttiError(
      'STORAGE_FAILED',
      `The data folder ${path} has format ${Buffer.from(stored).toString()}; this version of Tutti reads format ${FORMAT}.`,
      { hint: 'Run the version of Tutti that wrote it, or a newer one.', retryable: false },
    )
  }
}

/** A new file survives a power cut only once the folder that names it is synced, too. */
const syncFolder = async (path: string): Promise<void> => {
  try {
    const handle = await open(path, 'r')
    try {
      await handle.sync()
    } finally {
      await handle.close()
    }
  } catch (error) {
    // Windows and some file systems have no such call, and a folder above may be closed to readers.
    if (!['EACCES', 'EINVAL', 'EISDIR', 'EPERM'].includes(String(codeOf(error)))) throw unopened(path, error)
  }
}

const isEmpty = (db: Database): boolean => {
  for (const _ of db.getKeys({ limit: 1 })) return false
  return true
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
      Promise.all(writes.map(({ key, value }) => (value === undefined ? db.remove(key) : db.put(key, value)))),
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

/** Waits for what lmdb-js promised, and makes a `STORAGE_FAILED` of a failure. */
const committed = async (promise: Promise<unknown>): Promise<void> => {
  try {
    await promise
  } catch (error) {
    const cause = await commitError(error)
    throw new TuttiError('STORAGE_FAILED', `A change could not be written to disk: ${messageOf(cause)}.`, {
      hint: 'Check that the disk is not full and the data folder is writable.',
      cause,
    })
  }
}

/** lmdb-js rejects with a bare "Commit failed" that carries a promise, which in turn rejects with the reason. */
const commitError = async (error: unknown): Promise<unknown> => {
  if (!(error instanceof Error) || !('commitError' in error)) return error
  try {
    await error.commitError
    return error
  } catch (reason) {
    return reason
  }
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

const codeOf = (error: unknown): unknown => (error instanceof Error && 'code' in error ? error.code : undefined)
