import type { Logger } from '../../server/contracts.ts'

export interface MemoryLog extends Logger {
  readonly entries: { readonly level: string; readonly fields: object; readonly message: string }[]
}

/** A log that keeps its entries. */
export const createMemoryLog = (): MemoryLog => {
  const entries: MemoryLog['entries'] = []
  const at = (level: string) => (fields: object, message: string) => {
    entries.push({ level, fields, message })
  }
  return { entries, debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}
