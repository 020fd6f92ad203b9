import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterEach, describe, expect, test } from 'vitest'
import type { Journal } from '../../server/contracts.ts'
import { openLmdbStorage } from '../../server/storage/lmdb.ts'
import { openLmdbJournal } from '../../server/storage/lmdbJournal.ts'
import { createMemoryJournal } from '../../server/storage/memoryJournal.ts'
import { entry, journalContract } from './journal.ts'

const cleanups: (() => Promise<unknown> | unknown)[] = []
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean()
})

const newFolder = async (): Promise<string> => {
  const folder = await mkdtemp(join(tmpdir(), 'tutti-journal-'))
  cleanups.push(() => rm(folder, { recursive: true, force: true }))
  return folder
}

const openFolder = async (folder: string): Promise<Journal> => {
  const journal = await openLmdbJournal(folder)
  cleanups.push(() => journal.close())
  return journal
}

journalContract('memory', async () => createMemoryJournal())
journalContract('LMDB', async () => openLmdbJournal(await newFolder()))

describe('a journal on disk', () => {
  test('keeps its entries over a reopening', async () => {
    const folder = join(await newFolder(), 'data', 'webhooks.d')
    const first = await openFolder(folder)
    await first.append([entry(1), entry(2)])
    await first.remove([1])
    await first.close()
    const second = await openFolder(folder)
    expect(await second.read()).toEqual([entry(2)])
  })

  test('a folder in use is refused', async () => {
    const folder = await newFolder()
    const journal = await openFolder(folder)
    await expect(openLmdbJournal(folder)).rejects.toMatchObject({ code: 'DATA_IN_USE' })
    await journal.close()
    await openFolder(folder)
  })

  test('stands in the data folder of an open storage', async () => {
    const folder = await newFolder()
    const storage = await openLmdbStorage(folder)
    cleanups.push(() => storage.close())
    const journal = await openFolder(join(folder, 'webhooks'))
    await journal.append([entry(1)])
    expect(await journal.read()).toEqual([entry(1)])
  })

  test('a file that is no database of ours is refused, not overwritten', async () => {
    const folder = await newFolder()
    await writeFile(join(folder, 'data.mdb'), 'something else '.repeat(1000))
    await expect(openLmdbJournal(folder)).rejects.toMatchObject({ code: 'STORAGE_FAILED' })
  })

  test('what was stored is there after SIGKILL, and what was removed is not, five times over', async () => {
    const folder = await newFolder()
    const stored = new Set<number>()
    let latest = 0
    for (let round = 1; round <= 5; round++) {
      const command = ['test/child.mjs', 'test/contract/journalChild.ts', folder]
      const child = spawn(process.execPath, command, { stdio: ['ignore', 'pipe', 'inherit'] })
      cleanups.push(() => child.kill('SIGKILL'))
      const ended = once(child, 'close')
      let count = 0
      for await (const line of createInterface(child.stdout)) {
        const [what, id] = line.split(' ')
        if (what === 'stored') {
          stored.add(Number(id))
          latest = Number(id)
          count++
        } else if (what === 'removed') stored.delete(Number(id))
        if (count === 20 + round * 7) child.kill('SIGKILL')
      }
      await ended
      const journal = await openFolder(folder)
      const ids = (await journal.read()).map(({ id }) => id)
      await journal.close()
      // What was under way at the kill may be there or not.
      expect(ids.filter((id) => id < latest)).toEqual([...stored].filter((id) => id < latest))
      expect(latest % 3 === 0 || ids.includes(latest)).toBe(true)
      for (const id of ids) stored.add(id)
    }
    expect(latest).toBeGreaterThan(100)
  })
})
