/** Rooms of real clients for the tests of events. */
import { afterEach, vi } from 'vitest'
import { WebSocket } from 'ws'
import { createStore, type EventMeta, type EventShape, s, type TuttiError } from '../../lib/index.ts'
import { type ConnectOptions, connect } from '../../lib/room.ts'
import type { NewEvent } from '../../server/contracts.ts'
import type { CreateServerOptions, Server } from '../../server/index.ts'
import type { Channels } from '../../server/room/channels.ts'
import { startServer } from './testServer.ts'

/** The channels of the servers that were started, in order. */
const made = vi.hoisted(() => [] as Channels[])
vi.mock('../../server/room/channels.ts', async (original) => {
  const module = await original<typeof import('../../server/room/channels.ts')>()
  return {
    ...module,
    createChannels: (...given: Parameters<typeof module.createChannels>) => {
      const channels = module.createChannels(...given)
      made.push(channels)
      return channels
    },
  }
})

export interface EventServer {
  readonly server: Server
  readonly url: string
  /** Where every door publishes. */
  readonly channels: Channels
  /** Publishes as a back end does. */
  push(room: string, event: string, more?: Partial<NewEvent>): void
}

/** A server, and a way to its channels. */
export const startEventServer = async (options?: CreateServerOptions): Promise<EventServer> => {
  const started = await startServer(options)
  const channels = made.at(-1)
  if (!channels) throw new Error('the server made no channels')
  return {
    ...started,
    channels,
    push: (room, event, more) => {
      channels.trigger(room, { event, body: 'null', from: 'server', ...more })
    },
  }
}

const ends: (() => void)[] = []

afterEach(() => {
  for (const end of ends.splice(0)) end()
})

/** Waits until `test` holds. */
export const until = (test: () => boolean): Promise<void> =>
  vi.waitFor(
    () => {
      if (!test()) throw new Error(`not yet: ${test}`)
    },
    { timeout: 15_000, interval: 5 },
  )

export interface Heard {
  readonly event: string
  readonly data: unknown
  readonly meta: EventMeta
}

/** Options that a test may give; the address and what is the same for all are given here. */
export type JoinOptions<E extends EventShape> = Omit<ConnectOptions, 'url' | 'presence' | 'events'> & {
  /** The id of the user that is shown. */
  user?: string
  events?: E
}

/** A store in a room, what its store complained of, and its sockets, to cut and to stop. */
export const join = <E extends EventShape = Record<never, never>>(
  url: string,
  { user, room: name, events, ...options }: JoinOptions<E>,
) => {
  const errors: TuttiError[] = []
  const sockets: WebSocket[] = []
  class Socket extends WebSocket {
    constructor(...given: ConstructorParameters<typeof WebSocket>) {
      super(...given)
      sockets.push(this)
    }
  }
  const store = createStore({ schema: { title: s.string().default('') }, onError: (error) => errors.push(error) })
  ends.push(() => store.destroy())
  const room = connect(store, {
    url,
    room: name,
    WebSocket: Socket,
    tabs: false,
    backoff: { min: 5, max: 20 },
    presence: {
      schema: { user: s.json<{ id: string }>().optional() },
      initial: user === undefined ? {} : { user: { id: user } },
    },
    ...(events !== undefined && { events }),
    ...options,
  })
  return {
    room,
    store,
    errors,
    sockets,
    /** Cuts the connection without a word; it comes back by itself. */
    cut: (): void => sockets.at(-1)?.terminate(),
  }
}

/** A room whose events are being received and noted. */
export const joinEvents = async (url: string, options: JoinOptions<Record<never, never>>) => {
  const joined = join(url, options)
  const { events } = joined.room
  const heard: Heard[] = []
  const gaps: { offset: number; after: number }[] = []
  events.bindAll((event, data, meta) => heard.push({ event, data, meta }))
  events.on('gap', ({ offset }) => gaps.push({ offset, after: heard.length }))
  await until(() => events.subscribed)
  /** Cuts the connection; resolves as soon as this client knows, before it can come back. */
  const lose = (): Promise<void> =>
    new Promise((resolve) => {
      const stop = joined.store.effect(() => {
        if (!events.subscribed) resolve()
      })
      joined.cut()
      ends.push(stop)
    })
  return { ...joined, events, heard, gaps, lose, offsets: () => heard.map(({ meta }) => meta.offset) }
}
