import type { Doc, Transaction } from 'yjs'
import type { Persistence } from './persistence.ts'
import { rethrow } from './rethrow.ts'
import type { StatusCells } from './status.ts'

/** Local changes of one document, counted from its creation: what `status.unsyncedChanges` is made of. */
export interface LocalChanges {
  /** Changes so far. Changes made before `count` are `acknowledge`d together. */
  readonly total: number
  /** Origin of transactions that bring the server's content; only a connection sets it. */
  remoteOrigin: unknown
  /**
   * Called for each change before it is counted, and so before its frame leaves, with the state vector the document
   * had before it; only a connection sets it.
   */
  onChange: ((before: Map<number, number>) => void) | undefined
  /** The first `count` changes are durable on the server. */
  acknowledge(count: number): void
  /** Stops counting; needed where the document lives on. */
  destroy(): void
}

const hasContent = ({ deleteSet, beforeState, afterState }: Transaction): boolean => {
  if (deleteSet.clients.size > 0) return true
  for (const [client, clock] of afterState) if (beforeState.get(client) !== clock) return true
  return false
}

/**
 * Counts every transaction with content whose origin is neither the server nor the stored copy, also one made through
 * the Y.Doc itself. Stops when the document is destroyed.
 *
 * A stored copy that was left with unacknowledged changes adds one: how many there were is not known, and until a sync
 * step 2 is acknowledged it is not known either that there are none.
 */
export const countLocalChanges = (
  doc: Doc,
  status: Pick<StatusCells, 'unsyncedChanges'>,
  isStoredOrigin: (origin: unknown) => boolean,
  persistence?: Persistence,
): LocalChanges => {
  let total = 0
  let acknowledged = 0
  // `undefined` until the stored mark was read: writing it earlier would hide what the last session left.
  let marked: boolean | undefined

  const publish = (): void => {
    const unsynced = total - acknowledged
    if (marked !== undefined && marked !== unsynced > 0) {
      marked = unsynced > 0
      persistence?.setUnacknowledged(marked)
    }
    try {
      status.unsyncedChanges.value = unsynced
    } catch (error) {
      // An application's effect threw. Thrown on into Yjs it would keep the document's own observers from running.
      rethrow(error)
    }
  }

  const changes: LocalChanges = {
    get total() {
      return total
    },
    remoteOrigin: undefined,
    onChange: undefined,
    acknowledge: (count) => {
      if (count <= acknowledged) return
      acknowledged = count
      publish()
    },
    destroy: () => doc.off('beforeObserverCalls', count),
  }

  // This event comes before any observer, so an observer that throws can't make a change go uncounted.
  const count = (transaction: Transaction): void => {
    const { origin } = transaction
    if (isStoredOrigin(origin)) return
    if (changes.remoteOrigin !== undefined && origin === changes.remoteOrigin) return
    if (!hasContent(transaction)) return
    changes.onChange?.(transaction.beforeState)
    total++
    publish()
  }
  doc.on('beforeObserverCalls', count)

  persistence?.whenLoaded.then(
    () => {
      marked = persistence.unacknowledged()
      if (marked) total++
      publish()
    },
    // The owner of the persistence reports that it can't be read; nothing is written to it then.
    () => undefined,
  )

  return changes
}
