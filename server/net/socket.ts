import type uWS from 'uWebSockets.js'
import type { Socket } from '../contracts.ts'
import type { Room } from '../room/room.ts'
import type { Session } from '../room/session.ts'

/** What a WebSocket carries with it from its upgrade on. */
export interface SocketFacts {
  readonly address: string
  /** Raw path of its request. */
  readonly path: string
  readonly optedIn: boolean
  socket: NetSocket | undefined
  room: Room | undefined
  session: Session | undefined
}

export type NativeSocket = uWS.WebSocket<SocketFacts>

/** uWebSockets.js returns 2 from `send` when it did not take the frame. */
const DROPPED = 2
/** A close frame has room for this many bytes of reason (RFC 6455, 5.5: 125 with the code). */
const MAX_REASON_BYTES = 123

/** `Socket` over a uWebSockets.js socket, which must not be touched after its close callback has begun. */
export class NetSocket implements Socket {
  readonly address: string
  #native: NativeSocket | undefined

  constructor(native: NativeSocket, address: string) {
    this.#native = native
    this.address = address
  }

  /** The connection is gone; every method does nothing from now on. */
  detach(): void {
    this.#native = undefined
  }

  send(bytes: Uint8Array): boolean {
    return this.#native === undefined || this.#native.send(bytes, true) !== DROPPED
  }

  buffered(): number {
    return this.#native?.getBufferedAmount() ?? 0
  }

  subscribe(topic: string): void {
    this.#native?.subscribe(topic)
  }

  unsubscribe(topic: string): void {
    this.#native?.unsubscribe(topic)
  }

  ping(): void {
    this.#native?.ping()
  }

  close(code: number, reason: string): void {
    this.#native?.end(code, cutToBytes(reason, MAX_REASON_BYTES))
  }

  terminate(): void {
    this.#native?.close()
  }
}

/** The longest beginning of a text that has at most `maxBytes` in UTF-8 and ends at a whole character. */
const cutToBytes = (text: string, maxBytes: number): string => {
  const target = new Uint8Array(maxBytes)
  const { read } = new TextEncoder().encodeInto(text, target)
  return text.slice(0, read)
}
