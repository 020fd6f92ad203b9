import { describe, expectTypeOf, test } from 'vitest'
import type * as Y from 'yjs'
import {
  createStore,
  type Input,
  type Live,
  type LiveList,
  type LiveRecord,
  type LiveText,
  type Snapshot,
  type Store,
  s,
} from '../../lib/index.ts'

interface Point {
  x: number
  y: number
}

const note = {
  id: s.id(),
  title: s.string(),
  level: s.literal('low', 'high').default('low'),
  done: s.boolean().default(false),
  due: s.date().optional(),
  parent: s.string().nullable(),
  tags: s.list(s.string()),
  body: s.text(),
  at: s.json<Point>().optional(),
  y: s.number().default(0),
}
const schema = {
  todos: s.list(s.object(note)),
  notes: s.record(s.object(note)),
  settings: s.object({ theme: s.literal('light', 'dark', 3, true).optional(), raw: s.bytes().optional() }),
  letter: s.text(),
  count: s.number().default(0),
  name: s.string().optional(),
  grid: s.list(s.list(s.number())),
}
declare const store: Store<typeof schema>
const { state } = store

describe('what must compile', () => {
  test('reading gives the types of the schema', () => {
    expectTypeOf(createStore({ schema })).toEqualTypeOf(store)
    expectTypeOf(state.count).toEqualTypeOf<number>()
    expectTypeOf(state.name).toEqualTypeOf<string | undefined>()
    expectTypeOf(state.letter).toEqualTypeOf<LiveText>()
    expectTypeOf(state.settings.theme).toEqualTypeOf<'light' | 'dark' | 3 | true | undefined>()
    expectTypeOf(state.settings.raw).toEqualTypeOf<Uint8Array | undefined>()
    const [row] = state.todos
    expectTypeOf(row).toEqualTypeOf<Live<typeof note> | undefined>()
    expectTypeOf(row!.id).toEqualTypeOf<string>()
    expectTypeOf(row!.level).toEqualTypeOf<'low' | 'high'>()
    expectTypeOf(row!.due).toEqualTypeOf<Date | undefined>()
    expectTypeOf(row!.parent).toEqualTypeOf<string | null>()
    expectTypeOf(row!.at).toEqualTypeOf<Point | undefined>()
    expectTypeOf(row!.y).toEqualTypeOf<number>()
    expectTypeOf(row!.tags).toEqualTypeOf<LiveList<string, string, string>>()
    expectTypeOf(row!.body.y).toEqualTypeOf<Y.Text>()
    expectTypeOf(state.notes.get('n')).toEqualTypeOf<Live<typeof note> | undefined>()
    expectTypeOf(state.notes).toEqualTypeOf<LiveRecord<Live<typeof note>, Input<typeof note>, Snapshot<typeof note>>>()
    expectTypeOf(state.grid[0]![0]).toEqualTypeOf<number | undefined>()
    expectTypeOf(state.todos.map((each) => each.title)).toEqualTypeOf<string[]>()
  })

  test('writing takes values, live values and snapshots', () => {
    state.count = 5
    state.name = undefined
    state.settings = { theme: 'dark' }
    state.todos.push({ title: 'x', parent: null })
    state.todos.push({ title: 'x', parent: null, due: undefined, tags: ['t'], body: 'text', at: { x: 1, y: 2 } })
    state.todos.push(state.todos[0]!, ...state.todos.splice(0, 1))
    state.todos.set(0, store.snapshot().todos[0]!)
    state.todos[0]!.title = 'y'
    state.todos[0]!.due = undefined
    state.todos.replace(state.todos.filter((each) => !each.done))
    state.grid.push([1, 2], state.grid[0]!)
    const id: string = state.notes.add({ title: 'x', parent: 'p' })
    state.notes.set(id, state.todos[0]!)
    expectTypeOf(state.notes.sorted('y')).toEqualTypeOf<Live<typeof note>[]>()
    expectTypeOf(state.notes.sorted((each) => each.title)).toEqualTypeOf<Live<typeof note>[]>()
  })

  test('transact, select, effect, snapshot and seed infer', () => {
    expectTypeOf(store.transact((each) => each.count)).toEqualTypeOf<number>()
    expectTypeOf(store.select((each) => each.todos.length).value).toEqualTypeOf<number>()
    store.effect(() => () => undefined)
    store.effect(() => {
      void state.count
    })
    expectTypeOf(store.snapshot()).toEqualTypeOf<Snapshot<typeof schema>>()
    const snapshot = store.snapshot()
    expectTypeOf(snapshot.todos[0]!.tags).toEqualTypeOf<readonly string[]>()
    expectTypeOf(snapshot.notes.n!.body).toEqualTypeOf<string>()
    expectTypeOf(snapshot.letter).toEqualTypeOf<string>()
    expectTypeOf(store.snapshot(state.todos[0]!.tags)).toEqualTypeOf<readonly string[]>()
    expectTypeOf(store.snapshot(state.letter)).toEqualTypeOf<string>()
    expectTypeOf(store.snapshot(state.notes)).toEqualTypeOf<Readonly<Record<string, Snapshot<typeof note>>>>()
    expectTypeOf(store.seed((each) => each.todos.clear())).toEqualTypeOf<Promise<boolean>>()
  })

  test('a store of any schema fits where any store does', () => {
    const take = (each: Store<typeof schema>): string => each.status.connection
    expectTypeOf(take).toBeCallableWith(store)
  })
})

describe('what must not compile', () => {
  test('unknown names and wrong types', () => {
    // @ts-expect-error unknown root
    state.cuont = 1
    // @ts-expect-error unknown field
    void state.todos[0]!.titel
    // @ts-expect-error wrong type
    state.count = '5'
    // @ts-expect-error not one of the literals
    state.todos[0]!.level = 'medium'
    // @ts-expect-error not optional
    state.todos[0]!.title = undefined
    // @ts-expect-error not nullable
    state.name = null
    // @ts-expect-error a Date is asked for
    state.todos[0]!.due = 5
    // @ts-expect-error of another JSON type
    state.todos[0]!.at = { x: 1 }
  })

  test('new values that lack a field, have one too many, or a wrong one', () => {
    // @ts-expect-error parent is missing
    state.todos.push({ title: 'x' })
    // @ts-expect-error unknown field
    state.todos.push({ title: 'x', parent: null, duee: new Date() })
    // @ts-expect-error wrong type of a field
    state.notes.add({ title: 5, parent: null })
    // @ts-expect-error wrong type of an item
    state.grid.push(['1'])
    // @ts-expect-error no text
    state.letter.insert(0, 5)
  })

  test('lists are no mutable arrays', () => {
    // @ts-expect-error an index is written by set
    state.todos[0] = state.todos[1]!
    // @ts-expect-error there is no sort in place
    state.todos.sort()
    // @ts-expect-error length is read only
    state.todos.length = 0
  })

  test('snapshots are read only', () => {
    const snapshot = store.snapshot()
    // @ts-expect-error read only
    snapshot.count = 1
    // @ts-expect-error read only
    snapshot.todos[0]!.title = 'x'
    // @ts-expect-error read only
    snapshot.todos.push(snapshot.todos[0]!)
  })

  test('defaults and options fit', () => {
    // @ts-expect-error a number is asked for
    s.number().default('x')
    // @ts-expect-error not one of the literals
    s.literal('a', 'b').default('c')
    // @ts-expect-error a list has no default
    s.list(s.string()).default([])
    // @ts-expect-error a literal needs values
    s.literal()
    // @ts-expect-error no schema
    createStore({ schema: { a: String } })
    // @ts-expect-error unknown scope
    createStore({ schema, undo: { scope: ['todo'] } })
    // @ts-expect-error unknown field to sort by
    state.notes.sorted('titel')
  })
})
