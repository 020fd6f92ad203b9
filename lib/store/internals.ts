/** The seam between a store and what connects it (`connection.ts`, `presence.ts`, `room.ts`). Not a public entry. */
import type * as Y from 'yjs'
import type { TuttiError } from '../errors.ts'
import type { LocalChanges } from '../localChanges.ts'
import type { Persistence } from '../persistence.ts'
import type { StatusCells, SyncStatus } from '../status.ts'
import type { Graph } from './schema.ts'

/** Under this key a store carries its `Internals`. */
export const INTERNALS: unique symbol = Symbol('tutti.internals')

export interface Internals {
  /** Writable status; `status.view` is what the application sees. The store itself writes only `persisted`, `error`. */
  readonly status: StatusCells
  readonly graph: Graph
  /** What keeps the document on this device, if anything does: surely known once `isReady`. The store sets it, or `offline.ts`. */
  persistence: Persistence | undefined
  /**
   * What this device had stored is in the document, or turned out unreadable. `whenReady()` of the store waits for it.
   * Only the store sets it.
   */
  isReady: boolean
  /**
   * What `status.unsyncedChanges` counts. `createStore` makes it, so that writes before the first `connect` count
   * too.
   */
  readonly localChanges: LocalChanges
  /** The origin of transactions that only bring back what this device had stored: not new local changes. */
  isStoredOrigin(origin: unknown): boolean
  /** Shows the error as `status.error` and gives it to the store's `onError`. Never throws. */
  report(error: TuttiError): void
  /** Runs `fn` once when the store is destroyed, before its document is; returns the function that takes it back. */
  onDestroy(fn: () => void): () => void
}

/** What `internals` and `connect` need of a store, whatever its schema. */
export interface StoreHandle {
  readonly doc: Y.Doc
  readonly status: SyncStatus
  /** Resolves once what this device had stored is in the document. */
  whenReady(): Promise<void>
  /** @internal */
  readonly [INTERNALS]: Internals
}

export const internals = (store: StoreHandle): Internals => store[INTERNALS]
