/**
 * A client that opted in to acknowledgements, on a bare WebSocket: it speaks lib/protocol.ts and shows every frame,
 * where a provider would hide, mend or delay something.
 */
import * as decoding from 'lib0/decoding'
import { WebSocket } from 'ws'
import * as Y from 'yjs'
import {
  decodeServerTutti,
  encodeClientHello,
  encodeRoomPath,
  encodeSyncStep1,
  encodeSyncStep2,
  encodeSyncUpdate,
  isDocumentFrame,
  isSyncStep2,
  MESSAGE_SYNC,
  MESSAGE_TUTTI,
  OPT_IN_PARAM,
  OPT_IN_VALUE,
  SYNC_STEP_1,
  SYNC_STEP_2,
} from '../../lib/protocol.ts'

export interface RawClientOptions {
  readonly doc: Y.Doc
  /**
   * Called as a document frame leaves, before the next one can. Frames count from 1, anew for each connection. A sync
   * step 2 covers all that the document holds.
   */
  onSend?(frame: number, isStep2: boolean): void
  /** "Your first `frames` document frames are durable." */
  onAck?(frames: number): void
  /** A sync step 2 of the server was applied: the document has what the server had. */
  onSynced?(): void
}

export interface RawClient {
  readonly socket: WebSocket
  /** Resolves with the close code, also if the connection never opened. */
  readonly closed: Promise<number>
  /** Code and reason, once it is closed by the server. */
  readonly ending: () => string
  /** Cuts the connection without a word. */
  terminate(): void
}

/** Keeps `doc` in sync with a room until the connection ends; it does not come back by itself. */
export const connectRaw = (url: string, room: string, options: RawClientOptions): RawClient => {
  const { doc } = options
  const socket = new WebSocket(`${url}/${encodeRoomPath(room)}?${OPT_IN_PARAM}=${OPT_IN_VALUE}`)
  socket.binaryType = 'arraybuffer'
  let frames = 0
  let ending = 'open'

  const send = (bytes: Uint8Array): void => {
    if (socket.readyState !== WebSocket.OPEN) return
    socket.send(bytes)
    if (isDocumentFrame(bytes)) options.onSend?.(++frames, isSyncStep2(bytes))
  }

  const onUpdate = (update: Uint8Array, origin: unknown): void => {
    if (origin !== socket) send(encodeSyncUpdate(update))
  }

  const receive = (bytes: Uint8Array): void => {
    const decoder = decoding.createDecoder(bytes)
    const type = decoding.readVarUint(decoder)
    if (type === MESSAGE_TUTTI) {
      const message = decodeServerTutti(decoder)
      if (message?.type === 'ack') options.onAck?.(message.frames)
    } else if (type === MESSAGE_SYNC) {
      const kind = decoding.readVarUint(decoder)
      const body = decoding.readVarUint8Array(decoder)
      if (kind === SYNC_STEP_1) {
        send(encodeSyncStep2(Y.encodeStateAsUpdate(doc, body)))
      } else {
        Y.applyUpdate(doc, body, socket)
        if (kind === SYNC_STEP_2) options.onSynced?.()
      }
    }
  }

  socket.on('open', () => {
    send(encodeClientHello({ resume: `resume-secret-${doc.clientID}`.padEnd(32, '-'), clientId: doc.clientID }))
    send(encodeSyncStep1(Y.encodeStateVector(doc)))
    // Before this, changes reach the server by the answer to its step 1.
    doc.on('update', onUpdate)
  })
  socket.on('message', (message: ArrayBuffer) => receive(new Uint8Array(message)))
  const closed = new Promise<number>((resolve) => {
    socket.on('close', (code, reason) => {
      ending = `${code} ${reason}`
      doc.off('update', onUpdate)
      resolve(code)
    })
  })
  // The close event that follows says all there is to say.
  socket.on('error', () => undefined)
  return { socket, closed, ending: () => ending, terminate: () => socket.terminate() }
}
