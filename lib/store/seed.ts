import * as Y from 'yjs'
import type { Internals, StoreHandle } from './internals.ts'
import type { Live, Shape } from './schema.ts'
import { openState } from './state.ts'
import { checkWritable, transact } from './write.ts'

const encode = <Sh extends Shape>(shape: Sh, clientID: number, fn: (state: Live<Sh>) => void): Uint8Array => {
  const doc = new Y.Doc()
  doc.clientID = clientID
  let made = 0
  const { graph, state } = openState(doc, shape, { makeId: () => `seed-${made++}` })
  transact(graph, () => fn(state), {})
  const update = Y.encodeStateAsUpdate(doc)
  doc.destroy()
  return update
}

/** FNV-1a, 32 bits: the range of Yjs client ids. */
const hash = (bytes: Uint8Array): number => {
  let value = 0x811c9dc5
  for (const byte of bytes) value = Math.imul(value ^ byte, 0x01000193)
  return value >>> 0
}

/**
 * Gives an empty document the content that `fn` writes; `false` if there is content. The update depends on nothing but
 * that content: whoever encodes the same gets the same operations, which Yjs then integrates once. `fn` runs twice: the
 * first result decides the client id.
 */
export const seed = async <Sh extends Shape>(
  { doc, whenReady, whenSynced }: StoreHandle & { whenSynced(): Promise<void> },
  { graph, status }: Internals,
  shape: Sh,
  fn: (state: Live<Sh>) => void,
): Promise<boolean> => {
  checkWritable(graph)
  await whenReady()
  const connection = status.connection.peek()
  if (connection !== 'idle' && connection !== 'disconnected') await whenSynced()
  checkWritable(graph)
  // Deleted content counts: what somebody emptied stays empty.
  const isEmpty = (): boolean => doc.store.clients.size === 0
  if (!isEmpty()) return false
  Y.applyUpdate(doc, encode(shape, hash(encode(shape, 1, fn)), fn))
  return !isEmpty()
}
