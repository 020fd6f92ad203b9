import { describe, expectTypeOf, test } from 'vitest'
import { WebSocket as NodeWebSocket } from 'ws'
import {
  connect,
  createStore,
  type Member,
  type Room,
  type Store,
  type SyncStatus,
  s,
  type TuttiError,
} from '../../lib/index.ts'

const schema = { title: s.string() }
const person = {
  name: s.string(),
  color: s.literal('red', 'blue').default('red'),
  cursor: s.object({ x: s.number(), y: s.number() }).nullable(),
  tool: s.string().optional(),
}
const store = createStore({ schema })
const place = { url: 'ws://localhost', room: 'a', connect: false } as const
const room = connect(store, { ...place, presence: { schema: person, initial: { name: 'Ada', cursor: null } } })

describe('a room', () => {
  test('knows its store and its presence', () => {
    expectTypeOf(room).toEqualTypeOf<Room<Store<typeof schema>, typeof person>>()
    expectTypeOf(room.store.state.title).toEqualTypeOf<string>()
    expectTypeOf(room.status).toEqualTypeOf<SyncStatus>()
  })

  test('takes the WebSocket of a browser and that of ws', () => {
    connect(store, { ...place, WebSocket })
    connect(store, { ...place, WebSocket: NodeWebSocket })
    // @ts-expect-error a function is no class
    connect(store, { ...place, WebSocket: () => undefined })
  })

  test('has two events', () => {
    room.on('status', (status) => expectTypeOf(status).toEqualTypeOf<SyncStatus>())
    room.on('error', (error) => expectTypeOf(error).toEqualTypeOf<TuttiError>())
    // @ts-expect-error there is no such event
    room.on('close', () => undefined)
  })

  test('needs a url, a room and a store', () => {
    // @ts-expect-error no room
    connect(store, { url: 'ws://localhost' })
    // @ts-expect-error no store
    connect({}, place)
  })
})

describe('presence', () => {
  test('has the types of its schema', () => {
    const { presence } = room
    expectTypeOf(presence.self.name).toEqualTypeOf<string>()
    expectTypeOf(presence.self.color).toEqualTypeOf<'red' | 'blue'>()
    expectTypeOf(presence.self.tool).toEqualTypeOf<string | undefined>()
    expectTypeOf(presence.others[0]!.state.cursor).toEqualTypeOf<{ readonly x: number; readonly y: number } | null>()
    expectTypeOf(presence.other(1)).toEqualTypeOf<Member<typeof presence.self> | undefined>()
    // @ts-expect-error the own state changes by set
    presence.self.name = 'Eve'
  })

  test('takes parts of it', () => {
    const { presence } = room
    presence.set({ cursor: { x: 1, y: 2 }, tool: undefined })
    presence.set({ color: 'blue' })
    // @ts-expect-error no such value
    presence.set({ color: 'green' })
    // @ts-expect-error no such key
    presence.set({ nmae: 'Ada' })
  })

  test('starts whole', () => {
    // @ts-expect-error cursor is missing
    connect(store, { ...place, presence: { schema: person, initial: { name: 'Ada' } } })
    // @ts-expect-error initial is missing
    connect(store, { ...place, presence: { schema: person } })
  })

  test('tells who came, left and changed what', () => {
    room.presence.on('join', (member) => expectTypeOf(member.state.name).toEqualTypeOf<string>())
    room.presence.on('update', (_member, keys) => expectTypeOf(keys).toEqualTypeOf<readonly string[]>())
    // @ts-expect-error there is no such event
    room.presence.on('move', () => undefined)
  })

  test('without a schema shows what comes, and takes nothing', () => {
    const { presence } = connect(store, place)
    expectTypeOf(presence.others[0]!.state.anything).toEqualTypeOf<unknown>()
    // @ts-expect-error nothing can be shown
    presence.set({ name: 'Ada' })
  })
})
