import type { SyncStatus } from 'tutti'

/** Six states and how each looks: `full` all is stored, `half` on its way, `hollow` nothing passes, `bar` refused. */
export interface StatusWords {
  readonly text: string
  readonly sign: 'full' | 'half' | 'hollow' | 'bar'
}

const unsaved = (count: number): string => (count === 0 ? '' : `, ${count} unsaved`)

/** Whole seconds left until `at`, never below 1: "in 0 s" says nothing. */
const secondsUntil = (at: number, now: number): number => Math.max(1, Math.ceil((at - now) / 1000))

// #region status
/** What the pill says, from nothing but `store.status`. `now` in ms since 1970. */
export const statusWords = (status: SyncStatus, now: number): StatusWords => {
  const count = status.unsyncedChanges
  if (status.connection === 'denied') return { text: `not allowed${unsaved(count)}`, sign: 'bar' }
  if (status.connection === 'idle') return { text: 'not connected yet', sign: 'hollow' }
  if (status.connection === 'disconnected') return { text: `offline${unsaved(count)}`, sign: 'hollow' }
  if (status.connection === 'reconnecting') {
    const when = status.retryAt === null ? '' : ` in ${secondsUntil(status.retryAt, now)} s`
    return { text: `reconnecting${when}${unsaved(count)}`, sign: 'hollow' }
  }
  if (status.connection === 'connecting' || !status.synced) return { text: `connecting${unsaved(count)}`, sign: 'half' }
  return count === 0 ? { text: 'saved', sign: 'full' } : { text: `${count} unsaved`, sign: 'half' }
}
// #endregion
