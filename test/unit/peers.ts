import * as Y from 'yjs'
import { createStore, type Shape, type Store, type StoreOptions } from '../../lib/index.ts'

export interface Peers<Sh extends Shape> {
  readonly a: Store<Sh>
  readonly b: Store<Sh>
  /** Updates that left each of the two since the last `exchange`, also those not delivered. */
  readonly sent: { a: Uint8Array[]; b: Uint8Array[] }
  /** From now on updates wait for `exchange`. */
  hold(): void
  /** Delivers what waits, both ways, and from now on at once. */
  exchange(): void
}

/** Two stores whose documents exchange their updates, as a server between them would relay them. */
export const createPeers = <Sh extends Shape>(schema: Sh, options: Partial<StoreOptions<Sh>> = {}): Peers<Sh> => {
  const a = createStore({ ...options, schema })
  const b = createStore({ ...options, schema })
  let isHeld = false
  const sent = { a: [] as Uint8Array[], b: [] as Uint8Array[] }
  const connect = (from: 'a' | 'b', source: Y.Doc, target: Y.Doc): void => {
    source.on('update', (update: Uint8Array, origin: unknown) => {
      if (origin === 'peer') return
      sent[from].push(update)
      if (!isHeld) Y.applyUpdate(target, update, 'peer')
    })
  }
  connect('a', a.doc, b.doc)
  connect('b', b.doc, a.doc)
  return {
    a,
    b,
    sent,
    hold: () => {
      isHeld = true
    },
    exchange: () => {
      isHeld = false
      const { a: fromA, b: fromB } = sent
      for (const update of fromA.splice(0)) Y.applyUpdate(b.doc, update, 'peer')
      for (const update of fromB.splice(0)) Y.applyUpdate(a.doc, update, 'peer')
    },
  }
}

/** What `fn` throws; fails if it throws nothing. */
export const thrown = (fn: () => unknown): unknown => {
  try {
    fn()
  } catch (error) {
    return error
  }
  throw new Error('It throws nothing.')
}
