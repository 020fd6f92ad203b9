/** A WebSocket client that keeps every frame: for tests of what exactly the server sends, and when. */
import * as decoding from 'lib0/decoding'
import * as encoding from 'lib0/encoding'
import WebSocket from 'ws'
import * as Y from 'yjs'
import {
  type ClientHello,
  decodeServerTutti,
  encodeClientHello,
  encodeSyncStep1,
  encodeSyncStep2,
  encodeSyncUpdate,
  type ServerTuttiMessage,
} from '../../lib/protocol.ts'

export interface Entry<State = unknown> {
  client: number
  clock: number
  state: State
}

export type Frame =
  | { type: 'step1'; stateVector: Uint8Array }
  | { type: 'step2' | 'update'; update: Uint8Array }
  | { type: 'awareness'; entries: Entry[] }
  | { type: 'tutti'; message: ServerTuttiMessage | undefined }
  | { type: 'unknown'; bytes: Uint8Array }

const decodeFrame = (bytes: Uint8Array): Frame => {
  const decoder = decoding.createDecoder(bytes)
  switch (decoding.readVarUint(decoder)) {
    case 0: {
      const kind = decoding.readVarUint(decoder)
      const body = decoding.readVarUint8Array(decoder)
      if (kind === 0) return { type: 'step1', stateVector: body }
      return { type: kind === 1 ? 'step2' : 'update', update: body }
    }
    case 1: {
      const body = decoding.createDecoder(decoding.readVarUint8Array(decoder))
      const entries = Array.from({ length: decoding.readVarUint(body) }, () => ({
        client: decoding.readVarUint(body),
        clock: decoding.readVarUint(body),
        state: JSON.parse(decoding.readVarString(body)) as unknown,
      }))
      return { type: 'awareness', entries }
    }
    case 100:
      return { type: 'tutti', message: decodeServerTutti(decoder) }
    default:
      return { type: 'unknown', bytes }
  }
}

/** @param entries `state` is JSON, sent as it is. */
export const encodeAwarenessFrame = (...entries: Entry<string>[]): Uint8Array => {
  const body = encoding.createEncoder()
  encoding.writeVarUint(body, entries.length)
  for (const { client, clock, state } of entries) {
    encoding.writeVarUint(body, client)
    encoding.writeVarUint(body, clock)
    encoding.writeVarString(body, state)
  }
  const frame = encoding.createEncoder()
  encoding.writeVarUint(frame, 1)
  encoding.writeVarUint8Array(frame, encoding.toUint8Array(body))
  return encoding.toUint8Array(frame)
}

export class WireClient {
  readonly ws: WebSocket
  readonly doc = new Y.Doc()
  readonly frames: Frame[] = []
  closed: { code: number; reason: string } | undefined
  /** Answers the server's sync step 1 from `doc`, as y-websocket does. */
  answersStep1 = true
  #waiting: (() => void)[] = []

  constructor(url: string) {
    this.ws = new WebSocket(url)
    this.ws.binaryType = 'arraybuffer'
    this.ws.on('message', (data: ArrayBuffer) => this.#receive(decodeFrame(new Uint8Array(data))))
    this.ws.on('close', (code, reason) => {
      this.closed = { code, reason: reason.toString() }
      this.#notify()
    })
    this.ws.on('error', () => this.#notify())
  }

  static async open(url: string): Promise<WireClient> {
    const client = new WireClient(url)
    await new Promise((resolve, reject) => {
      client.ws.once('open', resolve)
      client.ws.once('error', reject)
    })
    return client
  }

  /** Connects as a stock client does, up to its own sync step 1. */
  static async join(url: string): Promise<WireClient> {
    const client = await WireClient.open(url)
    client.sendStep1()
    return client
  }

  /** Connects as a client that opted in. */
  static async joinOptedIn(url: string, hello: Partial<ClientHello> = {}): Promise<WireClient> {
    const client = await WireClient.open(`${url}?tutti=1`)
    client.send(encodeClientHello({ resume: 'a-secret-of-this-client', clientId: client.doc.clientID, ...hello }))
    client.sendStep1()
    return client
  }

  send(bytes: Uint8Array | string): void {
    this.ws.send(bytes)
  }

  sendStep1(): void {
    this.send(encodeSyncStep1(Y.encodeStateVector(this.doc)))
  }

  /** Changes the document and returns the update, unsent. */
  change(change: (doc: Y.Doc) => void): Uint8Array {
    const updates: Uint8Array[] = []
    const collect = (update: Uint8Array): void => {
      updates.push(update)
    }
    this.doc.on('update', collect)
    this.doc.transact(() => change(this.doc))
    this.doc.off('update', collect)
    return Y.mergeUpdates(updates)
  }

  /** Changes the document and sends the update. */
  edit(change: (doc: Y.Doc) => void): void {
    this.send(encodeSyncUpdate(this.change(change)))
  }

  /** Waits until a condition holds, looked at after each frame and at the close. */
  async until(condition: () => boolean, what: string, ms = 5000): Promise<void> {
    const end = Date.now() + ms
    while (!condition()) {
      const left = end - Date.now()
      if (left <= 0) {
        const last = this.frames.slice(-5).map((frame) => frame.type)
        throw new Error(`waited ${ms} ms for ${what}; closed: ${JSON.stringify(this.closed)}; last frames: ${last}`)
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left)
        this.#waiting.push(() => {
          clearTimeout(timer)
          resolve()
        })
      })
    }
  }

  synced(): Promise<void> {
    return this.until(() => this.frames.some((frame) => frame.type === 'step2'), 'sync step 2')
  }

  untilClosed(ms?: number): Promise<void> {
    return this.until(() => this.closed !== undefined, 'a close', ms)
  }

  /** A round trip: everything sent before has been looked at by the server. Needs a client that opted in, or not. */
  async roundTrip(): Promise<void> {
    const before = this.frames.filter((frame) => frame.type === 'step2').length
    this.sendStep1()
    await this.until(() => this.frames.filter((frame) => frame.type === 'step2').length > before, 'a round trip')
  }

  get acknowledged(): number {
    let frames = 0
    for (const frame of this.frames) {
      if (frame.type === 'tutti' && frame.message?.type === 'ack') frames = frame.message.frames
    }
    return frames
  }

  /** The last state heard of a client id: `undefined` if none, `null` if it left. */
  presenceOf(client: number): unknown {
    let state: unknown
    for (const frame of this.frames) {
      if (frame.type !== 'awareness') continue
      for (const entry of frame.entries) if (entry.client === client) state = entry.state
    }
    return state
  }

  async close(): Promise<void> {
    this.ws.close()
    await this.untilClosed()
  }

  #receive(frame: Frame): void {
    this.frames.push(frame)
    if (frame.type === 'step2' || frame.type === 'update') Y.applyUpdate(this.doc, frame.update, this)
    if (frame.type === 'step1' && this.answersStep1) {
      this.send(encodeSyncStep2(Y.encodeStateAsUpdate(this.doc, frame.stateVector)))
    }
    this.#notify()
  }

  #notify(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const call of waiting) call()
  }
}
