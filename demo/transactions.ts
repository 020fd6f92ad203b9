import * as Y from 'yjs'
import type { DemoRoom, DemoStore } from './schema.ts'

/**
 * Where a change came from: this desk (`local`), its undo, the first content (`seed`), this device's copy, a member of
 * the room by name, a back end by name, `server` for any other writer that is no member, `sync` for what the server had
 * before, or for several writers at once.
 */
export type Origin =
  | 'local'
  | 'undo'
  | 'seed'
  | 'device'
  | 'server'
  | 'sync'
  | { readonly member: string }
  | { readonly backEnd: string }

export interface LoggedTransaction {
  readonly number: number
  readonly origin: Origin
  /** Length of the update in bytes. */
  readonly bytes: number
  /** The root types it touched. */
  readonly roots: readonly string[]
}

export interface TransactionLog {
  /** The last 20, newest first. */
  readonly entries: readonly LoggedTransaction[]
  /** Calls after every change of the log, with the new entry; returns the function that ends it. */
  subscribe(run: (entry: LoggedTransaction) => void): () => void
}

const KEPT = 20

/** Clients whose structs an update brought. */
const writersOf = (transaction: Y.Transaction): number[] =>
  [...transaction.afterState].filter(([id, clock]) => (transaction.beforeState.get(id) ?? 0) < clock).map(([id]) => id)

const rootsOf = (transaction: Y.Transaction, doc: Y.Doc): string[] => {
  const names = new Map([...doc.share].map(([name, type]) => [type as unknown, name]))
  const touched = new Set<string>()
  for (const changed of transaction.changed.keys()) {
    // A typed YEvent target is an AbstractType whatever its events; only its chain of parents matters here.
    let type: Y.AbstractType<unknown> | null = changed as unknown as Y.AbstractType<unknown>
    while (type?._item) type = type._item.parent as Y.AbstractType<unknown> | null
    const name = names.get(type)
    if (name !== undefined) touched.add(name)
  }
  return [...touched].sort()
}

const originOf = (transaction: Y.Transaction, room: DemoRoom): Origin => {
  if (transaction.origin instanceof Y.UndoManager) return 'undo'
  if (transaction.local) return 'local'
  // The connection and this device's copy give an origin, a seed does not.
  if (transaction.origin === null || transaction.origin === undefined) return 'seed'
  // The connection opens after this device's copy was read.
  if (!room.status.synced) return room.status.connection === 'connected' ? 'sync' : 'device'
  const writers = writersOf(transaction)
  if (writers.length !== 1) return 'sync'
  const member = room.presence.members.find((each) => each.id === writers[0])
  return member === undefined ? 'server' : { member: member.state.name }
}

/** Follows what happens to a desk's document, for the inspector and for the line from the back end. */
export const followTransactions = (store: DemoStore, room: DemoRoom): TransactionLog => {
  const listeners = new Set<(entry: LoggedTransaction) => void>()
  let entries: readonly LoggedTransaction[] = []
  let count = 0
  /** Of this turn: the name of a back end comes right after its change. */
  let fresh: LoggedTransaction[] = []
  const log = (): void => {
    const logged = fresh
    fresh = []
    entries = [...logged.toReversed(), ...entries].slice(0, KEPT)
    for (const entry of logged) for (const listener of listeners) listener(entry)
  }
  store.doc.on('update', (update: Uint8Array, _origin: unknown, doc: Y.Doc, transaction: Y.Transaction) => {
    count += 1
    if (fresh.length === 0) queueMicrotask(log)
    fresh.push({
      number: count,
      origin: originOf(transaction, room),
      bytes: update.byteLength,
      roots: rootsOf(transaction, doc),
    })
  })
  room.on('edit', ({ origin }) => {
    const last = fresh.at(-1)
    if (last?.origin === 'server') fresh[fresh.length - 1] = { ...last, origin: { backEnd: origin } }
  })
  return {
    get entries() {
      return entries
    },
    subscribe(run) {
      listeners.add(run)
      return () => listeners.delete(run)
    },
  }
}
