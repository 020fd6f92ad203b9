import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join as joinPath } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import * as Y from 'yjs'
import type { Storage } from '../../server/contracts.ts'
import type { CreateServerOptions } from '../../server/index.ts'
import { compareRoomNames } from '../../server/protocol/roomOrder.ts'
import { createMemoryStorage } from '../../server/storage/memory.ts'
import { createRandom, seeds } from '../fuzz/random.ts'
import { type Answered, type RequestOptions, request } from './apiRequest.ts'
import { join, joinEvents, until } from './eventRooms.ts'
import { EventReader } from './eventSource.ts'
import { createGate } from './gate.ts'
import { createMemoryLog } from './memoryLog.ts'
import { APP, PusherClient } from './pusherClient.ts'
import { startServer } from './testServer.ts'

const PATCH = { 'content-type': 'application/merge-patch+json' }

const start = async (options?: CreateServerOptions) => {
  const { server, url } = await startServer(options)
  const send = (method: string, target: string, more?: RequestOptions): Promise<Answered> =>
    request(server.url, method, target, more)
  return {
    server,
    url,
    send,
    get: async (target: string) => (await send('GET', target)).json,
    patch: (room: string, body: object): Promise<Answered> =>
      send('PATCH', `/rooms/${encodeURIComponent(room)}/document`, { headers: PATCH, body }),
    remove: (room: string): Promise<Answered> => send('DELETE', `/rooms/${encodeURIComponent(room)}`),
  }
}

const folders: string[] = []
afterEach(async () => {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true })
})

const newFolder = async (): Promise<string> => {
  const folder = await mkdtemp(joinPath(tmpdir(), 'tutti-rooms-'))
  folders.push(folder)
  return folder
}

describe('presence of a room', () => {
  it('lists each person once, of whatever door', async () => {
    const { url, get } = await start({ apps: [APP], open: true })
    await joinEvents(url, { room: 'presence-a', user: 'ada' })
    join(url, { room: 'presence-a', user: 'ada' })
    const member = await PusherClient.connect(url)
    await member.subscribe('presence-a', { channelData: { user_id: 'bob', user_info: { name: 'Bob' } } })
    await expect
      .poll(() => get('/rooms/presence-a/presence'))
      .toEqual({
        members: expect.arrayContaining([
          { id: 'ada', info: null },
          { id: 'bob', info: { name: 'Bob' } },
        ]),
        connections: 2,
        subscribers: 2,
      })
    expect((await get('/rooms/presence-a/presence')).members).toHaveLength(2)
  })

  it('of a room that nobody used is empty, and makes no room', async () => {
    const { get } = await start()
    expect(await get('/rooms/a/b/presence')).toEqual({ members: [], connections: 0, subscribers: 0 })
    expect(await get('/rooms')).toEqual({ rooms: [], next: null })
  })
})

describe('one room', () => {
  it('tells its size, its number of changes, and where its events stand', async () => {
    const { url, get, patch, server } = await start()
    const empty = { room: 'a/b', stored: false, members: 0, connections: 0, subscribers: 0, bytes: 0, sequence: 0 }
    expect(await get('/rooms/a/b')).toEqual({ ...empty, events: null })
    await patch('a/b', { title: 'x' })
    await patch('a/b', { title: 'y' })
    const position = await server.room('a/b').trigger('e')
    const { room, store } = await joinEvents(url, { room: 'a/b' })
    await until(() => room.status.synced)
    const told = await get('/rooms/a/b')
    expect(told).toMatchObject({
      stored: true,
      members: 1,
      connections: 1,
      subscribers: 1,
      sequence: 2,
      events: position,
    })
    expect(told.bytes).toBeGreaterThan(Y.encodeStateAsUpdate(store.doc).byteLength / 2)
  })

  it('tells the same of a room that is not loaded', async () => {
    const data = await newFolder()
    const first = await start({ data })
    await first.patch('a', { title: 'x', list: [1, 2, 3] })
    const before = await first.get('/rooms/a')
    await first.server.close()
    const { get, server } = await start({ data })
    expect(await get('/rooms/a')).toEqual(before)
    expect(before).toMatchObject({ stored: true, sequence: 1, events: null })
    await server.close()
  })
})

describe('the list of rooms', () => {
  it('has stored ones and those in use, in one order, page by page', async () => {
    const { server, url, get, patch } = await start()
    const stored = ['b', 'a/b', 'a', 'é', '\u{1F600}', '\uFFFD', 'a b']
    for (const room of stored) await patch(room, { x: 1 })
    join(url, { room: 'in use' })
    await joinEvents(url, { room: 'with events' })
    await server.room('nobody is here').trigger('e')
    const names = [...stored, 'in use', 'with events'].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
    await expect.poll(async () => (await get('/rooms')).rooms.map(({ room }: { room: string }) => room)).toEqual(names)
    const { rooms } = await get('/rooms?limit=1000')
    expect(rooms.find(({ room }: { room: string }) => room === 'in use')).toEqual({
      room: 'in use',
      stored: false,
      connections: 1,
      subscribers: 0,
    })
    expect(rooms.find(({ room }: { room: string }) => room === 'é')).toEqual({
      room: 'é',
      stored: true,
      connections: 0,
      subscribers: 0,
    })
    for (const limit of [1, 2, 4]) {
      const paged: string[] = []
      let next: string | null = ''
      while (next !== null) {
        const page: { rooms: { room: string }[]; next: string | null } = await get(
          `/rooms?limit=${limit}&after=${encodeURIComponent(next)}`,
        )
        paged.push(...page.rooms.map(({ room }) => room))
        next = page.next
      }
      expect(paged).toEqual(names)
    }
    const withPrefix = await get(`/rooms?prefix=${encodeURIComponent('a')}`)
    expect(withPrefix.rooms.map(({ room }: { room: string }) => room)).toEqual(['a', 'a b', 'a/b'])
  })

  it('leaves out what the caller may not use', async () => {
    const { send, get, server } = await start({ apps: [APP] })
    const headers = { authorization: `Bearer ${APP.secret}` }
    for (const room of ['a', 'private-a', 'public', 'private-b', 'z/private']) {
      await send('PATCH', `/rooms/${room}/document`, { headers: { ...PATCH, ...headers }, body: { x: 1 } })
    }
    const namesOf = ({ rooms }: { rooms: { room: string }[] }) => rooms.map(({ room }) => room)
    expect(namesOf(await get('/rooms'))).toEqual(['a', 'public', 'z/private'])
    const all = namesOf((await send('GET', '/rooms', { headers })).json)
    expect(all).toEqual(['a', 'private-a', 'private-b', 'public', 'z/private'])
    // Not in `next` either.
    expect(await get('/rooms?limit=1')).toMatchObject({ rooms: [{ room: 'a' }], next: 'a' })
    expect(await get('/rooms?limit=1&after=a')).toMatchObject({ rooms: [{ room: 'public' }], next: 'public' })
    expect(await get('/rooms?limit=1&after=public')).toMatchObject({ rooms: [{ room: 'z/private' }], next: null })
    expect(await get('/rooms?prefix=private')).toEqual({ rooms: [], next: null })
    await server.close()
  })

  it.each([['limit=0'], ['limit=1001'], ['limit=x'], ['size=3'], ['prefix=a&prefix=b'], ['prefix=%ff']])(
    'refuses ?%s',
    async (query) => {
      const { send } = await start()
      const { status, json } = await send('GET', `/rooms?${query}`)
      expect([status, json.code]).toEqual([400, 'INVALID_REQUEST'])
    },
  )

  it('compares names as their bytes do', () => {
    const random = createRandom(1)
    const pieces = ['a', 'b', '/', 'é', '\u3042', '\uD7FF', '\uE000', '\uFFFD', '\u{10000}', '\u{1F600}', '\u{10FFFF}']
    const name = (): string => Array.from({ length: random.between(0, 4) }, () => random.pick(pieces)).join('')
    for (let i = 0; i < 2000; i++) {
      const [a, b] = [name(), name()]
      expect(Math.sign(compareRoomNames(a, b))).toBe(Buffer.compare(Buffer.from(a), Buffer.from(b)))
    }
  })
})

/** The close code of a stock client's socket in a room. */
const closeCode = (url: string, room: string): { readonly opened: Promise<void>; readonly code: Promise<number> } => {
  const socket = new WebSocket(`${url}/${room}`)
  return {
    opened: new Promise((resolve) => socket.once('message', () => resolve())),
    code: new Promise((resolve) => socket.once('close', resolve)),
  }
}

describe('DELETE of a room', () => {
  it('ends its sessions with 4404, and forgets its document and events for good', async () => {
    const data = await newFolder()
    const { server, url, send, get, patch, remove } = await start({ data })
    await patch('a', { title: 'x' })
    await patch('ab', { title: 'y' })
    await server.room('a').trigger('e')
    const stock = closeCode(url, 'a')
    await stock.opened
    const ours = join(url, { room: 'a' })
    await until(() => ours.room.status.synced)
    const answered = await remove('a')
    expect([answered.status, answered.text]).toEqual([204, ''])
    expect(await stock.code).toBe(4404)
    await until(() => ours.room.status.error?.code === 'ROOM_GONE')
    expect(await get('/rooms/a/document')).toEqual({})
    expect(await get('/rooms/a')).toMatchObject({ stored: false, bytes: 0, sequence: 0, connections: 0 })
    expect((await get('/rooms/a/events')).events).toEqual([])
    expect((await remove('a')).json).toMatchObject({ code: 'NOT_FOUND', message: expect.stringContaining('"a"') })
    expect((await remove('never there')).status).toBe(404)
    expect((await send('DELETE', '/rooms/a%2F..')).status).toBe(400)
    await server.close()
    const again = await start({ data })
    expect(await again.get('/rooms/a/document')).toEqual({})
    expect(await again.get('/rooms/ab/document')).toEqual({ title: 'y' })
    await again.server.close()
  })

  it('leaves the room to be used anew at once', async () => {
    const { server, patch, remove, get } = await start()
    await patch('a', { title: 'old', kept: 1 })
    const { epoch, offset } = await server.room('a').trigger('e')
    await remove('a')
    expect((await patch('a', { title: 'new' })).json).toEqual({ changed: true })
    expect(await get('/rooms/a/document')).toEqual({ title: 'new' })
    expect(await server.room('a').trigger('e')).toEqual({ epoch, offset: offset + 1 })
    expect(await get(`/rooms/a/events?after=0&epoch=${epoch}`)).toMatchObject({ recovered: false, events: [] })
  })

  it('keeps the readers of its events', async () => {
    const { server, remove } = await start()
    const reader = await EventReader.open(`${server.url}/rooms/a/events`)
    await server.room('a').trigger('e', 1)
    await remove('a')
    await server.room('a').trigger('e', 2)
    await expect.poll(() => reader.data().map(({ data }) => data)).toEqual([1, 2])
  })

  /** A storage whose calls of one kind wait at a gate. */
  const gated = (held: 'load' | 'commit' | 'delete' | 'read') => {
    const storage = createMemoryStorage()
    const gate = createGate()
    let waiting = 0
    let isHeld = false
    const through = async (kind: string): Promise<void> => {
      if (kind !== held || !isHeld) return
      waiting++
      await gate.promise
    }
    const wrapped: Storage = {
      ...storage,
      load: async (room) => {
        await through('load')
        return storage.load(room)
      },
      read: async (room, id) => {
        await through('read')
        return storage.read(room, id)
      },
      commit: async (changes) => {
        await through('commit')
        await storage.commit(changes)
      },
      delete: async (room) => {
        await through('delete')
        await storage.delete(room)
      },
    }
    return {
      storage: wrapped,
      hold: () => {
        isHeld = true
      },
      waiting: () => waiting,
      open: () => {
        isHeld = false
        gate.open()
      },
    }
  }

  it('answers after it is durable, and nobody is served the old document meanwhile', async () => {
    const { storage, hold, waiting, open } = gated('delete')
    const { patch, remove, get, url } = await start({ storage })
    await patch('a', { title: 'old' })
    hold()
    const order: string[] = []
    const removed = remove('a').then(() => order.push('deleted'))
    await until(() => waiting() === 1)
    const read = get('/rooms/a/document').then((document) => order.push(`read ${JSON.stringify(document)}`))
    const facts = get('/rooms/a').then(({ sequence }) => order.push(`sequence ${sequence}`))
    const joined = join(url, { room: 'a' })
    await new Promise((resolve) => setImmediate(resolve))
    expect(order).toEqual([])
    open()
    await Promise.all([removed, read, facts, until(() => joined.room.status.synced)])
    expect(order.toSorted()).toEqual(['deleted', 'read {}', 'sequence 0'])
    expect(joined.store.state.title).toBe('')
  })

  it('while an edit is being stored refuses the edit, and nothing of it comes back', async () => {
    const { storage, hold, waiting, open } = gated('commit')
    const { patch, remove, get } = await start({ storage })
    await patch('a', { title: 'old' })
    hold()
    const edited = patch('a', { title: 'lost' })
    await until(() => waiting() === 1)
    const removed = remove('a')
    expect([(await edited).status, (await edited).json.code]).toEqual([404, 'ROOM_GONE'])
    open()
    expect((await removed).status).toBe(204)
    expect(await get('/rooms/a/document')).toEqual({})
    expect(await storage.load('a')).toBeUndefined()
  })

  it('takes a room that is not stored but in use for one', async () => {
    const { server, url, get, remove } = await start()
    const stock = closeCode(url, 'a')
    await stock.opened
    expect((await remove('a')).status).toBe(204)
    expect(await stock.code).toBe(4404)
    await server.room('b').trigger('e')
    expect((await remove('b')).status).toBe(204)
    expect((await get('/rooms/b/events')).events).toEqual([])
    // Somebody read it, and nobody is there.
    await get('/rooms/c/document')
    expect((await remove('c')).status).toBe(404)
  })

  it('with If-Match deletes only what is at that revision', async () => {
    const { server, send, get, patch } = await start()
    await patch('a', { title: 'x' })
    const before = (await send('GET', '/rooms/a/document')).headers.get('etag') as string
    await server.room('a').trigger('e')
    const now = (await patch('a', { title: 'y' })).headers.get('etag') as string
    const remove = (tag: string, room = 'a') => send('DELETE', `/rooms/${room}`, { headers: { 'if-match': tag } })
    expect((await remove(before)).json.code).toBe('PRECONDITION_FAILED')
    expect(await get('/rooms/a/document')).toEqual({ title: 'y' })
    expect((await get('/rooms/a/events')).events).toHaveLength(1)
    expect((await remove('no tag')).status).toBe(400)
    const batched = await send('POST', '/batch', {
      body: [
        { room: 'a', method: 'DELETE', headers: { 'If-Match': before } },
        { room: 'a', method: 'DELETE', headers: { 'If-Match': now } },
        { room: 'a', method: 'DELETE', headers: { 'If-Match': now } },
      ],
    })
    expect(batched.json.map(({ status }: { status: number }) => status)).toEqual([412, 204, 412])
    expect(await get('/rooms/a/document')).toEqual({})
    expect((await remove('*', 'never there')).status).toBe(412)
  })

  it('with If-Match of a room that is not loaded looks at what is stored, in the turn in which it ends', async () => {
    const { storage, hold, waiting, open } = gated('load')
    const filled = await start({ storage: { ...storage, close: async () => undefined } })
    const tag = (await filled.patch('a', { title: 'old' })).headers.get('etag') as string
    await filled.server.close()
    const { server, send, get } = await start({ storage: { ...storage, close: async () => undefined } })
    hold()
    const edited = server.room('a').edit((doc) => doc.getMap('').set('title', 'new'))
    await until(() => waiting() === 1)
    const removed = send('DELETE', '/rooms/a', { headers: { 'if-match': tag } })
    open()
    await edited
    expect((await removed).status).toBe(412)
    expect(await get('/rooms/a/document')).toEqual({ title: 'new' })
    const now = (await send('GET', '/rooms/a/document')).headers.get('etag') as string
    await server.close()
    const again = await start({ storage: { ...storage, close: async () => undefined } })
    expect((await again.send('DELETE', '/rooms/a', { headers: { 'if-match': tag } })).status).toBe(412)
    await again.server.close()
    const last = await start({ storage })
    expect((await last.send('DELETE', '/rooms/a', { headers: { 'if-match': now } })).status).toBe(204)
  })

  it('while the room is being loaded ends those who wait for it', async () => {
    const { storage, hold, waiting, open } = gated('load')
    const filled = await start({ storage: { ...storage, close: async () => undefined } })
    await filled.patch('a', { title: 'old' })
    await filled.server.close()
    const logger = createMemoryLog()
    const { url, get, remove } = await start({ storage, logger })
    hold()
    const waits = closeCode(url, 'a')
    const read = request(url.replace('ws', 'http'), 'GET', '/rooms/a/document')
    await until(() => waiting() === 1)
    const removed = remove('a')
    expect(await waits.code).toBe(4404)
    open()
    expect((await removed).status).toBe(204)
    const { json } = await read
    expect([json.code, json.hint]).toEqual(['ROOM_GONE', expect.stringMatching(/^A request that is sent again/)])
    expect(await get('/rooms/a/document')).toEqual({})
    expect(logger.entries.filter(({ level }) => level === 'error')).toEqual([])
  })

  it('while its segments are being read ends the reading', async () => {
    const { storage, hold, waiting, open } = gated('read')
    const { patch, remove, get, server } = await start({ storage, documentCacheBytes: 0 })
    await patch('a', { title: 'old' })
    hold()
    const read = request(server.url, 'GET', '/rooms/a/document')
    await until(() => waiting() === 1)
    expect((await remove('a')).status).toBe(204)
    open()
    expect((await read).json.code).toBe('ROOM_GONE')
    expect(await get('/rooms/a/document')).toEqual({})
  })

  it('that could not be stored says so, and the room is as it was', async () => {
    const storage = createMemoryStorage()
    const { patch, remove, get } = await start({
      storage: { ...storage, delete: () => Promise.reject(new Error('disk is full')) },
    })
    await patch('a', { title: 'old' })
    const { status, json } = await remove('a')
    expect([status, json.code]).toEqual([500, 'INTERNAL'])
    expect(await get('/rooms/a/document')).toEqual({ title: 'old' })
  })

  it.each(seeds(6))(
    'among edits, reads, joins and compactions at random leaves whole rooms (seed %i)',
    async (seed) => {
      const random = createRandom(seed)
      const logger = createMemoryLog()
      const { url, patch, remove, get, send, server } = await start({ logger, roomIdleSeconds: 0 })
      const running: Promise<unknown>[] = []
      let count = 0
      for (let step = 0; step < 60; step++) {
        const kind = random.between(0, 9)
        if (kind < 5)
          running.push(
            patch('a', { [`key${random.between(0, 3)}`]: 'x'.repeat(random.between(1, 20_000)), n: ++count }),
          )
        else if (kind < 7) running.push(remove('a'))
        else if (kind === 7) running.push(send('GET', '/rooms/a/document'))
        else if (kind === 8) running.push(Promise.race([closeCode(url, 'a').opened, closeCode(url, 'a').code]))
        else await Promise.all(running.splice(0))
        if (random.chance(0.3)) await new Promise((resolve) => setImmediate(resolve))
      }
      const answers = (await Promise.all(running)).filter((answer): answer is Answered => typeof answer === 'object')
      for (const { status, json } of answers) {
        if (status >= 400) expect([status, json.code]).toEqual([404, expect.stringMatching('ROOM_GONE|NOT_FOUND')])
      }
      await patch('a', { last: false })
      expect((await remove('a')).status).toBe(204)
      expect((await patch('a', { last: true })).json).toEqual({ changed: true })
      expect(await get('/rooms/a/document')).toEqual({ last: true })
      // From its source the server has no thread that compacts (see `createCompactor`): the attempt is all there is here.
      const isTried = (message: string): boolean => message.startsWith('compaction failed')
      expect(logger.entries.filter(({ level, message }) => level === 'error' && !isTried(message))).toEqual([])
      await server.close()
    },
  )
})
