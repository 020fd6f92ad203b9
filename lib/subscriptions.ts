import type { Decoder } from 'lib0/decoding'
import { type ErrorCode, TuttiError } from './errors.ts'
import {
  decodeServerEvent,
  encodeSubscribe,
  encodeTrigger,
  encodeUnsubscribe,
  MAX_FORMER_SESSIONS,
  type ServerEventMessage,
  type Trigger,
  type WireError,
  type WireEvent,
} from './eventProtocol.ts'
import type { ServerHello } from './protocol.ts'
import { settle } from './store/graph.ts'
import { type Signal, signal } from './store/reactive.ts'

/** Someone who is in a room, however many tabs they have there. */
export interface Person {
  /** The `id` of the `user` they show as their presence; without one, their Yjs client id as text. */
  readonly id: string
  /** What else that `user` tells; `null` if nothing. */
  readonly info: unknown
}

/** Where a room's events are. */
export interface EventPosition {
  /** Another one means that the server began to count anew. */
  readonly epoch: string
  /** 1 for the first event of the epoch, then one more each. */
  readonly offset: number
}

export interface EventMeta extends EventPosition {
  readonly event: string
  /** It was missed and came later, from the server's history. */
  readonly recovered: boolean
  /** Who sent it, as in `members`, where the server knows. */
  readonly userId?: string
  /** `peer`: a client of the room; `server`: a back end. */
  readonly from: 'peer' | 'server'
}

/** What a subscription tells, at once and in order. Nothing it calls may throw. */
export interface Sink {
  /** `data`: parsed JSON, a text that is none, or bytes. */
  event(data: unknown, meta: EventMeta): void
  gap(position: EventPosition): void
  join(person: Person): void
  leave(person: Person): void
  refused(error: TuttiError): void
}

/** The events of one room, for everyone here who wants them. */
export interface Subscription {
  readonly subscribed: Signal<boolean>
  readonly people: Signal<readonly Person[]>
  /** From now on `people`, `join` and `leave` are told. */
  wantPeople(): void
  /** It lasts while it has a sink. Returns the function that takes it away. */
  add(sink: Sink): () => void
}

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

/** Time between the last sink and the end of a subscription, in milliseconds: a component may mount again. */
const GRACE = 250
/** The longest a timer can wait, in milliseconds. */
const MAX_TIMEOUT = 2 ** 31 - 1

interface Entry extends Subscription {
  receive(message: Extract<ServerEventMessage, { room: string }>): void
  ask(): void
  ended(sessionId: string | null): void
  destroy(): void
}

const errorOf = ({ code, message, hint }: WireError): TuttiError => new TuttiError(code as ErrorCode, message, { hint })

const dataOf = ({ body }: WireEvent): unknown => {
  if (typeof body !== 'string') return body
  try {
    return JSON.parse(body)
  } catch {
    // Any other text stands for itself, as for Pusher's clients.
    return body
  }
}

export const createSubscriptions = (report: (error: TuttiError) => void): Subscriptions => {
  const entries = new Map<string, Entry>()
  const pending = new Map<number, (error?: TuttiError) => void>()
  const sessionId = signal<string | null>(null)
  /** From the server's hello to the end of the connection. */
  let transmit: ((frame: Uint8Array) => boolean) | undefined
  let maxBytes = 0
  let lastId = 0

  const createEntry = (room: string): Entry => {
    const subscribed = signal(false)
    const people = signal<readonly Person[]>([])
    const sinks = new Set<Sink>()
    let wantsPeople = false
    let hasPeople = false
    let epoch: string | undefined
    /** Each event up to here was seen, or is not for us. */
    let offset = 0
    /** What comes up to here was missed. */
    let latest = 0
    /** The server was asked, and what comes before its answer is not wanted: it will come again. */
    let isAsking = false
    let isDue = false
    /** Connections since `offset`: of those the server must not send us our own events. */
    let former: (string | null)[] = []
    let timer: ReturnType<typeof setTimeout> | undefined

    const ask = (): void => {
      if (!transmit) return
      isAsking = true
      const sessions = former.filter((id) => id !== null)
      const position = epoch === undefined ? {} : { position: { epoch, offset, former: sessions } }
      transmit(encodeSubscribe({ room, wantsPeople, ...position }))
    }
    /** Once for all that a component binds as it starts. */
    const askSoon = (): void => {
      if (isDue) return
      isDue = true
      queueMicrotask(() => {
        isDue = false
        if (sinks.size > 0) ask()
      })
    }
    const tell = (call: (sink: Sink) => void): void => {
      for (const sink of [...sinks]) call(sink)
    }
    /** Takes in who is there now; those who are told of came or went. */
    const meet = (now: readonly Person[], tells: boolean): void => {
      const before = people.peek()
      settle(() => (people.value = now))
      if (!tells) return
      const without = (a: readonly Person[], b: readonly Person[]): Person[] =>
        a.filter(({ id }) => !b.some((person) => person.id === id))
      for (const person of without(before, now)) tell((sink) => sink.leave(person))
      for (const person of without(now, before)) tell((sink) => sink.join(person))
    }
    /** Whether the event at `next` is to be taken now. */
    const advance = (next: number): boolean => {
      if (!subscribed.peek() || next <= offset) return false
      if (next > offset + 1) {
        if (!isAsking) ask()
        return false
      }
      offset = next
      return true
    }

    const entry: Entry = {
      subscribed,
      people,
      ask,
      wantPeople: () => {
        if (wantsPeople) return
        wantsPeople = true
        askSoon()
      },
      add: (sink) => {
        clearTimeout(timer)
        if (sinks.size === 0 && epoch === undefined) askSoon()
        sinks.add(sink)
        return () => {
          if (!sinks.delete(sink) || sinks.size > 0) return
          timer = setTimeout(() => {
            entry.destroy()
            entries.delete(room)
            transmit?.(encodeUnsubscribe(room))
          }, GRACE)
        }
      },
      receive: (message) => {
        switch (message.type) {
          case 'subscribed': {
            isAsking = false
            latest = message.latest
            const isGap = epoch !== undefined && (epoch !== message.epoch || offset < message.offset)
            if (isGap || epoch === undefined) {
              epoch = message.epoch
              offset = message.offset
            }
            const position = { epoch, offset }
            settle(() => (subscribed.value = true))
            if (isGap) tell((sink) => sink.gap(position))
            if (!message.people) return
            meet(message.people, hasPeople)
            hasPeople = true
            return
          }
          case 'event': {
            if (!advance(message.offset) || message.event === undefined || epoch === undefined) return
            const { event, userId, from } = message
            const meta = {
              event,
              epoch,
              offset,
              recovered: offset <= latest,
              from,
              ...(userId !== undefined && { userId }),
            }
            const data = dataOf(message)
            tell((sink) => sink.event(data, meta))
            return
          }
          case 'person': {
            if (!hasPeople) return
            const { person, news } = message
            const others = people.peek().filter(({ id }) => id !== person.id)
            meet(news === 'left' ? others : [...others, person], news !== 'present')
            return
          }
          case 'refused': {
            settle(() => (subscribed.value = false))
            const error = errorOf(message.error)
            tell((sink) => sink.refused(error))
          }
        }
      },
      ended: (sessionId) => {
        const isWhole = subscribed.peek() && offset >= latest
        former = [...(isWhole ? [] : former), sessionId].slice(-MAX_FORMER_SESSIONS)
        settle(() => (subscribed.value = false))
      },
      destroy: () => clearTimeout(timer),
    }
    return entry
  }

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
    settle(() => (sessionId.value = null))
    for (const entry of entries.values()) entry.ended(id)
    for (const id of pending.keys()) settled(id, unknown('the connection was lost before the server answered'))
  }

  return {
    sessionId,
    of: (room) => {
      const entry = entries.get(room) ?? createEntry(room)
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
      if (!transmit?.(frame)) {
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
      settle(() => (sessionId.value = hello.sessionId ?? null))
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
