/** Rooms of real clients for the tests of events. */
import { afterEach, vi } from 'vitest'
import { WebSocket } from 'ws'
import { createStore, type EventMeta, s, type TuttiError } from '../../lib/index.ts'
import { type ConnectOptions, connect } from '../../lib/room.ts'

const ends: (() => void)[] = []

afterEach(() => {
  for (const end of ends.splice(0)) end()
})

export const until = <T>(test: () => T | Promise<T>): Promise<T> => vi.waitFor(test, { timeout: 10_000, interval: 5 })

/** Waits until `test` holds. */
export const untilTrue = (test: () => boolean): Promise<void> =>
  until(() => {
    if (!test()) throw new Error(`not yet: ${test}`)
  })

const schema = { title: s.string().default('') }

/** Options without those that every test gives. */
export type JoinOptions = Omit<ConnectOptions, 'url' | 'presence' | 'events'> & { user?: string; room: string }

/** A store in a room, and what its store complained of. */
export const join = (url: string, { user, ...options }: JoinOptions) => {
  const errors: TuttiError[] = []
  const store = createStore({ schema, onError: (error) => errors.push(error) })
  ends.push(() => store.destroy())
  const room = connect(store, {
    url,
    WebSocket,
    tabs: false,
    backoff: { min: 5, max: 20 },
    ...(user !== undefined && {
      presence: { schema: { user: s.json<{ id: string }>() }, initial: { user: { id: user } } },
    }),
    ...options,
  })
  return { room, store, errors }
}

/** A room whose events are being received. */
export const joinEvents = async (url: string, options: JoinOptions) => {
  const joined = join(url, options)
  const heard: { event: string; data: unknown; meta: EventMeta }[] = []
  joined.room.events.bindAll((event, data, meta) => heard.push({ event, data, meta }))
  await untilTrue(() => joined.room.events.subscribed)
  return { ...joined, heard, events: joined.room.events }
}
