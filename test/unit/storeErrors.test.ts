import { describe, expect, test, vi } from 'vitest'
import * as Y from 'yjs'
import { createStore, type Shape, s, TuttiError } from '../../lib/index.ts'
import { rendering } from '../../lib/store/render.ts'
import { createPeers, thrown } from './peers.ts'

const schema = {
  todos: s.list(
    s.object({ title: s.string(), due: s.date().optional(), level: s.literal('low', 'high').default('low') }),
  ),
  notes: s.record(s.object({ title: s.string() })),
  count: s.number().default(0),
  name: s.string().optional(),
  flag: s.boolean().default(false),
  meta: s.json().optional(),
  raw: s.bytes().optional(),
  at: s.date().optional(),
  none: s.string().nullable().default(null),
  letter: s.text(),
}

/** The state as JavaScript without types sees it. */
// biome-ignore lint/suspicious/noExplicitAny: what is tested here is what the types forbid
const untyped = (store: { state: unknown }): any => store.state

const failing = (fn: () => unknown): TuttiError => {
  const error = thrown(fn)
  expect(error).toBeInstanceOf(TuttiError)
  return error as TuttiError
}

describe('a write that is refused', () => {
  // biome-ignore lint/suspicious/noExplicitAny: as above
  type Case = [what: string, code: string, path: (string | number)[], hint: RegExp, write: (state: any) => unknown]
  const cyclic: Record<string, unknown> = { a: [] }
  ;(cyclic.a as unknown[]).push({ back: cyclic })
  const deep = (levels: number): unknown => (levels === 0 ? 1 : [deep(levels - 1)])
  const cases: Case[] = [
    [
      'an unknown root',
      'UNKNOWN_KEY',
      ['cuont'],
      /count/,
      (state) => {
        state.cuont = 1
      },
    ],
    [
      'an unknown field',
      'UNKNOWN_KEY',
      ['todos', 0, 'titel'],
      /title/,
      (state) => {
        state.todos[0].titel = 'x'
      },
    ],
    [
      'an unknown field of a new object',
      'UNKNOWN_KEY',
      ['todos', 1, 'duee'],
      /due/,
      (state) => state.todos.push({ title: 'x', duee: 1 }),
    ],
    [
      'an unknown property of a list',
      'UNKNOWN_KEY',
      ['todos', 'foo'],
      /./,
      (state) => {
        state.todos.foo = 1
      },
    ],
    [
      'a wrong type',
      'INVALID_VALUE',
      ['count'],
      /s\.string\(\)/,
      (state) => {
        state.count = '5'
      },
    ],
    [
      'a wrong type deep inside',
      'INVALID_VALUE',
      ['todos', 2, 'due'],
      /s\.string\(\)/,
      (state) => state.todos.push({ title: 'ok' }, { title: 'x', due: 'today' }),
    ],
    ['a missing field', 'INVALID_VALUE', ['todos', 1, 'title'], /optional/, (state) => state.todos.push({})],
    [
      'undefined for a required field',
      'INVALID_VALUE',
      ['todos', 0, 'title'],
      /optional/,
      (state) => {
        state.todos[0].title = undefined
      },
    ],
    [
      'an enum miss',
      'INVALID_VALUE',
      ['todos', 0, 'level'],
      /./,
      (state) => {
        state.todos[0].level = 'medium'
      },
    ],
    [
      'NaN',
      'INVALID_VALUE',
      ['count'],
      /finite/,
      (state) => {
        state.count = Number.NaN
      },
    ],
    [
      'Infinity',
      'INVALID_VALUE',
      ['count'],
      /finite/,
      (state) => {
        state.count = Number.POSITIVE_INFINITY
      },
    ],
    [
      'a function',
      'INVALID_VALUE',
      ['meta'],
      /plain/,
      (state) => {
        state.meta = () => 1
      },
    ],
    [
      'a symbol',
      'INVALID_VALUE',
      ['name'],
      /plain/,
      (state) => {
        state.name = Symbol('x')
      },
    ],
    [
      'a bigint',
      'INVALID_VALUE',
      ['count'],
      /plain/,
      (state) => {
        state.count = 10n
      },
    ],
    [
      'a Map',
      'INVALID_VALUE',
      ['meta', 'a'],
      /plain/,
      (state) => {
        state.meta = { a: new Map() }
      },
    ],
    [
      'a Set',
      'INVALID_VALUE',
      ['meta', 0],
      /plain/,
      (state) => {
        state.meta = [new Set()]
      },
    ],
    [
      'a class instance',
      'INVALID_VALUE',
      ['meta'],
      /plain/,
      (state) => {
        state.meta = new (class Point {})()
      },
    ],
    [
      'an array for a record',
      'INVALID_VALUE',
      ['notes'],
      /s\.list/,
      (state) => {
        state.notes = []
      },
    ],
    [
      'an object for a list',
      'INVALID_VALUE',
      ['todos'],
      /s\.object/,
      (state) => {
        state.todos = {}
      },
    ],
    [
      'a Date where text is stored',
      'INVALID_VALUE',
      ['name'],
      /s\.date\(\)/,
      (state) => {
        state.name = new Date()
      },
    ],
    [
      'a Date inside JSON',
      'INVALID_VALUE',
      ['meta', 'at'],
      /s\.date\(\)/,
      (state) => {
        state.meta = { at: new Date() }
      },
    ],
    [
      'an invalid Date',
      'INVALID_VALUE',
      ['at'],
      /./,
      (state) => {
        state.at = new Date(Number.NaN)
      },
    ],
    [
      'bytes where text is stored',
      'INVALID_VALUE',
      ['name'],
      /s\.bytes\(\)/,
      (state) => {
        state.name = new Uint8Array(1)
      },
    ],
    [
      'null where it is not allowed',
      'INVALID_VALUE',
      ['name'],
      /nullable/,
      (state) => {
        state.name = null
      },
    ],
    [
      'undefined in a JSON array',
      'INVALID_VALUE',
      ['meta', 0],
      /./,
      (state) => {
        state.meta = [undefined]
      },
    ],
    [
      'a cycle',
      'CYCLE',
      ['meta', 'a', 0, 'back'],
      /ids/,
      (state) => {
        state.meta = cyclic
      },
    ],
    [
      'JSON too deep',
      'INVALID_VALUE',
      ['meta', ...Array.from({ length: 201 }, () => 0)],
      /flat/,
      (state) => {
        state.meta = deep(300)
      },
    ],
    [
      'a __proto__ key in JSON',
      'INVALID_VALUE',
      ['meta', '__proto__'],
      /another key/,
      (state) => {
        state.meta = JSON.parse('{"__proto__":1}')
      },
    ],
    [
      'a __proto__ id',
      'INVALID_VALUE',
      ['notes', '__proto__'],
      /256/,
      (state) => state.notes.set('__proto__', { title: 'x' }),
    ],
    ['an empty id', 'INVALID_VALUE', ['notes', ''], /256/, (state) => state.notes.set('', { title: 'x' })],
    [
      'an id of 257 characters',
      'INVALID_VALUE',
      ['notes', 'i'.repeat(257)],
      /256/,
      (state) => state.notes.set('i'.repeat(257), { title: 'x' }),
    ],
    [
      'an index outside the list',
      'INVALID_VALUE',
      ['todos', 5],
      /1 items/,
      (state) => state.todos.set(5, { title: 'x' }),
    ],
    [
      'a hole in a list',
      'INVALID_VALUE',
      ['todos', 9],
      /1 items/,
      (state) => {
        state.todos[9] = { title: 'x' }
      },
    ],
    ['a range outside the text', 'INVALID_VALUE', ['letter'], /length 0/, (state) => state.letter.insert(1, 'x')],
    ['a number as text', 'INVALID_VALUE', ['letter'], /s\.number/, (state) => state.letter.insert(0, 5)],
  ]
  test.each(cases)('%s is %s', (_what, code, path, hint, write) => {
    const { a, sent } = createPeers(schema)
    a.state.todos.push({ title: 'first' })
    const before = a.snapshot()
    sent.a.length = 0
    const error = failing(() => write(untyped(a)))
    expect([error.code, error.path, error.retryable]).toEqual([code, path, false])
    expect(error.hint).toMatch(hint)
    expect(error.message.startsWith(path.join('.'))).toBe(true)
    // Nothing of it reached Yjs.
    expect(sent.a).toEqual([])
    expect(a.snapshot()).toBe(before)
  })
})

describe('a write that is put right', () => {
  test('undefined in a new object leaves an optional or defaulted field out, and removes an optional field', () => {
    const store = createStore({ schema })
    store.state.todos.push({ title: 'x', due: undefined, level: undefined })
    expect(store.doc.getArray('todos').toJSON()).toEqual([{ title: 'x' }])
    store.state.name = 'n'
    store.state.name = undefined
    expect(store.doc.getMap('').toJSON()).toEqual({})
  })

  test('-0 is stored as 0', () => {
    const { state } = createStore({ schema })
    state.count = -0
    state.meta = { a: -0 }
    expect(Object.is(state.count, 0)).toBe(true)
    expect(Object.is((state.meta as { a: number }).a, 0)).toBe(true)
  })

  test('half a surrogate pair is stored as the wire would carry it', () => {
    const { a, b } = createPeers(schema)
    a.state.name = 'x\ud83d'
    a.state.letter.insert(0, '\ude00y')
    expect(a.snapshot()).toEqual(b.snapshot())
    expect(a.state.name).toBe('x\ufffd')
  })

  test('null is stored where it is allowed', () => {
    const { state } = createStore({ schema })
    expect(state.none).toBeNull()
    state.none = 'x'
    state.none = null
    expect(state.none).toBeNull()
  })
})

describe('deleted nodes', () => {
  test('reading never throws, writing throws DETACHED', () => {
    const { a, b } = createPeers({
      rows: s.list(
        s.object({
          title: s.string(),
          done: s.boolean().default(false),
          tags: s.list(s.string()),
          text: s.text(),
          by: s.record(s.number()),
        }),
      ),
    })
    a.state.rows.push({ title: 'x', done: true, tags: ['t'], text: 'hello', by: { n: 1 } })
    const row = a.state.rows[0]!
    const { tags, text, by } = row
    b.state.rows.clear()
    expect(a.state.rows.length).toBe(0)
    expect([row.title, row.done]).toEqual([undefined, false])
    expect([tags.length, tags[0], tags.map(String), text.toString(), text.length, by.size, by.get('n')]).toEqual([
      0,
      undefined,
      [],
      '',
      0,
      0,
      undefined,
    ])
    expect(row.tags.length).toBe(0)
    expect(row.text.toString()).toBe('')
    expect({ ...row }.done).toBe(false)
    for (const write of [
      () => {
        row.title = 'y'
      },
      () => tags.push('x'),
      () => row.tags.push('x'),
      () => text.insert(0, 'x'),
      () => by.set('a', 1),
      () => row.text.set('x'),
    ]) {
      const error = failing(write)
      expect(error.code).toBe('DETACHED')
      expect(error.hint).toMatch(/store\.state/)
    }
  })

  test('a deleted node still shows what was last seen in a snapshot', () => {
    const { a, b } = createPeers({ rows: s.list(s.object({ title: s.string() })) })
    a.state.rows.push({ title: 'x' })
    const row = a.state.rows[0]!
    a.snapshot()
    b.state.rows.clear()
    expect(row.title).toBe('x')
  })

  test('a destroyed store refuses writes and still reads', async () => {
    const store = createStore({ schema })
    store.state.count = 3
    store.destroy()
    expect(store.state.count).toBe(3)
    for (const write of [
      () => {
        store.state.count = 4
      },
      () => store.state.todos.push({ title: 'x' }),
      () => store.transact(() => 1),
      () => store.history.undo(),
    ]) {
      expect(failing(write).code).toBe('DESTROYED')
    }
    await expect(store.seed(() => undefined)).rejects.toMatchObject({ code: 'DESTROYED' })
    await expect(store.whenSynced()).rejects.toMatchObject({ code: 'DESTROYED' })
  })
})

describe('a write while a component renders', () => {
  test('throws WRITE_IN_RENDER in development', () => {
    const store = createStore({ schema })
    for (const write of [
      () => {
        store.state.count = 1
      },
      () => store.transact(() => 1),
    ]) {
      expect(failing(() => rendering(write)).code).toBe('WRITE_IN_RENDER')
    }
    expect(store.state.count).toBe(0)
    store.state.count = 1
    expect(store.state.count).toBe(1)
  })
})

describe('options that no compiler checked', () => {
  const make = (options: object) => (): unknown => createStore({ schema, ...options } as never)
  test.each([
    ['a document that is none', make({ doc: {} }), 'doc is no Y.Doc'],
    ['an empty name to persist under', make({ persist: '' }), 'persist is no name'],
    ['a persistence that is none', make({ persist: {} }), 'persist is no name'],
    ['another way to validate', make({ validateRemote: 'nope' }), 'validateRemote is not'],
    ['a listener that is none', make({ onError: 5 }), 'onError is no function'],
    ['a scope that is not in the schema', make({ undo: { scope: ['typo'] } }), 'undo.scope has "typo"'],
    ['no options', () => createStore(undefined as never), 'createStore got no options'],
  ])('%s is INVALID_OPTION', (_what, make, message) => {
    const error = failing(make)
    expect([error.code, error.message]).toEqual(['INVALID_OPTION', expect.stringContaining(message)])
    expect(error.hint).toMatch(/^[A-Z].*\.$/)
  })
})

describe('schemas', () => {
  const cases: [what: string, make: () => unknown][] = [
    ['no object', () => createStore({ schema: 5 as unknown as Shape })],
    [
      'a field that is no schema',
      () => createStore({ schema: { a: s.string as unknown as ReturnType<typeof s.string> } }),
    ],
    [
      'a nested field that is no schema',
      () => createStore({ schema: { a: s.list(s.object({ b: 5 as unknown as ReturnType<typeof s.string> })) } }),
    ],
    ['an empty name', () => createStore({ schema: { '': s.string() } })],
    ['the name __proto__', () => createStore({ schema: { ['__proto__']: s.string() } })],
    ['a default that does not fit', () => createStore({ schema: { a: s.number().default('x' as unknown as number) } })],
    [
      'another type than the document holds',
      () => {
        const doc = new Y.Doc()
        doc.getMap('a')
        createStore({ doc, schema: { a: s.list(s.string()) } })
      },
    ],
  ]
  test.each(cases)('%s is INVALID_SCHEMA', (_what, make) => {
    const error = failing(make)
    expect(error.code).toBe('INVALID_SCHEMA')
    expect(error.hint).toMatch(/^[A-Z].*\.$/)
  })

  test('a default that does not fit says why', () => {
    const { cause } = failing(() => createStore({ schema: { a: s.number().default('x' as unknown as number) } }))
    expect(cause).toMatchObject({ message: 'a: expected s.number(), got String' })
  })

  test('modifiers make new schemas', () => {
    const text = s.string()
    text.optional().default('x')
    const store = createStore({ schema: { rows: s.list(s.object({ text })) } })
    expect(() => store.state.rows.push({} as { text: string })).toThrow('expected')
  })
})

describe('remote values that do not fit', () => {
  const remote = (fill: (doc: Y.Doc) => void, options: { validateRemote?: 'coerce' | 'warn' | 'off' } = {}) => {
    const errors: TuttiError[] = []
    const store = createStore({ schema, ...options, onError: (error) => errors.push(error) })
    const doc = new Y.Doc()
    fill(doc)
    Y.applyUpdate(store.doc, Y.encodeStateAsUpdate(doc))
    return {
      store,
      errors,
      doc,
      told: () => Promise.resolve().then(() => errors.map(({ code, path }) => [code, path.join('.')])),
    }
  }

  test('read as default or undefined, are told once each, and stay as they are', async () => {
    const { store, told } = remote((doc) => {
      const root = doc.getMap('')
      root.set('count', 'many')
      root.set('name', 5)
      root.set('flag', null)
      root.set('at', 'today')
      root.set('raw', 'bytes')
      const todo = new Y.Map([
        ['title', 5],
        ['level', 'medium'],
      ] as [string, unknown][])
      doc.getArray('todos').push([todo, 'no object', 7])
      doc.getMap('notes').set('n', new Y.Array())
    })
    const before = JSON.stringify(store.doc.toJSON())
    for (let round = 0; round < 3; round++) {
      const { state } = store
      expect([state.count, state.name, state.flag, state.at, state.raw]).toEqual([
        0,
        undefined,
        false,
        undefined,
        undefined,
      ])
      expect(state.todos.map((each) => [each.title, each.level])).toEqual([
        [undefined, 'low'],
        [undefined, 'low'],
        [undefined, 'low'],
      ])
      expect(state.notes.get('n')!.title).toBeUndefined()
      store.snapshot()
    }
    expect((await told()).sort()).toEqual(
      [
        ['INVALID_VALUE', 'at'],
        ['INVALID_VALUE', 'count'],
        ['INVALID_VALUE', 'flag'],
        ['INVALID_VALUE', 'name'],
        ['INVALID_VALUE', 'notes.n'],
        ['INVALID_VALUE', 'raw'],
        ['INVALID_VALUE', 'todos.0.level'],
        ['INVALID_VALUE', 'todos.0.title'],
        ['INVALID_VALUE', 'todos.1'],
        ['INVALID_VALUE', 'todos.2'],
      ].sort(),
    )
    expect(JSON.stringify(store.doc.toJSON())).toBe(before)
  })

  test('do not stop the sync, even where an effect trips over them', async () => {
    const { store, doc } = remote((each) => each.getMap('').set('name', 'ok'))
    const uncaught: unknown[] = []
    const listen = (error: unknown): void => {
      uncaught.push(error)
    }
    const listeners = process.listeners('uncaughtException')
    process.removeAllListeners('uncaughtException')
    process.on('uncaughtException', listen)
    try {
      const names: (string | undefined)[] = []
      store.effect(() => {
        void store.state.name!.length
      })
      store.effect(() => {
        names.push(store.state.name)
      })
      doc.getMap('').set('name', 5)
      Y.applyUpdate(store.doc, Y.encodeStateAsUpdate(doc))
      doc.getMap('').set('name', 'back')
      Y.applyUpdate(store.doc, Y.encodeStateAsUpdate(doc))
      expect(names).toEqual(['ok', undefined, 'back'])
      await vi.waitFor(() => expect(uncaught).toHaveLength(1))
      expect(String(uncaught[0])).toMatch('TypeError')
    } finally {
      process.off('uncaughtException', listen)
      for (const each of listeners) process.on('uncaughtException', each)
    }
  })

  test('an onError that throws does not break the reading', async () => {
    const doc = new Y.Doc()
    doc.getMap('').set('count', 'x')
    const seen = new Promise((resolve) => {
      const store = createStore({
        schema,
        doc,
        onError: (error) => {
          resolve(error.code)
        },
      })
      expect(store.state.count).toBe(0)
    })
    expect(await seen).toBe('INVALID_VALUE')
  })

  test('read as they are with "warn", which tells, and with "off", which does not', async () => {
    const fill = (doc: Y.Doc) => doc.getMap('').set('count', 'many')
    const warned = remote(fill, { validateRemote: 'warn' })
    expect(warned.store.state.count).toBe('many')
    expect(await warned.told()).toEqual([['INVALID_VALUE', 'count']])
    const off = remote(fill, { validateRemote: 'off' })
    expect(off.store.state.count).toBe('many')
    expect(await off.told()).toEqual([])
  })

  test('plain JSON under a schema of shared types is readable; a whole assignment makes it writable', async () => {
    const { store, told } = remote((doc) => {
      doc.getMap('notes').set('n', { title: 'plain' })
      doc.getArray('todos').push([{ title: 'one', due: 5 }])
    })
    const { state } = store
    expect(state.notes.get('n')!.title).toBe('plain')
    expect(state.notes.get('n')).toBe(state.notes.get('n'))
    expect(state.todos[0]!.due?.getTime()).toBe(5)
    expect(store.snapshot().notes).toEqual({ n: { title: 'plain' } })
    expect(
      failing(() => {
        state.notes.get('n')!.title = 'x'
      }).code,
    ).toBe('DETACHED')
    state.notes.set('n', { title: 'shared' })
    state.notes.get('n')!.title = 'written'
    expect(store.doc.getMap('notes').get('n')).toBeInstanceOf(Y.Map)
    expect(store.snapshot().notes).toEqual({ n: { title: 'written' } })
    expect(await told()).toEqual([])
  })

  test('a nested container that its parent came without reads as empty and becomes writable by assignment', () => {
    const doc = new Y.Doc()
    doc.getArray('rows').push([new Y.Map([['title', 'old']])])
    const store = createStore({
      doc,
      schema: { rows: s.list(s.object({ title: s.string(), tags: s.list(s.string()) })) },
    })
    const row = store.state.rows[0]!
    const lengths: number[] = []
    store.effect(() => {
      lengths.push(row.tags.length)
    })
    expect([...row.tags]).toEqual([])
    expect(failing(() => row.tags.push('x')).code).toBe('DETACHED')
    Object.assign(row, { tags: ['x'] })
    row.tags.push('y')
    expect([...row.tags]).toEqual(['x', 'y'])
    expect(lengths).toEqual([0, 1, 2])
  })

  test('s.json reads shared types too, and follows changes inside them', () => {
    const doc = new Y.Doc()
    const store = createStore({ doc, schema })
    const inner = new Y.Map()
    const meta = new Y.Map<unknown>([['list', inner]])
    doc.getMap('').set('meta', meta)
    const seen: string[] = []
    store.effect(() => {
      seen.push(JSON.stringify(store.state.meta))
    })
    inner.set('deep', 1)
    expect(seen).toEqual(['{"list":{}}', '{"list":{"deep":1}}'])
    expect(store.snapshot().meta).toEqual({ list: { deep: 1 } })
    inner.set('deep', 2)
    expect(store.snapshot().meta).toEqual({ list: { deep: 2 } })
  })
})
