import { Awareness } from 'y-protocols/awareness'
import type { Doc } from 'yjs'
import type { BackoffOptions } from './backoff.ts'
import { type Connection, type KnownRoom, openConnection, type WebSocketClass } from './connection.ts'
import { TuttiError } from './errors.ts'
import { createPresence, type Presence } from './presence.ts'
import { type PresenceShape, presenceCodec } from './presenceSchema.ts'
import { encodeRoomPath, roomNameProblem } from './protocol.ts'
import { rethrow } from './rethrow.ts'
import type { SyncStatus } from './status.ts'
import { internals, type StoreHandle } from './store/internals.ts'
import { effect, untracked } from './store/reactive.ts'
import type { Input, Snapshot } from './store/schema.ts'

export interface ConnectOptions<PS extends PresenceShape = PresenceShape> {
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
}

/** A store's place in a room: its connection, its status and who else is there. */
export interface Room<St extends StoreHandle = StoreHandle, PS extends PresenceShape = PresenceShape> {
  readonly name: string
  readonly store: St
  /** The same object as `store.status`. */
  readonly status: SyncStatus
  readonly presence: Presence<Snapshot<PS>, Partial<Input<PS>>>
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

/** What the `Room`s of one store share. */
interface Core {
  readonly room: string
  readonly address: string
  readonly presence: Presence
  holders: number
  connect(): void
  disconnect(): void
  close(): void
  graceTimer: ReturnType<typeof setTimeout> | undefined
}

/** What a store remembers of its room when it leaves it. */
interface Place {
  readonly room: string
  core: Core | undefined
  readonly known: KnownRoom
}

const places = new WeakMap<StoreHandle, Place>()

const PROTOCOLS: Readonly<Record<string, string>> = { 'ws:': 'ws:', 'wss:': 'wss:', 'http:': 'ws:', 'https:': 'wss:' }

const parseAddress = (url: string | URL): URL => {
  let address: URL
  try {
    // There is a page to be relative to only in a browser.
    address = new URL(url, (globalThis as { location?: Location }).location?.href)
  } catch (cause) {
    throw new TuttiError('UNSUPPORTED', `The url "${url}" is not an address`, { cause, hint: 'Write ws://host:port.' })
  }
  const protocol = PROTOCOLS[address.protocol]
  if (protocol === undefined) {
    throw new TuttiError('UNSUPPORTED', `The url "${url}" is not one of ws:, wss:, http: or https:`, {
      hint: `Did you mean ws://${url}?`,
    })
  }
  address.protocol = protocol
  address.hash = ''
  return address
}

const parseNumber = (name: string, value: number | undefined): void => {
  if (value === undefined || (Number.isFinite(value) && value >= 0)) return
  throw new TuttiError('INVALID_OPTION', `${name} is ${value}; expected milliseconds, 0 or more`)
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

const createCore = (place: Place, store: StoreHandle, address: URL, options: ConnectOptions): Core => {
  const { onDestroy, report } = internals(store)
  const awareness = createAwareness(store.doc)
  const { presence, stop } = createPresence({
    codec: presenceCodec(options.presence?.schema),
    initial: options.presence?.initial ?? {},
    throttle: options.presence?.throttle ?? 50,
    awareness,
  })
  let connection: Connection | undefined
  const core: Core = {
    room: place.room,
    address: address.href,
    presence,
    holders: 0,
    graceTimer: undefined,
    connect: () => {
      const WebSocket = options.WebSocket ?? (globalThis as { WebSocket?: WebSocketClass }).WebSocket
      if (WebSocket === undefined) {
        report(
          new TuttiError('UNSUPPORTED', 'There is no WebSocket here', {
            hint: "On Node before 22, pass one: connect(store, { …, WebSocket }) with import WebSocket from 'ws'.",
          }),
        )
        return
      }
      connection ??= openConnection({
        store,
        server: `${address.origin}${address.pathname}`,
        params: Object.fromEntries(address.searchParams),
        path: encodeRoomPath(place.room),
        awareness,
        known: place.known,
        WebSocket,
        tabs: options.tabs ?? true,
        backoff: options.backoff,
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
      awareness.destroy()
    },
  }
  const forget = onDestroy(core.close)
  place.core = core
  return core
}

/** One caller's hold on a core. */
const hold = <St extends StoreHandle, PS extends PresenceShape>(store: St, place: Place, core: Core): Room<St, PS> => {
  const { persistence } = internals(store)
  const ends = new Set<() => void>()
  let left = false
  core.holders++
  clearTimeout(core.graceTimer)

  const leave = (): void => {
    if (left) return
    left = true
    for (const end of ends) end()
    core.holders--
    if (core.holders === 0 && place.core === core) core.graceTimer = setTimeout(core.close, GRACE)
  }
  const check = (): void => {
    if (left || place.core !== core) {
      throw new TuttiError('DESTROYED', `The room "${core.room}" was left`, { hint: 'Call connect(store, …) again.' })
    }
  }
  /** Runs `listener` on each change that `read` sees, from the next one on. */
  const watch = (read: () => unknown, listener: () => void): (() => void) => {
    let first = true
    return effect(() => {
      read()
      if (first) first = false
      else {
        untracked(() => {
          try {
            listener()
          } catch (error) {
            rethrow(error)
          }
        })
      }
    })
  }

  return {
    name: core.room,
    store,
    status: store.status,
    // The core was made with this caller's schema, or with that of the one who came first.
    presence: core.presence as unknown as Room<St, PS>['presence'],
    on: (event, listener) => {
      check()
      const { status } = store
      const stop =
        event === 'error'
          ? watch(
              () => status.error,
              () => {
                if (status.error !== null) (listener as RoomEvents['error'])(status.error)
              },
            )
          : watch(
              () => Object.values(status),
              () => (listener as RoomEvents['status'])(status),
            )
      const end = (): void => {
        stop()
        ends.delete(end)
      }
      ends.add(end)
      return end
    },
    connect: () => {
      check()
      core.connect()
    },
    disconnect: () => {
      check()
      core.disconnect()
    },
    leave,
    reset: async () => {
      leave()
      if (place.core === core) core.close()
      await persistence?.clear()
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
export const connect = <St extends StoreHandle, const PS extends PresenceShape = Record<never, never>>(
  store: St,
  options: ConnectOptions<PS>,
): Room<St, PS> => {
  const { room } = options
  if (internals(store).destroyed) throw new TuttiError('DESTROYED', 'This store was destroyed')
  const problem = typeof room === 'string' ? roomNameProblem(room) : `it is of type ${typeof room}`
  if (problem !== undefined) {
    throw new TuttiError('INVALID_ROOM', `"${room}" is not a room name: ${problem}`, {
      hint: 'Expected 1–255 bytes of UTF-8, such as board/42.',
    })
  }
  const address = parseAddress(options.url)
  parseNumber('presence.throttle', options.presence?.throttle)
  parseNumber('backoff.min', options.backoff?.min)
  parseNumber('backoff.max', options.backoff?.max)

  const place = places.get(store) ?? { room, core: undefined, known: {} }
  if (place.room !== room) {
    throw new TuttiError('INVALID_OPTION', `This store belongs to the room "${place.room}", not "${room}"`, {
      hint: 'Make a store for each room.',
    })
  }
  places.set(store, place)
  if (place.core !== undefined && place.core.address !== address.href) {
    if (place.core.holders > 0) {
      throw new TuttiError('INVALID_OPTION', `This store is connected by ${place.core.address}, not ${address.href}`, {
        hint: 'Leave that room first.',
      })
    }
    place.core.close()
  }
  const core = place.core ?? createCore(place, store, address, options as unknown as ConnectOptions)
  const held = hold<St, PS>(store, place, core)
  const connection = internals(store).status.connection.peek()
  if (options.connect !== false && (connection === 'idle' || connection === 'disconnected')) core.connect()
  return held
}
