/**
 * A journal on disk, in an LMDB database of its own, so that neither documents nor records wait for each other:
 *
 * ```
 * <0x01> "format"     version of this layout, as text
 * <0x02> <id, 6 bytes>   record, as text
 * ```
 */
import { resolve } from 'node:path'
import type { Journal } from '../contracts.ts'
import { committed, type Database, openDatabase } from './lmdbDatabase.ts'
import { lockFolder } from './lock.ts'
import { closed } from './segments.ts'

const RECORD = 2
/** Raised when a server of the version before could no longer read what is written. */
const FORMAT = 1

/**
 * Opens a journal's folder, and creates it if it is missing. The folder belongs to this process until `close`, or until
 * the process ends in whatever way.
 *
 * @throws `DATA_IN_USE` if another process, or an open journal of this one, has it; `INVALID_OPTION` if it is no folder;
 * `STORAGE_FAILED` if it can't be used, holds something else, or was written by a newer version.
 */
export const openLmdbJournal = async (folder: string): Promise<Journal> => {
  const path = resolve(folder)
  const unlock = await lockFolder(path)
  try {
    return createLmdbJournal(await openDatabase(path, FORMAT), unlock)
  } catch (error) {
    unlock()
    throw error
  }
}

const createLmdbJournal = (db: Database, unlock: () => void): Journal => {
  const running = new Set<Promise<void>>()
  let closing: Promise<void> | undefined

  const checkOpen = (): void => {
    if (closing) throw closed()
  }

  /** Waits for what is queued in this turn; lmdb-js writes it as one transaction, after those queued before. */
  const written = async (writes: readonly Promise<unknown>[]): Promise<void> => {
    const commit = committed(db, writes)
    running.add(commit)
    try {
      await commit
    } finally {
      running.delete(commit)
    }
  }

  return {
    async read() {
      checkOpen()
      const range = db.getRange({ start: Buffer.of(RECORD), end: Buffer.of(RECORD + 1) })
      return Array.from(range, ({ key, value }) => ({
        id: Buffer.from(key).readUIntBE(1, 6),
        record: Buffer.from(value).toString(),
      }))
    },

    async append(entries) {
      checkOpen()
      await written(entries.map(({ id, record }) => db.put(keyOf(id), Buffer.from(record))))
    },

    async remove(ids) {
      checkOpen()
      await written(ids.map((id) => db.remove(keyOf(id))))
    },

    close() {
      closing ??= (async () => {
        while (running.size > 0) await Promise.allSettled(running)
        await db.close()
        unlock()
      })()
      return closing
    },
  }
}

const keyOf = (id: number): Buffer => {
  const key = Buffer.allocUnsafe(7)
  key[0] = RECORD
  key.writeUIntBE(id, 1, 6)
  return key
}
