import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, rm, stat, symlink, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { open } from 'lmdb'
import { afterEach, describe, expect, test } from 'vitest'
import type { Segment } from '../../server/contracts.ts'
import { openLmdbStorage } from '../../server/storage/lmdb.ts'
import { change, segment, storageContract } from './storage.ts'

const cleanups: (() => Promise<unknown> | unknown)[] = []
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean()
})

const newFolder = async (): Promise<string> => {
  const folder = await mkdtemp(join(tmpdir(), 'tutti-lmdb-'))
  cleanups.push(() => rm(folder, { recursive: true, force: true }))
  return folder
}

storageContract('LMDB', async () => openLmdbStorage(await newFolder()))

const openFolder = async (folder: string) => {
  const storage = await openLmdbStorage(folder)
  cleanups.push(() => storage.close())
  return storage
}

/** A process that writes to `folder` until it is killed; see lmdbChild.ts. `limit` caps its files, in KiB. */
const startWriter = (folder: string, options: { limit?: number; bytes?: number } = {}) => {
  const command = ['test/child.mjs', 'test/contract/lmdbChild.ts', folder, String(options.bytes ?? 40)]
  const child: ChildProcess =
    options.limit === undefined
      ? spawn(process.execPath, command, { stdio: ['ignore', 'pipe', 'inherit'] })
      : spawn('bash', ['-c', `ulimit -f ${options.limit}; exec "$0" "$@"`, process.execPath, ...command], {
          // lmdb-js prints what it rejects with.
          stdio: ['ignore', 'pipe', 'ignore'],
        })
  cleanups.push(() => child.kill('SIGKILL'))
  const lines: string[] = []
  const waiting = new Set<() => void>()
  const reader = createInterface(child.stdout!)
  reader.on('line', (line) => {
    lines.push(line)
    for (const wake of waiting) wake()
  })
  const ended = Promise.all([once(reader, 'close'), once(child, 'exit')])
  return {
    lines,
    /** Resolves with the first line that begins so; rejects if the process ends without it. */
    line: (start: string): Promise<string> =>
      new Promise((resolve, reject) => {
        const check = () => {
          const line = lines.find((candidate) => candidate.startsWith(start))
          if (line === undefined) return
          waiting.delete(check)
          resolve(line)
        }
        waiting.add(check)
        check()
        ended.then(() => reject(new Error(`ended without "${start}": ${lines.join(' | ')}`)), reject)
      }),
    kill: async (): Promise<void> => {
      child.kill('SIGKILL')
      await ended
    },
    ended,
  }
}

const lastCommitted = (lines: readonly string[]): number =>
  Math.max(0, ...lines.filter((line) => line.startsWith('committed')).map((line) => Number(line.split(' ')[1])))

describe('LMDB', () => {
  test('creates a missing folder for its user alone, and keeps rooms over a reopening', async () => {
    // A dot in the name: lmdb-js would take it for a file.
    const folder = join(await newFolder(), 'deep', 'data.d')
    const first = await openLmdbStorage(folder)
    await first.commit([change('room', [segment(1, 1, 2, 'kept')])])
    await first.close()
    expect((await stat(folder)).mode & 0o777).toBe(0o700)
    expect((await readdir(folder)).sort()).toEqual(['data.mdb', 'lock.mdb', 'tutti.lock'])
    const second = await openFolder(folder)
    expect(await second.load('room')).toEqual({
      documentId: 'document of room',
      segments: [{ id: 1, firstSeq: 1, lastSeq: 2, bytes: 4 }],
      summary: undefined,
    })
    expect(new TextDecoder().decode(await second.read('room', 1))).toBe('kept')
  })

  test('grows with its data, while earlier data stays readable, and reuses what was removed', async () => {
    const folder = await newFolder()
    const storage = await openFolder(folder)
    const sizes: number[] = []
    for (let round = 0; round < 6; round++) {
      // 16 MB each round: the first two grow the file, the later ones replace.
      const add = Array.from({ length: 64 }, (_, i): Segment => {
        const update = new Uint8Array(256 * 1024).fill(round)
        return { id: round * 64 + i, firstSeq: i + 1, lastSeq: i + 1, update }
      })
      const remove = round < 1 ? [] : add.map(({ id }) => id - 64)
      await storage.commit([change('big', add, { remove })])
      for (const { id, update } of add.slice(-2)) {
        expect(Buffer.compare((await storage.read('big', id))!, update)).toBe(0)
      }
      sizes.push((await stat(join(folder, 'data.mdb'))).size)
    }
    expect(sizes[0]).toBeGreaterThan(16 * 2 ** 20)
    expect(sizes[5]).toBeLessThan(3.5 * 16 * 2 ** 20)
  })

  test('loads a room of 1,000 segments of 64 KB without reading them', async () => {
    const storage = await openFolder(await newFolder())
    const update = new Uint8Array(64 * 1024)
    for (let start = 1; start < 1001; start += 100) {
      const add = Array.from({ length: 100 }, (_, i) => ({
        id: start + i,
        firstSeq: start + i,
        lastSeq: start + i,
        update,
      }))
      await storage.commit([change('long', add)])
    }
    const readAll = async () => {
      const began = performance.now()
      for (let id = 1; id <= 1000; id++) await storage.read('long', id)
      return performance.now() - began
    }
    const loadOnce = async () => {
      const began = performance.now()
      expect((await storage.load('long'))?.segments).toHaveLength(1000)
      return performance.now() - began
    }
    await loadOnce()
    const reading = await readAll()
    const loading = Math.min(await loadOnce(), await loadOnce(), await loadOnce())
    expect(loading).toBeLessThan(reading / 3)
  })

  test('a change that follows a failed one of its room fails with it and leaves no hole; other rooms go on', async () => {
    const storage = await openFolder(await newFolder())
    await storage.commit([change('room', [segment(1, 1, 1)])])
    const outcomes = await Promise.allSettled([
      storage.commit([change('room', [segment(2, 2, 2)], { documentId: 'stranger' })]),
      storage.commit([change('room', [segment(3, 3, 3)])]),
      storage.commit([change('elsewhere', [segment(1, 1, 1)])]),
    ])
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'fulfilled'])
    await storage.commit([change('room', [segment(4, 2, 2)])])
    expect((await storage.load('room'))?.segments.map(({ id }) => id)).toEqual([1, 4])
  })

  test('a folder that is open is refused to a second opening in this process, and free after close', async () => {
    const folder = await newFolder()
    const first = await openLmdbStorage(folder)
    const link = join(await newFolder(), 'link')
    await symlink(folder, link)
    for (const name of [folder, link]) {
      await expect(openLmdbStorage(name)).rejects.toMatchObject({
        code: 'DATA_IN_USE',
        message: expect.stringContaining(name),
        hint: expect.stringContaining('--data'),
      })
    }
    await first.commit([change('room', [segment(1, 1, 1)])])
    await first.close()
    const second = await openFolder(folder)
    expect((await second.load('room'))?.segments).toHaveLength(1)
  })

  test('a folder in use by another process is refused, and free at once when that is killed', async () => {
    const folder = await newFolder()
    const writer = startWriter(folder)
    await writer.line('committed')
    await expect(openLmdbStorage(folder)).rejects.toMatchObject({
      code: 'DATA_IN_USE',
      message: expect.stringContaining(folder),
    })
    const other = startWriter(folder)
    expect(await other.line('refused')).toBe('refused DATA_IN_USE')
    await writer.kill()
    const storage = await openLmdbStorage(folder)
    await storage.close()
  })

  test('what was acknowledged is there after SIGKILL, in all rooms of its commit, ten times over', async () => {
    const folder = await newFolder()
    let acknowledged = 0
    for (let round = 0; round < 10; round++) {
      const writer = startWriter(folder)
      await writer.line(`committed ${acknowledged + 5 + round}`)
      await writer.kill()
      expect(lastCommitted(writer.lines)).toBeGreaterThan(acknowledged)
      acknowledged = lastCommitted(writer.lines)
      const storage = await openLmdbStorage(folder)
      const last: number[] = []
      for (const room of ['one', 'two', 'three']) {
        const { segments } = (await storage.load(room))!
        for (const { id } of segments) {
          expect(new TextDecoder().decode(await storage.read(room, id))).toMatch(new RegExp(`^${id} x+$`))
        }
        last.push(segments.at(-1)!.lastSeq)
      }
      await storage.close()
      expect(last[0]).toBeGreaterThanOrEqual(acknowledged)
      // One may have been synced without its word having come through, and then in all rooms.
      expect(last[0]).toBeLessThanOrEqual(acknowledged + 1)
      expect(last).toEqual([last[0], last[0], last[0]])
      acknowledged = last[0]!
    }
  }, 60_000)

  test('a commit that finds no room on the disk is rejected and leaves nothing of it', async () => {
    const folder = await newFolder()
    const writer = startWriter(folder, { limit: 2048, bytes: 100_000 })
    const [, failed, code] = (await writer.line('failed')).split(' ')
    const held = await writer.line('holds')
    await writer.ended
    expect(code).toBe('STORAGE_FAILED')
    expect(Number(failed)).toBeGreaterThan(5)
    const before = Number(failed) - 1
    expect(held).toBe(`holds ${before} ${before} ${before}`)
    const storage = await openFolder(folder)
    for (const room of ['one', 'two', 'three']) {
      expect((await storage.load(room))!.segments.at(-1)!.lastSeq).toBe(before)
    }
  })

  test('a file in the place of the folder, or on the way to it, is an error of the option', async () => {
    const file = join(await newFolder(), 'file')
    await writeFile(file, 'mine')
    for (const folder of [file, join(file, 'below')]) {
      await expect(openLmdbStorage(folder)).rejects.toMatchObject({
        code: 'INVALID_OPTION',
        message: expect.stringContaining(folder),
        hint: expect.stringContaining('--data'),
      })
    }
  })

  test('a folder that can not be written is an error that says so', async () => {
    const folder = await newFolder()
    // A folder where the lock file should be: refused to every user, root included.
    await mkdir(join(folder, 'tutti.lock'))
    await expect(openLmdbStorage(folder)).rejects.toMatchObject({
      code: 'STORAGE_FAILED',
      message: expect.stringContaining(folder),
      hint: expect.stringContaining('--data'),
    })
  })

  test('a file that is no database is refused, untouched, and the folder is free again', async () => {
    const folder = await newFolder()
    await writeFile(join(folder, 'data.mdb'), 'my diary '.repeat(2000))
    for (let i = 0; i < 2; i++) {
      await expect(openLmdbStorage(folder)).rejects.toMatchObject({
        code: 'STORAGE_FAILED',
        message: expect.stringContaining(folder),
      })
    }
    expect((await stat(join(folder, 'data.mdb'))).size).toBe(18_000)
  })

  test('a database file cut off in its first pages is refused, and an empty one is a new one', async () => {
    const folder = await newFolder()
    const file = join(folder, 'data.mdb')
    await (await openLmdbStorage(folder)).close()
    await truncate(file, 4096)
    await expect(openLmdbStorage(folder)).rejects.toMatchObject({
      code: 'STORAGE_FAILED',
      message: expect.stringContaining('damaged'),
    })
    await truncate(file, 0)
    const storage = await openFolder(folder)
    await storage.commit([change('room', [segment(1, 1, 1)])])
  })

  test('a database of another program is refused', async () => {
    const folder = await newFolder()
    const foreign = open(folder, { noSubdir: false })
    await foreign.put('theirs', 1)
    await foreign.close()
    await expect(openLmdbStorage(folder)).rejects.toMatchObject({
      code: 'STORAGE_FAILED',
      message: expect.stringContaining('not written by Tutti'),
    })
  })

  test('a folder of a newer format is refused with what to do', async () => {
    const folder = await newFolder()
    await (await openLmdbStorage(folder)).close()
    const raw = open(folder, { noSubdir: false, overlappingSync: false, keyEncoding: 'binary', encoding: 'binary' })
    await raw.put(Buffer.from('\u0001format'), Buffer.from('2'))
    await raw.close()
    await expect(openLmdbStorage(folder)).rejects.toMatchObject({
      code: 'STORAGE_FAILED',
      message: expect.stringMatching(/format 2.*reads format 1/),
      hint: expect.stringContaining('newer'),
    })
  })

  test('a room with segments but no document id, or with a broken record, is an error that names it', async () => {
    const folder = await newFolder()
    const storage = await openLmdbStorage(folder)
    await storage.commit([change('headless', [segment(1, 1, 1)]), change('broken', [segment(1, 1, 1)])])
    await storage.close()
    const raw = open(folder, { noSubdir: false, overlappingSync: false, keyEncoding: 'binary', encoding: 'binary' })
    await raw.remove(Buffer.from('headless\0\u0001'))
    await raw.put(Buffer.from('broken\0\u0003\0\0\0\0\0\u0001'), Buffer.from([0x80]))
    await raw.close()
    const again = await openFolder(folder)
    for (const room of ['headless', 'broken']) {
      await expect(again.load(room)).rejects.toMatchObject({
        code: 'STORAGE_FAILED',
        message: expect.stringContaining(`"${room}"`),
        retryable: false,
      })
    }
  })
})
