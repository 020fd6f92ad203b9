/** Whatever code of the application throws: what it was about fails, and nothing else. */
import { describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import * as Y from 'yjs'
import type { WireMeaning } from '../../lib/errors.ts'
import { createStore, s } from '../../lib/index.ts'
import { connect } from '../../lib/room.ts'
import type { Journal, Logger } from '../../server/contracts.ts'
import { ERRORS, type ErrorCode, type Hooks, TuttiError } from '../../server/index.ts'
import { guardLog } from '../../server/log.ts'
import { createMemoryStorage } from '../../server/storage/memory.ts'
import { createMemoryJournal } from '../../server/storage/memoryJournal.ts'
import { until } from '../e2e/until.ts'
import { WireClient } from '../e2e/wireClient.ts'
import { join, joinEvents } from './eventRooms.ts'
import { createMemoryLog } from './memoryLog.ts'
import { APP, PusherClient } from './pusherClient.ts'
import { MERGE, requestTo } from './roomRequest.ts'
import { startServer } from './testServer.ts'
import { receiver } from './webhookParts.ts'

/** As an application in JavaScript makes it. */
const errorWith = (code: unknown, message = 'Pay first.', hint: unknown = 'At the counter.'): TuttiError =>
  new TuttiError(code as ErrorCode, message, { hint: hint as string })

const unknownCode = (): never => {
  throw errorWith('PAYMENT_REQUIRED')
}
const unknownCodeLater = async (): Promise<never> => unknownCode()

describe.each([
  ['at once', unknownCode],
  ['later', unknownCodeLater],
])('an error with a code that there is not, thrown %s,', (_when, no) => {
  const start = (hooks: Hooks) => startServer({ hooks, apps: [APP], logger: createMemoryLog() })
  const told = { code: 'FORBIDDEN', message: 'Pay first.', hint: 'At the counter.' }

  test('by join is told as FORBIDDEN with its text by every door', async () => {
    const { url } = await start({ join: no })
    const answer = await requestTo(url)('x/document')
    expect([answer.status, answer.json]).toEqual([403, told])
    const a = await WireClient.join(`${url}/x`)
    await a.untilClosed()
    expect(a.closed).toEqual({ code: 4403, reason: 'Pay first.' })
    const b = await PusherClient.connect(url)
    b.send('pusher:subscribe', { channel: 'x' })
    expect((await b.find('pusher:subscription_error')).data).toMatchObject({
      type: 'AuthError',
      status: 403,
      error: 'Pay first. At the counter.',
    })
  })

  test('by connect closes that connection', async () => {
    const { url } = await start({ connect: no })
    const a = await WireClient.join(`${url}/x`)
    const b = new PusherClient(`${url}/app/${APP.key}?protocol=7`)
    await Promise.all([a.untilClosed(), until('the close', () => b.closed !== undefined)])
    expect([a.closed?.code, b.closed?.code]).toEqual([4403, 4009])
    expect(b.closed?.reason).toBe('Pay first.')
  })

  test('by beforeEvent or beforeChange is what their caller gets', async () => {
    const { url, server } = await start({ beforeEvent: no, beforeChange: no })
    const ask = requestTo(url)
    const event = await ask('x/events', { method: 'POST', type: 'application/json', body: { event: 'e' } })
    const change = await ask('x/document', { method: 'PATCH', type: MERGE, body: { a: 1 } })
    expect([event.status, event.json, change.status, change.json]).toEqual([403, told, 403, told])
    await expect(server.room('x').trigger('e')).rejects.toMatchObject(told)
    const a = await joinEvents(url, { room: 'y' })
    await expect(a.events.trigger('e')).rejects.toMatchObject(told)
  })
})

describe('the log', () => {
  test('has a hook’s unknown code once, however many it refuses', async () => {
    const logger = createMemoryLog()
    const { url } = await startServer({ hooks: { join: unknownCode }, logger })
    for (let i = 0; i < 3; i++) await requestTo(url)('x/document')
    const lines = logger.entries.filter(({ level }) => level === 'warn')
    expect(lines).toEqual([
      {
        level: 'warn',
        message: 'hook threw an error whose code means nothing to the other side',
        fields: { hook: 'join', code: 'PAYMENT_REQUIRED', err: expect.any(TuttiError) },
      },
    ])
  })

  const failing: [string, () => void][] = [
    [
      'throws',
      () => {
        throw new Error('disk full')
      },
    ],
    ['rejects', async () => Promise.reject(new Error('disk full'))],
  ]

  test.each(failing)('of the application that %s harms nobody, and another log is told once', async (_how, write) => {
    const logger: Logger = { debug: write, info: write, warn: write, error: write }
    const hooks: Hooks = {
      join: () => {
        throw new Error('no')
      },
    }
    const { url } = await startServer({ logger, hooks })
    const a = await WireClient.join(`${url}/x`)
    await a.untilClosed()
    expect(a.closed?.code).toBe(4403)
    expect((await requestTo(url)('x/document')).status).toBe(403)
    const other = createMemoryLog()
    const guarded = guardLog(logger, () => other)
    guarded.warn({ room: 'x' }, 'first')
    guarded.error({ room: 'x' }, 'second')
    await until('the other log', () => other.entries.length > 0)
    expect(other.entries).toEqual([
      {
        level: 'error',
        message: 'the given logger failed; this is told once',
        fields: { err: expect.objectContaining({ message: 'disk full' }) },
      },
    ])
  })

  test('that lacks a function is refused at the start', async () => {
    const { debug, info, warn } = createMemoryLog()
    const logger = { debug, info, warn } as unknown as Logger
    await expect(startServer({ logger })).rejects.toMatchObject({
      code: 'INVALID_OPTION',
      message: 'The logger has no function error.',
    })
  })
})

test.each([
  ['a message that is no text', Object.assign(errorWith('FORBIDDEN'), { message: 5 })],
  ['a hint that is no text', errorWith('FORBIDDEN', 'No.', 5n)],
  ['a code that is no text', errorWith(Symbol('code'))],
  ['the code of a property of every object', errorWith('constructor')],
])('an error with %s refuses like any other', async (_what, error) => {
  const hooks: Hooks = {
    join: () => {
      throw error
    },
  }
  const { url } = await startServer({ hooks, apps: [APP] })
  expect((await requestTo(url)('x/document')).status).toBe(403)
  const a = await WireClient.join(`${url}/x`)
  await a.untilClosed()
  expect(a.closed?.code).toBe(4403)
})

test('a code that has no HTTP status is told as FORBIDDEN, or as TRY_LATER if it may be retried', async () => {
  const { url } = await startServer({
    hooks: {
      join: ({ room }) => {
        throw errorWith(room)
      },
    },
  })
  const statuses = new Map<string, unknown>()
  for (const [code, { status }] of Object.entries<WireMeaning>(ERRORS)) {
    if (status !== undefined) continue
    const { json } = await requestTo(url)(`${code}/document`)
    statuses.set(code, (json as { code: string }).code)
    expect(json).toMatchObject({ message: 'Pay first.', hint: 'At the counter.' })
  }
  const later = [...statuses].filter(([, told]) => told === 'TRY_LATER').map(([code]) => code)
  expect(later).toEqual(['TIMEOUT', 'NOT_CONNECTED'])
  expect(new Set(statuses.values())).toEqual(new Set(['FORBIDDEN', 'TRY_LATER']))
})

test('an answer that is no promise of the language refuses, whatever it throws', async () => {
  const throwing = {
    // biome-ignore lint/suspicious/noThenProperty: that is what is tested
    get then(): never {
      throw new Error('no such thing')
    },
  }
  const late = {
    // biome-ignore lint/suspicious/noThenProperty: that is what is tested
    then: () => {
      throw new Error('not later either')
    },
  }
  const answers: Record<string, unknown> = { throwing, late }
  const { url } = await startServer({ hooks: { join: ({ room }) => answers[room] as undefined } })
  for (const room of ['throwing', 'late']) {
    const { status, json } = await requestTo(url)(`${room}/document`)
    expect([status, json]).toMatchObject([403, { message: 'The hook join refused this.' }])
  }
  expect((await requestTo(url)('other/document')).status).toBe(200)
})

test('a storage that throws at once, with errors of any kind, fails what asked for it', async () => {
  const storage = createMemoryStorage()
  const { url, server } = await startServer({
    storage: {
      ...storage,
      load: (room) => {
        if (room === 'odd') throw errorWith('NO_SUCH_CODE')
        if (room === 'bad') throw new Error('no')
        return storage.load(room)
      },
      list: () => {
        throw errorWith('NO_SUCH_CODE')
      },
    },
  })
  for (const [room, code, status] of [
    ['odd', 1011, 500],
    ['bad', 1013, 503],
  ] as const) {
    const a = await WireClient.join(`${url}/${room}`)
    await a.untilClosed()
    expect(a.closed?.code).toBe(code)
    expect((await requestTo(url)(`${room}/document`)).status).toBe(status)
  }
  expect((await fetch(`${server.url}/rooms`)).status).toBe(500)
  expect((await requestTo(url)('good/document')).status).toBe(200)
})

test('a journal that throws at once is logged; webhooks go on', async () => {
  const inbox = await receiver()
  const logger = createMemoryLog()
  const memory = createMemoryJournal()
  const no = (): never => {
    throw new Error('no journal')
  }
  const journal: Journal = { ...memory, append: no, remove: no, close: no }
  const { url } = await startServer({ journal, logger, apps: [{ ...APP, webhooks: [{ url: inbox.url }] }] })
  const a = await PusherClient.connect(url)
  await a.subscribe('news')
  await until('the news', () => inbox.events().length === 1)
  await until('the log', () => logger.entries.some(({ message }) => message.startsWith('the journal of the webhooks')))
})

test('a journal that nothing uses and that can’t be closed keeps no server from stopping', async () => {
  const logger = createMemoryLog()
  const close = async (): Promise<never> => {
    throw new Error('no journal')
  }
  const { server } = await startServer({ logger, journal: { ...createMemoryJournal(), close } })
  await server.close()
  expect(logger.entries.map(({ message }) => message)).toContain('the journal could not be closed')
})

describe('an error without a close code of its own', () => {
  const hooks: Hooks = {
    connect: ({ caller }) => {
      if (caller.query.includes('connect')) throw errorWith('INVALID_VALUE', 'No such visitor.')
    },
    join: async ({ room }) => {
      if (room === 'closed') throw errorWith('CONFLICT', 'Already there.')
      if (room === 'slow') throw errorWith('TIMEOUT', 'The database is slow.')
      if (room === 'shouted') throw errorWith('FORBIDDEN', 'NO_WAY: not you.')
    },
    beforeChange: ({ room }) => {
      if (room === 'strict') throw errorWith('INVALID_VALUE', 'No titles today.')
      if (room === 'wordy') throw errorWith('INVALID_VALUE', 'ü'.repeat(200))
    },
  }

  test('closes for good with 4403, its code and its message; own sockets too', async () => {
    const endOf = async (path: string): Promise<unknown> => {
      // A server for each: an address that is refused again is answered later.
      const { url } = await startServer({ hooks, sockets: { '/lamps': {} } })
      const client = await WireClient.join(`${url}${path}`)
      if (path === '/strict' || path === '/wordy') {
        await client.synced()
        client.edit((doc) => doc.getMap('m').set('title', 'x'))
      }
      await client.untilClosed()
      return client.closed
    }
    expect(await endOf('/room?connect')).toEqual({ code: 4403, reason: 'INVALID_VALUE: No such visitor.' })
    expect(await endOf('/lamps?connect')).toEqual({ code: 4403, reason: 'INVALID_VALUE: No such visitor.' })
    expect(await endOf('/closed')).toEqual({ code: 4403, reason: 'CONFLICT: Already there.' })
    expect(await endOf('/strict')).toEqual({ code: 4403, reason: 'INVALID_VALUE: No titles today.' })
    // 123 bytes: 15 of the code, 54 umlauts of two bytes each.
    expect(await endOf('/wordy')).toEqual({ code: 4403, reason: `INVALID_VALUE: ${'ü'.repeat(54)}` })
    // What may be right a moment later is to be tried again.
    expect(await endOf('/slow')).toEqual({ code: 1013, reason: 'The database is slow.' })
    // A message that looks like a code is not taken for one.
    expect(await endOf('/shouted')).toEqual({ code: 4403, reason: 'FORBIDDEN: NO_WAY: not you.' })
  })

  test('reaches Tutti’s client with code and message, and it does not come back', async () => {
    const { url } = await startServer({ hooks })
    const { store, room, sockets } = join(url, { room: 'strict' })
    await until('the document', () => store.status.synced)
    store.state.title = 'x'
    await until('the refusal', () => store.status.connection === 'denied')
    expect(store.status.error).toMatchObject({
      code: 'INVALID_VALUE',
      message: 'the server closed the connection: No titles today.',
    })
    expect([store.status.unsyncedChanges, store.state.title, sockets.length]).toEqual([1, 'x', 1])
    // Told to, it tries again, and is refused for the same change.
    room.connect()
    await until('another refusal', () => sockets.length === 2 && store.status.connection === 'denied')
    const { store: shouted } = join(url, { room: 'shouted' })
    await until('the refusal', () => shouted.status.connection === 'denied')
    expect(shouted.status.error).toMatchObject({
      code: 'FORBIDDEN',
      message: 'the server closed the connection: NO_WAY: not you.',
    })
  })

  test('leaves the change in the local copy only; once it is undone, the room takes the client again', async () => {
    const { url } = await startServer({
      hooks: {
        beforeChange: ({ update, from }) => {
          if (from !== 'peer') return
          // By what comes of it: of what was undone, the client still sends that it was there.
          const result = new Y.Doc()
          Y.applyUpdate(result, update)
          if (result.getMap('').get('title') === 'bad') throw errorWith('INVALID_VALUE', 'Not that.')
        },
      },
    })
    // In a field of its own: which of two titles wins is Yjs' to say.
    const schema = { title: s.string().default(''), note: s.string().default('') }
    const open = () => {
      const store = createStore({ schema, onError: () => undefined })
      const room = connect(store, { url, room: 'notes', WebSocket, tabs: false })
      return { store, room }
    }
    const a = open()
    const b = open()
    await until('both', () => a.store.status.synced && b.store.status.synced)
    const chat = a.room.channel('chat')
    chat.bindAll(() => undefined)
    await until('the channel', () => chat.subscribed)
    a.store.state.title = 'bad'
    await until('the refusal', () => a.store.status.connection === 'denied')
    // All that went over this connection ends with it.
    expect(chat.subscribed).toBe(false)
    b.store.state.note = 'good'
    await until('the other change', () => b.store.status.unsyncedChanges === 0)
    expect([a.store.state.title, b.store.state.title, b.store.status.connection]).toEqual(['bad', '', 'connected'])
    a.room.connect()
    await until('another refusal', () => a.store.status.connection === 'denied')
    a.store.state.title = 'fine'
    a.room.connect()
    await until('the acknowledgement', () => a.store.status.unsyncedChanges === 0)
    await until('both changes', () => b.store.state.title === 'fine' && a.store.state.note === 'good')
    a.store.destroy()
    b.store.destroy()
  })
})
