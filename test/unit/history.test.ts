import { describe, expect, test } from 'vitest'
import * as Y from 'yjs'
import { createStore, s } from '../../lib/index.ts'
import { createPeers } from './peers.ts'

const schema = {
  notes: s.record(s.object({ title: s.string(), x: s.number().default(0) })),
  rows: s.list(s.string()),
  letter: s.text(),
  count: s.number().default(0),
}

// Every change is a step of its own.
const undo = { captureTimeout: 0 }

describe('history', () => {
  test('undoes and redoes what this client did, and says whether there is something', () => {
    const { state, history } = createStore({ schema, undo })
    const seen: [boolean, boolean][] = []
    expect([history.undo(), history.redo()]).toEqual([false, false])
    state.count = 1
    seen.push([history.canUndo, history.canRedo])
    state.count = 2
    expect(history.undo()).toBe(true)
    expect(state.count).toBe(1)
    seen.push([history.canUndo, history.canRedo])
    expect(history.undo()).toBe(true)
    expect(state.count).toBe(0)
    seen.push([history.canUndo, history.canRedo])
    expect([history.redo(), history.redo(), history.redo()]).toEqual([true, true, false])
    expect(state.count).toBe(2)
    expect(seen).toEqual([
      [true, false],
      [true, true],
      [false, true],
    ])
  })

  test('leaves alone what others did, before and since', () => {
    const { a, b } = createPeers(schema, { undo })
    a.state.notes.set('n', { title: 'mine' })
    b.state.notes.get('n')!.title = 'theirs'
    b.state.notes.set('m', { title: 'also theirs' })
    b.state.rows.push('b1')
    a.state.rows.push('a1')
    b.state.rows.push('b2')
    a.state.notes.get('n')!.x = 5
    expect(a.history.undo()).toBe(true)
    expect(a.snapshot().notes.n).toEqual({ title: 'theirs', x: 0 })
    expect(a.history.undo()).toBe(true)
    expect([...a.state.rows]).toEqual(['b1', 'b2'])
    expect(b.snapshot()).toEqual(a.snapshot())
    b.history.undo()
    expect([...a.state.rows]).toEqual(['b1'])
  })

  test('does not take back a value that somebody has written over since', () => {
    const { a, b } = createPeers(schema, { undo })
    a.state.count = 1
    a.state.count = 2
    b.state.count = 9
    a.history.undo()
    expect(a.state.count).toBe(9)
    expect(b.state.count).toBe(9)
  })

  test('canUndo and canRedo are reactive', () => {
    const { state, history, effect } = createStore({ schema, undo })
    const seen: string[] = []
    effect(() => {
      seen.push(`${history.canUndo} ${history.canRedo}`)
    })
    state.count = 1
    history.undo()
    history.redo()
    history.clear()
    expect(seen).toEqual(['false false', 'true false', 'false true', 'true false', 'false false'])
  })

  test('an effect that follows an undo runs once', () => {
    const { state, history, effect, transact } = createStore({ schema, undo })
    transact(() => {
      state.count = 1
      state.rows.push('x')
    })
    let runs = 0
    effect(() => {
      void state.count
      void state.rows.length
      runs++
    })
    history.undo()
    expect(runs).toBe(2)
    expect([state.count, state.rows.length]).toEqual([0, 0])
  })

  test('changes within captureTimeout are one step; batch makes one step of all it does', () => {
    const { state, history } = createStore({ schema, undo: { captureTimeout: 60_000 } })
    state.rows.push('a')
    state.rows.push('b')
    const result = history.batch(() => {
      state.rows.push('c')
      state.rows.push('d')
      return 5
    })
    state.rows.push('e')
    expect(result).toBe(5)
    history.undo()
    expect([...state.rows]).toEqual(['a', 'b', 'c', 'd'])
    history.undo()
    expect([...state.rows]).toEqual(['a', 'b'])
    history.undo()
    expect([...state.rows]).toEqual([])

    const separate = createStore({ schema, undo })
    separate.history.batch(() => {
      separate.state.rows.push('c')
      separate.state.rows.push('d')
    })
    separate.history.undo()
    expect([...separate.state.rows]).toEqual([])
  })

  test('does not record while paused, nor transactions with history: false, nor with undo: false', () => {
    const { state, history, transact } = createStore({ schema, undo })
    history.pause()
    state.count = 1
    history.resume()
    transact(() => state.rows.push('x'), { history: false })
    expect(history.canUndo).toBe(false)
    transact(() => state.rows.push('y'), { origin: 'of the application' })
    expect(history.undo()).toBe(true)
    expect([...state.rows]).toEqual(['x'])
    const without = createStore({ schema, undo: false })
    without.state.count = 1
    expect([without.history.canUndo, without.history.undo()]).toEqual([false, false])
  })

  test('records what is written through the Y.Doc without an origin, and not what an editor binding marks as its own', () => {
    const { state, history, doc } = createStore({ schema, undo })
    state.letter.y.insert(0, 'typed')
    doc.transact(() => state.letter.y.insert(0, 'bound '), 'editor')
    expect(history.undo()).toBe(true)
    expect(state.letter.toString()).toBe('bound ')
    expect(history.canUndo).toBe(false)
  })

  test('scope limits it to the names given', () => {
    const { state, history } = createStore({ schema, undo: { ...undo, scope: ['rows'] } })
    state.rows.push('x')
    state.count = 1
    expect(history.undo()).toBe(true)
    expect([state.rows.length, state.count]).toEqual([0, 1])
  })

  test('restores a removed value as a live one', () => {
    const { a, b } = createPeers(schema, { undo })
    a.state.notes.set('n', { title: 'mine', x: 3 })
    a.state.notes.delete('n')
    a.history.undo()
    expect(b.snapshot().notes).toEqual({ n: { title: 'mine', x: 3 } })
    b.state.notes.get('n')!.x = 4
    expect(a.state.notes.get('n')!.x).toBe(4)
  })

  test('a transaction that was rolled back leaves no step that changes anything', () => {
    const store = createStore({ schema, undo })
    store.state.count = 1
    expect(() =>
      store.transact((state) => {
        state.count = 2
        throw new Error('no')
      }),
    ).toThrow()
    store.history.undo()
    while (store.state.count !== 0 && store.history.undo());
    expect(store.snapshot()).toMatchObject({ count: 0 })
  })

  test('a destroyed store lets a given document forget what was kept for undo', () => {
    const doc = new Y.Doc()
    const store = createStore({ schema, doc, undo })
    store.state.rows.push('x')
    store.state.rows.clear()
    store.destroy()
    const kept = [...doc.store.clients.values()].flat().filter((struct) => struct instanceof Y.Item && struct.keep)
    expect(kept).toEqual([])
  })
})
