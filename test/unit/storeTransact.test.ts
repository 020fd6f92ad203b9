import { describe, expect, test } from 'vitest'
import * as Y from 'yjs'
import { createStore, type Live, s } from '../../lib/index.ts'
import { createPeers, thrown } from './peers.ts'

const row = s.object({
  title: s.string(),
  tags: s.list(s.string()),
  text: s.text(),
  pos: s.object({ x: s.number() }).optional(),
})
const schema = {
  rows: s.list(row),
  notes: s.record(row),
  letter: s.text(),
  settings: s.object({ theme: s.string().default('light') }),
  count: s.number().default(0),
  name: s.string().optional(),
}

const fill = (state: Live<typeof schema>): void => {
  state.rows.push(
    { title: 'a', tags: ['1', '2'], text: 'hello', pos: { x: 1 } },
    { title: 'b', tags: [] },
    { title: 'c', tags: ['3'] },
  )
  state.notes.set('n', { title: 'n', tags: ['4'], text: 'note' })
  state.letter.insert(0, 'Dear all')
  state.count = 1
}

const abort = new Error('abort')

describe('transact', () => {
  test('returns what fn returns and sends one update', () => {
    const { a, sent } = createPeers(schema)
    const result = a.transact((state) => {
      fill(state)
      return state.rows.length
    })
    expect(result).toBe(3)
    expect(sent.a).toHaveLength(1)
  })

  type Change = [what: string, change: (state: Live<typeof schema>) => void]
  const changes: Change[] = [
    [
      'a scalar',
      (state) => {
        state.count = 5
        state.name = 'x'
      },
    ],
    [
      'a removed field',
      (state) => {
        state.rows[0]!.pos = undefined
      },
    ],
    [
      'a field of a row',
      (state) => {
        state.rows[0]!.title = 'X'
      },
    ],
    [
      'an object assigned in place',
      (state) => {
        state.rows[0]!.pos = { x: 9 }
      },
    ],
    [
      'a new nested object',
      (state) => {
        state.rows[1]!.pos = { x: 9 }
      },
    ],
    [
      'pushed rows',
      (state) => {
        state.rows.push({ title: 'd' }, { title: 'e' })
      },
    ],
    [
      'removed rows',
      (state) => {
        state.rows.splice(0, 2)
      },
    ],
    [
      'a replaced list',
      (state) => {
        state.rows.replace([{ title: 'z' }])
      },
    ],
    [
      'a cleared list',
      (state) => {
        state.rows.clear()
      },
    ],
    [
      'a moved row',
      (state) => {
        state.rows.move(0, 2)
      },
    ],
    [
      'a nested list',
      (state) => {
        state.rows[0]!.tags.push('9')
        state.rows[0]!.tags.remove(0)
      },
    ],
    [
      'an item set in place',
      (state) => {
        state.rows.set(0, { title: 'S', tags: ['2'] })
      },
    ],
    [
      'a record',
      (state) => {
        state.notes.set('m', { title: 'm' })
        state.notes.delete('n')
      },
    ],
    [
      'a cleared record',
      (state) => {
        state.notes.clear()
      },
    ],
    [
      'a text',
      (state) => {
        state.letter.insert(4, 'est')
        state.letter.delete(0, 2)
        state.letter.set('Cheer all')
      },
    ],
    [
      'a nested text',
      (state) => {
        state.rows[0]!.text.set('help')
      },
    ],
    [
      'many things in turn',
      (state) => {
        state.rows.push({ title: 'd' })
        state.rows[3]!.title = 'D'
        state.rows.remove(0)
        state.rows[0]!.tags.push('x')
        state.rows.insert(1, { title: 'e', tags: ['y'] })
        state.rows.remove(0)
        state.notes.delete('n')
        state.notes.set('n', { title: 'again' })
        state.notes.get('n')!.text.set('t')
        state.letter.set('')
        state.letter.set('new')
        state.count++
        state.count++
      },
    ],
  ]
  test.each(changes)('takes back %s if it throws, and peers see one update without net effect', (_what, change) => {
    const { a, b, sent } = createPeers(schema)
    fill(a.state)
    const before = a.snapshot()
    const first = a.state.rows[0]!
    const note = a.state.notes.get('n')!
    const snapshots: unknown[] = []
    b.doc.on('afterTransaction', () => snapshots.push(b.snapshot()))
    sent.a.length = 0
    let inside: unknown
    const error = thrown(() =>
      a.transact((state) => {
        change(state)
        inside = a.snapshot()
        throw abort
      }),
    )
    expect(error).toBe(abort)
    expect(inside).not.toEqual(before)
    expect(a.snapshot()).toEqual(before)
    expect(b.snapshot()).toEqual(before)
    expect(sent.a.length).toBeLessThanOrEqual(1)
    expect(snapshots.every((each) => JSON.stringify(each) === JSON.stringify(before))).toBe(true)
    // What came back is alive, shared and the same object as before.
    expect(a.state.rows[0]).toBe(first)
    expect(a.state.notes.get('n')).toBe(note)
    b.state.rows[0]!.tags.push('after')
    expect(first.tags.at(-1)).toBe('after')
    // The same change goes through afterwards.
    a.transact(change)
    expect(b.snapshot()).toEqual(a.snapshot())
    expect(a.snapshot()).not.toEqual(before)
  })

  test('takes back a deletion within a formatted text with its formats', () => {
    const { state, transact } = createStore({ schema })
    state.letter.y.insert(0, 'plain ')
    state.letter.y.insert(6, 'bold', { bold: true })
    state.letter.y.insertEmbed(10, { image: 'x' })
    const before = state.letter.y.toDelta()
    thrown(() =>
      transact(() => {
        state.letter.delete(3, 8)
        throw abort
      }),
    )
    expect(state.letter.y.toDelta()).toEqual(before)
  })

  test('a nested transact that fails takes back only its own part', () => {
    const { a, b, sent } = createPeers(schema)
    a.transact((state) => {
      state.count = 1
      thrown(() =>
        a.transact(() => {
          state.count = 2
          state.rows.push({ title: 'no' })
          throw abort
        }),
      )
      state.name = 'kept'
    })
    expect(b.snapshot()).toMatchObject({ count: 1, name: 'kept', rows: [] })
    expect(sent.a).toHaveLength(1)
  })

  test('a nested transact that went through is taken back with the outer one', () => {
    const { a, b } = createPeers(schema)
    thrown(() =>
      a.transact((state) => {
        state.count = 1
        a.transact(() => {
          state.count = 2
        })
        state.name = 'after it'
        throw abort
      }),
    )
    for (const { state } of [a, b]) expect([state.count, state.name]).toEqual([0, undefined])
  })

  test('an invalid write inside takes back everything before it', () => {
    const { state, transact, snapshot } = createStore({ schema })
    const before = snapshot()
    expect(() =>
      transact(() => {
        state.count = 9
        state.rows.push({ title: 5 as unknown as string })
      }),
    ).toThrow('expected s.string()')
    expect(snapshot()).toEqual(before)
  })

  test('effects see nothing of a transaction that failed', () => {
    const { state, transact, effect } = createStore({ schema })
    const seen: number[] = []
    effect(() => {
      seen.push(state.count)
    })
    thrown(() =>
      transact(() => {
        state.count = 9
        throw abort
      }),
    )
    expect(new Set(seen)).toEqual(new Set([0]))
  })

  test('its origin is the one given, or null', () => {
    const store = createStore({ schema })
    const origins: unknown[] = []
    store.doc.on('update', (_update: Uint8Array, origin: unknown) => origins.push(origin))
    store.state.count = 1
    store.transact(
      (state) => {
        state.count = 2
      },
      { origin: 'mine' },
    )
    expect(origins).toEqual([null, 'mine'])
  })

  test('writing an equal value sends nothing', () => {
    const { a, sent } = createPeers({ ...schema, meta: s.json() })
    fill(a.state)
    a.state.meta = { a: [1, { b: 2 }] }
    sent.a.length = 0
    a.state.count = 1
    a.state.meta = { a: [1, { b: 2 }] }
    a.state.letter.set('Dear all')
    a.state.rows.replace(a.snapshot().rows)
    a.state.notes.replace({ n: a.snapshot().notes.n! })
    a.state.rows.push()
    expect(sent.a).toEqual([])
  })
})

describe('text', () => {
  const text = () => {
    const { a, b, sent } = createPeers({ letter: s.text() })
    return { a, b, sent, letter: a.state.letter }
  }

  test('assigning a string changes only the differing middle', () => {
    const { a, b, letter } = text()
    letter.set('one two three')
    const deltas: unknown[] = []
    b.doc.getText('letter').observe((event) => deltas.push(event.delta))
    ;(a.state as { letter: unknown }).letter = 'one 2 three'
    letter.set('one 2 three!')
    expect(deltas).toEqual([
      [{ retain: 4 }, { delete: 3 }, { insert: '2' }],
      [{ retain: 11 }, { insert: '!' }],
    ])
    expect(b.state.letter.toString()).toBe('one 2 three!')
  })

  test('a change never splits a surrogate pair', () => {
    // U+1F600, U+1F601 share the first half; U+1F600, U+1FA00 the second.
    const faces = ['\u{1f600}', '\u{1f601}', '\u{1fa00}', '\u{1f300}', 'a', '']
    for (const first of faces) {
      for (const second of faces) {
        for (const [from, to] of [
          [`${first}x`, `${second}x`],
          [`${first}${second}`, `${second}${first}`],
          [`a${first}b${second}c`, `a${second}b${first}c`],
          [first, second],
        ] as const) {
          const { a, b, letter } = text()
          letter.set(from)
          letter.set(to)
          expect(letter.toString()).toBe(to)
          expect(b.state.letter.toString()).toBe(to)
          expect(a.doc.getText('letter').toDelta()).toEqual(to === '' ? [] : [{ insert: to }])
        }
      }
    }
  })

  test('insert and delete inside a pair go around it', () => {
    const { b, letter } = text()
    letter.set('a\u{1f600}b')
    letter.insert(2, '-')
    expect(letter.toString()).toBe('a-\u{1f600}b')
    letter.delete(3, 1)
    expect(letter.toString()).toBe('a-b')
    expect(b.state.letter.toString()).toBe('a-b')
  })

  test('concurrent inserts both survive', () => {
    const { a, b, hold, exchange } = createPeers({ letter: s.text() })
    a.state.letter.set('Dear all')
    hold()
    a.state.letter.set('Dear friends all')
    b.state.letter.set('Dear all, hello')
    exchange()
    expect(a.state.letter.toString()).toBe('Dear friends all, hello')
    expect(b.snapshot()).toEqual(a.snapshot())
  })

  test('set takes away what is embedded, and keeps the common start and end', () => {
    const { letter, b } = text()
    letter.y.insert(0, 'a b')
    letter.y.insertEmbed(2, { image: 'x' })
    const deltas: unknown[] = []
    b.doc.getText('letter').observe((event) => deltas.push(event.delta))
    letter.set('a c b')
    expect(deltas).toEqual([[{ retain: 2 }, { delete: 1 }, { insert: 'c ' }]])
    expect(b.state.letter.y.toDelta()).toEqual([{ insert: 'a c b' }])
  })

  test('a pair is whole beside what is embedded too, and a rollback brings back both', () => {
    const { a, b, letter } = text()
    letter.set('\u{1f600}b')
    letter.y.insertEmbed(3, { image: 'x' })
    const before = letter.y.toDelta()
    expect(
      thrown(() =>
        a.transact(({ letter }) => {
          letter.insert(1, 'x')
          letter.delete(3, 2)
          throw abort
        }),
      ),
    ).toBe(abort)
    expect([letter.y.toDelta(), b.state.letter.y.toDelta()]).toEqual([before, before])
    letter.delete(1, 1)
    expect(b.state.letter.toString()).toBe('b')
  })

  test('what is embedded as a shared type stays what it is in a transaction', () => {
    const { a, b, letter } = text()
    letter.set('ab')
    letter.y.insertEmbed(1, new Y.Map([['k', 1]]))
    a.transact(({ letter }) => {
      letter.insert(0, 'x')
      letter.delete(3, 1)
    })
    const embedded = b.state.letter.y.toDelta()[1].insert as Y.Map<unknown>
    expect([b.state.letter.y.length, embedded.toJSON()]).toEqual([3, { k: 1 }])
    ;(letter.y.toDelta()[1].insert as Y.Map<unknown>).set('k', 2)
    expect(embedded.get('k')).toBe(2)
  })

  test('a text that was emptied and then deleted with its row comes back whole', () => {
    const { a, b } = createPeers({ rows: s.list(s.object({ text: s.text() })), count: s.number().default(0) })
    a.state.rows.push({ text: 'abc' })
    a.state.count = 1
    const before = a.snapshot()
    expect(
      thrown(() =>
        a.transact((state) => {
          state.count = 2
          state.rows[0]!.text.set('')
          state.rows.clear()
          throw abort
        }),
      ),
    ).toBe(abort)
    expect([a.snapshot(), b.snapshot()]).toEqual([before, before])
  })
})

describe('copies', () => {
  test('assigning a live object copies it deeply, also into another document', () => {
    const one = createStore({ schema })
    const two = createStore({ schema })
    fill(one.state)
    two.state.rows.push(one.state.rows[0]!)
    one.state.rows[1]!.pos = one.state.rows[0]!.pos
    one.state.rows[0]!.pos!.x = 7
    one.state.rows[0]!.tags.push('later')
    expect(one.snapshot().rows[1]!.pos).toEqual({ x: 1 })
    expect(two.snapshot().rows).toEqual([{ title: 'a', tags: ['1', '2'], text: 'hello', pos: { x: 1 } }])
    two.state.notes.replace(one.state.notes as unknown as Record<string, { title: string }>)
    expect(two.snapshot().notes).toEqual(one.snapshot().notes)
  })

  test('arrays and objects of the application are copied: changing them later changes nothing', () => {
    const { state, snapshot } = createStore({ schema: { meta: s.json() } })
    const given = { list: [1] }
    state.meta = given
    given.list.push(2)
    expect(snapshot()).toEqual({ meta: { list: [1] } })
  })
})

describe('seed', () => {
  const seed = (state: Live<typeof schema>): void => {
    state.rows.push({ title: 'first', tags: ['t'] })
    state.notes.add({ title: 'note' })
    state.letter.insert(0, 'Dear')
    state.count = 3
  }

  test('two clients that seed the same at the same time end up with one copy', async () => {
    const { a, b, hold, exchange } = createPeers(schema)
    hold()
    expect(await Promise.all([a.seed(seed), b.seed(seed)])).toEqual([true, true])
    exchange()
    expect(a.snapshot()).toEqual(b.snapshot())
    expect(a.snapshot()).toMatchObject({ rows: [{ title: 'first', tags: ['t'] }], letter: 'Dear', count: 3 })
    expect(Object.keys(a.snapshot().notes)).toHaveLength(1)
    expect([...a.doc.store.clients.keys()]).toHaveLength(1)
    a.state.rows[0]!.title = 'changed'
    expect(b.state.rows[0]!.title).toBe('changed')
  })

  test('the same seed is the same bytes; another one has another client id', async () => {
    const encode = async (fn: (state: Live<typeof schema>) => void): Promise<Uint8Array> => {
      const store = createStore({ schema })
      await store.seed(fn)
      return Y.encodeStateAsUpdate(store.doc)
    }
    const [one, two, other] = await Promise.all([
      encode(seed),
      encode(seed),
      encode((state) => {
        state.count = 4
      }),
    ])
    expect(one).toEqual(two)
    const clients = (update: Uint8Array): number[] => Y.decodeUpdate(update).structs.map((struct) => struct.id.client)
    expect(clients(other)[0]).not.toBe(clients(one)[0])
  })

  test('does nothing where there is, or was, content', async () => {
    const store = createStore({ schema })
    store.state.rows.push({ title: 'x' })
    store.state.rows.clear()
    expect(await store.seed(seed)).toBe(false)
    expect(store.snapshot().rows).toEqual([])
  })

  test('is not undone by undo', async () => {
    const store = createStore({ schema })
    await store.seed(seed)
    expect(store.history.canUndo).toBe(false)
  })

  test('content that does not fit the schema is refused', async () => {
    const store = createStore({ schema })
    await expect(
      store.seed((state) => {
        state.count = Number.NaN
      }),
    ).rejects.toMatchObject({ code: 'INVALID_VALUE' })
  })
})

describe('whenSynced', () => {
  test('rejects with TIMEOUT after the time given, and with the reason of its signal', async () => {
    const store = createStore({ schema })
    await expect(store.whenSynced({ timeout: 1 })).rejects.toMatchObject({ code: 'TIMEOUT', retryable: true })
    await expect(store.whenSynced({ signal: AbortSignal.abort() })).rejects.toMatchObject({ name: 'AbortError' })
    const controller = new AbortController()
    const waiting = store.whenSynced({ signal: controller.signal })
    controller.abort()
    await expect(waiting).rejects.toMatchObject({ name: 'AbortError' })
    // Longer than a timer can wait is no reason to give up at once.
    const patient = store.whenSynced({ timeout: Number.POSITIVE_INFINITY })
    await new Promise((resolve) => setTimeout(resolve, 20))
    store.destroy()
    await expect(patient).rejects.toMatchObject({ code: 'DESTROYED' })
  })

  test('rejects with DESTROYED when the store is', async () => {
    const store = createStore({ schema })
    const waiting = store.whenSynced()
    store.destroy()
    await expect(waiting).rejects.toMatchObject({ code: 'DESTROYED' })
  })
})

test('transact refuses an asynchronous function, and nothing of it stays', () => {
  const store = createStore({ schema: { title: s.string().default('none') } })
  const late = () =>
    store.transact(async (state) => {
      state.title = 'half'
    })
  expect(late).toThrow(expect.objectContaining({ code: 'INVALID_VALUE' }))
  expect(store.state.title).toBe('none')
})
