import { connect, createStore } from 'tutti'
import { serverAddress } from './address.ts'
import { rememberedPerson } from './person.ts'
import { type DemoRoom, type DemoStore, eventSchema, presenceSchema, type Side, schema, seedBoard } from './schema.ts'
import { type Frame, tapWebSocket } from './traffic.ts'
import { followTransactions, type TransactionLog } from './transactions.ts'

/** One independent client: its own store, connection and copy on this device. */
export interface Desk {
  readonly side: Side
  readonly store: DemoStore
  readonly room: DemoRoom
  readonly transactions: TransactionLog
}

/** Not `crypto.randomUUID`: see address.ts. */
const pageId = (): string => crypto.getRandomValues(new Uint32Array(2)).join('-')

export const openDesk = (name: string, side: Side, report: (frame: Frame) => void): Desk => {
  const person = rememberedPerson(side)
  // Of this page: the same person at a second window is another member.
  const user = { id: pageId(), name: person.name }
  // #region connect
  const store = createStore({ schema, persist: `tutti-demo/${name}/${side}` })
  const room = connect(store, {
    url: serverAddress(),
    room: name,
    presence: { schema: presenceSchema, initial: { ...person, user, cursor: null, drag: null, caret: null } },
    events: eventSchema,
    tabs: false, // no shortcut through the browser: all goes over the wire
    WebSocket: tapWebSocket(report),
  })
  void store.whenSynced().then(() => seedBoard(store))
  // #endregion
  return { side, store, room, transactions: followTransactions(store, room) }
}
