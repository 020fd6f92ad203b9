import { Awareness } from 'y-protocols/awareness'
import type { Doc } from 'yjs'
import type { BackoffOptions } from './backoff.ts'
import { type Connection, type KnownRoom, openConnection, type WebSocketClass } from './connection.ts'
import { TuttiError } from './errors.ts'
import { type EventCodec, type EventShape, eventCodec } from './eventSchema.ts'
import { type Channel, createChannel } from './events.ts'
import { createPresence, type Presence } from './presence.ts'
import { type Plain, type PresenceShape, presenceCodec } from './presenceSchema.ts'
import { encodeRoomPath, roomNameProblem } from './protocol.ts'
import { callApart } from './rethrow.ts'
import type { SyncStatus } from './status.ts'
import { fail } from './store/failure.ts'
import { internals, type StoreHandle } from './store/internals.ts'
import { effect, untracked } from './store/reactive.ts'
import type { Input, Snapshot } from './store/schema.ts'
import { checkNotDestroyed } from './store/write.ts'
import { createSubscriptions, type Subscriptions } from './subscriptions.ts'

export interface ConnectOptions<PS extends PresenceShape = PresenceShape, E extends EventShape = EventShape> {
  /**
   * The server, as `wss://host/path`; `https:` and, in a browser, an address relative to the page do as well. A query
   * is sent along with every attempt.
   */
  url: string | URL
  /** The room's name, such as `board/42`: 1–255 bytes of UTF-8 with no empty, `.` or `..` segment. */
  room: string
  /** What each client shows of itself while it is here. Default: nothing of its own; others are listed all the same. */
  presence?: {
    schema: PS
    initial: Input<PS>
    /** Milliseconds between two presence messages, at least. Default 50. */
    throttle?: number
  }
  /** The room's events by name, and what each carries. Default: any name, with any JSON or a `Uint8Array`. */
  events?: E
  /** Whether to connect at once. Default true. */
  connect?: boolean
  /** Waits between attempts to reconnect. Default 500 ms, doubling up to 30 s, each with jitter. */
  backoff?: BackoffOptions
  /** Whether tabs of one browser also share changes directly (BroadcastChannel). Default true. */
  tabs?: boolean
  /** The WebSocket class where there is no global one (Node before 22), such as that of the package `ws`. */
  WebSocket?: WebSocketClass
}

export interface RoomEvents {
  /** Some field of `status` changed. */
  status: (status: SyncStatus) => void
  /** `status.error` became this error. */
  error: (error: TuttiError) => void
  /**
   * A back end that gave its name changed the document; the store has the change. For a line such as "Warehouse changed
   * this": told of while connected and up to date only, and once for each part of a large change.
   */
  edit: (edit: { readonly origin: string }) => void
}

/** What members show: without a schema, whatever each of them sends. */
export type StateOf<PS extends PresenceShape> = keyof PS extends never ? Plain : Snapshot<PS>

/** What `presence.set` takes. */
export type PatchOf<PS extends PresenceShape> = keyof PS extends never ? Record<string, never> : Partial<Input<PS>>

/** A store's place in a room: its connection, its status and who else is there. */
export interface Room<
  St extends StoreHandle = StoreHandle,
  PS extends PresenceShape = PresenceShape,
  E extends EventShape = Record<never, never>,
> {
  readonly name: string
  readonly store: St
  /** The same object as `store.status`. */
  readonly status: SyncStatus
  readonly presence: Presence<StateOf<PS>, PatchOf<PS>>
  /** What happens in this room. Nothing is asked of the server until it is used. */
  readonly events: Channel<E>
  /** The events of another room, or of this one with another schema, over the same connection. Throws `INVALID_ROOM`. */
  channel<E extends EventShape = Record<never, never>>(name: string, events?: E): Channel<E>
  /**
   * Names this connection to the server, `null` while there is none. An application sends it along to its own back end,
   * which gives it as `except` so that this client does not get the event that it caused. Reactive.
   */
  readonly sessionId: string | null
  /** Returns the function that ends it; `leave` ends it as well. */
  on<K extends keyof RoomEvents>(event: K, listener: RoomEvents[K]): () => void
  /** Connects; while waiting to reconnect, tries at once; after `denied`, tries again. Throws `DESTROYED` once left. */
  connect(): void
  /** Closes the connection until `connect`; presence of others is forgotten, changes are kept. */
  disconnect(): void
  /**
   * Gives this room back. When all who called `connect` for it have, the connection closes after a moment, so that a
   * component that unmounts and mounts again keeps it. Calling it twice does nothing.
   */
  leave(): void
  /**
   * Leaves and deletes the document's copy on this device (`persist`), as after `ROOM_GONE`. What the server did not
   * acknowledge is lost. The store goes on without a room; make a new one to come back.
   */
  reset(): Promise<void>
}

/** Time between the last `leave` and the end of the connection, in milliseconds. */
const GRACE = 250

/** A store's room, and what is kept of it between two connections. */
interface Place {
  readonly room: string
  readonly known: KnownRoom
  core: Core | undefined
}

/** What those share who connected one store. */
interface Core {
  readonly address: string
  readonly presence: Presence
  readonly subscriptions: Subscriptions
  readonly editListeners: Set<RoomEvents['edit']>
  holders: number
  graceTimer: ReturnType<typeof setTimeout> | undefined
  connect(): void
  disconnect(): void
  close(): void
}

const places = new WeakMap<StoreHandle, Place>()

const parseAddress = (url: string | URL): URL => {
  let address: URL | undefined
  try {
    // Only in a browser is there a page to be relative to.
    address = new URL(url, globalThis.location?.href)
    address.protocol = address.protocol.replace('http', 'ws')
    address.hash = ''
  } catch (error) {
    if (!(error instanceof TypeError)) throw error
  }
  if (address !== undefined && /^wss?:$/.test(address.protocol)) return address
  throw new TuttiError('UNSUPPORTED', `"${url}" is no address of a server`, { hint: 'Such is ws://localhost:1234.' })
}

const parseMilliseconds = (options: Readonly<Record<string, number | undefined>>): void => {
  for (const [name, value = 0] of Object.entries(options)) {
    if (!(value >= 0 && value < Number.POSITIVE_INFINITY)) {
      fail('INVALID_OPTION', [], `${name} is ${value}; expected milliseconds`)
    }
  }
}

/**
 * An `Awareness` that leaves nothing behind on its document: the class adds a `destroy` listener there that no one can
 * take away. Whoever makes one here destroys it.
 */
const createAwareness = (doc: Doc): Awareness => {
  const awareness = new Awareness(Object.create(doc, { on: { value: () => undefined } }) as Doc)
  awareness.doc = doc
  return awareness
}

const createCore = (store: StoreHandle, place: Place, address: URL, options: ConnectOptions): Core => {
  const { onDestroy, report } = internals(store)
  const { schema, initial = {}, throttle = 50 } = options.presence ?? {}
  const codec = presenceCodec(schema)
  const own = codec.start(initial)
  // Runs a timer from here on: nothing may throw any more.
  const awareness = createAwareness(store.doc)
  const { presence, stop } = createPresence({ codec, own, throttle, awareness })
  const subscriptions = createSubscriptions(report)
  const editListeners: Core['editListeners'] = new Set()
  const edited = (origin: string): void => {
    for (const listener of editListeners) callApart(() => listener({ origin }))
  }
  let connection: Connection | undefined
  const core: Core = {
    address: address.href,
    presence,
    subscriptions,
    editListeners,
    holders: 0,
    graceTimer: undefined,
    connect: () => {
      const WebSocket = options.WebSocket ?? (globalThis.WebSocket as WebSocketClass | undefined)
      if (WebSocket === undefined) {
        report(
          new TuttiError('UNSUPPORTED', 'there is no WebSocket here', {
            hint: 'On Node before 22 install ws and give connect its class as the option WebSocket.',
          }),
        )
        return
      }
      const { backoff, tabs = true } = options
      const path = encodeRoomPath(place.room)
      const { known } = place
      const events = subscriptions
      connection ??= openConnection({
        store,
        address,
        path,
        awareness,
        events,
        edited,
        known,
        WebSocket,
        tabs,
        backoff,
      })
      connection.connect()
    },
    disconnect: () => connection?.disconnect(),
    close: () => {
      clearTimeout(core.graceTimer)
      forget()
      place.core = undefined
      stop()
      connection?.destroy()
      subscriptions.destroy()
      awareness.destroy()
    },
  }
  const forget = onDestroy(core.close)
  place.core = core
  return core
}

/** Calls `listener` after each change of what `read` reads, from the next one on. */
const watch = (read: () => unknown, listener: () => void): (() => void) => {
  let isFirst = true
  return effect(() => {
    read()
    if (isFirst) isFirst = false
    else callApart(() => untracked(listener))
  })
}

const checkRoomName = (room: unknown): void => {
  const problem = typeof room === 'string' ? roomNameProblem(room) : 'it is no string'
  if (problem !== undefined) {
    throw new TuttiError('INVALID_ROOM', `"${room}" is no name of a room: ${problem}`, { hint: 'Such is board/42.' })
  }
}

/** One caller's hold on a core. */
const hold = <St extends StoreHandle, PS extends PresenceShape, E extends EventShape>(
  store: St,
  place: Place,
  core: Core,
  codec: EventCodec,
): Room<St, PS, E> => {
  const { status } = store
  const ends = new Set<() => void>()
  let isLeft = false
  core.holders++
  clearTimeout(core.graceTimer)

  const leave = (): void => {
    if (isLeft) return
    isLeft = true
    for (const end of ends) end()
    core.holders--
    if (core.holders === 0 && place.core === core) core.graceTimer = setTimeout(core.close, GRACE)
  }
  const isGone = (): boolean => isLeft || place.core !== core
  const channelOf = <E extends EventShape>(name: string, codec: EventCodec): Channel<E> => {
    const { subscriptions } = core
    return createChannel({ name, codec, subscriptions, ends, isLeft: isGone, report: internals(store).report })
  }
  const held = (): Core => {
    if (!isGone()) return core
    throw new TuttiError('DESTROYED', `the room "${place.room}" was left`, { hint: 'Call connect(store, …) again.' })
  }
  const listen = ({ edit, error, status: changed }: Partial<RoomEvents>): (() => void) => {
    if (edit) {
      // The same function may listen twice.
      const listener: RoomEvents['edit'] = (told) => edit(told)
      core.editListeners.add(listener)
      return () => core.editListeners.delete(listener)
    }
    return error === undefined
      ? watch(
          () => Object.values(status),
          () => changed?.(status),
        )
      : watch(
          () => status.error,
          () => status.error && error(status.error),
        )
  }

  return {
    name: place.room,
    store,
    status,
    // The core was made with this caller's schema, or with that of the one who came first.
    presence: core.presence as unknown as Room<St, PS>['presence'],
    events: channelOf(place.room, codec),
    channel: (name, events) => {
      checkRoomName(name)
      return channelOf(name, eventCodec(events))
    },
    get sessionId() {
      return core.subscriptions.sessionId.value
    },
    on: (event, listener) => {
      held()
      const stop = listen({ [event]: listener })
      const end = (): void => {
        stop()
        ends.delete(end)
      }
      ends.add(end)
      return end
    },
    connect: () => held().connect(),
    disconnect: () => held().disconnect(),
    leave,
    reset: async () => {
      leave()
      if (place.core === core) core.close()
      await store.whenReady()
      await internals(store).persistence?.clear()
    },
  }
}

/**
 * Connects a store to a room and keeps it connected.
 *
 * ```ts
 * const room = connect(store, { url: 'wss://example.org', room: 'board/42' })
 * ```
 *
 * A second call for the same store, url and room shares the first one's connection and its options; each caller leaves
 * on its own. A store has one room for its life: documents are not carried from room to room.
 *
 * Where there is no WebSocket (Node before 22) the room stays `idle` with the error `UNSUPPORTED` in `status.error`, so
 * that a page that is rendered on a server does not fail; pass the option `WebSocket` there to connect.
 *
 * A server that is not Tutti's (any y-websocket server) syncs too. It acknowledges nothing, so `unsyncedChanges` never
 * falls there, and `status.synced` is what remains.
 *
 * Throws `INVALID_ROOM`, `UNSUPPORTED` for a url that is none, `INVALID_OPTION`, `INVALID_SCHEMA` or `INVALID_VALUE` for
 * the presence, `DESTROYED` for a store that was destroyed.
 */
export const connect = <
  St extends StoreHandle,
  const PS extends PresenceShape = Record<never, never>,
  const E extends EventShape = Record<never, never>,
>(
  store: St,
  options: ConnectOptions<PS, E>,
): Room<St, PS, E> => {
  const { room, presence, backoff } = options
  const { graph, status } = internals(store)
  checkNotDestroyed(graph)
  checkRoomName(room)
  const address = parseAddress(options.url)
  parseMilliseconds({
    'presence.throttle': presence?.throttle,
    'backoff.min': backoff?.min,
    'backoff.max': backoff?.max,
  })

  const codec = eventCodec(options.events)
  const place = places.get(store) ?? { room, known: {}, core: undefined }
  const clash =
    place.room !== room
      ? `the room "${place.room}"`
      : place.core?.holders && place.core.address !== address.href
        ? `the connection to ${place.core.address}`
        : undefined
  if (clash !== undefined) {
    throw new TuttiError('INVALID_OPTION', `this store has ${clash}`, { hint: 'Leave it, or make another store.' })
  }
  if (place.core?.address !== address.href) place.core?.close()
  // A core does not know the type of its schema.
  const core = place.core ?? createCore(store, place, address, options as unknown as ConnectOptions)
  places.set(store, place)
  const held = hold<St, PS, E>(store, place, core, codec)
  const connection = status.connection.peek()
  if (options.connect !== false && (connection === 'idle' || connection === 'disconnected')) core.connect()
  return held
}
