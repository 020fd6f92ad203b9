import { TuttiError } from './errors.ts'
import type { EventCodec, EventData, EventInput, EventName, EventShape } from './eventSchema.ts'
import { callApart } from './rethrow.ts'
import type { EventMeta, EventPosition, Person, Sink } from './subscription.ts'
import type { Subscriptions } from './subscriptions.ts'

export interface ChannelEvents {
  /**
   * Events were missed, and the server keeps them no more: the client was away for too long, or the server started
   * anew. The next event is the one after this position.
   */
  gap: (position: EventPosition) => void
  /** Someone came: a person, not another tab of one who is there. */
  join: (person: Person) => void
  /**
   * Someone's last connection is gone, for longer than a reconnect takes if it broke. After a restart of the server those
   * who are not back yet have four times as long to come back, without a leave and a join.
   */
  leave: (person: Person) => void
  /** The server does not let this client subscribe. It is asked again after a reconnect. */
  refused: (error: TuttiError) => void
}

export interface TriggerOptions {
  /** Whether to wait until the server has published the event. Default true. */
  ack?: boolean
  /** Milliseconds to wait for that. Default 10,000. */
  timeout?: number
}

type TriggerArguments<E extends EventShape, K extends string> =
  undefined extends EventInput<E, K>
    ? [data?: EventInput<E, K>, options?: TriggerOptions]
    : [data: EventInput<E, K>, options?: TriggerOptions]

type AnyEvent<E extends EventShape> = {
  [K in EventName<E>]: [event: K, data: EventData<E, K>, meta: EventMeta]
}[EventName<E>]

/**
 * The events of a room: named messages that everyone who is there gets at once, in one order, and nobody keeps. A client
 * that was away gets what it missed, as far as the server's history reaches.
 *
 * Anything but `trigger` subscribes, as soon as there is a connection, until all that was bound is unbound again (and,
 * if `members` or `subscribed` was read, until `unsubscribe`).
 */
export interface Channel<E extends EventShape = Record<never, never>> {
  readonly name: string
  /** The server sends the room's events now. Reactive. */
  readonly subscribed: boolean
  /**
   * Who is in the room, each once; the last known while there is no connection. Someone stays in it as long as their
   * `leave` is not told: also while the server waits for whose connection broke, and after a restart of the server,
   * for four times as long, whoever is not back yet. Reactive.
   */
  readonly members: readonly Person[]
  /**
   * Calls `listener` for each event of this name, from others. Data that does not fit the schema is dropped, and the
   * store's `onError` hears of it. Throws `UNKNOWN_KEY` for a name that is not in the schema.
   */
  bind<K extends EventName<E>>(event: K, listener: (data: EventData<E, K>, meta: EventMeta) => void): () => void
  /** Calls `listener` for each event of the schema; without a schema, for each event. */
  bindAll(listener: (...event: AnyEvent<E>) => void): () => void
  /** Returns the function that ends it. */
  on<K extends keyof ChannelEvents>(news: K, listener: ChannelEvents[K]): () => void
  /**
   * Sends an event to everyone else in the room. Resolves once the server has published it; with `ack: false`, once it
   * is handed to the socket. Rejects with a `TuttiError`: before anything is sent, `UNKNOWN_KEY`, `INVALID_VALUE`,
   * `TOO_LARGE`, or `NOT_CONNECTED` (nothing is kept for later); if the server refuses it, with the server's code,
   * such as `RATE_LIMITED`; with `TIMEOUT` if it was sent and not answered.
   */
  trigger<K extends EventName<E>>(event: K, ...data: TriggerArguments<E, K>): Promise<void>
  /** Ends all that was bound here. Binding again subscribes again. */
  unsubscribe(): void
}

export interface ChannelOptions {
  name: string
  codec: EventCodec
  subscriptions: Subscriptions
  /** What to call when the room is left; the channel is in it only while it is in use. */
  ends: Set<() => void>
  /** The room was left: nothing can be bound or sent any more. */
  isLeft(): boolean
  report(error: TuttiError): void
}

/** Takes what its key of `bound` or `listening` goes with. */
type Listener = (...args: never) => void

/** Under this key are those who want every event; those of one event are under its name. */
const ALL = ''

export const createChannel = <E extends EventShape>(options: ChannelOptions): Channel<E> => {
  const { name, codec, subscriptions, ends, isLeft, report } = options
  /** By event, and by news. */
  const bound = new Map<string, Set<Listener>>()
  const listening = new Map<string, Set<Listener>>()
  /** `members` or `subscribed` was read. */
  let isWatched = false
  let detach: (() => void) | undefined

  const call = (listeners: Set<Listener> | undefined, ...args: unknown[]): void => {
    // One that is taken away by one before it is not called any more.
    for (const listener of [...(listeners ?? [])]) {
      if (listeners?.has(listener)) callApart(() => listener(...(args as never)))
    }
  }

  const sink: Sink = {
    event: (raw, meta) => {
      const listeners = bound.get(meta.event)
      const all = bound.get(ALL)
      if (!listeners && !all) return
      try {
        const read = codec.decode(meta.event, raw)
        if (!read) return
        call(listeners, read.data, meta)
        call(all, meta.event, read.data, meta)
      } catch (error) {
        // Only `decode` throws.
        report(error as TuttiError)
      }
    },
    gap: (position) => call(listening.get('gap'), position),
    join: (person) => call(listening.get('join'), person),
    leave: (person) => call(listening.get('leave'), person),
    refused: (error) => {
      if (listening.has('refused')) call(listening.get('refused'), error)
      else report(error)
    },
  }

  const check = (): void => {
    if (isLeft()) throw new TuttiError('DESTROYED', 'this room was left', { hint: 'Connect again.' })
  }
  const attach = (): void => {
    detach ??= subscriptions.of(name).add(sink)
    ends.add(unsubscribe)
  }
  const release = (): void => {
    if (bound.size > 0 || listening.size > 0 || isWatched) return
    detach?.()
    detach = undefined
    ends.delete(unsubscribe)
  }
  const unsubscribe = (): void => {
    bound.clear()
    listening.clear()
    isWatched = false
    release()
  }
  const watched = (): ReturnType<Subscriptions['of']> => {
    if (!isLeft()) {
      isWatched = true
      attach()
    }
    return subscriptions.of(name)
  }

  const listen = (map: Map<string, Set<Listener>>, key: string, listener: Listener): (() => void) => {
    check()
    attach()
    // Its own function, so that one who binds twice unbinds once.
    const own: Listener = (...args) => listener(...args)
    const listeners = map.get(key) ?? new Set()
    map.set(key, listeners.add(own))
    return () => {
      if (!listeners.delete(own) || listeners.size > 0 || map.get(key) !== listeners) return
      map.delete(key)
      release()
    }
  }

  return {
    name,
    get subscribed() {
      return watched().subscribed.value && !isLeft()
    },
    get members() {
      const subscription = watched()
      subscription.wantPeople()
      return subscription.people.value
    },
    bind: (event, listener) => {
      codec.check(event)
      return listen(bound, event, listener)
    },
    bindAll: (listener) => listen(bound, ALL, listener),
    on: (news, listener) => {
      const end = listen(listening, news, listener)
      if (news === 'join' || news === 'leave') subscriptions.of(name).wantPeople()
      return end
    },
    trigger: async (event, ...[data, { ack = true, timeout = 10_000 } = {}]) => {
      check()
      const body = codec.encode(event, data)
      if (!(timeout >= 0)) throw new TuttiError('INVALID_OPTION', `timeout is ${timeout}; expected milliseconds`)
      await subscriptions.trigger({ room: name, event, body, ack }, timeout)
    },
    unsubscribe,
  }
}
