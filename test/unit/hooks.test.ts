import Pusher from 'pusher'
import { describe, expect, test } from 'vitest'
import * as Y from 'yjs'
import { encodeSyncUpdate } from '../../lib/protocol.ts'
import type { Caller } from '../../server/contracts.ts'
import { type AfterChangeHook, type BeforeEventHook, type Hooks, type Server, TuttiError } from '../../server/index.ts'
import { createMemoryStorage } from '../../server/storage/memory.ts'
import { until } from '../e2e/until.ts'
import { WireClient } from '../e2e/wireClient.ts'
import { join, joinEvents } from './eventRooms.ts'
import { createGate, type Gate } from './gate.ts'
import { createMemoryLog } from './memoryLog.ts'
import { APP, PusherClient } from './pusherClient.ts'
import { rejection } from './refusal.ts'
import { requestTo } from './roomRequest.ts'
import { startServer } from './testServer.ts'

const sdkOf = ({ address: { port } }: Server): Pusher =>
  new Pusher({ appId: APP.id, key: APP.key, secret: APP.secret, host: '127.0.0.1', port: String(port) })

const titleOf = (doc: Y.Doc): unknown => doc.getMap('m').get('title')
const setTitle =
  (title: string) =>
  (doc: Y.Doc): void => {
    doc.getMap('m').set('title', title)
  }

describe('connect', () => {
  test('sees who comes: address, path, query, headers and the id of the connection', async () => {
    const callers: Caller[] = []
    const { url } = await startServer({ hooks: { connect: ({ caller }) => void callers.push(caller) } })
    const a = await WireClient.joinOptedIn(`${url}/board%2F42`)
    await a.synced()
    const [caller] = callers
    expect(callers).toHaveLength(1)
    expect(caller).toMatchObject({
      door: 'room',
      address: '127.0.0.1',
      path: '/board%2F42',
      query: 'tutti=1',
      state: {},
    })
    expect(caller?.id).toMatch(/^\d+\.\d+$/)
    expect(caller?.header('user-agent')).toBe('')
  })

  test('that throws a TuttiError closes the connection with its code and message, and no other', async () => {
    const { url } = await startServer({
      hooks: {
        connect: ({ caller }) => {
          if (caller.query.includes('token=no')) throw new TuttiError('UNAUTHENTICATED', 'Log in first.')
        },
      },
    })
    const a = await WireClient.join(`${url}/room`)
    const b = await WireClient.join(`${url}/room?token=no`)
    await b.untilClosed()
    expect(b.closed).toEqual({ code: 4401, reason: 'Log in first.' })
    await a.synced()
    expect(a.closed).toBeUndefined()
  })

  test('that throws anything else refuses without telling the other side why; the log knows', async () => {
    const logger = createMemoryLog()
    const hooks: Hooks = {
      connect: async () => {
        throw new Error('no database at 10.0.0.7')
      },
    }
    const { url } = await startServer({ hooks, logger })
    const a = await WireClient.join(`${url}/room`)
    await a.untilClosed()
    expect(a.closed).toEqual({ code: 4403, reason: 'The hook connect refused this.' })
    expect(logger.entries).toContainEqual({
      level: 'warn',
      message: 'hook failed',
      fields: { hook: 'connect', err: expect.objectContaining({ message: 'no database at 10.0.0.7' }) },
    })
  })

  test('holds back what a client sends until it has let it in', async () => {
    const gate = createGate()
    const asked: string[] = []
    const { url, server } = await startServer({
      hooks: {
        connect: async ({ caller }) => {
          asked.push(caller.path)
          if (caller.path === '/slow') await gate.promise
        },
      },
    })
    const a = await WireClient.join(`${url}/slow`)
    a.edit(setTitle('early'))
    const b = await WireClient.join(`${url}/quick`)
    await b.synced()
    expect(asked).toEqual(['/slow', '/quick'])
    expect(a.frames).toEqual([])
    expect(await server.room('slow').read(titleOf)).toBeUndefined()
    gate.open()
    await a.synced()
    await until('the early change', async () => (await server.room('slow').read(titleOf)) === 'early')
  })

  test('a client that goes while it is asked about joins nothing, and is told of once it was let in', async () => {
    const gate = createGate()
    const log: string[] = []
    const { url } = await startServer({
      hooks: {
        connect: () => {
          log.push('connect')
          return gate.promise
        },
        join: () => void log.push('join'),
        leave: () => void log.push('leave'),
        disconnect: ({ code }) => void log.push(`disconnect ${code}`),
      },
    })
    const a = await WireClient.join(`${url}/room`)
    await until('the question', () => log.length === 1)
    a.ws.close(1000)
    await a.untilClosed()
    gate.open()
    await until('the end', () => log.length === 2)
    expect(log).toEqual(['connect', 'disconnect 1000'])
  })

  test('a client that sends too much while it is asked about is told to try later', async () => {
    const gate = createGate()
    const { url } = await startServer({ maxMessageBytes: 1024, hooks: { connect: () => gate.promise } })
    const a = await WireClient.open(`${url}/room`)
    a.send(new Uint8Array(600))
    a.send(new Uint8Array(600))
    await a.untilClosed()
    expect(a.closed?.code).toBe(1013)
    gate.open()
  })

  test('empty messages count as well, as what waits of them is not empty', async () => {
    const gate = createGate()
    const { url } = await startServer({ maxMessageBytes: 64 * 1024, hooks: { connect: () => gate.promise } })
    const a = await WireClient.open(`${url}/room`)
    for (let i = 0; i < 2000; i++) a.send(new Uint8Array())
    await a.untilClosed()
    expect(a.closed?.code).toBe(1013)
    gate.open()
  })

  test('that does not answer in time refuses for now, and nobody else waits', async () => {
    const { url } = await startServer({
      hookTimeoutSeconds: 1,
      hooks: { connect: ({ caller }) => (caller.path === '/hang' ? createGate().promise : undefined) },
    })
    const a = await WireClient.join(`${url}/hang`)
    const b = await WireClient.join(`${url}/room`)
    await b.synced()
    expect(a.closed).toBeUndefined()
    await a.untilClosed()
    expect(a.closed).toEqual({ code: 1013, reason: 'The hook connect gave no answer within 1 s.' })
  })
})

describe('a hook that is asked', () => {
  test('refuses by false as well, at once or later', async () => {
    const { url, server } = await startServer({
      hooks: {
        connect: ({ caller }) => caller.query !== 'stranger',
        beforeChange: async ({ caller }) => caller?.query !== 'reader',
        beforeEvent: ({ event }) => (event === 'no' ? false : undefined),
      },
    })
    const a = await WireClient.join(`${url}/room?stranger`)
    await a.untilClosed()
    expect(a.closed).toEqual({ code: 4403, reason: 'The hook connect refused this.' })
    const b = await WireClient.join(`${url}/room?reader`)
    await b.synced()
    b.edit(setTitle('mine'))
    await b.untilClosed()
    expect(b.closed).toEqual({ code: 4403, reason: 'The hook beforeChange refused this.' })
    expect(await rejection(server.room('room').trigger('no'))).toMatchObject({ code: 'FORBIDDEN' })
    expect(await server.room('room').trigger('yes')).toMatchObject({ offset: 1 })
    await server.room('room').edit(setTitle('the server’s'))
    expect(await server.room('room').read(titleOf)).toBe('the server’s')
  })
})

describe('the hooks of a connection', () => {
  test('are called in order, each after the one before is done', async () => {
    const log: string[] = []
    const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
    const slowly =
      (name: string) =>
      async ({ caller }: { caller: Caller }): Promise<void> => {
        log.push(`${name} begins`)
        await turn()
        caller.state[name] = true
        log.push(`${name}: ${Object.keys(caller.state)}`)
      }
    const { url } = await startServer({
      hooks: {
        connect: slowly('connect'),
        join: slowly('join'),
        leave: slowly('leave'),
        disconnect: slowly('disconnect'),
      },
    })
    const a = await WireClient.join(`${url}/room`)
    await a.synced()
    await a.close()
    await until('everything', () => log.length === 8)
    expect(log).toEqual([
      'connect begins',
      'connect: connect',
      'join begins',
      'join: connect,join',
      'leave begins',
      'leave: connect,join,leave',
      'disconnect begins',
      'disconnect: connect,join,leave,disconnect',
    ])
  })

  test('tell how it ended', async () => {
    const log: unknown[] = []
    const { url } = await startServer({
      hooks: {
        leave: ({ room, hasBroken }) => void log.push([room, hasBroken]),
        disconnect: ({ code }) => void log.push(code),
      },
    })
    const a = await WireClient.join(`${url}/a`)
    await a.synced()
    a.ws.terminate()
    await until('the end of a', () => log.length === 2)
    const b = await WireClient.join(`${url}/b`)
    await b.synced()
    await b.close()
    await until('the end of b', () => log.length === 4)
    expect(log).toEqual([['a', true], 1006, ['b', false], 1005])
  })

  test('also tell of the rooms whose events it used', async () => {
    const log: string[] = []
    const { url } = await startServer({
      hooks: {
        join: async ({ room }) => {
          if (room === 'secret') throw new TuttiError('FORBIDDEN', 'Not yours.', { hint: 'Ask Ada.' })
          log.push(`join ${room}`)
        },
        leave: ({ room }) => void log.push(`leave ${room}`),
      },
    })
    const a = await joinEvents(url, { room: 'board' })
    const chat = a.room.channel('chat')
    chat.bindAll(() => undefined)
    await until('the subscription', () => chat.subscribed)
    const refusals: TuttiError[] = []
    a.room.channel('secret').on('refused', (error) => refusals.push(error))
    await until('the refusal', () => refusals.length === 1)
    expect(refusals[0]).toMatchObject({ code: 'FORBIDDEN', message: 'Not yours.', hint: 'Ask Ada.' })
    chat.unsubscribe()
    await until('the leave', () => log.includes('leave chat'))
    a.cut()
    await until('the end', () => log.includes('leave board'))
    expect(log.slice(0, 4)).toEqual(['join board', 'join chat', 'leave chat', 'leave board'])
  })

  test('are not called without a reason: who was refused did not join, and does not leave', async () => {
    const log: string[] = []
    const { url } = await startServer({
      hooks: {
        join: ({ room }) => {
          log.push(`join ${room}`)
          return room === 'open'
        },
        leave: ({ room }) => void log.push(`leave ${room}`),
        disconnect: ({ code }) => void log.push(`disconnect ${code}`),
      },
    })
    const a = await WireClient.join(`${url}/closed`)
    await a.untilClosed()
    expect(a.closed?.code).toBe(4403)
    const b = await WireClient.join(`${url}/open`)
    await b.synced()
    await b.close()
    await until('the end', () => log.length === 5)
    expect(log).toEqual(['join closed', 'disconnect 4403', 'join open', 'leave open', 'disconnect 1005'])
  })

  test('end with connect, if that refused: there is nothing to disconnect', async () => {
    const log: string[] = []
    const { url } = await startServer({
      hooks: {
        connect: ({ caller }) => {
          log.push(`connect ${caller.path}`)
          if (caller.path === '/later') return Promise.resolve(false)
          return caller.path !== '/now'
        },
        disconnect: ({ caller }) => void log.push(`disconnect ${caller.path}`),
      },
    })
    for (const path of ['/now', '/later']) {
      const refusedOne = await WireClient.join(`${url}${path}`)
      await refusedOne.untilClosed()
    }
    const last = await WireClient.join(`${url}/room`)
    await last.synced()
    await last.close()
    await until('the end', () => log.includes('disconnect /room'))
    expect(log).toEqual(['connect /now', 'connect /later', 'connect /room', 'disconnect /room'])
  })

  test('that are only told refuse nothing by throwing', async () => {
    const logger = createMemoryLog()
    const { url } = await startServer({
      logger,
      hooks: {
        leave: () => {
          throw new TuttiError('FORBIDDEN', 'stay')
        },
        disconnect: async () => {
          throw new Error('gone')
        },
        roomCreated: async () => {
          throw new Error('created')
        },
      },
    })
    const a = await WireClient.join(`${url}/room`)
    await a.synced()
    await a.close()
    const failed = (): unknown[] => logger.entries.filter(({ message }) => message === 'hook failed')
    await until('three failures', () => failed().length === 3)
    const b = await WireClient.join(`${url}/room`)
    await b.synced()
  })
})

describe('beforeChange', () => {
  const noBad: Hooks['beforeChange'] = ({ update }) => {
    // An update may build on others: what it brings is in its structs.
    const brings = JSON.stringify(Y.decodeUpdate(update).structs)
    if (brings.includes('"bad"')) throw new TuttiError('FORBIDDEN', 'That title is taken.')
  }

  for (const [kind, beforeChange] of [
    ['at once', noBad],
    ['later', async (context) => noBad(context)],
  ] as [string, NonNullable<Hooks['beforeChange']>][]) {
    test(`that refuses ${kind} ends the session; nobody sees the change, nothing of it is stored`, async () => {
      const { url, server } = await startServer({ hooks: { beforeChange } })
      const a = await WireClient.join(`${url}/room`)
      const b = await WireClient.join(`${url}/room`)
      await Promise.all([a.synced(), b.synced()])
      a.edit(setTitle('bad'))
      await a.untilClosed()
      expect(a.closed).toEqual({ code: 4403, reason: 'That title is taken.' })
      b.edit((doc) => doc.getMap('m').set('other', 1))
      await until('the change of b', async () => {
        return (await server.room('room').read((doc) => doc.getMap('m').toJSON()))?.other === 1
      })
      expect(await server.room('room').read((doc) => doc.getMap('m').toJSON())).toEqual({ other: 1 })
      expect(titleOf(b.doc)).toBeUndefined()
    })

    test(`that refuses a back end ${kind} gives it the error; the document is as before`, async () => {
      const { url, server } = await startServer({ hooks: { beforeChange } })
      const room = server.room('room')
      await room.edit(setTitle('good'))
      const a = await WireClient.join(`${url}/room`)
      await a.synced()
      const error = await rejection(room.edit(setTitle('bad')))
      expect(error).toMatchObject({ code: 'FORBIDDEN', message: 'That title is taken.' })
      const address = `${url.replace('ws', 'http')}/rooms/room/document`
      const headers = { 'content-type': 'application/merge-patch+json' }
      const answer = await fetch(address, { method: 'PATCH', headers, body: '{"m": {"title": "bad"}}' })
      expect(answer.status).toBe(403)
      expect(await answer.json()).toMatchObject({ code: 'FORBIDDEN', message: 'That title is taken.' })
      expect(await room.read(titleOf)).toBe('good')
      await room.edit(setTitle('better'))
      await a.until(() => titleOf(a.doc) === 'better', 'the change that was let in')
      expect(await room.read(titleOf)).toBe('better')
    })
  }

  test('is told what changes, where, and who brings it', async () => {
    const heard: unknown[] = []
    const { url, server } = await startServer({
      hooks: {
        beforeChange: ({ room, update, from, caller }) => {
          const doc = new Y.Doc()
          Y.applyUpdate(doc, update)
          heard.push([room, titleOf(doc), from, caller?.door])
        },
      },
    })
    const a = await WireClient.join(`${url}/a`)
    await a.synced()
    a.edit(setTitle('peer'))
    await until('the change', () => heard.length === 1)
    await server.room('b').edit(setTitle('server'))
    expect(heard).toEqual([
      ['a', 'peer', 'peer', 'room'],
      ['b', 'server', 'server', undefined],
    ])
  })

  test('holds later frames of the same session back in order, and nobody else', async () => {
    const gate = createGate()
    let asked = 0
    const { url } = await startServer({
      hooks: { beforeChange: ({ caller }) => (caller?.query === 'slow' && asked++ === 0 ? gate.promise : undefined) },
    })
    const a = await WireClient.join(`${url}/room?slow`)
    const b = await WireClient.join(`${url}/room`)
    await Promise.all([a.synced(), b.synced()])
    for (let i = 0; i < 5; i++) a.edit((doc) => doc.getArray('list').push([i]))
    b.edit(setTitle('quick'))
    await a.until(() => titleOf(a.doc) === 'quick', 'the change of b')
    expect(asked).toBe(1)
    expect(b.doc.getArray('list').length).toBe(0)
    gate.open()
    await b.until(() => b.doc.getArray('list').length === 5, 'the changes of a')
    expect(asked).toBe(5)
    expect(b.doc.getArray('list').toArray()).toEqual([0, 1, 2, 3, 4])
    expect(a.closed).toBeUndefined()
  })

  test('a change that is let in after its sender has gone is kept', async () => {
    const gate = createGate()
    let asked = 0
    const { url, server } = await startServer({
      hooks: {
        beforeChange: () => {
          asked++
          return gate.promise
        },
      },
    })
    const a = await WireClient.join(`${url}/room`)
    await a.synced()
    a.edit(setTitle('last words'))
    await until('the question', () => asked === 1)
    await a.close()
    gate.open()
    await until('the change', async () => (await server.room('room').read(titleOf)) === 'last words')
  })

  test('an acknowledgement waits for it', async () => {
    const gate = createGate()
    const { url } = await startServer({ hooks: { beforeChange: () => gate.promise } })
    const a = await WireClient.joinOptedIn(`${url}/room`)
    await a.until(() => a.acknowledged === 1, 'the acknowledgement of its empty step 2')
    a.edit(setTitle('slow'))
    a.send(encodeSyncUpdate(Y.encodeStateAsUpdate(new Y.Doc())))
    const b = await WireClient.join(`${url}/room`)
    await b.synced()
    expect(a.acknowledged).toBe(1)
    gate.open()
    await a.until(() => a.acknowledged === 3, 'the acknowledgement of its change')
  })

  test('is not asked about what the server knows already', async () => {
    let asked = 0
    const { url } = await startServer({ hooks: { beforeChange: () => void asked++ } })
    const a = await WireClient.join(`${url}/room`)
    await a.synced()
    const update = a.change(setTitle('once'))
    a.send(encodeSyncUpdate(update))
    a.send(encodeSyncUpdate(update))
    await a.roundTrip()
    expect(asked).toBe(1)
  })

  test('a server that stops takes in what is being asked about', async () => {
    const gate = createGate()
    const storage = createMemoryStorage()
    let asked = 0
    const { url, server } = await startServer({
      storage: { ...storage, close: async () => undefined },
      hooks: {
        beforeChange: () => {
          asked++
          return gate.promise
        },
      },
    })
    const a = await WireClient.join(`${url}/room`)
    await a.synced()
    a.edit(setTitle('before the end'))
    await until('the question', () => asked === 1)
    const closed = server.close()
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
    gate.open()
    await closed
    expect(await storage.load('room')).toMatchObject({ segments: [expect.anything()] })
  })
})

describe('afterChange', () => {
  test('hears of every change once it is stored, in order, those that came meanwhile together', async () => {
    const gate = createGate()
    const calls: AfterChangeHook[] = []
    const { url, server } = await startServer({
      hooks: {
        afterChange: (context) => {
          calls.push(context)
          return calls.length === 1 ? gate.promise : undefined
        },
      },
    })
    const a = await WireClient.join(`${url}/room`)
    await a.synced()
    a.edit((doc) => doc.getArray('list').push([0]))
    await until('the first call', () => calls.length === 1)
    for (let i = 1; i <= 3; i++) await server.room('room').edit((doc) => doc.getArray('list').push([i]))
    await server.room('other').edit(setTitle('elsewhere'))
    await until('the call for the other room', () => calls.length === 2)
    gate.open()
    await until('the rest', () => calls.length === 3)
    expect(calls.map(({ room, changes }) => [room, changes.map(({ from, caller }) => [from, caller?.door])])).toEqual([
      ['room', [['peer', 'room']]],
      ['other', [['server', undefined]]],
      [
        'room',
        [
          ['server', undefined],
          ['server', undefined],
          ['server', undefined],
        ],
      ],
    ])
    const copy = new Y.Doc()
    for (const { room, changes } of calls) {
      if (room === 'room') for (const { update } of changes) Y.applyUpdate(copy, update)
    }
    expect(copy.getArray('list').toArray()).toEqual([0, 1, 2, 3])
  })

  test('is not called before the change is durable', async () => {
    const storage = createMemoryStorage()
    const gate = createGate()
    let told = 0
    let commits = 0
    const { url } = await startServer({
      storage: {
        ...storage,
        commit: async (changes) => {
          commits++
          await gate.promise
          return storage.commit(changes)
        },
      },
      hooks: { afterChange: () => void told++ },
    })
    const a = await WireClient.join(`${url}/room`)
    await a.synced()
    a.edit(setTitle('slow disk'))
    await until('the commit', () => commits > 0)
    await a.roundTrip()
    expect(told).toBe(0)
    gate.open()
    await until('the call', () => told === 1)
  })
})

test('afterChange hears of what is stored, and not yet of what came since', async () => {
  const storage = createMemoryStorage()
  const gates = [createGate(), createGate()]
  const lists: unknown[][] = []
  let commits = 0
  const { url, server } = await startServer({
    storage: {
      ...storage,
      commit: async (changes) => {
        await gates[commits++]?.promise
        return storage.commit(changes)
      },
    },
    hooks: {
      afterChange: ({ changes }) => {
        const doc = new Y.Doc()
        for (const { update } of changes) Y.applyUpdate(doc, update)
        lists.push(doc.getArray('list').toArray())
      },
    },
  })
  const a = await WireClient.join(`${url}/room`)
  await a.synced()
  const first = server.room('room').edit((doc) => doc.getArray('list').push([1]))
  await until('the first commit', () => commits === 1)
  const second = server.room('other').read(() => 0)
  const third = server.room('room').edit((doc) => doc.getMap('m').set('k', 1))
  await a.until(() => a.doc.getMap('m').get('k') === 1, 'both changes')
  gates[0]?.open()
  await Promise.all([first, second])
  await until('the first call', () => lists.length === 1)
  expect(lists).toEqual([[1]])
  expect(commits).toBe(2)
  gates[1]?.open()
  await third
  await until('the second call', () => lists.length === 2)
})

describe('beforeEvent', () => {
  test('may change the name and the data, for every door', async () => {
    const { url, server } = await startServer({
      hooks: {
        beforeEvent: ({ event, data }) => {
          if (event === 'shout')
            return { event: 'say', data: { text: String((data as { text: string }).text).toUpperCase() } }
          return event === 'bytes' ? { data: Uint8Array.of(9) } : undefined
        },
      },
    })
    const a = await joinEvents(url, { room: 'chat' })
    const b = await joinEvents(url, { room: 'chat' })
    await a.events.trigger('shout', { text: 'hi' })
    await server.room('chat').trigger('shout', { text: 'from the server' })
    await server.room('chat').trigger('bytes', 1)
    await server.room('chat').trigger('plain', [1, null])
    await until('the events', () => b.heard.length === 4)
    expect(b.heard.map(({ event, data }) => [event, data])).toEqual([
      ['say', { text: 'HI' }],
      ['say', { text: 'FROM THE SERVER' }],
      ['bytes', Uint8Array.of(9)],
      ['plain', [1, null]],
    ])
  })

  test('knows who sends what where', async () => {
    const seen: unknown[] = []
    const { url, server } = await startServer({
      hooks: {
        beforeEvent: ({ room, event, data, from, userId, caller }: BeforeEventHook) => {
          seen.push([room, event, data, from, userId, caller?.query])
        },
      },
    })
    const a = await joinEvents(url, { room: 'chat', user: 'ada' })
    await a.events.trigger('say', 'hi')
    await server.room('chat').trigger('news', undefined, { userId: 'u1' })
    expect(seen).toEqual([
      ['chat', 'say', 'hi', 'peer', 'ada', 'tutti=1'],
      ['chat', 'news', null, 'server', 'u1', undefined],
    ])
  })

  test('knows who published it, by whatever door, and not who is left out', async () => {
    const seen: unknown[] = []
    const { url, server } = await startServer({
      apps: [APP],
      hooks: {
        connect: ({ caller }) => {
          caller.state.who = `${caller.door} ${caller.path}`
        },
        join: ({ caller }) => {
          caller.state.who ??= caller.header('x-user')
        },
        beforeEvent: ({ event, from, caller, except }) => {
          seen.push([event, from, caller?.door, caller?.state.who, except])
        },
      },
    })
    const a = await joinEvents(url, { room: 'chat' })
    const b = await PusherClient.connect(url)
    await b.subscribe('private-chat')
    const except = a.room.sessionId!
    await a.events.trigger('client')
    b.send('client-say', 1, 'private-chat')
    await until('the event of b', () => seen.length === 2)
    await requestTo(url)('chat/events', {
      method: 'POST',
      type: 'application/json',
      headers: { 'x-user': 'eve' },
      body: [{ event: 'http' }, { event: 'http', except }],
    })
    const sdk = sdkOf(server)
    await sdk.trigger('chat', 'sdk', 1, { socket_id: except })
    await sdk.triggerBatch([{ channel: 'chat', name: 'batch', data: 1 }])
    await sdk.sendToUser('ada', 'user', 1)
    await server.room('chat').trigger('process', 1, { except })
    expect(seen).toEqual([
      ['client', 'peer', 'room', 'room /chat', except],
      ['client-say', 'peer', 'pusher', `pusher /app/${APP.key}`, b.id],
      ['http', 'server', 'http', 'eve', undefined],
      ['http', 'server', 'http', 'eve', except],
      ['sdk', 'server', 'http', undefined, except],
      ['batch', 'server', 'http', undefined, undefined],
      ['user', 'server', 'http', undefined, undefined],
      ['process', 'server', undefined, undefined, except],
    ])
  })

  test('that refuses an event refuses that event alone, and its sender hears why', async () => {
    const { url, server } = await startServer({
      hooks: {
        beforeEvent: async ({ event }) => {
          if (event === 'spam') throw new TuttiError('RATE_LIMITED', 'Slow down.', { hint: 'Wait a minute.' })
          if (event === 'broken') throw new Error('secret')
        },
      },
    })
    const a = await joinEvents(url, { room: 'chat' })
    const b = await joinEvents(url, { room: 'chat' })
    const spam = rejection(a.events.trigger('spam'))
    const broken = rejection(a.events.trigger('broken'))
    const say = a.events.trigger('say', 1)
    expect(await spam).toMatchObject({ code: 'RATE_LIMITED', message: 'Slow down.', hint: 'Wait a minute.' })
    expect(await broken).toMatchObject({ code: 'FORBIDDEN', message: 'The hook beforeEvent refused this.' })
    await say
    expect(await rejection(server.room('chat').trigger('spam'))).toMatchObject({ code: 'RATE_LIMITED' })
    await until('the one event', () => b.heard.length === 1)
    expect(b.heard[0]).toMatchObject({ event: 'say', data: 1, meta: { offset: 1 } })
  })

  test('keeps the order of a room, however long it takes, and no other room waits', async () => {
    const gates = new Map<unknown, Gate>([0, 1].map((i) => [i, createGate()] as const))
    const asked: unknown[] = []
    const { server } = await startServer({
      hooks: {
        beforeEvent: ({ room, data }) => {
          asked.push(data)
          return room === 'slow' ? gates.get(data)?.promise : undefined
        },
      },
    })
    const heard: unknown[] = []
    server.room('slow').on('event', ({ data, offset }) => heard.push([data, offset]))
    const sent = [0, 1, 2].map((i) => server.room('slow').trigger('n', i))
    expect(await server.room('quick').trigger('n', 'other')).toMatchObject({ offset: 1 })
    expect(asked).toEqual([0, 1, 2, 'other'])
    gates.get(1)?.open()
    await gates.get(1)?.promise
    expect(heard).toEqual([])
    gates.get(0)?.open()
    expect((await Promise.all(sent)).map(({ offset }) => offset)).toEqual([1, 2, 3])
    expect(heard).toEqual([
      [0, 1],
      [1, 2],
      [2, 3],
    ])
    // Nothing waits any more: what is answered at once is published at once.
    const position = server.room('slow').trigger('n', 3)
    expect(heard).toHaveLength(4)
    await position
  })

  test('that returns nonsense refuses the event', async () => {
    const logger = createMemoryLog()
    const { server } = await startServer({
      logger,
      hooks: { beforeEvent: ({ data }) => (data === 1 ? { event: 'pusher:error' } : { data: () => 1 }) },
    })
    for (const data of [1, 2]) {
      const error = await rejection(server.room('chat').trigger('say', data))
      expect(error).toMatchObject({ code: 'FORBIDDEN', message: 'The hook beforeEvent refused this.' })
    }
    expect(logger.entries.filter(({ message }) => message === 'hook failed')).toHaveLength(2)
  })

  test.each<[string, unknown]>([
    ['a number', { event: 5 }],
    ['null', { event: null }],
    ['a Map', { data: new Map() }],
    ['bytes within JSON', { data: { bytes: new ArrayBuffer(3) } }],
    [
      'what throws',
      {
        get event(): string {
          throw new Error('no name')
        },
      },
    ],
  ])('that returns %s refuses the event; the log has it', async (_what, replacement) => {
    for (const later of [false, true]) {
      const logger = createMemoryLog()
      const answer = (): unknown => (later ? Promise.resolve(replacement) : replacement)
      const { server } = await startServer({ logger, hooks: { beforeEvent: answer as Hooks['beforeEvent'] } })
      expect(await rejection(server.room('chat').trigger('say', 1))).toMatchObject({ code: 'FORBIDDEN' })
      expect(logger.entries.map(({ message }) => message)).toContain('hook failed')
    }
  })

  test('must keep to the limit of the room’s app, or else of the server', async () => {
    const logger = createMemoryLog()
    const { url, server } = await startServer({
      logger,
      maxEventBytes: 2000,
      apps: [{ ...APP, prefix: 'shop/', limits: { maxEventBytes: 100, maxEventNameLength: 10 } }],
      hooks: {
        beforeEvent: ({ event, data }) => {
          if (event === 'rename') return { event: 'x'.repeat(Number(data)) }
          return { data: typeof data === 'number' ? 'x'.repeat(data - 2) : data }
        },
      },
    })
    const outcome = async (room: string, event: string, data: unknown): Promise<string> =>
      server
        .room(room)
        .trigger(event, data)
        .then(
          () => 'sent',
          ({ code }: TuttiError) => code,
        )
    expect(await outcome('chat', 'say', 2000)).toBe('sent')
    expect(await outcome('chat', 'say', 2001)).toBe('FORBIDDEN')
    expect(await outcome('shop/chat', 'say', 100)).toBe('sent')
    expect(await outcome('shop/chat', 'say', 101)).toBe('FORBIDDEN')
    // What a door took already may stay as large.
    expect(await outcome('shop/chat', 'say', 'x'.repeat(500))).toBe('sent')
    expect(await outcome('chat', 'rename', 200)).toBe('sent')
    expect(await outcome('chat', 'rename', 201)).toBe('FORBIDDEN')
    expect(await outcome('shop/chat', 'rename', 11)).toBe('FORBIDDEN')
    const mistakes = logger.entries.filter(({ message }) => message === 'hook failed')
    expect(mistakes.map(({ fields }) => (fields as { err: Error }).err.message)).toEqual([
      'The hook beforeEvent returned 2001 bytes of data; the limit is 2000.',
      'The hook beforeEvent returned 101 bytes of data; the limit is 100.',
      'The hook beforeEvent returned no name of an event: it is longer than 200 characters.',
      'The hook beforeEvent returned no name of an event: it is longer than 10 characters.',
    ])
    const client = await PusherClient.connect(url)
    await client.subscribe('private-chat')
    client.send('client-say', 101, 'private-chat')
    expect((await client.find('pusher:error')).data).toMatchObject({
      message: expect.stringContaining('The hook beforeEvent refused this.'),
    })
  })

  test('more than a thousand waiting events of a room are refused for now', async () => {
    const gate = createGate()
    const { server } = await startServer({ hooks: { beforeEvent: () => gate.promise } })
    const sent = Array.from({ length: 1000 }, () => server.room('chat').trigger('n'))
    expect(await rejection(server.room('chat').trigger('n'))).toMatchObject({ code: 'TRY_LATER' })
    gate.open()
    expect((await Promise.all(sent)).at(-1)).toMatchObject({ offset: 1000 })
    expect(await server.room('chat').trigger('n')).toMatchObject({ offset: 1001 })
  })
})

describe('roomCreated and roomUnloaded', () => {
  test('come in pairs, and tell whether anything was stored before', async () => {
    const log: unknown[] = []
    const { url, server } = await startServer({
      roomIdleSeconds: 0,
      hooks: {
        roomCreated: async ({ room, isNew }) => void log.push(['created', room, isNew]),
        roomUnloaded: ({ room }) => void log.push(['unloaded', room]),
      },
    })
    await server.room('a').edit(setTitle('x'))
    await until('the first unloading', () => log.length === 2)
    const a = await WireClient.join(`${url}/a`)
    await a.synced()
    await server.close()
    expect(log).toEqual([
      ['created', 'a', true],
      ['unloaded', 'a'],
      ['created', 'a', false],
      ['unloaded', 'a'],
    ])
  })

  test('are not called for a room that can not be loaded', async () => {
    const log: string[] = []
    const storage = createMemoryStorage()
    const { url } = await startServer({
      storage: {
        ...storage,
        load: async (room) => {
          if (room === 'damaged') throw new Error('unreadable')
          return storage.load(room)
        },
      },
      hooks: {
        roomCreated: ({ room }) => void log.push(`created ${room}`),
        roomUnloaded: ({ room }) => void log.push(`unloaded ${room}`),
      },
    })
    const a = await WireClient.join(`${url}/damaged`)
    await a.untilClosed()
    const b = await WireClient.join(`${url}/room`)
    await b.synced()
    expect(log).toEqual(['created room'])
  })

  test('the hook may fill a new room', async () => {
    const { url, server } = await startServer({
      hooks: {
        roomCreated: async ({ room, isNew }) => {
          if (isNew) await server.room(room).edit(setTitle('welcome'))
        },
      },
    })
    const a = await WireClient.join(`${url}/new`)
    await a.until(() => titleOf(a.doc) === 'welcome', 'the first content')
  })
})

describe('what is given as hooks', () => {
  test.each([
    [5, 'Option hooks is 5; expected an object.'],
    [null, 'Option hooks is null; expected an object.'],
    [[], 'Option hooks is an array; expected an object.'],
    [{ conect: () => undefined }, 'There is no hook "conect". Did you mean connect?'],
    [{ join: true }, 'The hook join is of type boolean; expected a function.'],
  ])('%o is refused', async (hooks, message) => {
    const error = await rejection(startServer({ hooks: hooks as unknown as Hooks }))
    expect(error).toMatchObject({ code: 'INVALID_OPTION', message })
  })

  test('may be nothing', async () => {
    const { url } = await startServer({ hooks: { connect: undefined } })
    const a = join(url, { room: 'room' })
    await until('the connection', () => a.room.status.synced)
  })
})
