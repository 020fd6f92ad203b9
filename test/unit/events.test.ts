import { describe, expect, it } from 'vitest'
import { s } from '../../lib/index.ts'
import { type EventServer, join, joinEvents, startEventServer, until } from './eventRooms.ts'
import { rejection } from './refusal.ts'
import { catchUncaught } from './uncaught.ts'

describe('an event', () => {
  it('reaches everyone else in the room, with who sent it', async () => {
    const { url } = await startEventServer()
    const a = await joinEvents(url, { room: 'chat', user: 'ada' })
    const b = await joinEvents(url, { room: 'chat' })
    const c = await joinEvents(url, { room: 'chat' })
    await a.events.trigger('say', { text: 'hello' })
    await until(() => b.heard.length === 1 && c.heard.length === 1)
    const meta = { event: 'say', epoch: expect.any(String), offset: 1, recovered: false, from: 'peer', userId: 'ada' }
    expect(b.heard).toEqual([{ event: 'say', data: { text: 'hello' }, meta }])
    expect(c.heard).toEqual(b.heard)
    expect(a.heard).toEqual([])
  })

  it('of one who names no user carries the client id, as the list of members does', async () => {
    const { url } = await startEventServer()
    const a = await joinEvents(url, { room: 'chat' })
    const b = await joinEvents(url, { room: 'chat' })
    await b.events.trigger('say')
    await until(() => a.heard.length === 1 && b.events.members.length === 2)
    expect(a.heard[0]?.meta.userId).toBe(String(b.store.doc.clientID))
    expect(b.events.members.map(({ id }) => id)).toContain(a.heard[0]?.meta.userId)
  })

  it('comes in the same order to everyone, whoever sent it by whatever door', async () => {
    const { push, url } = await startEventServer({ maxEventsPerSecond: 10_000 })
    const rooms = await Promise.all([1, 2, 3, 4].map(() => joinEvents(url, { room: 'chat' })))
    const [reader, ...writers] = rooms
    const sent: Promise<void>[] = []
    for (let i = 0; i < 50; i++) {
      for (const [w, writer] of writers.entries()) sent.push(writer.events.trigger(`from ${w}`, i))
      push('chat', 'from server', { body: String(i) })
      await new Promise((resolve) => setImmediate(resolve))
    }
    await Promise.all(sent)
    push('chat', 'last')
    await until(() => rooms.every(({ heard }) => heard.at(-1)?.event === 'last'))
    const seen = reader!.heard.map(({ event, data }) => [event, data])
    expect(seen).toHaveLength(201)
    expect(reader!.offsets()).toEqual(seen.map((_, i) => i + 1))
    for (const [w, { heard }] of writers.entries()) {
      expect(heard.map(({ event, data }) => [event, data])).toEqual(seen.filter(([event]) => event !== `from ${w}`))
    }
    // Of each sender in the order of sending.
    for (const name of ['from 0', 'from 1', 'from 2', 'from server']) {
      expect(seen.filter(([event]) => event === name).map(([, i]) => i)).toEqual(
        Array.from({ length: 50 }, (_, i) => i),
      )
    }
  })

  it('of a back end says so, and its text that is no JSON stands for itself', async () => {
    const { push, url } = await startEventServer()
    const a = await joinEvents(url, { room: 'chat' })
    for (const body of ['{"a":[1,"ü",null]}', '"5"', '5', 'hello', '', '{"a":']) push('chat', 'news', { body })
    await until(() => a.heard.length === 6)
    expect(a.heard.map(({ data }) => data)).toEqual([{ a: [1, 'ü', null] }, '5', 5, 'hello', '', '{"a":'])
    expect(a.heard[0]?.meta).toEqual({
      event: 'news',
      epoch: expect.any(String),
      offset: 1,
      recovered: false,
      from: 'server',
    })
  })

  it('that names a session is not for that one', async () => {
    const { push, url } = await startEventServer()
    const a = await joinEvents(url, { room: 'chat' })
    const b = await joinEvents(url, { room: 'chat' })
    expect(a.room.sessionId).toMatch(/^\d+\.\d+$/)
    expect(b.room.sessionId).not.toBe(a.room.sessionId)
    push('chat', 'one', { except: a.room.sessionId! })
    push('chat', 'two', { except: '1.1' })
    await until(() => a.heard.length === 1 && b.heard.length === 2)
    expect(a.heard.map(({ event }) => event)).toEqual(['two'])
    expect(b.heard.map(({ event }) => event)).toEqual(['one', 'two'])
  })

  it('carries any bytes as they are: each value, none, many', async () => {
    const { url } = await startEventServer({ maxEventBytes: 1_500_000 })
    const a = await joinEvents(url, { room: 'chat' })
    const b = await joinEvents(url, { room: 'chat' })
    const every = Uint8Array.from({ length: 256 }, (_, i) => i)
    const large = Uint8Array.from({ length: 1_500_000 }, (_, i) => (i * 7) % 251)
    for (const bytes of [every, new Uint8Array(), large, every.subarray(3, 5)]) await a.events.trigger('raw', bytes)
    await until(() => b.heard.length === 4)
    expect(b.heard.map(({ data }) => data instanceof Uint8Array)).toEqual([true, true, true, true])
    expect(b.heard[0]?.data).toEqual(every)
    expect(b.heard[1]?.data).toEqual(new Uint8Array())
    expect(Buffer.compare(b.heard[2]?.data as Uint8Array, large)).toBe(0)
    expect(b.heard[3]?.data).toEqual(Uint8Array.of(3, 4))
  })

  it('carries any JSON as it is', async () => {
    const { url } = await startEventServer()
    const a = await joinEvents(url, { room: 'chat' })
    const b = await joinEvents(url, { room: 'chat' })
    const all = [null, true, 0, -1.5e300, '', '"', '\u0000\u{1F600}', '5', [], [[]], {}, { '': { a: [null, 'ü'] } }]
    for (const data of all) await a.events.trigger('json', data)
    await until(() => b.heard.length === all.length)
    expect(b.heard.map(({ data }) => data)).toEqual(all)
  })
})

describe('trigger', () => {
  it('resolves when the event is published', async () => {
    const { channels, url } = await startEventServer()
    const a = await joinEvents(url, { room: 'chat' })
    await a.events.trigger('say', 1)
    expect(channels.find('chat')?.position.offset).toBe(1)
  })

  it('needs no subscription', async () => {
    const { channels, url } = await startEventServer()
    const a = join(url, { room: 'chat' })
    await until(() => a.room.sessionId !== null)
    await a.room.events.trigger('say', 1)
    expect(channels.find('chat')).toMatchObject({ position: { offset: 1 }, subscribers: 0 })
  })

  it('works as soon as the status says connected', async () => {
    const { url } = await startEventServer()
    const { room } = join(url, { room: 'chat' })
    const outcome = new Promise((resolve) => {
      const stop = room.on('status', ({ connection }) => {
        if (connection !== 'connected') return
        stop()
        room.events.trigger('say', 1).then(() => resolve('published'), resolve)
      })
    })
    expect(await outcome).toBe('published')
  })

  it('rejects where there is no connection, and sends nothing later', async () => {
    const { url } = await startEventServer()
    const reader = await joinEvents(url, { room: 'chat' })
    const a = join(url, { room: 'chat', connect: false })
    for (const ack of [true, false]) {
      const error = await rejection(a.room.events.trigger('say', 1, { ack }))
      expect(error).toMatchObject({ code: 'NOT_CONNECTED', retryable: true })
    }
    a.room.connect()
    await until(() => a.room.sessionId !== null)
    await a.room.events.trigger('say', 2)
    await until(() => reader.heard.length > 0)
    expect(reader.heard.map(({ data }) => data)).toEqual([2])
  })

  it('rejects what is no event or no data before anything is sent', async () => {
    const { url } = await startEventServer()
    const a = join(url, {
      room: 'chat',
      connect: false,
      events: { say: s.object({ text: s.string() }), raw: s.bytes() },
    })
    const { events } = a.room
    // @ts-expect-error no such event
    expect(await rejection(events.trigger('sya', {}))).toMatchObject({ code: 'UNKNOWN_KEY', path: ['events', 'sya'] })
    // @ts-expect-error no such data
    expect(await rejection(events.trigger('say', { text: 5 }))).toMatchObject({
      code: 'INVALID_VALUE',
      path: ['events', 'say', 'text'],
    })
    // @ts-expect-error no such key
    expect(await rejection(events.trigger('say', { text: '', more: 1 }))).toMatchObject({ code: 'UNKNOWN_KEY' })
    // @ts-expect-error no bytes
    expect(await rejection(events.trigger('raw', 'text'))).toMatchObject({ code: 'INVALID_VALUE' })
    const open = a.room.channel('chat')
    for (const name of ['', 'pusher:x', 'pusher_internal:x', 'x'.repeat(201), '\ud800']) {
      expect(await rejection(open.trigger(name, 1))).toMatchObject({ code: 'INVALID_VALUE' })
    }
    const ring: unknown[] = []
    ring.push(ring)
    expect(await rejection(open.trigger('say', ring as never))).toMatchObject({ code: 'CYCLE' })
    for (const data of [() => 1, new Date(), Number.NaN, 1n]) {
      expect(await rejection(open.trigger('say', data as never))).toMatchObject({ code: 'INVALID_VALUE' })
    }
    for (const timeout of [-1, Number.NaN]) {
      expect(await rejection(open.trigger('say', 1, { timeout }))).toMatchObject({ code: 'INVALID_OPTION' })
    }
  })

  it('rejects with what the server refuses it with, and the connection stays', async () => {
    const { url } = await startEventServer({ maxEventBytes: 1024, maxMessageBytes: 2048 })
    const a = await joinEvents(url, { room: 'chat' })
    const b = await joinEvents(url, { room: 'chat' })
    await a.events.trigger('say', 'x'.repeat(1022))
    const error = await rejection(a.events.trigger('say', 'x'.repeat(1023)))
    expect(error).toMatchObject({
      code: 'TOO_LARGE',
      message: expect.stringContaining('1025'),
      hint: expect.any(String),
    })
    // Counted in bytes, not in characters.
    expect(await rejection(a.events.trigger('say', 'ü'.repeat(512)))).toMatchObject({ code: 'TOO_LARGE' })
    expect(await rejection(a.events.trigger('say', new Uint8Array(1025)))).toMatchObject({ code: 'TOO_LARGE' })
    // The server would close the connection on this one.
    expect(await rejection(a.events.trigger('say', 'x'.repeat(4000)))).toMatchObject({ code: 'TOO_LARGE' })
    await a.events.trigger('say', 'last')
    await until(() => b.heard.length === 2)
    expect(a.sockets).toHaveLength(1)
    expect(a.errors).toEqual([])
  })

  it('is refused alone where too many come at once', async () => {
    const { url } = await startEventServer({ maxEventsPerSecond: 5 })
    const a = await joinEvents(url, { room: 'chat' })
    const b = await joinEvents(url, { room: 'chat' })
    const outcomes = await Promise.allSettled(Array.from({ length: 12 }, (_, i) => a.events.trigger('say', i)))
    const published = outcomes.filter(({ status }) => status === 'fulfilled').length
    // One or two more may pass where the machine is slow.
    expect(published).toBeGreaterThanOrEqual(5)
    expect(published).toBeLessThan(12)
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'RATE_LIMITED' })
    }
    await until(() => b.heard.length === published)
    await b.events.trigger('say', 'others may')
    await until(() => a.heard.length === 1)
  })

  it('without acknowledgement resolves once sent; a refusal reaches the store', async () => {
    const { url } = await startEventServer({ maxEventBytes: 1024 })
    const a = await joinEvents(url, { room: 'chat' })
    const b = await joinEvents(url, { room: 'chat' })
    await a.events.trigger('say', 1, { ack: false })
    await a.events.trigger('say', 'x'.repeat(2000), { ack: false })
    await until(() => a.errors.length === 1 && b.heard.length === 1)
    expect(a.errors[0]?.code).toBe('TOO_LARGE')
  })

  it('after the room was left rejects', async () => {
    const { url } = await startEventServer()
    const a = await joinEvents(url, { room: 'chat' })
    a.room.leave()
    expect(await rejection(a.events.trigger('say', 1))).toMatchObject({ code: 'DESTROYED' })
    expect(() => a.events.bind('say', () => undefined)).toThrowError(expect.objectContaining({ code: 'DESTROYED' }))
    expect(a.events.subscribed).toBe(false)
  })
})

describe('a schema', () => {
  const shape = {
    say: s.object({
      text: s.string(),
      at: s.date(),
      tags: s.list(s.string()),
      mood: s.literal('good', 'bad').default('good'),
    }),
    raw: s.bytes(),
    count: s.number().optional(),
    level: s.number().default(3),
    any: s.json<unknown>(),
  }

  it('makes data what it says, on both sides', async () => {
    const { url } = await startEventServer()
    const a = join(url, { room: 'chat', events: shape })
    const b = join(url, { room: 'chat', events: shape })
    const heard: unknown[] = []
    for (const name of ['say', 'raw', 'count', 'level', 'any'] as const)
      b.room.events.bind(name, (data) => heard.push(data))
    await until(() => b.room.events.subscribed && a.room.sessionId !== null)
    const { events } = a.room
    await events.trigger('say', { text: 'hi', at: new Date(5), tags: ['x'] })
    await events.trigger('raw', Uint8Array.of(0, 255))
    await events.trigger('count', 1)
    await events.trigger('count')
    await events.trigger('level')
    await events.trigger('any', null)
    await until(() => heard.length === 6)
    expect(heard).toEqual([
      { text: 'hi', at: new Date(5), tags: ['x'], mood: 'good' },
      Uint8Array.of(0, 255),
      1,
      undefined,
      3,
      null,
    ])
  })

  it('drops what does not fit and tells the store, and ignores events that it does not have', async () => {
    const { push, url } = await startEventServer()
    const a = join(url, { room: 'chat', events: shape })
    const heard: unknown[] = []
    a.room.events.bindAll((...event) => heard.push(event[0], event[1]))
    await until(() => a.room.events.subscribed)
    const bad: [string, string | Uint8Array][] = [
      ['say', '{"text":5,"at":5,"tags":[]}'],
      ['say', '{"text":"","at":5,"tags":[1]}'],
      ['say', '{"text":"","at":5,"tags":[],"mood":"angry"}'],
      ['say', '{"at":5,"tags":[]}'],
      ['say', 'null'],
      ['say', Uint8Array.of(1)],
      ['raw', '"text"'],
      ['count', '"1"'],
      ['any', Uint8Array.of(1)],
    ]
    for (const [event, body] of bad) push('chat', event, { body })
    push('chat', 'other', { body: '1' })
    // A key that a newer version sends is left out.
    push('chat', 'say', { body: '{"text":"","at":5,"tags":[],"more":1}' })
    await until(() => heard.length === 2)
    expect(heard).toEqual(['say', { text: '', at: new Date(5), tags: [], mood: 'good' }])
    expect(a.errors.map(({ code, path }) => [code, path[1]])).toEqual(bad.map(([event]) => ['INVALID_VALUE', event]))
  })

  it('that is none, or names what can be no event, is refused at once', () => {
    const open = (events: Record<string, unknown>) => () =>
      join('ws://localhost', { room: 'a', events: events as never, connect: false })
    for (const events of [
      { say: 5 },
      { 'pusher:x': s.string() },
      { say: s.object({ raw: s.bytes() }) },
      { '': s.string() },
    ]) {
      expect(open(events)).toThrowError(expect.objectContaining({ code: 'INVALID_SCHEMA' }))
    }
    const { room } = join('ws://localhost', { room: 'a', events: shape, connect: false })
    expect(() => room.events.bind('sya' as 'say', () => undefined)).toThrowError(
      expect.objectContaining({ code: 'UNKNOWN_KEY' }),
    )
  })
})

describe('listeners', () => {
  it('end by the function they get, each bind on its own', async () => {
    const { push, url } = await startEventServer()
    const a = join(url, { room: 'chat' })
    const heard: string[] = []
    const listener = (data: unknown) => heard.push(`say ${data}`)
    const first = a.room.events.bind('say', listener)
    const second = a.room.events.bind('say', listener)
    const all = a.room.events.bindAll((event, data) => heard.push(`all ${event} ${data}`))
    await until(() => a.room.events.subscribed)
    push('chat', 'say', { body: '1' })
    push('chat', 'other', { body: '2' })
    await until(() => heard.length === 4)
    first()
    first()
    all()
    push('chat', 'say', { body: '3' })
    await until(() => heard.length === 5)
    second()
    expect(heard).toEqual(['say 1', 'say 1', 'all say 1', 'all other 2', 'say 3'])
  })

  it('that throw harm nobody', async () => {
    const { push, url } = await startEventServer()
    const a = join(url, { room: 'chat' })
    const heard: unknown[] = []
    const { thrown, restore } = catchUncaught()
    try {
      a.room.events.bind('say', () => {
        throw new Error('mine')
      })
      a.room.events.bind('say', (data) => heard.push(data))
      await until(() => a.room.events.subscribed)
      push('chat', 'say', { body: '1' })
      push('chat', 'say', { body: '2' })
      await until(() => heard.length === 2 && thrown.length === 2)
      expect(thrown).toEqual([new Error('mine'), new Error('mine')])
      expect(a.sockets).toHaveLength(1)
    } finally {
      restore()
    }
  })

  it('that were bound and unbound 1,000 times leave nothing', async () => {
    const { channels, url } = await startEventServer()
    const a = join(url, { room: 'chat' })
    const b = await joinEvents(url, { room: 'chat' })
    const channel = (): ReturnType<EventServer['channels']['find']> => channels.find('chat')
    const once: unknown[] = []
    for (let i = 0; i < 1000; i++) {
      const events = i % 2 === 0 ? a.room.events : a.room.channel('chat')
      const ends = [
        events.bind(`e${i % 10}`, (data) => once.push(data)),
        events.bindAll(() => undefined),
        events.on('gap', () => undefined),
      ]
      if (i === 500) await until(() => channel()?.subscribers === 2)
      for (const end of ends) end()
    }
    await until(() => channel()?.subscribers === 1)
    await b.events.trigger('e1', 1)
    expect(once).toEqual([])
    // Reading `subscribed` is a use that lasts until it is ended.
    expect(a.room.events.subscribed).toBe(false)
    await until(() => channel()?.subscribers === 2)
    a.room.events.unsubscribe()
    await until(() => channel()?.subscribers === 1)
    // All of it goes with the room.
    a.room.events.bind('e1', (data) => once.push(data))
    a.room.channel('other').bind('e1', (data) => once.push(data))
    await until(() => channel()?.subscribers === 2 && channels.find('other')?.subscribers === 1)
    a.room.leave()
    await until(() => channel()?.subscribers === 1 && channels.find('other')?.subscribers === 0)
    expect(once).toEqual([])
  })

  it('are not needed: without any, nothing is asked of the server', async () => {
    const { channels, url } = await startEventServer()
    const a = join(url, { room: 'chat' })
    await until(() => a.room.status.synced)
    expect([...channels.all()]).toEqual([])
  })
})

describe('another room', () => {
  it('is heard over the same connection, with the people who are there', async () => {
    const { url } = await startEventServer()
    const a = join(url, { room: 'board', user: 'ada' })
    const b = await joinEvents(url, { room: 'board/chat', user: 'bob' })
    const chat = a.room.channel('board/chat', { say: s.string() })
    const heard: string[] = []
    chat.bind('say', (data, { event, userId }) => heard.push(`${event} ${data} ${userId}`))
    await until(() => chat.subscribed && chat.members.length === 1)
    expect(chat.members).toEqual([{ id: 'bob', info: null }])
    await b.events.trigger('say', 'hi')
    await until(() => heard.length === 1)
    expect(heard).toEqual(['say hi bob'])
    await chat.trigger('say', 'back')
    await until(() => b.heard.length === 1)
    // Who speaks from elsewhere is no member there.
    expect(b.heard[0]).toMatchObject({ data: 'back', meta: { from: 'peer' } })
    expect(b.heard[0]?.meta.userId).toBeUndefined()
    expect(a.sockets).toHaveLength(1)
  })

  it('with a name that is none is refused at once', () => {
    const { room } = join('ws://localhost', { room: 'a', connect: false })
    for (const name of ['', 'a//b', '..', 'x'.repeat(256)]) {
      expect(() => room.channel(name)).toThrowError(expect.objectContaining({ code: 'INVALID_ROOM' }))
    }
  })

  it('too many of them are refused one by one, and the connection stays', async () => {
    const { url } = await startEventServer({ maxRoomsPerConnection: 3 })
    const a = await joinEvents(url, { room: 'r0' })
    const refused: string[] = []
    const channels = ['r1', 'r2', 'r3', 'r4'].map((name) => a.room.channel(name))
    for (const channel of channels) channel.on('refused', ({ code }) => refused.push(`${channel.name} ${code}`))
    await until(() => refused.length === 2)
    expect(refused).toEqual(['r3 RATE_LIMITED', 'r4 RATE_LIMITED'])
    expect(channels.map(({ subscribed }) => subscribed)).toEqual([true, true, false, false])
    // Whoever does not listen for it hears of it from the store.
    a.room.channel('r5').bind('say', () => undefined)
    await until(() => a.errors.length === 1)
    expect(a.errors[0]?.code).toBe('RATE_LIMITED')
    expect(a.sockets).toHaveLength(1)
  })
})
