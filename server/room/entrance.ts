/** How a connection comes in where hooks are asked about it: what it sends meanwhile waits, within a bound. */
import { ERRORS, meaningOf, TuttiError } from '../../lib/errors.ts'
import type { Connection, Logger } from '../contracts.ts'
import type { ConnectionHooks } from './connectionHooks.ts'
import type { HookedConnections } from './hookedConnections.ts'
import { MESSAGE_COST } from './messageCost.ts'

export interface EntranceParts {
  /** `undefined`: the server has no hooks. */
  readonly hooked: HookedConnections | undefined
  readonly hooks: ConnectionHooks | undefined
  /** Bytes that may wait. */
  readonly maxBytes: number
  /** Asks whether it is let in. Throws or rejects if not. */
  ask(): Promise<void> | undefined
  /** Takes it, once it is let in. May throw what `refuse` takes. */
  open(): Connection
  /** Ends the connection with an error, of whatever kind. */
  refuse(error: unknown): void
}

/**
 * The close code that an error is told with. One without a close code of its own, which only a hook throws at a
 * connection, ends it for good: its client is not to come back and be refused again for ever.
 */
export const closeCodeOf = (error: unknown): number => {
  if (!(error instanceof TuttiError)) return ERRORS.INTERNAL.close
  return meaningOf(error.code).close ?? ERRORS.FORBIDDEN.close
}

const SAYS_CODE = /^[A-Z_]+: /

/**
 * The reason that goes with it: the message, behind the code where the close code is not the code's own, as in
 * `INVALID_VALUE: No titles today.` Cut off by the network after 123 bytes.
 */
export const closeReasonOf = (error: TuttiError): string => {
  const { code, message } = error
  if (closeCodeOf(error) !== ERRORS.FORBIDDEN.close) return message
  // Tutti's client takes what stands so at the beginning for the code.
  return code !== 'FORBIDDEN' || SAYS_CODE.test(message) ? `${code}: ${message}` : message
}

/** What a client is told of an error: of one that is no refusal, only that the server failed; the log has it. */
export const refusalOf = (error: unknown, log: Logger, fields: object = {}): TuttiError => {
  if (error instanceof TuttiError) return error
  log.error({ ...fields, err: error }, 'connection failed')
  return new TuttiError('INTERNAL', 'The server failed on this connection.', { cause: error })
}

/**
 * Takes a connection at once if nothing is to be waited for, and otherwise as soon as it is let in.
 * @throws what it is refused with, if that is known at once
 */
export const enter = (parts: EntranceParts): Connection => {
  try {
    const admitted = parts.ask()
    return admitted ? new WaitingConnection(parts, admitted) : opened(parts)
  } catch (error) {
    if (parts.hooks) parts.hooked?.close(parts.hooks, closeCodeOf(error))
    throw error
  }
}

const opened = ({ hooked, hooks, open }: EntranceParts): Connection =>
  hooked && hooks ? new HookedConnection(open(), hooked, hooks) : open()

/** A connection whose end is told to the hooks. */
class HookedConnection implements Connection {
  readonly #inner: Connection
  readonly #hooked: HookedConnections
  readonly #hooks: ConnectionHooks

  constructor(inner: Connection, hooked: HookedConnections, hooks: ConnectionHooks) {
    this.#inner = inner
    this.#hooked = hooked
    this.#hooks = hooks
  }

  receive(bytes: Uint8Array, isBinary: boolean): void {
    this.#inner.receive(bytes, isBinary)
  }

  missed(): void {
    this.#inner.missed()
  }

  drained(): void {
    this.#inner.drained()
  }

  ponged(): void {
    this.#inner.ponged()
  }

  left(code: number, reason: string): void {
    this.#inner.left(code, reason)
    this.#hooked.close(this.#hooks, code)
  }
}

interface Message {
  readonly bytes: Uint8Array
  readonly isBinary: boolean
}

/** A connection about which a hook is being asked. */
class WaitingConnection implements Connection {
  readonly #parts: EntranceParts
  #messages: Message[] = []
  #bytes = 0
  #isOver = false
  /** How it ended, if it has. */
  #ended: { readonly code: number; readonly reason: string } | undefined
  #inner: Connection | undefined

  constructor(parts: EntranceParts, admitted: Promise<void>) {
    this.#parts = parts
    admitted.then(
      () => this.#open(),
      (error: unknown) => this.#refuse(error),
    )
  }

  receive(bytes: Uint8Array, isBinary: boolean): void {
    if (this.#inner) {
      this.#inner.receive(bytes, isBinary)
      return
    }
    if (this.#isOver) return
    this.#bytes += bytes.byteLength + MESSAGE_COST
    if (this.#bytes <= this.#parts.maxBytes) {
      this.#messages.push({ bytes, isBinary })
      return
    }
    this.#refuse(
      new TuttiError('TRY_LATER', `More than ${this.#parts.maxBytes} bytes came before the connection was let in.`, {
        hint: 'Wait for the first answer of the server before sending much.',
      }),
    )
  }

  missed(): void {
    this.#inner?.missed()
  }

  drained(): void {
    this.#inner?.drained()
  }

  ponged(): void {
    this.#inner?.ponged()
  }

  left(code: number, reason: string): void {
    if (this.#inner) this.#inner.left(code, reason)
    else {
      this.#ended = { code, reason }
      this.#finish(code)
    }
  }

  #open(): void {
    if (this.#isOver) return
    try {
      const inner = opened(this.#parts)
      this.#inner = inner
      // It may have been closed by whoever took it.
      if (this.#ended) inner.left(this.#ended.code, this.#ended.reason)
      const messages = this.#messages
      this.#messages = []
      for (const { bytes, isBinary } of messages) inner.receive(bytes, isBinary)
    } catch (error) {
      this.#refuse(error)
    }
  }

  #refuse(error: unknown): void {
    if (this.#isOver) return
    this.#finish(closeCodeOf(error))
    this.#parts.refuse(error)
  }

  /** It ended before it was let in, or is refused. */
  #finish(code: number): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#messages = []
    const { hooked, hooks } = this.#parts
    if (hooks) hooked?.close(hooks, code)
  }
}
