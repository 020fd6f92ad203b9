import { type ErrorCode, TuttiError } from './errors.ts'
import {
  dataOf,
  encodeSubscribe,
  encodeUnsubscribe,
  MAX_FORMER_SESSIONS,
  type ServerEventMessage,
  type WireError,
} from './eventProtocol.ts'
import { batch, type Signal, signal } from './store/reactive.ts'

/** Someone who is in a room, however many tabs they have there. */
export interface Person {
  /**
   * The `id` of the `user` they show as their presence; without one, or with one that is longer than the server takes
   * (128 characters by default), their Yjs client id as text.
   */
  readonly id: string
  /**
   * What else that `user` tells; `null` if nothing. Of someone with several connections, what the longest-standing one
   * that is here tells, and one with the signature of an application before all others.
   */
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

/** Time between the last sink and the end of a subscription, in milliseconds: a component may mount again. */
const GRACE = 250

/**
 * After a restart of the server, how many times its grace the others have to come back: they waited for it, each by a
 * back-off of its own, which may have grown well beyond one grace before the server was there again.
 */
const RETURN_FACTOR = 4

/** A subscription as its connection sees it. */
export interface SubscriptionOwner extends Subscription {
  /** Takes a frame of the server about this room. */
  receive(message: Extract<ServerEventMessage, { room: string }>): void
  /** Asks the server for what comes after what was seen; call whenever there is a connection again. */
  ask(): void
  /** The connection of this id is gone. */
  ended(sessionId: string | null): void
  destroy(): void
}

/** The error that the server tells of. */
export const errorOf = ({ code, message, hint }: WireError): TuttiError =>
  new TuttiError(code as ErrorCode, message, { hint })

/**
 * @param send sends a frame; `false` if there is no connection
 * @param forget called when it has ended for want of a sink
 * @param leaveGrace milliseconds that the server gives whose connection broke to come back
 */
export const createSubscription = (
  room: string,
  send: (frame: Uint8Array) => boolean,
  forget: () => void,
  leaveGrace: () => number,
): SubscriptionOwner => {
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
  /** Were here before the server started anew, and are not back yet. */
  const awaited = new Set<string>()
  let awaiting: ReturnType<typeof setTimeout> | undefined

  const ask = (): void => {
    const sessions = former.filter((id) => id !== null)
    const position = epoch === undefined ? {} : { position: { epoch, offset, former: sessions } }
    isAsking = send(encodeSubscribe({ room, wantsPeople, ...position }))
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
    batch(() => (people.value = now))
    if (!tells) return
    const without = (a: readonly Person[], b: readonly Person[]): Person[] =>
      a.filter(({ id }) => !b.some((person) => person.id === id))
    for (const person of without(before, now)) tell((sink) => sink.leave(person))
    for (const person of without(now, before)) tell((sink) => sink.join(person))
  }
  /** Takes in the server's list. Those who are still awaited stay; `isAnew`: so do all others who are not in it. */
  const meetAll = (listed: readonly Person[], isAnew: boolean): void => {
    const grace = isAnew ? leaveGrace() * RETURN_FACTOR : 0
    for (const { id } of listed) awaited.delete(id)
    const missing = people.peek().filter(({ id }) => !listed.some((person) => person.id === id))
    if (grace > 0 && missing.length > 0) {
      for (const { id } of missing) awaited.add(id)
      clearTimeout(awaiting)
      awaiting = setTimeout(() => {
        const left = new Set(awaited)
        awaited.clear()
        // Without a connection, the next list tells.
        if (subscribed.peek())
          meet(
            people.peek().filter(({ id }) => !left.has(id)),
            true,
          )
      }, grace)
    }
    meet([...listed, ...missing.filter(({ id }) => awaited.has(id))], hasPeople)
    hasPeople = true
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

  const owner: SubscriptionOwner = {
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
          clearTimeout(awaiting)
          forget()
          send(encodeUnsubscribe(room))
        }, GRACE)
      }
    },
    receive: (message) => {
      switch (message.type) {
        case 'subscribed': {
          isAsking = false
          latest = message.latest
          const isAnew = epoch !== undefined && epoch !== message.epoch
          const isGap = isAnew || (epoch !== undefined && offset < message.offset)
          if (isGap || epoch === undefined) {
            epoch = message.epoch
            offset = message.offset
          }
          const position = { epoch, offset }
          batch(() => (subscribed.value = true))
          if (isGap) tell((sink) => sink.gap(position))
          if (message.people) meetAll(message.people, isAnew)
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
          const data = dataOf(message.body)
          tell((sink) => sink.event(data, meta))
          return
        }
        case 'person': {
          if (!hasPeople) return
          const { person, news } = message
          awaited.delete(person.id)
          const others = people.peek().filter(({ id }) => id !== person.id)
          meet(news === 'left' ? others : [...others, person], news !== 'present')
          return
        }
        case 'refused': {
          batch(() => (subscribed.value = false))
          const error = errorOf(message.error)
          tell((sink) => sink.refused(error))
        }
      }
    },
    ended: (sessionId) => {
      const isWhole = subscribed.peek() && offset >= latest
      former = [...(isWhole ? [] : former), sessionId].slice(-MAX_FORMER_SESSIONS)
      batch(() => (subscribed.value = false))
    },
    destroy: () => {
      clearTimeout(timer)
      clearTimeout(awaiting)
    },
  }
  return owner
}
