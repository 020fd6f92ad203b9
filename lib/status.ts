import type { TuttiError } from './errors.ts'
import { type Signal, signal } from './store/reactive.ts'

export type Connection = 'idle' | 'connecting' | 'connected' | 'reconnecting' | 'disconnected' | 'denied'

/** What a store knows of its server; every field is reactive on its own. */
export interface SyncStatus {
  /**
   * `idle` before the first `connect`; `connecting` for the first attempt; `reconnecting` after a connection was lost
   * or failed; `disconnected` by the application's wish; `denied` when the server said not to come back.
   */
  readonly connection: Connection
  /** The document has everything the server had when this connection began. */
  readonly synced: boolean
  /** The document was read from, and is kept in, this browser (`persist`). */
  readonly persisted: boolean
  /** Local changes that the server has not acknowledged as durable. */
  readonly unsyncedChanges: number
  /** Round trip to the server in milliseconds, `null` while unknown. */
  readonly roundTrip: number | null
  readonly error: TuttiError | null
  /** Time (ms since 1970) of the next attempt while `reconnecting`, else `null`. */
  readonly retryAt: number | null
}

type Cells = { readonly [K in keyof SyncStatus]: Signal<SyncStatus[K]> }

/** The writable side of a `SyncStatus`; `view` is what an application sees. */
export interface StatusCells extends Cells {
  readonly view: SyncStatus
}

const INITIAL: SyncStatus = {
  connection: 'idle',
  synced: false,
  persisted: false,
  unsyncedChanges: 0,
  roundTrip: null,
  error: null,
  retryAt: null,
}

export const createStatus = (): StatusCells => {
  const view = {} as SyncStatus
  const cells: Partial<Record<keyof SyncStatus, Signal<unknown>>> = {}
  for (const [key, value] of Object.entries(INITIAL)) {
    const cell = signal<unknown>(value)
    cells[key as keyof SyncStatus] = cell
    Object.defineProperty(view, key, { enumerable: true, get: () => cell.value })
  }
  return { ...(cells as Cells), view }
}
