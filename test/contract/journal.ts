/** What every implementation of `Journal` does. Each one calls this with a function that opens an empty journal. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Journal, JournalEntry } from '../../server/contracts.ts'

export const entry = (id: number, record = `record ${id}`): JournalEntry => ({ id, record })

export const journalContract = (name: string, open: () => Promise<Journal>): void => {
  describe(`a journal: ${name}`, () => {
    let journal: Journal
    beforeEach(async () => {
      journal = await open()
    })
    afterEach(() => journal.close())

    test('is empty at first', async () => {
      expect(await journal.read()).toEqual([])
    })

    test('gives what was added, by id', async () => {
      const ids = [1, 2, 9, 10, 255, 256, 65_535, 65_536, 2 ** 32, 2 ** 48 - 1]
      for (const id of ids) await journal.append([entry(id)])
      expect(await journal.read()).toEqual(ids.map((id) => entry(id)))
    })

    test('keeps records as they are', async () => {
      const records = ['', ' ', '\u0000', '"é\u{1F600}\uFFFF"', '{"a":[1]}\n', 'x'.repeat(300_000)]
      const entries = records.map((record, i) => entry(i + 1, record))
      await journal.append(entries)
      expect(await journal.read()).toEqual(entries)
    })

    test('gives no more what was removed; an id that is not there is no error', async () => {
      await journal.append([entry(1), entry(2), entry(3)])
      await journal.remove([1, 3, 77])
      expect(await journal.read()).toEqual([entry(2)])
      await journal.remove([2])
      expect(await journal.read()).toEqual([])
    })

    test('nothing added and nothing removed is done at once', async () => {
      await journal.append([])
      await journal.remove([])
      expect(await journal.read()).toEqual([])
    })

    test('an entry can be removed before it is written', async () => {
      const added = journal.append([entry(1), entry(2)])
      const removed = journal.remove([1])
      await Promise.all([added, removed])
      expect(await journal.read()).toEqual([entry(2)])
    })

    test('500 additions at once resolve in the order of the calls', async () => {
      const order: number[] = []
      const ids = Array.from({ length: 500 }, (_, i) => i + 1)
      await Promise.all(ids.map((id) => journal.append([entry(id)]).then(() => order.push(id))))
      expect(order).toEqual(ids)
      expect(await journal.read()).toEqual(ids.map((id) => entry(id)))
    })

    test('refuses everything once it is closed, and can be closed again', async () => {
      const last = journal.append([entry(1)])
      await journal.close()
      await expect(last).resolves.toBeUndefined()
      const refusal = { code: 'STORAGE_FAILED', retryable: false }
      await expect(journal.read()).rejects.toMatchObject(refusal)
      await expect(journal.append([entry(2)])).rejects.toMatchObject(refusal)
      await expect(journal.remove([1])).rejects.toMatchObject(refusal)
      await expect(journal.close()).resolves.toBeUndefined()
    })
  })
}
