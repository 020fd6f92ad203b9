/** Unmodified providers of three y-websocket majors, under one type: what an application that knows no Tutti runs. */
import { WebSocket } from 'ws'
import type { Awareness } from 'y-protocols/awareness'
import { WebsocketProvider as Provider3 } from 'y-websocket'
import { WebsocketProvider as Provider1 } from 'y-websocket-1'
import { WebsocketProvider as Provider2 } from 'y-websocket-2'
import type * as Y from 'yjs'

/** What all majors have in common. */
export interface StockProvider {
  readonly awareness: Awareness
  readonly synced: boolean
  readonly wsconnected: boolean
  on(event: 'status', listener: (event: { status: string }) => void): unknown
  connect(): void
  disconnect(): void
  destroy(): void
}

export interface Major {
  readonly version: string
  open(url: string, room: string, doc: Y.Doc, options?: { awareness?: Awareness }): StockProvider
}

const WebSocketPolyfill =
  // ws implements the part of the DOM's WebSocket that providers use.
  WebSocket as unknown as typeof globalThis.WebSocket

// Without disableBc, providers of one process would sync with each other past any server.
const common = { WebSocketPolyfill, disableBc: true }

export const MAJORS: readonly Major[] = [
  { version: '1.5', open: (url, room, doc, options) => new Provider1(url, room, doc, { ...common, ...options }) },
  { version: '2.1', open: (url, room, doc, options) => new Provider2(url, room, doc, { ...common, ...options }) },
  { version: '3.1', open: (url, room, doc, options) => new Provider3(url, room, doc, { ...common, ...options }) },
]

/** A room name as it is given to a provider, which encodes nothing but what a WebSocket address needs. */
export const stockRoom = (name: string): string =>
  name.replaceAll('%', '%25').replaceAll('?', '%3F').replaceAll('#', '%23')
