import type uWS from 'uWebSockets.js'
import { randomInt } from 'node:crypto'
import type { Connection, Door, Handshake, Socket } from '../contracts.ts'

/** What a WebSocket carries with it from its upgrade on. */
export interface SocketFacts {
  readonly door: Door
  /** Until it is open. */
  handshake: Handshake | undefined
  socket: NetSocket | undefined
  connection: Connection | undefined
  /** How it ended, if it did so while its door was still taking it. */
  ended: { readonly code: number; readonly reason: string } | undefined
}

export type NativeSocket = uWS.WebSocket<SocketFacts>

/** uWebSockets.js returns 2 from `send` when it did not take the frame. */
const DROPPED = 2
/** A close frame has room for this many bytes of reason (RFC 6455, 5.5: 125 with the code). */
const MAX_REASON_BYTES = 123
/** Bound of each half of an id: what `randomInt` takes at most is 2^48. */
const ID_BOUND = 2 ** 47

/** Sockets by the id that names them to others. */
export type SocketsById = Map<string, NetSocket>

/** `Socket` over a uWebSockets.js socket, which must not be touched after its close callback has begun. */
export class NetSocket implements Socket {
  readonly address: string
  readonly #byId: SocketsById
  #native: NativeSocket | undefined
  #id: string | undefined

  constructor(native: NativeSocket, address: string, byId: SocketsById) {
    this.#native = native
    this.address = address
    this.#byId = byId
  }

  /** Closes the connection in the way its door does when the server stops. */
  closeGoingAway(): void {
    const door = this.#native?.getUserData().door
    if (door) this.close(door.goingAway.code, door.goingAway.reason)
  }

  get id(): string {
    if (this.#id === undefined) {
      // 94 random bits: never the same twice.
      this.#id = `${randomInt(ID_BOUND)}.${randomInt(ID_BOUND)}`
      if (this.#native) this.#byId.set(this.#id, this)
    }
    return this.#id
  }

  /** The connection is gone; every method does nothing from now on. */
  detach(): void {
    this.#native = undefined
    if (this.#id !== undefined) this.#byId.delete(this.#id)
  }

  send(frame: Uint8Array | string): boolean {
    return this.#native === undefined || this.#native.send(frame, typeof frame !== 'string') !== DROPPED
  }

  /** Publishes to everyone else. `false`: this socket does not hear the topic, and nothing was done. */
  publishToOthers(topic: string, frame: Uint8Array | string): boolean {
    // uWebSockets.js publishes nothing for a socket without a subscription.
    if (!this.#native?.isSubscribed(topic)) return false
    this.#native.publish(topic, frame, typeof frame !== 'string')
    return true
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
