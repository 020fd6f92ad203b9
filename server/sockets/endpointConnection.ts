import { TuttiError } from '../../lib/errors.ts'
import type { Connection, Handshake, Logger, Publisher, Socket } from '../contracts.ts'
import { isThenable } from '../room/hookCalls.ts'
import type { OwnSocket, SocketEndpoint } from './endpoint.ts'

/** The topic of a room is its name, and that of an audience starts with a letter: none begins like this. */
const topicOf = (topic: string): string => `\u0000${topic}`

const isCloseCode = (code: number): boolean => code === 1000 || (Number.isInteger(code) && code >= 3000 && code <= 4999)

class EndpointSocket implements OwnSocket {
  readonly #socket: Socket
  readonly #handshake: Handshake
  readonly #publisher: Publisher
  data: unknown
  #isOpen = true
  /** A message that is not taken now is one of its own, and told by `send`. */
  isSending = false

  constructor(socket: Socket, handshake: Handshake, publisher: Publisher) {
    this.#socket = socket
    this.#handshake = handshake
    this.#publisher = publisher
  }

  get id(): string {
    return this.#socket.id
  }

  get address(): string {
    return this.#socket.address
  }

  get query(): string {
    return this.#handshake.query
  }

  get isOpen(): boolean {
    return this.#isOpen
  }

  get buffered(): number {
    return this.#socket.buffered()
  }

  header(name: string): string {
    return this.#handshake.header(name)
  }

  send(message: string | Uint8Array): boolean {
    this.isSending = true
    try {
      return this.#socket.send(message)
    } finally {
      this.isSending = false
    }
  }

  subscribe(topic: string): void {
    this.#socket.subscribe(topicOf(topic))
  }

  unsubscribe(topic: string): void {
    this.#socket.unsubscribe(topicOf(topic))
  }

  publish(topic: string, message: string | Uint8Array): void {
    if (this.#isOpen) this.#publisher.publish(topicOf(topic), message, this.id)
  }

  close(code = 1000, reason = ''): void {
    if (!isCloseCode(code)) {
      throw new TuttiError('INVALID_VALUE', `${code} is no close code; expected 1000, or one from 3000 to 4999.`, {
        hint: 'Those from 4000 on are free for what an application wants to say.',
      })
    }
    this.#socket.close(code, reason)
  }

  terminate(): void {
    this.#socket.terminate()
  }

  ended(): void {
    this.#isOpen = false
  }
}

export interface EndpointConnectionParts {
  readonly path: string
  readonly endpoint: SocketEndpoint
  readonly maxMessageBytes: number
  readonly publisher: Publisher
  readonly log: Logger
}

/** Something threw in the application. */
const FAILED = 1011

export class EndpointConnection implements Connection {
  readonly #parts: EndpointConnectionParts
  readonly #native: Socket
  readonly #socket: EndpointSocket
  readonly #refuse: (error: TuttiError) => void
  #hasMissed = false
  /** It is being ended by the server: what still comes is not for the application. */
  #isRefused = false

  /** @param refuse ends the connection with an error */
  constructor(
    parts: EndpointConnectionParts,
    native: Socket,
    handshake: Handshake,
    refuse: (error: TuttiError) => void,
  ) {
    this.#parts = parts
    this.#native = native
    this.#socket = new EndpointSocket(native, handshake, parts.publisher)
    this.#refuse = refuse
    this.#call('open', () => parts.endpoint.open?.(this.#socket))
  }

  receive(bytes: Uint8Array, isBinary: boolean): void {
    if (this.#isRefused) return
    const { endpoint, maxMessageBytes } = this.#parts
    if (bytes.byteLength > maxMessageBytes) {
      this.#isRefused = true
      this.#refuse(
        new TuttiError('TOO_LARGE', `A message of ${bytes.byteLength} bytes came; the limit is ${maxMessageBytes}.`),
      )
      return
    }
    const message = isBinary ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString()
    this.#call('message', () => endpoint.message?.(this.#socket, message))
  }

  missed(): void {
    if (this.#hasMissed || this.#socket.isSending || !this.#parts.endpoint.missed) return
    this.#hasMissed = true
    // The socket must not be touched in this turn.
    setImmediate(() => {
      this.#hasMissed = false
      if (this.#socket.isOpen) this.#call('missed', () => this.#parts.endpoint.missed?.(this.#socket))
    })
  }

  drained(): void {
    this.#call('drain', () => this.#parts.endpoint.drain?.(this.#socket))
  }

  ponged(): void {
    // Nothing asks for it.
  }

  left(code: number, reason: string): void {
    this.#socket.ended()
    this.#call('close', () => this.#parts.endpoint.close?.(this.#socket, code, reason))
  }

  #call(name: string, call: () => void | Promise<void> | undefined): void {
    try {
      const answer = call()
      if (isThenable(answer)) answer.then(undefined, (error: unknown) => this.#failed(name, error))
    } catch (error) {
      this.#failed(name, error)
    }
  }

  #failed(name: string, error: unknown): void {
    this.#parts.log.error({ path: this.#parts.path, callback: name, err: error }, 'own socket failed')
    this.#isRefused = true
    this.#native.close(FAILED, 'The server failed on this connection.')
  }
}
