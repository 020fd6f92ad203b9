/** An LMDB database in a folder: opened with care, checked to be one of ours, written durably. */
import { open } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { RootDatabase } from 'lmdb'
import { TuttiError } from '../../lib/errors.ts'

const FORMAT_KEY = Buffer.from('\u0001format')

/** Of LMDB's own page format, on a 64-bit machine: what `checkFile` looks at. */
const META_HEADER_BYTES = 52
const META_FLAG = 0x08
const MAGIC = 0xbeefc0de
const DATA_VERSION = 2

export type Database = RootDatabase<Uint8Array, Uint8Array>

/**
 * Opens the database in a folder, and creates it if there is none. The caller has locked the folder.
 *
 * @param format version of its layout, written into a new one under the key `<0x01> "format"`
 * @throws `STORAGE_FAILED` if it can't be used, holds something else, or has another format
 */
export const openDatabase = async (path: string, format: number): Promise<Database> => {
  const db = await openEnvironment(path)
  try {
    await checkFormat(db, path, format)
  } catch (error) {
    await db.close()
    throw error
  }
  return db
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

const openEnvironment = async (path: string): Promise<Database> => {
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

const checkFormat = async (db: Database, path: string, format: number): Promise<void> => {
  const stored = db.get(FORMAT_KEY)
  if (stored === undefined) {
    if (!isEmpty(db)) {
      throw new TuttiError('STORAGE_FAILED', `The database in ${path} was not written by Tutti.`, {
        hint: 'Choose another folder with --data.',
        retryable: false,
      })
    }
    await committed(db, [db.put(FORMAT_KEY, Buffer.from(String(format)))])
    await syncFolder(path)
    await syncFolder(dirname(path))
    return
  }
  const found = Buffer.from(stored).toString()
  if (found !== String(format)) {
    throw new TuttiError(
      'STORAGE_FAILED',
      `The data folder ${path} has format ${found}; this version of Tutti reads format ${format}.`,
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

/**
 * Waits for what lmdb-js promised for the writes of this turn, and makes a `STORAGE_FAILED` of a failure. To be called
 * in the turn of the writes.
 */
export const committed = async (db: Database, promises: Iterable<Promise<unknown>>): Promise<void> => {
  // At the end of the turn lmdb-js makes one promise more, which it gives to nobody (3.5): unheard, its rejection would
  // end the process. Its own `setImmediate` was queued by the first write, before this one.
  setImmediate(() => db.committed.then(undefined, () => undefined))
  try {
    // Most writes of a commit share one promise. Each has its reason asked for, which is unheard otherwise as well.
    await Promise.all(Array.from(new Set(promises), (promise) => promise.catch(throwReason)))
  } catch (cause) {
    throw new TuttiError('STORAGE_FAILED', `A change could not be written to disk: ${messageOf(cause)}.`, {
      hint: 'Check that the disk is not full and the data folder is writable.',
      cause,
    })
  }
}

/** lmdb-js rejects with a bare "Commit failed" that carries a promise, which in turn rejects with the reason. */
const throwReason = async (error: unknown): Promise<never> => {
  if (error instanceof Error && 'commitError' in error) await error.commitError
  throw error
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

const codeOf = (error: unknown): unknown => (error instanceof Error && 'code' in error ? error.code : undefined)
