import { describe, expect, test } from 'vitest'
import * as Y from 'yjs'
import { createStore, s } from '../../lib/index.ts'
import { internals } from '../../lib/store/internals.ts'
import { NODE } from '../../lib/store/live.ts'
import type { Node } from '../../lib/store/schema.ts'
import { editDocument } from '../../lib/store/state.ts'
import { createPeers } from './peers.ts'

const todo = s.object({
  id: s.id(),
  title: s.string(),
  done: s.boolean().default(false),
  due: s.date().optional(),
  tags: s.list(s.string()),
  body: s.text(),
})
const note = s.object({ id: s.id(), title: s.string(), order: s.string().default('a0'), x: s.number().default(0) })
const schema = {
  todos: s.list(todo),
  notes: s.record(note),
  settings: s.object({
    theme: s.literal('light', 'dark').default('light'),
    bar: s.object({ open: s.boolean() }).optional(),
  }),
  letter: s.text(),
  count: s.number().default(0),
  owner: s.string().optional(),
  meta: s.json().optional(),
}

/** Names of the events that something listens to. */
const listened = (doc: Y.Doc): string[] =>
  [...doc._observers].flatMap(([name, listeners]: [string, Set<unknown>]) => Array.from(listeners, () => name)).sort()

describe('state', () => {
  test('is read and written as plain objects are', () => {
    const { state } = createStore({ schema })
    state.todos.push({ title: 'first' }, { title: 'second', tags: ['x', 'y'], body: 'hello', due: new Date(5) })
    state.todos[0]!.title = 'FIRST'
    state.todos[0]!.done = true
    state.count += 2
    state.owner = 'me'
    state.settings.theme = 'dark'
    state.letter.insert(0, 'Dear')
    expect(state.todos.map((each) => [each.title, each.done, each.due?.getTime()])).toEqual([
      ['FIRST', true, undefined],
      ['second', false, 5],
    ])
    expect([...state.todos[1]!.tags]).toEqual(['x', 'y'])
    expect(state.todos[1]!.body.toString()).toBe('hello')
    expect([state.count, state.owner, state.settings.theme, String(state.letter)]).toEqual([2, 'me', 'dark', 'Dear'])
    delete state.owner
    expect(state.owner).toBeUndefined()
    expect('owner' in state).toBe(false)
  })

  test('keeps collections as top-level Yjs types and scalars in the root map with the empty name', () => {
    const { state, doc } = createStore({ schema })
    state.todos.push({ title: 't' })
    state.notes.set('n', { title: 'n' })
    state.count = 1
    state.settings.theme = 'dark'
    expect([...doc.share.keys()].sort()).toEqual(['', 'letter', 'notes', 'settings', 'todos'])
    expect(doc.getMap('').toJSON()).toEqual({ count: 1 })
    expect(doc.getMap('settings').toJSON()).toEqual({ theme: 'dark' })
    expect(doc.getArray('todos').length).toBe(1)
  })

  test('computes defaults when read and never writes them', () => {
    const { state, doc } = createStore({ schema })
    expect([state.count, state.settings.theme]).toEqual([0, 'light'])
    state.notes.set('n', { title: 'n' })
    expect(state.notes.get('n')!.x).toBe(0)
    expect(doc.getMap('notes').toJSON()).toEqual({ n: { id: 'n', title: 'n' } })
  })

  test('objects spread, list their keys and turn to JSON as plain ones do', () => {
    const { state } = createStore({ schema })
    state.notes.set('n', { title: 'n', x: 3 })
    const live = state.notes.get('n')!
    expect({ ...live }).toEqual({ id: 'n', title: 'n', order: 'a0', x: 3 })
    expect(Object.keys(live)).toEqual(['id', 'title', 'order', 'x'])
    expect(JSON.stringify(live)).toBe('{"id":"n","title":"n","order":"a0","x":3}')
    expect(live).toEqual({ id: 'n', title: 'n', order: 'a0', x: 3 })
    Object.assign(live, { title: 'other', x: 4 })
    expect(live).toMatchObject({ title: 'other', x: 4 })
    expect(Object.hasOwn(live, 'title')).toBe(true)
  })

  test('nested containers come with their parent, also for a peer', () => {
    const { a, b } = createPeers(schema)
    a.state.todos.push({ title: 't' })
    b.state.todos[0]!.tags.push('from b')
    a.state.todos[0]!.tags.push('from a')
    expect(b.snapshot().todos[0]!.tags).toEqual(['from b', 'from a'])
  })

  test('lists of dates have the keys of arrays', () => {
    const store = createStore({ schema: { days: s.list(s.date()) } })
    store.state.days.push(...Array.from({ length: 2000 }, (_, i) => new Date(i)))
    const { days } = store.state
    expect(Object.keys(days)).toHaveLength(2000)
    expect({ ...days }[1999 as never]).toEqual(new Date(1999))
    expect([1999 in days, 2000 in days, 'map' in days]).toEqual([true, false, true])
  })

  test('bytes may be a Buffer, and share nothing with it', () => {
    const { a, b } = createPeers({ raw: s.bytes().default(Buffer.from([7])) })
    ;(a.state.raw as Uint8Array)[0] = 9
    expect(a.state.raw).toEqual(Uint8Array.of(7))
    const given = Buffer.from('abc')
    a.state.raw = given
    given[0] = 0
    expect([a.state.raw, b.state.raw]).toEqual([Uint8Array.of(97, 98, 99), Uint8Array.of(97, 98, 99)])
  })

  test('dates are fresh, bytes are copies, JSON is frozen', () => {
    const store = createStore({ schema: { at: s.date(), raw: s.bytes(), meta: s.json<{ list: number[] }>() } })
    const bytes = Uint8Array.of(1, 2)
    store.state.at = new Date(7)
    store.state.raw = bytes
    store.state.meta = { list: [1] }
    bytes[0] = 9
    store.state.raw[1] = 9
    store.state.at.setTime(0)
    expect([...store.state.raw]).toEqual([1, 2])
    expect(store.state.at.getTime()).toBe(7)
    expect(() => store.state.meta.list.push(2)).toThrow(TypeError)
    expect(store.state.meta).toEqual({ list: [1] })
  })

  test('works without a window, and a given document outlives the store without a listener', () => {
    const doc = new Y.Doc()
    const before = listened(doc)
    const store = createStore({ schema, doc })
    store.transact((state) => state.todos.push({ title: 'x' }))
    expect(listened(doc)).not.toEqual(before)
    store.destroy()
    store.destroy()
    expect(doc.isDestroyed).toBe(false)
    expect(doc.getArray('todos').length).toBe(1)
    expect(listened(doc)).toEqual(before)
    const own = createStore({ schema })
    own[Symbol.dispose]()
    expect(own.doc.isDestroyed).toBe(true)
  })

  test('editDocument changes a document within the open transaction and leaves no listener', () => {
    const doc = new Y.Doc()
    const updates: Uint8Array[] = []
    doc.on('update', (update: Uint8Array) => updates.push(update))
    const before = listened(doc)
    const result = doc.transact(() => {
      expect(() =>
        editDocument(doc, schema, (state) => {
          state.count = 1
          throw new Error('no')
        }),
      ).toThrow('no')
      return editDocument(doc, schema, (state) => {
        state.todos.push({ title: 'from the back end' })
        return state.todos.length
      })
    })
    expect(result).toBe(1)
    expect(updates).toHaveLength(1)
    expect(doc.getMap('').toJSON()).toEqual({})
    expect(listened(doc)).toEqual(before)
  })
})

describe('lists', () => {
  const list = () => {
    const store = createStore({ schema: { rows: s.list(s.object({ n: s.number() })), words: s.list(s.string()) } })
    store.state.words.push('a', 'b', 'c')
    store.state.rows.push({ n: 0 }, { n: 1 }, { n: 2 })
    return store
  }

  test('read as arrays', () => {
    const { rows, words } = list().state
    expect(Array.isArray(rows)).toBe(true)
    expect(rows.map((row) => row.n)).toEqual([0, 1, 2])
    expect([rows.length, words.at(-1), words.indexOf('b'), words.includes('z'), words.join('')]).toEqual([
      3,
      'c',
      1,
      false,
      'abc',
    ])
    expect(rows.find((row) => row.n === 1)).toBe(rows[1])
    expect(['z'].concat(words, [...words])).toEqual(['z', 'a', 'b', 'c', 'a', 'b', 'c'])
    expect(Object.keys(words)).toEqual(['0', '1', '2'])
    expect(JSON.stringify({ rows, words })).toBe('{"rows":[{"n":0},{"n":1},{"n":2}],"words":["a","b","c"]}')
    expect([1 in words, 3 in words, words[3], rows[3]]).toEqual([true, false, undefined, undefined])
    expect(words).toEqual(['a', 'b', 'c'])
  })

  test('change by push, unshift, insert, set, splice, remove, move, clear and replace', () => {
    const { words } = list().state
    expect(words.push('d')).toBe(4)
    expect(words.unshift('_')).toBe(5)
    words.insert(1, 'x', 'y')
    words.set(1, 'X')
    expect([...words]).toEqual(['_', 'X', 'y', 'a', 'b', 'c', 'd'])
    expect(words.splice(1, 2, 'z')).toEqual(['X', 'y'])
    expect(words.splice(-1)).toEqual(['d'])
    expect([words.remove(0), words.remove(-1), words.remove(99)]).toEqual(['_', undefined, undefined])
    words.move(0, 2)
    expect([...words]).toEqual(['a', 'b', 'z', 'c'])
    words.replace(['a', 'c'])
    expect([...words]).toEqual(['a', 'c'])
    words.clear()
    expect(words.length).toBe(0)
  })

  test('take indexes and counts as arrays do: without fraction, and what is no number as 0', () => {
    for (const [start, count] of [
      [0.5, 1.5],
      [1, 0.9],
      [Number.NaN, 1],
      [-1.5, 1],
      [1, Number.NaN],
      [Number.NEGATIVE_INFINITY, 1],
      [Number.POSITIVE_INFINITY, 1],
    ] as const) {
      const { a, b } = createPeers({ words: s.list(s.string()) })
      const plain = ['a', 'b', 'c']
      a.state.words.push(...plain)
      expect(a.state.words.splice(start, count)).toEqual(plain.splice(start, count))
      expect([...a.state.words]).toEqual(plain)
      expect([...b.state.words]).toEqual(plain)
      expect(a.state.words.remove(0.5)).toBe(undefined)
    }
  })

  test('replace keeps the common start and end as they are', () => {
    const store = list()
    const { rows } = store.state
    const [first, , last] = rows
    rows.replace([{ n: 0 }, { n: 7 }, { n: 8 }, { n: 2 }])
    expect(rows.map((row) => row.n)).toEqual([0, 7, 8, 2])
    expect([rows[0], rows[3]]).toEqual([first, last])
    expect(rows[0]).toBe(first)
    expect(rows[3]).toBe(last)
  })

  test('an index takes a value as set does, in place', () => {
    const store = list()
    const rows = store.state.rows as unknown as { n: number }[]
    const first = rows[0]
    rows[0] = { n: 9 }
    expect(rows[0]).toBe(first)
    expect(first!.n).toBe(9)
  })

  test('what arrays offer to change them in place fails', () => {
    const { words } = list().state
    const array = words as unknown as string[]
    for (const change of [() => array.sort(), () => array.pop(), () => array.fill('x'), () => delete array[0]]) {
      expect(change).toThrow(TypeError)
    }
    expect([...words]).toEqual(['a', 'b', 'c'])
  })

  test('cut and paste works between lists: what splice and remove return is plain', () => {
    const store = createStore({ schema: { from: s.list(todo), to: s.list(todo) } })
    store.state.from.push({ title: 't', tags: ['x'], due: new Date(3), body: 'b' })
    const before = store.snapshot().from
    store.state.to.push(...store.state.from.splice(0, 1))
    expect(store.snapshot()).toEqual({ from: [], to: before })
  })

  test('a live value that is pushed or assigned is copied', () => {
    const { state } = list()
    const row = state.rows[0]!
    state.rows.push(row)
    expect(state.rows[3]).not.toBe(row)
    row.n = 100
    expect(state.rows.map((each) => each.n)).toEqual([100, 1, 2, 0])
  })
})

describe('records', () => {
  test('get, has, set, add, delete, keys, values, entries, sorted, size', () => {
    const { state } = createStore({ schema })
    const { notes } = state
    notes.set('b', { title: 'B', order: 'a1' })
    notes.set('a', { title: 'A', order: 'a1' })
    const id = notes.add({ title: 'C' })
    expect(notes.size).toBe(3)
    expect([notes.has('a'), notes.has('z'), notes.get('z')]).toEqual([true, false, undefined])
    expect(notes.get('a')!.id).toBe('a')
    expect(notes.get(id)!.id).toBe(id)
    expect([...notes.keys()].sort()).toEqual(['a', 'b', id].sort())
    expect(notes.sorted('order').map((each) => each.title)).toEqual(['C', 'A', 'B'])
    expect(notes.sorted((each) => -each.title.charCodeAt(0)).map((each) => each.title)).toEqual(['C', 'B', 'A'])
    expect(new Map(notes).get('a')).toBe(notes.get('a'))
    expect(notes.delete('a')).toEqual({ id: 'a', title: 'A', order: 'a1', x: 0 })
    expect(notes.delete('a')).toBeUndefined()
    notes.replace({ z: { title: 'Z' } })
    expect(notes.entries()).toEqual([['z', notes.get('z')]])
    notes.clear()
    expect(notes.size).toBe(0)
  })

  test('set changes an existing value in place, so that concurrent changes of other fields survive', () => {
    const { a, b, hold, exchange } = createPeers(schema)
    a.state.notes.set('n', { title: 'one', x: 1 })
    const live = a.state.notes.get('n')!
    hold()
    a.state.notes.set('n', { title: 'two', x: 1 })
    b.state.notes.get('n')!.x = 5
    exchange()
    expect(a.state.notes.get('n')).toBe(live)
    expect(a.snapshot()).toEqual(b.snapshot())
    expect(a.snapshot().notes).toEqual({ n: { id: 'n', title: 'two', order: 'a0', x: 5 } })
  })

  test('what delete returned comes back under its id; a copy of a value gets a new one', () => {
    const { notes } = createStore({ schema }).state
    const id = notes.add({ title: 'one' })
    const removed = notes.delete(id)!
    expect(notes.add(removed)).toBe(id)
    const copy = notes.add(notes.get(id)!)
    expect(copy).not.toBe(id)
    expect(notes.get(copy)).toEqual({ id: copy, title: 'one', order: 'a0', x: 0 })
  })
})

describe('identity', () => {
  test('a row is the same object in whatever way it is reached, and after remote changes around it', () => {
    const { a, b } = createPeers(schema)
    a.state.todos.push({ title: 'x' }, { title: 'y' })
    const row = a.state.todos[1]!
    expect(a.state.todos.at(1)).toBe(row)
    expect([...a.state.todos][1]).toBe(row)
    b.state.todos.unshift({ title: 'before' })
    b.state.todos[2]!.title = 'Y'
    expect(a.state.todos[2]).toBe(row)
    expect(row.title).toBe('Y')
    expect(a.state.settings).toBe(a.state.settings)
    expect(row.tags).toBe(row.tags)
  })
})

describe('tracking', () => {
  test('a remote change to one field of one of 10,000 items runs the one effect that read it', () => {
    const count = 10_000
    const { a, b } = createPeers({ todos: s.list(s.object({ title: s.string(), done: s.boolean() })) })
    a.state.todos.push(...Array.from({ length: count }, (_, index) => ({ title: `${index}`, done: false })))
    const runs = new Uint32Array(count)
    const titles = new Uint32Array(count)
    let lists = 0
    a.state.todos.forEach((row, index) => {
      a.effect(() => {
        void row.done
        runs[index]!++
      })
      a.effect(() => {
        void row.title
        titles[index]!++
      })
    })
    a.effect(() => {
      void a.state.todos.length
      lists++
    })
    b.state.todos[7_777]!.done = true
    expect(runs.reduce((sum, each) => sum + each)).toBe(count + 1)
    expect(runs[7_777]).toBe(2)
    expect(titles.every((each) => each === 1)).toBe(true)
    expect(lists).toBe(1)
    expect(internals(a).graph.subscriptions).toBe(2 * count + 1)
    b.state.todos.push({ title: 'new', done: false })
    expect(lists).toBe(2)
    expect(runs.reduce((sum, each) => sum + each)).toBe(count + 1)
  })

  test('reading outside a computation makes no dependency; reading inside makes one per key', () => {
    const store = createStore({ schema })
    store.state.todos.push({ title: 'x' })
    const row = store.state.todos[0]!
    void row.title
    const node = (row as unknown as { [NODE]: Node })[NODE]
    expect(node.deps).toBeUndefined()
    const title = store.select(() => row.title)
    // A computed value that nobody subscribes to follows all the same.
    expect(title.value).toBe('x')
    row.title = 'y'
    expect(title.value).toBe('y')
    const stop = store.effect(() => {
      void row.title
      void row.title
      void row.done
    })
    expect(internals(store).graph.subscriptions).toBe(2)
    stop()
    expect(internals(store).graph.subscriptions).toBe(0)
  })

  test('every way of reading is tracked by what it read', () => {
    const { a, b } = createPeers(schema)
    const runs: Record<string, number> = {}
    const count = (name: string, read: () => unknown): void => {
      a.effect(() => {
        read()
        runs[name] = (runs[name] ?? 0) + 1
      })
    }
    a.state.todos.push({ title: 'x' })
    count('field', () => a.state.count)
    count('nested', () => a.state.settings.theme)
    count('optional', () => a.state.settings.bar?.open)
    count('length', () => a.state.todos.length)
    count('index', () => a.state.todos[0]?.title)
    count('map', () => a.state.todos.map((each) => each.title))
    count('size', () => a.state.notes.size)
    count('has', () => a.state.notes.has('n'))
    count('get', () => a.state.notes.get('n')?.title)
    count('values', () => a.state.notes.values())
    count('text', () => a.state.letter.toString())
    count('textLength', () => a.state.letter.length)
    count('keys', () => Object.keys(a.state))
    count('json', () => JSON.stringify(a.state.notes))
    count('all', () => a.snapshot())
    const changes = (fn: () => void): string[] => {
      const before = { ...runs }
      fn()
      return Object.keys(runs).filter((name) => runs[name] !== before[name])
    }
    const { state } = b
    expect(
      changes(() => {
        state.count = 5
      }),
    ).toEqual(['field', 'keys', 'all'])
    expect(
      changes(() => {
        state.settings.theme = 'dark'
      }),
    ).toEqual(['nested', 'all'])
    expect(
      changes(() => {
        state.settings.bar = { open: true }
      }),
    ).toEqual(['optional', 'all'])
    expect(
      changes(() => {
        state.settings.bar!.open = false
      }),
    ).toEqual(['optional', 'all'])
    expect(
      changes(() => {
        state.todos.push({ title: 'y' })
      }),
    ).toEqual(['length', 'index', 'map', 'all'])
    expect(
      changes(() => {
        state.todos[0]!.title = 'X'
      }),
    ).toEqual(['index', 'map', 'all'])
    expect(
      changes(() => {
        state.todos[0]!.done = true
      }),
    ).toEqual(['all'])
    expect(
      changes(() => {
        state.notes.set('m', { title: 'm' })
      }),
    ).toEqual(['size', 'values', 'json', 'all'])
    expect(
      changes(() => {
        state.notes.set('n', { title: 'n' })
      }),
    ).toEqual(['size', 'has', 'get', 'values', 'json', 'all'])
    expect(
      changes(() => {
        state.notes.get('n')!.title = 'N'
      }),
    ).toEqual(['get', 'json', 'all'])
    expect(
      changes(() => {
        state.letter.insert(0, 'a')
      }),
    ).toEqual(['text', 'textLength', 'all'])
    expect(
      changes(() => {
        state.meta = { a: 1 }
      }),
    ).toEqual(['keys', 'all'])
  })

  test('a transaction runs each effect once, and what was selected is fresh inside it', () => {
    const { state, transact, select, effect } = createStore({ schema })
    const double = select(() => state.count * 2)
    const seen: number[] = []
    effect(() => {
      seen.push(double.value)
    })
    transact(() => {
      state.count = 1
      expect(double.value).toBe(2)
      state.count = 2
      expect(double.value).toBe(4)
    })
    expect(seen).toEqual([0, 4])
  })

  test('select calls subscribers at once and then for other values only; equals keeps the old value', () => {
    const { state, select } = createStore({ schema })
    const even = select(
      () => [state.count % 2 === 0],
      (a, b) => a[0] === b[0],
    )
    const seen: boolean[][] = []
    const stop = even.subscribe((value) => seen.push(value))
    const first = even.value
    state.count = 2
    expect(even.value).toBe(first)
    state.count = 3
    stop()
    state.count = 4
    expect(seen).toEqual([[true], [false]])
  })

  test('an effect cleans up, and stops with the store', () => {
    const store = createStore({ schema })
    const log: string[] = []
    store.effect(() => {
      const { count } = store.state
      log.push(`run ${count}`)
      return () => log.push(`clean ${count}`)
    })
    store.state.count = 1
    store.destroy()
    expect(log).toEqual(['run 0', 'clean 0', 'run 1', 'clean 1'])
    expect(internals(store).graph.subscriptions).toBe(0)
  })

  test('an effect may write, and settles', () => {
    const { state, effect } = createStore({ schema })
    const seen: number[] = []
    effect(() => {
      seen.push(state.count)
      if (state.count < 3) state.count++
    })
    expect(state.count).toBe(3)
    expect(seen).toEqual([0, 1, 2, 3])
  })
})

describe('snapshots', () => {
  test('are frozen and share what did not change', () => {
    const { a, b } = createPeers(schema)
    a.state.todos.push({ title: 'x', tags: ['t'] }, { title: 'y' })
    a.state.notes.set('n', { title: 'n' })
    const first = a.snapshot()
    expect(a.snapshot()).toBe(first)
    expect(() => {
      ;(first.todos[0] as { title: string }).title = 'no'
    }).toThrow(TypeError)
    b.state.todos[0]!.title = 'X'
    const second = a.snapshot()
    expect(second).not.toBe(first)
    expect(second.todos[0]).not.toBe(first.todos[0])
    expect(second.todos[0]!.tags).toBe(first.todos[0]!.tags)
    expect(second.todos[1]).toBe(first.todos[1])
    expect(second.notes).toBe(first.notes)
    expect(first.todos[0]!.title).toBe('x')
    expect(second.todos[0]!.title).toBe('X')
    expect(a.snapshot(a.state.todos[0])).toBe(second.todos[0])
    expect(a.snapshot(a.state.letter)).toBe('')
    expect(a.snapshot(5)).toBe(5)
  })

  test('are fresh inside a transaction', () => {
    const store = createStore({ schema })
    store.transact((state) => {
      state.count = 1
      expect(store.snapshot().count).toBe(1)
      state.todos.push({ title: 'x' })
      expect(store.snapshot().todos).toHaveLength(1)
      state.todos[0]!.tags.push('t')
      expect(store.snapshot().todos[0]!.tags).toEqual(['t'])
    })
  })
})
