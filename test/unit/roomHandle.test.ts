import process from 'node:process'
import { describe, expect, onTestFinished, test } from 'vitest'
import * as Y from 'yjs'
import { type HeardEvent, type RoomHandle, TuttiError } from '../../server/index.ts'
import { until } from '../e2e/until.ts'
import { encodeAwarenessFrame, WireClient } from '../e2e/wireClient.ts'
import { joinEvents } from './eventRooms.ts'
import { createMemoryLog } from './memoryLog.ts'
import { startServer } from './testServer.ts'

const cycle = (): object => {
  const value: Record<string, unknown> = {}
  value.self = value
  return value
}

/** A stock client that shows itself as a user. */
const joinAs = async (address: string, id: string): Promise<WireClient> => {
  const client = await WireClient.join(address)
  const state = JSON.stringify({ user: { id, name: id.toUpperCase() } })
  client.send(encodeAwarenessFrame({ client: client.doc.clientID, clock: 1, state }))
  await client.synced()
  return client
}

describe('server.room(name).trigger', () => {
  test('publishes to everyone in the room, and tells the place of the event', async () => {
    const { url, server } = await startServer()
    const a = await joinEvents(url, { room: 'chat' })
    const room = server.room('chat')
    const first = await room.trigger('say', { text: 'hi' }, { userId: 'bot' })
    const bytes = Uint8Array.from({ length: 256 }, (_, i) => i)
    expect(await room.trigger('bytes', bytes)).toEqual({ epoch: first.epoch, offset: 2 })
    expect(await room.trigger('nothing')).toEqual({ epoch: first.epoch, offset: 3 })
    await until('the events', () => a.heard.length === 3)
    expect(first.offset).toBe(1)
    expect(a.heard.map(({ event, data, meta }) => [event, data, meta.from, meta.userId, meta.offset])).toEqual([
      ['say', { text: 'hi' }, 'server', 'bot', 1],
      ['bytes', bytes, 'server', undefined, 2],
      ['nothing', null, 'server', undefined, 3],
    ])
  })

  test('leaves out the connection that is named', async () => {
    const { url, server } = await startServer()
    const a = await joinEvents(url, { room: 'chat' })
    const b = await joinEvents(url, { room: 'chat' })
    await server.room('chat').trigger('say', 1, { except: a.room.sessionId })
    await server.room('chat').trigger('say', 2)
    await until('the events', () => a.heard.length === 1 && b.heard.length === 2)
    expect(a.heard[0]?.data).toBe(2)
  })

  test.each([
    ['an empty name', '', 1, 'INVALID_VALUE'],
    ['a name of Pusher’s', 'pusher:ping', 1, 'INVALID_VALUE'],
    ['what JSON has no form for', 'e', () => 1, 'INVALID_VALUE'],
    ['a bigint', 'e', 1n, 'INVALID_VALUE'],
    ['too much', 'e', 'x'.repeat(65_536), 'TOO_LARGE'],
    ['too many bytes', 'e', new Uint8Array(65_537), 'TOO_LARGE'],
  ])('refuses %s', async (_what, event, data, code) => {
    const { server } = await startServer()
    await expect(server.room('chat').trigger(event, data)).rejects.toMatchObject({ code })
    expect(await server.room('chat').trigger('e')).toMatchObject({ offset: 1 })
  })

  test.each<[string, unknown, unknown, string]>([
    ['a number as name', 5, 1, 'This is no name of an event: it is of type number, not a string.'],
    ['a list as name', ['a', 'b'], 1, 'This is no name of an event: it is of type object, not a string.'],
    ['no name', undefined, undefined, 'This is no name of an event: it is of type undefined, not a string.'],
    ['a Map', 'e', new Map([[1, 2]]), 'JSON has no form for a value of type Map in the data of the event.'],
    [
      'a Set among others',
      'e',
      { a: [1, { b: new Set() }] },
      'JSON has no form for a value of type Set in the data of the event, at a.1.b.',
    ],
    [
      'what was not awaited',
      'e',
      Promise.resolve(1),
      'JSON has no form for a value of type Promise in the data of the event.',
    ],
    [
      'bytes among others',
      'e',
      { image: Uint8Array.of(1, 2) },
      'JSON has no form for a value of type Uint8Array in the data of the event, at image.',
    ],
    ['an Error', 'e', new Error('x'), 'JSON has no form for a value of type Error in the data of the event.'],
    ['a function', 'e', () => 1, "The data of the event, of type Function, can't be written as JSON."],
    ['a symbol', 'e', Symbol('x'), "The data of the event, of type Symbol, can't be written as JSON."],
    ['a bigint', 'e', 1n, "The data of the event, of type BigInt, can't be written as JSON: "],
    ['a cycle', 'e', cycle(), "The data of the event, of type Object, can't be written as JSON: Converting circular"],
    [
      'what throws',
      'e',
      {
        toJSON: () => {
          throw new Error('not now')
        },
      },
      "The data of the event, of type Object, can't be written as JSON: not now.",
    ],
  ])('tells what was wrong with %s, and what to do', async (_what, event, data, message) => {
    const { server } = await startServer()
    const error: unknown = await server
      .room('chat')
      .trigger(event as string, data)
      .catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(TuttiError)
    expect(error).toMatchObject({ code: 'INVALID_VALUE', hint: expect.stringMatching(/^(Use|Give) /) })
    expect((error as TuttiError).message).toContain(message)
  })

  test('takes bytes of any kind, as they are at that moment, and what JSON says of a class', async () => {
    const { server } = await startServer()
    const heard: unknown[] = []
    const room = server.room('chat')
    room.on('event', ({ data }) => heard.push(data))
    class Price {
      readonly amount = 12
      readonly currency = 'EUR'
      readonly rest = {}
    }
    const own = Uint8Array.of(1, 2)
    await room.trigger('e', own)
    own.fill(9)
    await room.trigger('e', Uint8Array.of(3, 4).buffer)
    await room.trigger('e', new Uint16Array([0x0605]))
    await room.trigger('e', Buffer.from('a'))
    await room.trigger('e', [new Price(), new Date(0), Object.create(null), {}])
    expect(heard).toEqual([
      Uint8Array.of(1, 2),
      Uint8Array.of(3, 4),
      Uint8Array.of(5, 6),
      Uint8Array.of(97),
      [{ amount: 12, currency: 'EUR', rest: {} }, '1970-01-01T00:00:00.000Z', {}, {}],
    ])
  })

  test('refuses options of another type', async () => {
    const { server } = await startServer()
    const trigger = (options: object): Promise<unknown> => server.room('chat').trigger('e', 1, options)
    await expect(trigger({ except: 5 })).rejects.toMatchObject({
      code: 'INVALID_VALUE',
      message: expect.stringContaining('except'),
    })
    await expect(trigger({ userId: 5 })).rejects.toMatchObject({
      code: 'INVALID_VALUE',
      message: expect.stringContaining('userId'),
    })
    expect(await trigger({ except: null })).toMatchObject({ offset: 1 })
  })

  test('refuses a name that is no room', async () => {
    const { server } = await startServer()
    await expect(server.room('a//b').trigger('e')).rejects.toMatchObject({ code: 'INVALID_ROOM' })
    await expect(server.room('').members()).rejects.toMatchObject({ code: 'INVALID_ROOM' })
    for (const news of ['event', 'join', 'leave', 'change'] as const) {
      expect(() => server.room('a//b').on(news, () => undefined)).toThrow(TuttiError)
    }
    for (const name of [5, undefined, null, {}]) {
      const room = server.room(name as string)
      const message = `This is no room name: it is of type ${typeof name}, not a string.`
      for (const used of [room.trigger('e'), room.edit(() => 1), room.read(() => 1), room.members()]) {
        await expect(used).rejects.toMatchObject({ code: 'INVALID_ROOM', message })
      }
      expect(() => room.on('event', () => undefined)).toThrow(message)
    }
  })
})

describe('server.room(name).members', () => {
  test('tells who is there, each once, whether or not anybody listens to the room', async () => {
    const { url, server } = await startServer()
    const room = server.room('board')
    expect(await room.members()).toEqual([])
    await joinAs(`${url}/board`, 'ada')
    await joinAs(`${url}/board`, 'ada')
    const b = await joinAs(`${url}/board`, 'ben')
    const ada = { id: 'ada', info: { name: 'ADA' } }
    const ben = { id: 'ben', info: { name: 'BEN' } }
    expect(await room.members()).toEqual([ada, ben])
    room.on('join', () => undefined)
    expect(await room.members()).toEqual([ada, ben])
    await b.close()
    await until('the leave', async () => (await room.members()).length === 1)
    expect(await room.members()).toEqual([ada])
  })
})

describe('server.room(name).on', () => {
  test('event: hears every event, its own too, until it is ended', async () => {
    const { url, server } = await startServer()
    const a = await joinEvents(url, { room: 'chat', user: 'ada' })
    const heard: HeardEvent[] = []
    const stop = server.room('chat').on('event', (event) => heard.push(event))
    await a.events.trigger('say', [1])
    const { epoch } = await server.room('chat').trigger('news')
    await server.room('other').trigger('news')
    stop()
    await server.room('chat').trigger('after')
    const at = expect.any(Number)
    expect(heard).toEqual([
      { event: 'say', data: [1], from: 'peer', userId: 'ada', at, epoch, offset: 1 },
      { event: 'news', data: null, from: 'server', userId: undefined, at, epoch, offset: 2 },
    ])
  })

  test('join and leave: once for each person, after the grace period if the connection broke', async () => {
    const { url, server } = await startServer({ leaveGraceSeconds: 1 })
    const log: unknown[] = []
    const room = server.room('board')
    const stops = [
      room.on('join', ({ id, info }) => log.push(['join', id, info])),
      room.on('leave', ({ id }) => log.push(['leave', id])),
    ]
    const a = await joinAs(`${url}/board`, 'ada')
    const again = await joinAs(`${url}/board`, 'ada')
    const b = await joinAs(`${url}/board`, 'ben')
    await a.close()
    await b.close()
    await until('the leave of ben', () => log.length === 3)
    again.ws.terminate()
    const back = await joinAs(`${url}/board`, 'ada')
    back.ws.terminate()
    await until('the leave of ada', () => log.length === 4)
    for (const stop of stops) stop()
    await joinAs(`${url}/board`, 'cy')
    expect(log).toEqual([
      ['join', 'ada', { name: 'ADA' }],
      ['join', 'ben', { name: 'BEN' }],
      ['leave', 'ben'],
      ['leave', 'ada'],
    ])
  })

  test('change: hears what peers hear, by whomever it was made, and nothing after it is ended', async () => {
    const { url, server } = await startServer()
    const copy = new Y.Doc()
    const from: string[] = []
    const stop = server.room('board').on('change', (change) => {
      from.push(change.from)
      Y.applyUpdate(copy, change.update)
    })
    const a = await WireClient.join(`${url}/board`)
    await a.synced()
    a.edit((doc) => doc.getArray('list').push(['peer']))
    await until('the first change', () => from.length === 1)
    await server.room('board').edit((doc) => doc.getArray('list').push(['server']))
    await server.room('other').edit((doc) => doc.getArray('list').push(['elsewhere']))
    stop()
    await server.room('board').edit((doc) => doc.getArray('list').push(['after']))
    expect(from).toEqual(['peer', 'server'])
    expect(copy.getArray('list').toArray()).toEqual(['peer', 'server'])
  })

  test('change: outlives the room’s time in memory', async () => {
    const { server, url } = await startServer({ roomIdleSeconds: 0 })
    let changes = 0
    let unloaded = 0
    const other = await startServer({ roomIdleSeconds: 0, hooks: { roomUnloaded: () => void unloaded++ } })
    other.server.room('board').on('change', () => changes++)
    await other.server.room('board').edit((doc) => doc.getMap('m').set('k', 1))
    await until('the unloading', () => unloaded === 1)
    await other.server.room('board').edit((doc) => doc.getMap('m').set('k', 2))
    expect(changes).toBe(2)
    // Another server's rooms are others.
    expect(url).not.toBe(other.url)
    expect(await server.room('board').read((doc) => doc.getMap('m').get('k'))).toBeUndefined()
  })

  test('a listener that throws or rejects is logged and harms nobody', async () => {
    const logger = createMemoryLog()
    const { server } = await startServer({ logger })
    const heard: unknown[] = []
    const room = server.room('chat')
    room.on('event', () => {
      throw new Error('one')
    })
    room.on('event', async () => {
      throw new Error('two')
    })
    room.on('change', () => {
      throw new Error('three')
    })
    room.on('event', ({ data }) => heard.push(data))
    await room.trigger('e', 1)
    await room.edit((doc) => doc.getMap('m').set('k', 1))
    const failures = (): unknown[] => logger.entries.filter(({ message }) => message === 'listener failed')
    await until('three failures', () => failures().length === 3)
    expect(heard).toEqual([1])
    expect(await room.read((doc) => doc.getMap('m').get('k'))).toBe(1)
  })

  test('nothing else can be listened to, and only by a function', async () => {
    const { server } = await startServer()
    expect(() => server.room('a').on('evnt' as 'event', () => undefined)).toThrow(/There is no news "evnt"/)
    for (const news of ['event', 'join', 'leave', 'change'] as const) {
      expect(() => server.room('a').on(news, undefined as unknown as () => void)).toThrow(
        'on was given a value of type undefined where a function belongs.',
      )
    }
  })
})

describe('edit and read of server.room(name)', () => {
  const valuesOf = (doc: Y.Doc): Record<string, unknown> => doc.getMap('').toJSON()
  const write =
    (key: string) =>
    (doc: Y.Doc): void => {
      doc.getMap('').set(key, 1)
    }

  test.each<[string, (room: RoomHandle) => Promise<Y.Doc>]>([
    ['kept by an edit', (room) => room.edit((doc) => doc)],
    ['kept by a read', async (room) => (await room.read((doc) => doc)) as Y.Doc],
    [
      'kept by an edit that failed',
      async (room) => {
        let kept: Y.Doc | undefined
        const failed = room.edit((doc) => {
          kept = doc
          throw new Error('no')
        })
        await expect(failed).rejects.toThrow('no')
        return kept!
      },
    ],
  ])('a document %s and changed later is not served: that change is told, and those by edit hold', async (_, keep) => {
    const logger = createMemoryLog()
    const { server, url } = await startServer({ logger })
    const room = server.room('kept')
    await room.edit(write('first'))
    const kept = await keep(room)
    write('stray')(kept)
    await room.edit(write('second'))
    expect(await room.read(valuesOf)).toEqual({ first: 1, second: 1 })
    const newcomer = await WireClient.join(`${url}/kept`)
    await newcomer.synced()
    expect([valuesOf(newcomer.doc), newcomer.doc.store.pendingStructs]).toEqual([{ first: 1, second: 1 }, null])
    expect(logger.entries.filter(({ message }) => message.includes('outside edit'))).toEqual([
      expect.objectContaining({ level: 'error', fields: { room: 'kept' } }),
    ])
  })

  test('a read that changes the document is refused, and nothing of it is kept', async () => {
    const { server } = await startServer()
    const room = server.room('read')
    await room.edit(write('first'))
    await expect(room.read(write('second'))).rejects.toMatchObject({ code: 'INVALID_VALUE' })
    await room.edit(write('third'))
    expect(await room.read(valuesOf)).toEqual({ first: 1, third: 1 })
  })

  test('an edit that destroys the document is refused, and the room goes on', async () => {
    const { server } = await startServer()
    const room = server.room('destroyed')
    await room.edit(write('first'))
    const destroying = room.edit((doc) => {
      doc.destroy()
      write('lost')(doc)
    })
    await expect(destroying).rejects.toMatchObject({ code: 'INVALID_VALUE' })
    await room.edit(write('second'))
    expect(await room.read(valuesOf)).toEqual({ first: 1, second: 1 })
  })

  test('an edit that applies an update with a gap is refused, and the next is not', async () => {
    const { server } = await startServer()
    const room = server.room('gap')
    await room.edit(write('first'))
    const other = new Y.Doc()
    write('a')(other)
    const before = Y.encodeStateVector(other)
    write('b')(other)
    const gapped = Y.encodeStateAsUpdate(other, before)
    await expect(room.edit((doc) => Y.applyUpdate(doc, gapped))).rejects.toMatchObject({ code: 'CONFLICT' })
    await room.edit(write('second'))
    expect(await room.read(valuesOf)).toEqual({ first: 1, second: 1 })
  })

  test('what becomes of an asynchronous function that was refused ends nothing', async () => {
    const { server } = await startServer()
    const room = server.room('later')
    const unhandled: unknown[] = []
    const note = (error: unknown): void => void unhandled.push(error)
    process.on('unhandledRejection', note)
    onTestFinished(() => void process.off('unhandledRejection', note))
    const later = (async (): Promise<void> => {
      await null
      throw new Error('later')
    }) as () => Promise<void>
    await expect(room.edit(later)).rejects.toMatchObject({ code: 'INVALID_VALUE' })
    await expect(room.edit({}, later)).rejects.toMatchObject({ code: 'INVALID_VALUE' })
    await new Promise((resolve) => setTimeout(resolve, 10))
    expect(unhandled).toEqual([])
  })

  test('refuse to work without a function', async () => {
    const { server } = await startServer()
    const room = server.room('board')
    await room.edit((doc) => doc.getMap('m').set('k', 1))
    const none = undefined as unknown as () => void
    for (const used of [room.edit(none), room.edit({}, none), room.read(none)]) {
      await expect(used).rejects.toBeInstanceOf(TuttiError)
      await expect(used).rejects.toMatchObject({ code: 'INVALID_VALUE', hint: expect.stringContaining('Write ') })
    }
    expect(await room.read((doc) => doc.getMap('m').get('k'))).toBe(1)
  })
})
