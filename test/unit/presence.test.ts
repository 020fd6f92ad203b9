import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Awareness, applyAwarenessUpdate, encodeAwarenessUpdate, removeAwarenessStates } from 'y-protocols/awareness'
import * as Y from 'yjs'
import { s } from '../../lib/index.ts'
import { createPresence, type Presence } from '../../lib/presence.ts'
import { type PresenceShape, presenceCodec } from '../../lib/presenceSchema.ts'
import { effect } from '../../lib/store/reactive.ts'
import type { Input, Snapshot } from '../../lib/store/schema.ts'

const shape = {
  name: s.string(),
  color: s.literal('red', 'blue').default('red'),
  cursor: s.object({ x: s.number(), y: s.number() }).nullable(),
  tool: s.string().optional(),
  seen: s.date().optional(),
}
const ada = { name: 'Ada', cursor: null }

type Update = Record<'added' | 'updated' | 'removed', number[]>
const ended: (() => void)[] = []

beforeEach(() => {
  vi.useFakeTimers()
})

afterEach(() => {
  for (const end of ended.splice(0)) end()
  expect(vi.getTimerCount()).toBe(0)
  vi.useRealTimers()
})

const newAwareness = (): Awareness => {
  const awareness = new Awareness(new Y.Doc())
  ended.push(() => awareness.doc.destroy())
  return awareness
}

const present = <PS extends PresenceShape>(
  schema: PS,
  initial: Input<PS>,
  { awareness = newAwareness(), throttle = 50 } = {},
) => {
  const codec = presenceCodec(schema)
  const { presence, stop } = createPresence({ codec, own: codec.start(initial), throttle, awareness })
  ended.push(stop)
  return { presence: presence as unknown as Presence<Snapshot<PS>, Partial<Input<PS>>>, awareness, stop }
}

/** Sends what changes at one awareness to another, as a server would; returns the number of messages so far. */
const pipe = (from: Awareness, to: Awareness): { sent: number } => {
  const wire = { sent: 0 }
  from.on('update', ({ added, updated, removed }: Update, origin: unknown) => {
    if (origin !== 'local') return
    wire.sent++
    applyAwarenessUpdate(to, encodeAwarenessUpdate(from, [...added, ...updated, ...removed]), 'remote')
  })
  applyAwarenessUpdate(to, encodeAwarenessUpdate(from, [from.clientID]), 'remote')
  return wire
}

/** A member that speaks plain awareness. */
const stranger = (to: Awareness, state: Record<string, unknown>): Awareness => {
  const awareness = newAwareness()
  awareness.setLocalState(state)
  pipe(awareness, to)
  return awareness
}

describe('self', () => {
  it('shows initial with its defaults, and each set at once', () => {
    const { presence, awareness } = present(shape, ada)
    expect({ ...presence.self }).toEqual({
      name: 'Ada',
      color: 'red',
      cursor: null,
      tool: undefined,
      seen: undefined,
    })
    expect(awareness.getLocalState()).toEqual({ name: 'Ada', cursor: null })
    presence.set({ cursor: { x: 1, y: 2 }, seen: new Date(5) })
    expect(presence.self.cursor).toEqual({ x: 1, y: 2 })
    expect(presence.self.seen).toEqual(new Date(5))
    expect(presence.id).toBe(awareness.clientID)
    expect(presence.members.map(({ id, state }) => [id, state.name])).toEqual([[awareness.clientID, 'Ada']])
  })

  it('puts the state on the wire as it is, beside what an editor binding put there', () => {
    const { presence, awareness } = present(shape, ada)
    awareness.setLocalStateField('user', { name: 'binding' })
    vi.advanceTimersByTime(50)
    presence.set({ seen: new Date(7), tool: 'pen' })
    expect(awareness.getLocalState()).toEqual({
      name: 'Ada',
      cursor: null,
      seen: 7,
      tool: 'pen',
      user: { name: 'binding' },
    })
    presence.set({ tool: undefined })
    vi.advanceTimersByTime(50)
    expect(awareness.getLocalState()).not.toHaveProperty('tool')
    expect('tool' in presence.self).toBe(true)
    expect(presence.self.tool).toBeUndefined()
  })

  it.each([
    [{ nmae: 'x' }, 'UNKNOWN_KEY', ['presence', 'nmae']],
    [{ name: 5 }, 'INVALID_VALUE', ['presence', 'name']],
    [{ name: undefined }, 'INVALID_VALUE', ['presence', 'name']],
    [{ cursor: { x: 1, y: Number.NaN } }, 'INVALID_VALUE', ['presence', 'cursor', 'y']],
    [{ color: 'green' }, 'INVALID_VALUE', ['presence', 'color']],
    [{ constructor: 1 }, 'UNKNOWN_KEY', ['presence', 'constructor']],
  ])('refuses %j with %s and changes nothing', (patch, code, path) => {
    const { presence, awareness } = present(shape, ada)
    vi.advanceTimersByTime(50)
    const set = presence.set as (patch: object) => void
    expect(() => set({ tool: 'pen', ...patch })).toThrow(expect.objectContaining({ code, path }))
    expect(presence.self.tool).toBeUndefined()
    expect(awareness.getLocalState()).toEqual({ name: 'Ada', cursor: null })
  })

  it('refuses an initial state that lacks a key, and a schema that JSON cannot carry', () => {
    const bad = present as (schema: PresenceShape, initial: object) => unknown
    expect(() => bad(shape, { cursor: null })).toThrow(
      expect.objectContaining({ code: 'INVALID_VALUE', path: ['presence', 'name'] }),
    )
    expect(() => bad({ list: s.list(s.object({ blob: s.bytes() })) }, { list: [] })).toThrow(
      expect.objectContaining({ code: 'INVALID_SCHEMA', path: ['presence', 'list', '*', 'blob'] }),
    )
    expect(() => bad({ name: 'string' } as never, {})).toThrow(expect.objectContaining({ code: 'INVALID_SCHEMA' }))
  })

  it('cannot be assigned to', () => {
    const { presence } = present(shape, ada)
    expect(() => {
      ;(presence.self as { name: string }).name = 'Eve'
    }).toThrow(TypeError)
    expect(presence.self.name).toBe('Ada')
  })

  it('takes nothing after it stopped', () => {
    const { presence, stop } = present(shape, ada)
    stop()
    expect(() => presence.set({ name: 'Eve' })).toThrow(expect.objectContaining({ code: 'DESTROYED' }))
  })
})

describe('throttle', () => {
  it('sends the first change at once and the last of the others after 50 ms: never two messages within', () => {
    const { presence, awareness } = present(shape, ada)
    const other = newAwareness()
    const wire = pipe(awareness, other)
    const seen = (): unknown => (other.getStates().get(awareness.clientID) as { cursor: unknown }).cursor
    vi.advanceTimersByTime(50)
    const at: number[] = []
    awareness.on('update', () => at.push(Date.now()))
    for (let x = 0; x < 200; x++) {
      presence.set({ cursor: { x, y: 0 } })
      vi.advanceTimersByTime(1)
    }
    vi.advanceTimersByTime(100)
    expect(seen()).toEqual({ x: 199, y: 0 })
    expect(wire.sent).toBe(5)
    expect(at.slice(1).map((time, index) => time - at[index]!)).toEqual([50, 50, 50, 50])
  })

  it('sends nothing for a value that is equal', () => {
    const { presence, awareness } = present(shape, ada)
    vi.advanceTimersByTime(50)
    const wire = pipe(awareness, newAwareness())
    presence.set({ cursor: null, name: 'Ada' })
    vi.advanceTimersByTime(50)
    expect(wire.sent).toBe(0)
  })
})

describe('others', () => {
  it('come, change and go, each told once', () => {
    const { presence, awareness } = present(shape, ada)
    const told: unknown[] = []
    presence.on('join', (member) => told.push(['join', member.id, member.state.name]))
    presence.on('leave', (member) => told.push(['leave', member.id, member.state.name]))
    const end = presence.on('update', (member, keys) => told.push(['update', member.id, keys]))
    const bob = present(shape, { name: 'Bob', cursor: null }, { throttle: 0 })
    pipe(bob.awareness, awareness)
    const id = bob.awareness.clientID
    const member = presence.other(id)
    expect(presence.others).toEqual([member])
    expect(presence.members.map((each) => each.id)).toEqual([awareness.clientID, id])
    bob.presence.set({ cursor: { x: 1, y: 1 }, name: 'Bo' })
    expect(presence.other(id)).toBe(member)
    expect(member?.state.cursor).toEqual({ x: 1, y: 1 })
    // The renewal every 15 s is no news.
    bob.awareness.setLocalState(bob.awareness.getLocalState())
    end()
    bob.presence.set({ name: 'B' })
    bob.awareness.setLocalState(null)
    expect(presence.others).toEqual([])
    expect(presence.other(id)).toBeUndefined()
    expect(told).toEqual([
      ['join', id, 'Bob'],
      ['update', id, ['name', 'cursor']],
      ['leave', id, 'B'],
    ])
  })

  it('that come back after a removal are told as joining', () => {
    const { presence, awareness } = present(shape, ada)
    const bob = stranger(awareness, { name: 'Bob' })
    let joined = 0
    presence.on('join', () => joined++)
    removeAwarenessStates(awareness, [bob.clientID], 'test')
    expect(presence.others).toHaveLength(0)
    bob.setLocalState({ name: 'Bob' })
    expect(presence.others.map(({ state }) => state.name)).toEqual(['Bob'])
    expect(joined).toBe(1)
  })

  it('that were there before are listed', () => {
    const awareness = newAwareness()
    stranger(awareness, { name: 'Bob' })
    const { presence } = present(shape, ada, { awareness })
    expect(presence.others.map(({ state }) => state.name)).toEqual(['Bob'])
  })

  it('a cursor that moves runs what reads that cursor, and no avatar list', () => {
    const { presence, awareness } = present(shape, ada)
    const bob = present(shape, { name: 'Bob', cursor: null }, { throttle: 0 })
    const eve = present(shape, { name: 'Eve', cursor: null }, { throttle: 0 })
    pipe(bob.awareness, awareness)
    pipe(eve.awareness, awareness)
    const runs = { avatars: 0, bobsCursor: 0, evesCursor: 0, self: 0, count: 0 }
    const [bobSeen, eveSeen] = presence.others
    ended.push(
      effect(() => {
        runs.avatars++
        return void presence.members.map(({ state }) => state.name).join()
      }),
      effect(() => {
        runs.bobsCursor++
        return void bobSeen?.state.cursor
      }),
      effect(() => {
        runs.evesCursor++
        return void eveSeen?.state.cursor
      }),
      effect(() => {
        runs.self++
        return void presence.self.cursor
      }),
      effect(() => {
        runs.count++
        return void presence.others.length
      }),
    )
    for (let x = 0; x < 10; x++) bob.presence.set({ cursor: { x, y: 0 } })
    expect(runs).toEqual({ avatars: 1, bobsCursor: 11, evesCursor: 1, self: 1, count: 1 })
    eve.presence.set({ name: 'Eva' })
    expect(runs).toEqual({ avatars: 2, bobsCursor: 11, evesCursor: 1, self: 1, count: 1 })
    presence.set({ cursor: { x: 0, y: 0 } })
    expect(runs).toEqual({ avatars: 2, bobsCursor: 11, evesCursor: 1, self: 2, count: 1 })
    eve.awareness.setLocalState(null)
    expect(runs).toEqual({ avatars: 3, bobsCursor: 11, evesCursor: 1, self: 2, count: 2 })
  })

  it.each([
    ['a number', 5, undefined],
    ['an array', [1], undefined],
    ['nothing', {}, undefined],
    ['wrong types', { name: 5, color: 'green', cursor: { x: 'a', y: 1 }, tool: null, seen: 'x' }, undefined],
    ['names of Object.prototype', { name: 'x', toString: 1, constructor: 2, cursor: { x: 1 } }, 'x'],
  ])('a state of %s never throws and reads as defaults', (_name, state, name) => {
    const { presence, awareness } = present(shape, ada)
    stranger(awareness, state as Record<string, unknown>)
    expect(presence.others).toHaveLength(1)
    const shown = presence.others[0]!.state
    expect(shown.color).toBe('red')
    expect(shown.tool).toBeUndefined()
    expect(shown.seen).toBeUndefined()
    expect(shown.name).toBe(name)
    expect(shown.cursor).toBeUndefined()
    expect(Object.keys(shown)).toEqual(Object.keys(shape))
    expect((shown as Record<string, unknown>).toString).toBeUndefined()
    expect(JSON.parse(JSON.stringify(shown)).color).toBe('red')
    expect(presence.others[0]!.user).toBeUndefined()
  })

  it('have user, the key of stock clients, whatever the schema', () => {
    const { presence, awareness } = present(shape, ada)
    const bob = stranger(awareness, { user: { name: 'Bob', color: '#f00' } })
    const users: unknown[] = []
    ended.push(effect(() => void users.push(presence.others[0]?.user)))
    bob.setLocalStateField('cursor', { x: 1, y: 1 })
    bob.setLocalStateField('user', { name: 'Bo' })
    expect(users).toEqual([{ name: 'Bob', color: '#f00' }, { name: 'Bo' }])
    expect(presence.others[0]?.state).not.toHaveProperty('user')
  })

  it('are shown as they are where there is no schema, and self is empty', () => {
    const awareness = newAwareness()
    const { presence, stop } = createPresence({
      codec: presenceCodec(undefined),
      own: {},
      throttle: 50,
      awareness,
    })
    ended.push(stop)
    const bob = stranger(awareness, { user: { name: 'Bob' } })
    const keys: string[][] = []
    ended.push(effect(() => void keys.push(Object.keys(presence.others[0]?.state ?? {}))))
    expect({ ...presence.others[0]?.state }).toEqual({ user: { name: 'Bob' } })
    bob.setLocalStateField('cursor', 3)
    expect(keys).toEqual([['user'], ['user', 'cursor']])
    expect(presence.others[0]?.state.cursor).toBe(3)
    expect(presence.others[0]?.state.toString).toBeUndefined()
    expect({ ...presence.self }).toEqual({})
    expect(() => presence.set({ name: 'x' })).toThrow(expect.objectContaining({ code: 'UNKNOWN_KEY' }))
  })

  it('nested values, lists and records are read by the schema', () => {
    const nested = {
      picks: s.list(s.string()),
      marks: s.record(s.object({ at: s.date(), note: s.text() })),
      any: s.json(),
      key: s.id(),
    }
    const { presence, awareness } = present(nested, { any: { a: [1] } })
    expect(presence.self.picks).toEqual([])
    expect(presence.self.key).toMatch(/^.{16}$/)
    presence.set({ picks: ['a'], marks: { m: { at: new Date(1), note: 'n' } } })
    expect(presence.self.marks).toEqual({ m: { at: new Date(1), note: 'n' } })
    stranger(awareness, {
      picks: ['a', 5, 'b'],
      marks: { m: { at: 2, note: 'x' }, n: 'no', o: { at: 3 } },
      any: null,
      key: 7,
    })
    expect({ ...presence.others[0]?.state }).toEqual({
      picks: ['a', 'b'],
      marks: { m: { at: new Date(2), note: 'x' } },
      any: null,
      key: undefined,
    })
  })

  it('a listener that throws does not starve the next, nor the effects', async () => {
    const { presence, awareness } = present(shape, ada)
    const order: string[] = []
    presence.on('join', () => {
      throw new Error('in a listener')
    })
    presence.on('join', () => order.push('second'))
    stranger(awareness, { name: 'Bob' })
    expect(order).toEqual(['second'])
    expect(() => vi.advanceTimersByTime(0)).toThrow('in a listener')
  })
})
