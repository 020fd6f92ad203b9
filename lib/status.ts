import type { TuttiError } from './errors.ts'
import { type ReadonlySignal, type Signal, signal } from './store/reactive.ts'

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

export const createStatus = (): StatusCells => {
  const cells: Cells = {
    connection: signal<Connection>('idle'),
    synced: signal(false),
    persisted: signal(false),
    unsyncedChanges: signal(0),
    roundTrip: signal<number | null>(null),
    error: signal<TuttiError | null>(null),
    retryAt: signal<number | null>(null),
  }
  const view = {} as SyncStatus
  for (const key of Object.keys(cells) as (keyof SyncStatus)[]) {
    Object.defineProperty(view, key, { enumerable: true, get: () => (cells[key] as ReadonlySignal<unknown>).value })
  }
  return { ...cells, view }
}
