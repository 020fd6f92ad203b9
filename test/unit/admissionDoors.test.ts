/** No way round a signature: rooms of an app that need one, by every other door of a real server. */
import { describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { EMPTY_UPDATE } from '../../lib/protocol.ts'
import { type Caller, type CreateServerOptions, type Hooks, TuttiError } from '../../server/index.ts'
import { until } from '../e2e/until.ts'
import { WireClient } from '../e2e/wireClient.ts'
import { joinEvents } from './eventRooms.ts'
import { APP, PusherClient } from './pusherClient.ts'
import { startServer } from './testServer.ts'

const ROOM = 'private-orders'
const EVENT = { 'content-type': 'application/json' }

const start = async (options: CreateServerOptions = {}) => {
  const started = await startServer({ apps: [APP, { id: '2', key: 'key2', secret: 'other-secret' }], ...options })
  const http = started.url.replace('ws', 'http')
  const ask = (path: string, options?: RequestInit): Promise<Response> => fetch(`${http}${path}`, options)
  return { ...started, ask }
}

/** A room's connection with headers of its own: the code and reason it was closed with, or `synced`. */
const joinWith = async (address: string, headers: Record<string, string> = {}): Promise<string> => {
  const ws = new WebSocket(address, { headers })
  try {
    return await new Promise<string>((resolve) => {
      ws.on('close', (code) => resolve(String(code)))
      // Message 0, sync; step 1: the room has been joined.
      ws.on('message', () => resolve('joined'))
    })
  } finally {
    ws.terminate()
  }
}

describe('a room that needs the signature of an app', () => {
  test.each([ROOM, 'presence-orders', '%70rivate-orders', '2/private-orders', '%23server-to-user-1'])(
    'is closed to WebSockets of rooms: %s',
    async (path) => {
      const { url } = await start()
      const a = await WireClient.join(`${url}/${path}`)
      await a.untilClosed()
      expect(a.closed?.code).toBe(4403)
      expect(a.closed?.reason).toMatch(/needs the signature of an app/)
      expect(a.frames).toEqual([])
    },
  )

  test('is closed to subscriptions over a connection that is elsewhere, and to their events', async () => {
    const { url, server } = await start()
    const a = await joinEvents(url, { room: 'lobby' })
    const channel = a.room.channel(ROOM)
    const refusals: TuttiError[] = []
    const heard: unknown[] = []
    channel.bindAll((event) => heard.push(event))
    channel.on('refused', (error) => refusals.push(error))
    await until('the refusal', () => refusals.length === 1)
    expect(refusals[0]).toMatchObject({ code: 'FORBIDDEN' })
    await expect(channel.trigger('e', 1)).rejects.toMatchObject({ code: 'FORBIDDEN' })
    expect(await server.room(ROOM).trigger('secret')).toMatchObject({ offset: 1 })
    await server.room('lobby').trigger('last')
    await until('the last event', () => a.heard.length === 1)
    expect(heard).toEqual([])
  })

  test('is closed to every request over HTTP, and listed to nobody', async () => {
    const { server, ask } = await start()
    await server.room(ROOM).edit((doc) => doc.getMap('m').set('k', 'secret'))
    await server.room('lobby').edit((doc) => doc.getMap('m').set('k', 1))
    const requests: [string, RequestInit?][] = [
      [`/rooms/${ROOM}`],
      [`/rooms/${ROOM}`, { method: 'DELETE' }],
      [`/rooms/${ROOM}/document`],
      [`/rooms/%70rivate-orders/document`],
      [
        `/rooms/${ROOM}/document`,
        { method: 'PATCH', headers: { 'content-type': 'application/merge-patch+json' }, body: '{"m": {"k": 1}}' },
      ],
      [`/rooms/${ROOM}/events`],
      [`/rooms/${ROOM}/events`, { headers: { accept: 'text/event-stream' } }],
      [`/rooms/${ROOM}/events`, { method: 'POST', headers: EVENT, body: '{"event": "e"}' }],
      [`/rooms/${ROOM}/presence`],
    ]
    for (const [path, options] of requests) {
      const answer = await ask(path, options)
      expect([path, answer.status]).toEqual([path, 403])
      expect(await answer.json()).toMatchObject({ code: 'FORBIDDEN' })
    }
    const batch = await ask('/batch', {
      method: 'POST',
      headers: EVENT,
      body: JSON.stringify([{ room: ROOM, method: 'POST', resource: 'events', body: { event: 'e' } }]),
    })
    expect(await batch.json()).toMatchObject([{ status: 403 }])
    const { rooms } = (await (await ask('/rooms')).json()) as { rooms: { room: string }[] }
    expect(rooms.map(({ room }) => room)).toEqual(['lobby'])
    expect(await server.room(ROOM).read((doc) => doc.getMap('m').toJSON())).toEqual({ k: 'secret' })
  })

  test('is open to a back end that shows the secret of its app, by every door', async () => {
    const { url, ask } = await start()
    const authorization = `Bearer ${APP.secret}`
    expect(await joinWith(`${url}/${ROOM}`, { authorization })).toBe('joined')
    expect(await joinWith(`${url}/${ROOM}`, { authorization: 'Bearer other-secret' })).toBe('4403')
    expect(await joinWith(`${url}/2/${ROOM}`, { authorization: 'Bearer other-secret' })).toBe('joined')
    const post = (secret: string): Promise<Response> =>
      ask(`/rooms/${ROOM}/events`, {
        method: 'POST',
        headers: { ...EVENT, authorization: `Bearer ${secret}` },
        body: '{"event": "e"}',
      })
    const pusher = await PusherClient.connect(url)
    await pusher.subscribe(ROOM)
    expect((await post('nonsense')).status).toBe(403)
    expect((await post(APP.secret)).status).toBe(200)
    await pusher.find('e', ROOM)
    expect(pusher.events(ROOM)).toHaveLength(1)
  })

  test('is open to everyone on a server that was started so', async () => {
    const { url, ask } = await start({ open: true })
    const a = await WireClient.join(`${url}/${ROOM}`)
    await a.synced()
    expect((await ask(`/rooms/${ROOM}/document`)).status).toBe(200)
  })

  test('is open to whom the join hook lets in, by every door that asks it', async () => {
    const asked: [string, Caller['door'], boolean][] = []
    const join: Hooks['join'] = async ({ room, caller, isGuarded }) => {
      asked.push([room, caller.door, isGuarded])
      if (caller.query.includes('token=ada') || caller.header('x-token') === 'ada') return true
      return isGuarded ? undefined : true
    }
    const { url, ask } = await start({ hooks: { join } })
    expect(await joinWith(`${url}/${ROOM}?token=ada`)).toBe('joined')
    expect(await joinWith(`${url}/${ROOM}?token=eve`)).toBe('4403')
    expect((await ask(`/rooms/${ROOM}/document`, { headers: { 'x-token': 'ada' } })).status).toBe(200)
    expect((await ask(`/rooms/${ROOM}/document`)).status).toBe(403)
    expect((await ask('/rooms/lobby/document')).status).toBe(200)
    // Whoever has the signature comes in where the hook says nothing.
    const pusher = await PusherClient.connect(url)
    await pusher.subscribe(ROOM)
    expect(asked).toEqual([
      [ROOM, 'room', true],
      [ROOM, 'room', true],
      [ROOM, 'http', true],
      [ROOM, 'http', true],
      ['lobby', 'http', false],
      [ROOM, 'pusher', false],
    ])
  })
})

describe('where there is no app', () => {
  test('no name is closed', async () => {
    const { url, ask } = await start({ apps: [] })
    const a = await WireClient.join(`${url}/${ROOM}`)
    await a.synced()
    const answer = await ask(`/rooms/${ROOM}/document`, { headers: { accept: 'application/octet-stream' } })
    expect(new Uint8Array(await answer.arrayBuffer())).toEqual(EMPTY_UPDATE)
  })

  test('the join hook alone decides, over HTTP as well', async () => {
    const { url, ask } = await start({
      apps: [],
      hooks: {
        join: ({ room, caller }) => {
          if (room === 'closed') throw new TuttiError('UNAUTHENTICATED', `Not by ${caller.door}.`, { hint: 'Log in.' })
        },
      },
    })
    const a = await WireClient.join(`${url}/closed`)
    await a.untilClosed()
    expect(a.closed).toEqual({ code: 4401, reason: 'Not by room.' })
    const answer = await ask('/rooms/closed/document')
    expect(answer.status).toBe(401)
    expect(await answer.json()).toEqual({ code: 'UNAUTHENTICATED', message: 'Not by http.', hint: 'Log in.' })
    expect((await ask('/rooms/open/document')).status).toBe(200)
  })
})
