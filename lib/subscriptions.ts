import type { Decoder } from 'lib0/decoding'
import { TuttiError } from './errors.ts'
import { decodeServerEvent, encodeTrigger, type Trigger } from './eventProtocol.ts'
import type { ServerHello } from './protocol.ts'
import { batch, type Signal, signal } from './store/reactive.ts'
import { createSubscription, errorOf, type Subscription, type SubscriptionOwner } from './subscription.ts'

/** Events over one connection, which may come and go. */
export interface Subscriptions {
  /** `null` while there is no connection. */
  readonly sessionId: Signal<string | null>
  of(room: string): Subscription
  /** Resolves once it is published or, without `ack`, sent. Rejects with a `TuttiError`. */
  trigger(trigger: Omit<Trigger, 'id'>, timeout: number): Promise<void>
  /** The server's hello came. `transmit` returns whether the socket is open. */
  greeted(hello: ServerHello, transmit: (frame: Uint8Array) => boolean): void
  /** Takes what follows `MESSAGE_TUTTI` in a frame. Throws for what is no frame. */
  receive(decoder: Decoder): void
  /** The connection is gone. */
  ended(): void
  /** Releases everything. */
  destroy(): void
}

/** The longest a timer can wait, in milliseconds. */
const MAX_TIMEOUT = 2 ** 31 - 1

export const createSubscriptions = (report: (error: TuttiError) => void): Subscriptions => {
  const entries = new Map<string, SubscriptionOwner>()
  const pending = new Map<number, (error?: TuttiError) => void>()
  const sessionId = signal<string | null>(null)
  /** From the server's hello to the end of the connection. */
  let transmit: ((frame: Uint8Array) => boolean) | undefined
  let maxBytes = 0
  let leaveGrace = 0
  let lastId = 0

  const send = (frame: Uint8Array): boolean => transmit?.(frame) ?? false

  const settled = (id: number, error?: TuttiError): void => {
    const answer = pending.get(id)
    pending.delete(id)
    if (answer) answer(error)
    else if (error) report(error)
  }

  const ended = (): void => {
    if (!transmit) return
    transmit = undefined
    const id = sessionId.peek()
    batch(() => (sessionId.value = null))
    for (const entry of entries.values()) entry.ended(id)
    for (const id of pending.keys()) settled(id, unknown('the connection was lost before the server answered'))
  }

  return {
    sessionId,
    of: (room) => {
      const entry =
        entries.get(room) ??
        createSubscription(
          room,
          send,
          () => entries.delete(room),
          () => leaveGrace,
        )
      entries.set(room, entry)
      return entry
    },
    trigger: async (trigger, timeout) => {
      const id = ++lastId
      const frame = encodeTrigger({ ...trigger, id })
      if (transmit && frame.byteLength > maxBytes) {
        throw new TuttiError('TOO_LARGE', `the event takes ${frame.byteLength} bytes; the server takes ${maxBytes}`, {
          hint: 'Keep large things in the document.',
        })
      }
      if (!send(frame)) {
        throw new TuttiError('NOT_CONNECTED', 'the event was not sent: there is no connection to a Tutti server', {
          hint: 'Events are not kept for later. What must not be lost belongs into the document.',
        })
      }
      if (!trigger.ack) return
      await new Promise<void>((resolve, reject) => {
        const timer = setTimeout(
          () => settled(id, unknown(`the server did not answer within ${timeout} ms`)),
          Math.min(timeout, MAX_TIMEOUT),
        )
        pending.set(id, (error) => {
          clearTimeout(timer)
          if (error) reject(error)
          else resolve()
        })
      })
    },
    greeted: (hello, send) => {
      transmit = send
      maxBytes = hello.maxMessageBytes
      leaveGrace = hello.leaveGraceMs ?? 0
      batch(() => (sessionId.value = hello.sessionId ?? null))
      for (const entry of entries.values()) entry.ask()
    },
    receive: (decoder) => {
      const message = decodeServerEvent(decoder)
      if (message?.type === 'missed') for (const entry of entries.values()) entry.ask()
      else if (message?.type === 'triggered') settled(message.id, message.error && errorOf(message.error))
      else if (message) entries.get(message.room)?.receive(message)
    },
    ended,
    destroy: () => {
      ended()
      for (const entry of entries.values()) entry.destroy()
      entries.clear()
    },
  }
}

const unknown = (message: string): TuttiError =>
  new TuttiError('TIMEOUT', `${message}; the event may have been published or not`, {
    hint: 'Sending it again may show it twice.',
  })
