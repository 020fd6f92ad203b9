/** WebSockets of the application's own, with a protocol of its own, on the server's port. */

/** One connection. Every method is safe after its end: it does nothing. */
export interface OwnSocket<Data = unknown> {
  /** Names the connection: random, never reused while the server runs. */
  readonly id: string
  /** Remote address, as text. */
  readonly address: string
  /** Raw query without `?`; read it with `new URLSearchParams(socket.query)`. */
  readonly query: string
  /**
   * A header of the request that opened it, by lower-case name; empty string if missing. Kept are authorization, cookie,
   * origin, user-agent, x-forwarded-for and x-forwarded-proto.
   */
  header(name: string): string
  /** The application's: what it wants to remember of this connection. */
  data: Data | undefined
  /** `false` once the connection has ended. */
  readonly isOpen: boolean
  /** Bytes that wait to be written. */
  readonly buffered: number
  /**
   * Sends a message: a string as text, bytes as binary; the bytes may be reused at once. `false`: the other side does
   * not read as fast as this, more than `maxBackpressureBytes` wait, and the message was NOT taken. `drain` tells when
   * it can be sent again.
   */
  send(message: string | Uint8Array): boolean
  /** Hears what is published to a topic. Topics are shared by all own sockets, and unknown to rooms. */
  subscribe(topic: string): void
  unsubscribe(topic: string): void
  /** Sends a message to everyone who subscribed to the topic but this connection. */
  publish(topic: string, message: string | Uint8Array): void
  /**
   * Ends the connection after what waits has been written.
   * @param code 1000 (default) or 3000–4999
   * @param reason at most 123 bytes; what is beyond is cut off
   * @throws TuttiError `INVALID_VALUE` for any other code
   */
  close(code?: number, reason?: string): void
  /** Cuts the connection without a word. */
  terminate(): void
}

/**
 * What the application does with the connections of one path. Each function may be asynchronous; nothing waits for it.
 * What one throws, or rejects with, is logged and closes its connection with 1011; nothing else is harmed.
 */
export interface SocketEndpoint<Data = unknown> {
  /** A connection was opened, and let in by the hook `connect`, if there is one. */
  open?(socket: OwnSocket<Data>): void
  /**
   * A message came, in order: text as a string, binary as bytes, which belong to the application. What it returns is
   * not waited for: the next one may come before an asynchronous function is through.
   */
  message?(socket: OwnSocket<Data>, message: string | Uint8Array): void
  /** What waited has been written, all or in part: there is room for more. */
  drain?(socket: OwnSocket<Data>): void
  /** A published message was left out for this connection, since too much waits for it already. */
  missed?(socket: OwnSocket<Data>): void
  /** The connection has ended, with this close code; 1006: it broke. */
  close?(socket: OwnSocket<Data>, code: number, reason: string): void
  /** Largest message, in bytes; a larger one closes its connection with 4413. Default and at most `maxMessageBytes`. */
  readonly maxMessageBytes?: number | undefined
}

/** Own sockets by path, such as `/lamps`. A path that stands here is no room's. */
export type SocketEndpoints = Readonly<Record<string, SocketEndpoint>>
