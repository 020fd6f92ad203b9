/** A real WebSocket server that does what a test tells it, frame by frame, and keeps what it was sent. */
import type { AddressInfo } from 'node:net'
import * as decoding from 'lib0/decoding'
import * as encoding from 'lib0/encoding'
import { type WebSocket, WebSocketServer } from 'ws'
import * as Y from 'yjs'
import {
  type ClientHello,
  encodeAck,
  encodePong,
  encodeServerHello,
  encodeSyncStep1,
  encodeSyncStep2,
  encodeSyncUpdate,
  isDocumentFrame,
  isSyncStep2,
  MESSAGE_AWARENESS,
  MESSAGE_SYNC,
  MESSAGE_TUTTI,
  SYNC_STEP_1,
  TUTTI_CLIENT_HELLO,
  TUTTI_PING,
} from '../../lib/protocol.ts'

type Test = (frame: Uint8Array) => boolean

export const isStep1: Test = (frame) => frame[0] === MESSAGE_SYNC && frame[1] === SYNC_STEP_1
export const isHello: Test = (frame) => frame[0] === MESSAGE_TUTTI && frame[1] === TUTTI_CLIENT_HELLO
export const isPing: Test = (frame) => frame[0] === MESSAGE_TUTTI && frame[1] === TUTTI_PING
export const isAwareness: Test = (frame) => frame[0] === MESSAGE_AWARENESS
export { isDocumentFrame, isSyncStep2 }

/** What a sync frame carries. */
export const bodyOf = (frame: Uint8Array): Uint8Array => {
  const decoder = decoding.createDecoder(frame)
  decoding.readVarUint(decoder)
  decoding.readVarUint(decoder)
  return decoding.readVarUint8Array(decoder)
}

export const helloOf = (frame: Uint8Array): ClientHello => {
  const decoder = decoding.createDecoder(frame)
  decoding.readVarUint(decoder)
  decoding.readVarUint(decoder)
  return JSON.parse(decoding.readVarString(decoder)) as ClientHello
}

/** An awareness frame with this body. */
export const encodeAwareness = (body: Uint8Array): Uint8Array => {
  const encoder = encoding.createEncoder()
  encoding.writeVarUint(encoder, MESSAGE_AWARENESS)
  encoding.writeVarUint8Array(encoder, body)
  return encoding.toUint8Array(encoder)
}

/** The entries of an awareness frame. */
export const entriesOf = (frame: Uint8Array): { id: number; clock: number; state: unknown }[] => {
  const decoder = decoding.createDecoder(frame)
  decoding.readVarUint(decoder)
  decoding.readVarUint(decoder)
  return Array.from({ length: decoding.readVarUint(decoder) }, () => ({
    id: decoding.readVarUint(decoder),
    clock: decoding.readVarUint(decoder),
    state: JSON.parse(decoding.readVarString(decoder)) as unknown,
  }))
}

export interface ServeOptions {
  documentId?: string
  maxMessageBytes?: number
  /** Answer pings. Default true. */
  pong?: boolean
  /** Acknowledge every document frame at once. Default false. */
  ack?: boolean
  /** Behave as a plain y-websocket server: no hello, no acknowledgement. Default false. */
  plain?: boolean
}

/** One accepted socket. */
export class Session {
  readonly frames: Uint8Array[] = []
  readonly url: string
  readonly closed: Promise<number>
  documentFrames = 0
  private readonly socket: WebSocket
  private readonly doc: Y.Doc
  private listeners = new Set<() => void>()
  private answer: ((frame: Uint8Array) => void) | undefined

  constructor(socket: WebSocket, url: string, doc: Y.Doc) {
    this.socket = socket
    this.url = url
    this.doc = doc
    this.closed = new Promise((resolve) => socket.on('close', (code) => resolve(code)))
    socket.on('message', (message: Buffer) => {
      const frame = new Uint8Array(message)
      this.frames.push(frame)
      if (isDocumentFrame(frame)) {
        this.documentFrames++
        Y.applyUpdate(this.doc, bodyOf(frame))
      }
      this.answer?.(frame)
      for (const listener of this.listeners) listener()
    })
  }

  send(frame: Uint8Array): void {
    this.socket.send(frame)
  }

  ack(frames: number): void {
    this.send(encodeAck(frames))
  }

  update(update: Uint8Array): void {
    this.send(encodeSyncUpdate(update))
  }

  close(code: number, reason = ''): void {
    this.socket.close(code, reason)
  }

  terminate(): void {
    this.socket.terminate()
  }

  /** Stops reading, as a peer does whose network is gone. */
  freeze(): void {
    this.socket.pause()
  }

  /** The first frame at or after `from` that passes. */
  async frame(test: Test, from = 0): Promise<Uint8Array> {
    for (;;) {
      const found = this.frames.slice(from).find(test)
      if (found !== undefined) return found
      await new Promise<void>((resolve) => {
        const listener = (): void => {
          this.listeners.delete(listener)
          resolve()
        }
        this.listeners.add(listener)
      })
    }
  }

  count(test: Test): number {
    return this.frames.filter(test).length
  }

  /** Greets and answers as Tutti's server does, over the shared document of the scripted server. */
  serve({
    documentId = 'doc-1',
    maxMessageBytes = 1e6,
    pong = true,
    ack = false,
    plain = false,
  }: ServeOptions = {}): this {
    const answer = (frame: Uint8Array): void => {
      if (isHello(frame) && !plain) this.send(encodeServerHello({ documentId, maxMessageBytes }))
      if (isStep1(frame)) {
        this.send(encodeSyncStep1(Y.encodeStateVector(this.doc)))
        this.send(encodeSyncStep2(Y.encodeStateAsUpdate(this.doc, bodyOf(frame))))
      }
      if (isPing(frame) && pong) {
        const decoder = decoding.createDecoder(frame.subarray(2))
        this.send(encodePong(decoding.readVarUint(decoder)))
      }
      if (isDocumentFrame(frame) && ack) this.ack(this.documentFrames)
    }
    this.answer = answer
    for (const frame of this.frames) answer(frame)
    return this
  }
}

export class ScriptedServer {
  readonly url: string
  readonly sessions: Session[] = []
  /** What all sessions have sent; survives them. */
  readonly doc = new Y.Doc()
  private readonly server: WebSocketServer
  private waiting: (() => void)[] = []
  /** Applied to each new session. */
  onSession: (session: Session) => void = () => undefined

  private constructor(server: WebSocketServer) {
    this.server = server
    this.url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`
    server.on('connection', (socket, request) => {
      const session = new Session(socket, request.url ?? '', this.doc)
      this.sessions.push(session)
      this.onSession(session)
      for (const resolve of this.waiting.splice(0)) resolve()
    })
  }

  static async start(port = 0): Promise<ScriptedServer> {
    const server = new WebSocketServer({ port, host: '127.0.0.1' })
    await new Promise((resolve) => server.once('listening', resolve))
    return new ScriptedServer(server)
  }

  /** The session number `index`, once it is there. */
  async session(index: number): Promise<Session> {
    for (;;) {
      const session = this.sessions[index]
      if (session !== undefined) return session
      await new Promise<void>((resolve) => this.waiting.push(resolve))
    }
  }

  async stop(): Promise<void> {
    for (const client of this.server.clients) client.terminate()
    await new Promise((resolve) => this.server.close(resolve))
  }
}
