import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { NewEvent, Socket } from '../../server/contracts.ts'
import type { Audience } from '../../server/room/channel.ts'
import { type Channels, createChannels } from '../../server/room/channels.ts'
import { personOf } from '../../server/room/person.ts'

/** Topics as the network keeps them: who subscribed, and what each of them was sent. */
const createWire = () => {
  const topics = new Map<string, Set<FakeSocket>>()
  class FakeSocket implements Socket {
    readonly address = '127.0.0.1'
    readonly heard: string[] = []
    readonly id: string
    constructor(id: string) {
      this.id = id
    }
    send(frame: Uint8Array | string): boolean {
      this.heard.push(String(frame))
      return true
    }
    buffered(): number {
      return 0
    }
    subscribe(topic: string): void {
      topics.set(topic, (topics.get(topic) ?? new Set()).add(this))
    }
    unsubscribe(topic: string): void {
      topics.get(topic)?.delete(this)
    }
    readonly ping = vi.fn()
    readonly close = vi.fn()
    readonly terminate = vi.fn()
  }
  return {
    socket: (id: string) => new FakeSocket(id),
    publish: (topic: string, frame: Uint8Array | string, except?: string) => {
      for (const socket of topics.get(topic) ?? []) if (socket.id !== except) socket.send(frame)
    },
  }
}

const audience = (key: string): Audience => ({
  key,
  encode: ({ offset, event }) => `${key}:${offset}:${event}`,
  encodePerson: (news, { id }) => `${key}:${news}:${id}`,
})

const event = (name: string, more: Partial<NewEvent> = {}): NewEvent => ({
  event: name,
  body: '1',
  from: 'server',
  ...more,
})

const LIMITS = {
  eventHistoryCount: 4,
  eventHistorySeconds: 60,
  eventHistoryBytes: 1_000_000,
  leaveGraceSeconds: 3,
}

let channels: Channels
let wire: ReturnType<typeof createWire>

const open = (limits: Partial<typeof LIMITS> = {}): Channels => {
  channels?.close()
  wire = createWire()
  channels = createChannels({ publisher: wire, present: () => [], limits: { ...LIMITS, ...limits } })
  return channels
}

beforeEach(() => {
  vi.useFakeTimers()
  open()
})
afterEach(() => {
  channels.close()
  vi.useRealTimers()
})

describe('the events of a channel', () => {
  it('are numbered from 1 and reach every audience in the same order', () => {
    const channel = channels.open('a')
    const [one, two] = [wire.socket('1'), wire.socket('2')]
    channel.join(one, audience('t'))
    channel.join(two, audience('p'))
    expect(channels.trigger('a', event('x'))).toEqual({ epoch: channel.epoch, offset: 1 })
    channels.trigger('a', event('y'))
    expect(one.heard).toEqual(['t:1:x', 't:2:y'])
    expect(two.heard).toEqual(['p:1:x', 'p:2:y'])
  })

  it('skip the one who is excluded, now and in the history', () => {
    const channel = channels.open('a')
    const [one, two] = [wire.socket('1'), wire.socket('2')]
    channel.join(one, audience('t'))
    channel.join(two, audience('t'))
    const start = channel.position
    channels.trigger('a', event('x', { except: '1' }))
    channels.trigger('a', event('y'))
    expect(one.heard).toEqual(['t:2:y'])
    expect(two.heard).toEqual(['t:1:x', 't:2:y'])
    expect(channel.since(start, '1')?.map(({ offset }) => offset)).toEqual([2])
    expect(channel.since(start, '2')?.map(({ offset }) => offset)).toEqual([1, 2])
  })

  it('are kept up to a number; a reader that needs more is told', () => {
    const channel = channels.open('a')
    const start = channel.position
    for (let i = 0; i < 5; i++) channels.trigger('a', event('x'))
    expect(channel.since(start)).toBeUndefined()
    expect(channel.since({ ...start, offset: 1 })?.map(({ offset }) => offset)).toEqual([2, 3, 4, 5])
  })

  it('are kept for a time', () => {
    const channel = channels.open('a')
    const start = channel.position
    channels.trigger('a', event('x'))
    vi.advanceTimersByTime(60_000)
    expect(channel.since(start)).toHaveLength(1)
    vi.advanceTimersByTime(1)
    expect(channel.since(start)).toBeUndefined()
    expect(channel.since(channel.position)).toEqual([])
  })

  it('of another epoch, or after the last one, are not known', () => {
    const channel = channels.open('a')
    channels.trigger('a', event('x'))
    expect(channel.since({ epoch: 'other', offset: 0 })).toBeUndefined()
    expect(channel.since({ epoch: channel.epoch, offset: 2 })).toBeUndefined()
  })

  it('reach a listener in this process until it ends', () => {
    const heard: string[] = []
    const end = channels.open('a').listen((published) => heard.push(published.event))
    channels.trigger('a', event('x'))
    end()
    channels.trigger('a', event('y'))
    expect(heard).toEqual(['x'])
  })

  it('stop for a socket that is paused and go on when it resumes', () => {
    const channel = channels.open('a')
    const one = wire.socket('1')
    channel.join(one, audience('t'))
    channel.pause(one, audience('t'))
    channels.trigger('a', event('x'))
    channel.resume(one, audience('t'))
    channels.trigger('a', event('y'))
    expect(one.heard).toEqual(['t:2:y'])
    expect(channel.subscribers).toBe(1)
  })
})

describe('the histories of all channels', () => {
  it('stay within their budget, the one published to least recently losing first', () => {
    open({ eventHistoryBytes: 6000, eventHistoryCount: 100 })
    const body = 'x'.repeat(1000)
    channels.trigger('a', event('x', { body }))
    channels.trigger('b', event('x', { body }))
    channels.trigger('a', event('x', { body }))
    expect(channels.open('b').kept()).toHaveLength(0)
    expect(channels.open('a').kept()).toHaveLength(2)
  })

  it('count what expired as free', () => {
    open({ eventHistoryBytes: 5000, eventHistoryCount: 100, eventHistorySeconds: 10 })
    const body = 'x'.repeat(1000)
    channels.trigger('a', event('x', { body }))
    channels.trigger('a', event('x', { body }))
    vi.advanceTimersByTime(10_001)
    channels.trigger('a', event('x', { body }))
    channels.trigger('b', event('x', { body }))
    expect(channels.open('a').kept()).toHaveLength(1)
    expect(channels.open('b').kept()).toHaveLength(1)
  })

  it('can be forgotten: a reader of before is told, later events go on', () => {
    const channel = channels.open('a')
    const start = channel.position
    channels.trigger('a', event('x'))
    channels.forget('a')
    expect(channel.since(start)).toBeUndefined()
    expect(channels.trigger('a', event('y'))).toEqual({ epoch: channel.epoch, offset: 2 })
  })
})

describe('a channel that nobody uses', () => {
  it('keeps its epoch as long as someone may come back, then is forgotten', () => {
    const { epoch } = channels.open('a')
    vi.advanceTimersByTime(55_000)
    expect(channels.open('a').epoch).toBe(epoch)
    vi.advanceTimersByTime(70_000)
    expect(channels.find('a')).toBeUndefined()
    expect(channels.open('a').epoch).not.toBe(epoch)
  })

  it('is kept while someone hears it', () => {
    const channel = channels.open('a')
    channel.join(wire.socket('1'), audience('t'))
    vi.advanceTimersByTime(1_000_000)
    expect(channels.find('a')).toBe(channel)
  })

  it('is refused where the name is none', () => {
    expect(() => channels.open('a//b')).toThrow(expect.objectContaining({ code: 'INVALID_ROOM' }))
  })
})

describe('people', () => {
  const news = (): string[] => {
    const seen: string[] = []
    channels.observe({
      joined: (_, { id }) => seen.push(`joined ${id}`),
      left: (_, { id }) => seen.push(`left ${id}`),
      occupied: () => seen.push('occupied'),
      vacated: () => seen.push('vacated'),
    })
    return seen
  }

  it('are there once, however many connections they have', () => {
    const seen = news()
    const { people } = channels.open('a')
    people.enter(1, { id: 'ann', info: null })
    people.enter(2, { id: 'ann', info: { name: 'Ann' } })
    expect(people.list()).toEqual([{ id: 'ann', info: null }])
    people.exit(1, false)
    expect(seen).toEqual(['occupied', 'joined ann'])
    people.exit(2, false)
    expect(seen).toEqual(['occupied', 'joined ann', 'left ann', 'vacated'])
  })

  it('tell what the longest-standing of their connections tells, a signed one before all others', () => {
    const channel = channels.open('a')
    const one = wire.socket('1')
    channel.join(one, audience('t'))
    const { people } = channel
    const infoOf = (): unknown => people.get('ann')?.info
    people.enter('yjs', { id: 'ann', info: 'unsigned' })
    people.enter('p1', { id: 'ann', info: 'signed' }, { isSigned: true })
    expect(infoOf()).toBe('signed')
    people.enter('p2', { id: 'ann', info: 'signed, second' }, { isSigned: true })
    people.enter('yjs', { id: 'ann', info: 'unsigned, anew' })
    expect(infoOf()).toBe('signed')
    people.exit('p1', false)
    expect(infoOf()).toBe('signed, second')
    people.exit('p2', true)
    expect(infoOf()).toBe('unsigned, anew')
    people.enter('yjs', { id: 'ann', info: 'later' })
    expect(infoOf()).toBe('later')
    people.exit('yjs', true)
    // Nobody is here: what was told last stays.
    expect(people.list()).toEqual([{ id: 'ann', info: 'later' }])
    people.enter('p3', { id: 'ann', info: 'back' }, { isSigned: true })
    expect(people.list()).toEqual([{ id: 'ann', info: 'back' }])
    // A join and no other; each change once.
    expect(one.heard).toEqual(['t:joined:ann', ...Array.from({ length: 5 }, () => 't:present:ann')])
  })

  it('who tell the same again are told of to nobody', () => {
    const channel = channels.open('a')
    const one = wire.socket('1')
    channel.join(one, audience('t'))
    for (let i = 0; i < 3; i++) channel.people.enter(1, { id: 'ann', info: { name: 'Ann', tags: ['x'] } })
    expect(one.heard).toEqual(['t:joined:ann'])
  })

  it('whose connection broke are not gone if they are back in time', () => {
    const seen = news()
    const { people } = channels.open('a')
    people.enter(1, { id: 'ann', info: null })
    people.exit(1, true)
    vi.advanceTimersByTime(2999)
    people.enter(2, { id: 'ann', info: null })
    vi.advanceTimersByTime(10_000)
    expect(seen).toEqual(['occupied', 'joined ann'])
    people.exit(2, true)
    vi.advanceTimersByTime(3000)
    expect(seen).toEqual(['occupied', 'joined ann', 'left ann', 'vacated'])
  })

  it('stay while any connection of theirs that broke may be back, whoever says good-bye meanwhile', () => {
    const seen = news()
    const { people } = channels.open('a')
    people.enter(1, { id: 'ann', info: null })
    people.enter(2, { id: 'ann', info: null })
    people.exit(1, true)
    vi.advanceTimersByTime(500)
    people.exit(2, false)
    vi.advanceTimersByTime(500)
    people.enter(3, { id: 'ann', info: null })
    vi.advanceTimersByTime(500)
    people.exit(3, false)
    vi.advanceTimersByTime(1499)
    expect(seen).toEqual(['occupied', 'joined ann'])
    vi.advanceTimersByTime(1)
    expect(seen).toEqual(['occupied', 'joined ann', 'left ann', 'vacated'])
  })

  it('have for each connection that broke its own grace', () => {
    const seen = news()
    const { people } = channels.open('a')
    people.enter(1, { id: 'ann', info: null })
    people.enter(2, { id: 'ann', info: null })
    people.exit(1, true)
    vi.advanceTimersByTime(2000)
    people.exit(2, true)
    vi.advanceTimersByTime(2999)
    expect(seen).toEqual(['occupied', 'joined ann'])
    vi.advanceTimersByTime(1)
    expect(seen).toEqual(['occupied', 'joined ann', 'left ann', 'vacated'])
  })

  it('are gone at once if the very connection that broke is back and says good-bye', () => {
    const seen = news()
    const { people } = channels.open('a')
    people.enter(1, { id: 'ann', info: null })
    people.exit(1, true)
    people.enter(1, { id: 'ann', info: null })
    people.exit(1, false)
    expect(seen).toEqual(['occupied', 'joined ann', 'left ann', 'vacated'])
    vi.advanceTimersByTime(10_000)
    expect(seen).toHaveLength(4)
  })

  it('are gone at once if a connection that came back for the one that broke says good-bye', () => {
    const seen = news()
    const { people } = channels.open('a')
    people.enter(1, { id: 'ann', info: null })
    people.exit(1, true)
    people.enter(2, { id: 'ann', info: null }, { former: 1 })
    people.exit(2, false)
    expect(seen).toEqual(['occupied', 'joined ann', 'left ann', 'vacated'])
    vi.advanceTimersByTime(10_000)
    expect(seen).toHaveLength(4)
  })

  it('who become someone else leave and join', () => {
    const seen = news()
    const { people } = channels.open('a')
    people.enter(1, { id: 'ann', info: null })
    people.enter(1, { id: 'bob', info: null })
    expect(seen).toEqual(['occupied', 'joined ann', 'joined bob', 'left ann'])
  })

  it('are told to every audience, but not to the connection they came by', () => {
    const channel = channels.open('a')
    const [one, two] = [wire.socket('1'), wire.socket('2')]
    channel.join(one, audience('t'))
    channel.join(two, audience('p'))
    channel.people.enter(1, { id: 'ann', info: null }, { by: one })
    channel.people.exit(1, false)
    expect(one.heard).toEqual(['t:left:ann'])
    expect(two.heard).toEqual(['p:joined:ann', 'p:left:ann'])
  })

  it('of a document are known to a channel that is made later', () => {
    channels.close()
    channels = createChannels({ publisher: wire, present: () => [[7, { id: 'ann', info: null }]], limits: LIMITS })
    expect(channels.peopleOf('a')).toBeUndefined()
    expect(channels.open('a').people.list()).toEqual([{ id: 'ann', info: null }])
    expect(channels.peopleOf('a')).toBe(channels.open('a').people)
  })
})

describe('occupation', () => {
  it('ends at once with a good-bye, and after the grace where the connection broke', () => {
    const seen: string[] = []
    channels.observe({ occupied: () => seen.push('occupied'), vacated: () => seen.push('vacated') })
    const channel = channels.open('a')
    const one = wire.socket('1')
    channel.join(one, audience('t'))
    channel.leave(one, audience('t'), true)
    vi.advanceTimersByTime(2999)
    channel.join(one, audience('t'))
    vi.advanceTimersByTime(10_000)
    expect(seen).toEqual(['occupied'])
    channel.leave(one, audience('t'), true)
    vi.advanceTimersByTime(3000)
    expect(seen).toEqual(['occupied', 'vacated'])
    channel.join(one, audience('t'))
    channel.leave(one, audience('t'), false)
    expect(seen).toEqual(['occupied', 'vacated', 'occupied', 'vacated'])
  })

  it('lasts while a connection that broke may be back, whoever comes and goes meanwhile', () => {
    const seen: string[] = []
    channels.observe({ occupied: () => seen.push('occupied'), vacated: () => seen.push('vacated') })
    const channel = channels.open('a')
    const [one, two] = [wire.socket('1'), wire.socket('2')]
    channel.join(one, audience('t'))
    channel.join(two, audience('t'))
    channel.leave(one, audience('t'), true)
    vi.advanceTimersByTime(1000)
    channel.leave(two, audience('t'), false)
    vi.advanceTimersByTime(1000)
    channel.join(two, audience('t'))
    channel.leave(two, audience('t'), false)
    vi.advanceTimersByTime(999)
    expect(seen).toEqual(['occupied'])
    vi.advanceTimersByTime(1)
    expect(seen).toEqual(['occupied', 'vacated'])
  })

  it('lasts as long as the grace of whoever broke last', () => {
    const seen: string[] = []
    channels.observe({ vacated: () => seen.push('vacated') })
    const channel = channels.open('a')
    const [one, two] = [wire.socket('1'), wire.socket('2')]
    channel.join(one, audience('t'))
    channel.join(two, audience('t'))
    channel.leave(one, audience('t'), true)
    vi.advanceTimersByTime(2000)
    channel.leave(two, audience('t'), true)
    vi.advanceTimersByTime(2999)
    expect(seen).toEqual([])
    vi.advanceTimersByTime(1)
    expect(seen).toEqual(['vacated'])
  })
})

describe('channels that are hushed', () => {
  it('tell nobody of who goes, and publish as before', () => {
    const seen: string[] = []
    channels.observe({
      left: (_, { id }) => seen.push(`left ${id}`),
      vacated: () => seen.push('vacated'),
      counted: (_, count) => seen.push(`counted ${count}`),
    })
    const channel = channels.open('a')
    const [one, two] = [wire.socket('1'), wire.socket('2')]
    channel.join(one, audience('t'))
    channel.join(two, audience('t'))
    channel.people.enter(1, { id: 'ann', info: null }, { by: one })
    channel.people.enter(2, { id: 'bob', info: null }, { by: two })
    channel.listenToPeople((what, { id }) => seen.push(`${what} ${id} in process`))
    channel.people.exit(2, true)
    for (const socket of [one, two]) socket.heard.length = 0
    seen.length = 0
    channels.hush()
    channel.people.exit(1, false)
    channel.leave(one, audience('t'), false)
    channels.trigger('a', event('x'))
    vi.advanceTimersByTime(10_000)
    channel.leave(two, audience('t'), false)
    expect([seen, one.heard, two.heard]).toEqual([[], [], ['t:1:x']])
  })
})

describe('the person behind an awareness state', () => {
  it.each([
    [{ user: { id: 'u1', name: 'Ann' } }, { id: 'u1', info: { name: 'Ann' } }],
    [{ user: { id: 5 } }, { id: '5', info: null }],
    [{ user: { id: '', name: 'x' } }, { id: '9', info: { name: 'x' } }],
    [{ user: 'Ann' }, { id: '9', info: null }],
    [{ user: [1] }, { id: '9', info: null }],
    [{}, { id: '9', info: null }],
    [{ user: { id: '12345' } }, { id: '12345', info: null }],
    [{ user: { id: '123456', name: 'x' } }, { id: '9', info: { name: 'x' } }],
    [{ user: { id: 123456 } }, { id: '9', info: null }],
  ])('of %j is %j', (state, person) => {
    expect(personOf(9, state, 5)).toEqual(person)
  })
})
