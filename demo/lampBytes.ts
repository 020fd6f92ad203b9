import * as Y from 'yjs'
import type { Desk } from './desk.ts'
import { lampChannel, lampEventSchema } from './schema.ts'

/** What one change of lamps took, in bytes. */
export interface UpdateBytes {
  readonly lamps: number
  readonly update: number
  /** Of the same as a JSON merge patch. */
  readonly json: number
}

export interface DeviceBytes {
  readonly lamps: number
  readonly out: number
  readonly back: number
  readonly json: number
}

/** What a transaction set, as the JSON that an application without Yjs would send; `undefined` if no lamp. */
const asJson = ({ changed }: Y.Transaction, lamps: unknown): Record<string, unknown> | undefined => {
  const set: Record<string, Record<string, unknown>> = {}
  for (const [type, keys] of changed) {
    const item = type._item
    if (!(type instanceof Y.Map) || item?.parent !== lamps || item?.parentSub == null) continue
    for (const key of keys) {
      if (key !== null && key !== 'shown') set[item.parentSub] = { ...set[item.parentSub], [key]: type.get(key) }
    }
  }
  return Object.keys(set).length === 0 ? undefined : set
}

/** Measures each change of lamps, by whomever, and what the server says of the lamps' own socket. */
export const followLampBytes = (
  { store, room }: Desk,
  tell: (news: { readonly updateBytes: UpdateBytes } | { readonly deviceBytes: DeviceBytes }) => void,
): (() => void) => {
  const { y } = store.state.lamps
  const measure = (update: Uint8Array, _origin: unknown, _doc: Y.Doc, transaction: Y.Transaction): void => {
    const set = asJson(transaction, y)
    if (set === undefined) return
    const json = new TextEncoder().encode(JSON.stringify({ lamps: set })).byteLength
    tell({ updateBytes: { lamps: Object.keys(set).length, update: update.byteLength, json } })
  }
  store.doc.on('update', measure)
  const name = lampChannel(room.name)
  const devices = name === undefined ? undefined : room.channel(name, lampEventSchema)
  const unbind = devices?.bind('confirmed', (device, { recovered }) => recovered || tell({ deviceBytes: device }))
  return () => {
    store.doc.off('update', measure)
    unbind?.()
  }
}
