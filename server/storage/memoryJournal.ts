import type { Journal } from '../contracts.ts'
import { closed } from './segments.ts'

/** Keeps records in this process only. Nothing survives `close`. */
export const createMemoryJournal = (): Journal => {
  const records = new Map<number, string>()
  let isOpen = true

  const checkOpen = (): void => {
    if (!isOpen) throw closed()
  }

  return {
    async read() {
      checkOpen()
      // In the order in which they were added: that of their ids.
      return Array.from(records, ([id, record]) => ({ id, record }))
    },

    async append(entries) {
      checkOpen()
      for (const { id, record } of entries) records.set(id, record)
    },

    async remove(ids) {
      checkOpen()
      for (const id of ids) records.delete(id)
    },

    async close() {
      isOpen = false
      records.clear()
    },
  }
}
