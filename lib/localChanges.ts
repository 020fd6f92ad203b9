import type { Doc, Transaction } from 'yjs'
import type { Persistence } from './persistence.ts'
import { callApart } from './rethrow.ts'
import type { StatusCells } from './status.ts'

/** Local changes of one document, counted from its creation: what `status.unsyncedChanges` is made of. */
export interface LocalChanges {
  /** Changes so far. Changes made before `count` are `acknowledge`d together. */
  total: number
  /** Origin of transactions that bring the server's content; only a connection sets it. */
  remoteOrigin: unknown
  /**
   * Called for each change before it is counted, and so before its frame leaves, with the state vector the document
   * had before it; only a connection sets it.
   */
  onChange: ((before: Map<number, number>) => void) | undefined
  /** The first `count` changes are durable on the server. */
  acknowledge(count: number): void
  /**
   * The stored copy was loaded. One that was left with unacknowledged changes adds one: how many there were is not
   * known, and until a sync step 2 is acknowledged it is not known either that there are none.
   */
  restore(persistence: Persistence): void
  /** Stops counting; needed where the document lives on. */
  destroy(): void
}

const hasContent = ({ deleteSet, beforeState, afterState }: Transaction): boolean =>
  deleteSet.clients.size > 0 || [...afterState].some(([client, clock]) => beforeState.get(client) !== clock)

/**
 * Counts every transaction with content whose origin is neither the server nor the stored copy, also one made through
 * the Y.Doc itself. Stops when the document is destroyed.
 */
export const countLocalChanges = (
  doc: Doc,
  status: Pick<StatusCells, 'unsyncedChanges'>,
  isStoredOrigin: (origin: unknown) => boolean,
): LocalChanges => {
  let acknowledged = 0
  // `undefined` until its mark was read: writing the mark earlier would hide what the last session left.
  let kept: Persistence | undefined
  let isMarked = false

  const publish = (): void => {
    const unsynced = changes.total - acknowledged
    if (isMarked !== unsynced > 0) {
      isMarked = !isMarked
      // What an application's own throws must not reach Yjs: it would keep the document's own observers from running.
      callApart(() => kept?.setUnacknowledged(isMarked))
    }
    status.unsyncedChanges.value = unsynced
  }

  const changes: LocalChanges = {
    total: 0,
    remoteOrigin: undefined,
    onChange: undefined,
    acknowledge: (count) => {
      if (count <= acknowledged) return
      acknowledged = count
      publish()
    },
    restore: (persistence) => {
      kept = persistence
      isMarked = persistence.unacknowledged()
      if (isMarked) changes.total++
      publish()
    },
    destroy: () => doc.off('beforeObserverCalls', count),
  }

  // This event comes before any observer, so an observer that throws can't make a change go uncounted.
  const count = (transaction: Transaction): void => {
    const { origin } = transaction
    if (isStoredOrigin(origin) || origin === changes.remoteOrigin || !hasContent(transaction)) return
    changes.onChange?.(transaction.beforeState)
    changes.total++
    publish()
  }
  doc.on('beforeObserverCalls', count)

  return changes
}
