import { request as httpRequest } from 'node:http'
import { describe, expect, it } from 'vitest'
import type { CreateServerOptions } from '../../server/index.ts'
import { createMemoryStorage } from '../../server/storage/memory.ts'
import { type Answered, type RequestOptions, request } from './apiRequest.ts'
import { createGate } from './gate.ts'
import { createMemoryLog } from './memoryLog.ts'
import { APP } from './pusherClient.ts'
import { startServer } from './testServer.ts'

const start = async (options?: CreateServerOptions) => {
  const { server } = await startServer(options)
  const send = (method: string, target: string, more?: RequestOptions): Promise<Answered> =>
    request(server.url, method, target, more)
  return {
    send,
    batch: (changes: unknown, headers: Record<string, string> = {}) =>
      send('POST', '/batch', { headers, body: changes }),
    get: async (target: string) => (await send('GET', target)).json,
  }
}

describe('a batch', () => {
  it('carries out changes of many rooms, each with its answer in its place', async () => {
    const { batch, get } = await start()
    const { status, json } = await batch([
      { room: 'a/b', method: 'PATCH', resource: 'document', body: { title: 'x' } },
      { room: 'chat', method: 'POST', resource: 'events', body: [{ event: 'e' }, { event: 'f', data: 1 }] },
      { room: 'bytes', method: 'POST', resource: 'events', query: 'event=frame', base64: 'AAH/' },
      { room: 'ü 😀', method: 'PATCH', resource: 'document', query: 'text=body', body: { body: 'text' } },
      { room: 'chat', method: 'DELETE' },
      { room: 'gone', method: 'DELETE' },
      { room: 'a/b', method: 'PATCH', resource: 'document', body: { title: 'x' } },
    ])
    const at = (offset: number) => ({ epoch: expect.any(String), offset })
    expect(status).toBe(200)
    expect(json.map(({ status, body }: { status: number; body?: unknown }) => [status, body])).toEqual([
      [200, { changed: true }],
      [200, [at(1), at(2)]],
      [200, at(1)],
      [200, { changed: true }],
      [204, undefined],
      [404, expect.objectContaining({ code: 'NOT_FOUND' })],
      [200, { changed: false }],
    ])
    expect(await get('/rooms/a/b/document')).toEqual({ title: 'x' })
    expect((await get('/rooms/bytes/events')).events[0]).toMatchObject({ event: 'frame', base64: 'AAH/' })
    expect(await get(`/rooms/${encodeURIComponent('ü 😀')}/document`)).toEqual({ body: 'text' })
    expect((await batch([])).json).toEqual([])
  })

  it('refuses a change whose body nests too deep', async () => {
    const { batch } = await start()
    const deep = `${'['.repeat(20_000)}${']'.repeat(20_000)}`
    const change = (data: string) =>
      `{"room":"a","method":"POST","resource":"events","body":{"event":"x","data":${data}}}`
    const { json } = await batch(`[${change(deep)},${change('1')}]`, { 'content-type': 'application/json' })
    expect(json.map(({ status }: { status: number }) => status)).toEqual([400, 200])
    expect(json[0].body).toMatchObject({ code: 'INVALID_REQUEST', message: expect.stringMatching(/nests deeper/) })
  })

  it('goes on after a change that fails, in the order of the changes of each room', async () => {
    const { batch, get } = await start()
    const changes = Array.from({ length: 60 }, (_, i) => ({
      room: `room${i % 3}`,
      method: 'POST',
      resource: 'events',
      body: i % 7 === 0 ? { event: '' } : { event: 'e', data: i },
    }))
    const { json } = await batch(changes)
    expect(json.map(({ status }: { status: number }) => status)).toEqual(
      changes.map((_, i) => (i % 7 === 0 ? 422 : 200)),
    )
    expect(json[0].body).toEqual({ code: 'INVALID_VALUE', message: expect.any(String), hint: expect.any(String) })
    for (const r of [0, 1, 2]) {
      const { events } = await get(`/rooms/room${r}/events`)
      const expected = changes.map((_, i) => i).filter((i) => i % 3 === r && i % 7 !== 0)
      expect(events.map(({ data }: { data: number }) => data)).toEqual(expected)
    }
  })

  it('carries out the changes of one room one after the other', async () => {
    const { batch, get } = await start()
    const patch = (body: object) => ({ room: 'a', method: 'PATCH', resource: 'document', body })
    const { json } = await batch([patch({ a: 1 }), { room: 'a', method: 'DELETE' }, patch({ b: 2 })])
    expect(json.map(({ status }: { status: number }) => status)).toEqual([200, 204, 200])
    expect(await get('/rooms/a/document')).toEqual({ b: 2 })
  })

  it('goes on when its sender is gone', async () => {
    const gate = createGate()
    const logger = createMemoryLog()
    let asked = 0
    const addresses: string[] = []
    const { server } = await startServer({
      logger,
      hooks: {
        join: async ({ caller }) => {
          addresses.push(caller.address)
          if (asked++ === 0) await gate.promise
        },
      },
    })
    const event = { room: 'a', method: 'POST', resource: 'events', body: { event: 'e' } }
    const sent = httpRequest(`${server.url}/batch`, { method: 'POST', headers: { 'content-type': 'application/json' } })
    sent.on('error', () => undefined)
    sent.end(JSON.stringify([event, event]))
    await expect.poll(() => asked).toBe(1)
    sent.destroy()
    // The answers of other requests: by then the server has heard that this one is gone.
    for (let i = 0; i < 10; i++) await request(server.url, 'GET', '/health')
    gate.open()
    await expect.poll(async () => (await request(server.url, 'GET', '/rooms/a/events')).json.offset).toBe(2)
    expect(addresses.slice(0, 2)).toEqual(['127.0.0.1', ''])
    expect(logger.entries.filter(({ level }) => level === 'error')).toEqual([])
  })

  it('shares its commits to the disk', async () => {
    const storage = createMemoryStorage()
    let commits = 0
    const { batch } = await start({
      storage: {
        ...storage,
        commit: async (changes) => {
          commits++
          await storage.commit(changes)
        },
      },
    })
    const changes = Array.from({ length: 300 }, (_, i) => ({
      room: `room${i}`,
      method: 'PATCH',
      resource: 'document',
      body: { i },
    }))
    const { json } = await batch(changes)
    expect(json.every(({ status }: { status: number }) => status === 200)).toBe(true)
    expect(commits).toBeLessThan(150)
  })

  it.each([
    [5, 400, 'INVALID_REQUEST', /The change is not an object/],
    [{ method: 'POST' }, 400, 'INVALID_REQUEST', /"room" is missing/],
    [{ room: 5, method: 'POST' }, 400, 'INVALID_REQUEST', /"room" is not a string/],
    [{ room: 'a//b', method: 'POST', resource: 'events' }, 400, 'INVALID_ROOM', /"room" is no room: it has an empty/],
    [{ room: '..', method: 'DELETE' }, 400, 'INVALID_ROOM', /segment/],
    [{ room: '\ud800', method: 'DELETE' }, 400, 'INVALID_ROOM', /surrogate/],
    [{ room: 'a' }, 400, 'INVALID_REQUEST', /"method" is missing/],
    [{ room: 'a', method: 'GET', resource: 'document' }, 400, 'INVALID_REQUEST', /"method" is "GET"/],
    [{ room: 'a', method: 'post', resource: 'events' }, 400, 'INVALID_REQUEST', /"method" is "post"/],
    [{ room: 'a', method: 'POST', resource: 'presence' }, 405, 'METHOD_NOT_ALLOWED', /GET or HEAD/],
    [{ room: 'a', method: 'POST', resource: 'nothing' }, 404, 'NOT_FOUND', /no "nothing"/],
    [{ room: 'a', method: 'DELETE', resource: 'typo' }, 404, 'NOT_FOUND', /no "typo"/],
    [{ room: 'a', method: 'DELETE', resource: 'document/z/a/b' }, 404, 'NOT_FOUND', /no "document\/z\/a\/b"/],
    [{ room: 'a', method: 'POST', resource: 'document/b/events' }, 404, 'NOT_FOUND', /reads as the room/],
    [{ room: 'a', method: 'POST', resource: '../../batch' }, 404, 'NOT_FOUND', /batch/],
    [{ room: 'a', method: 'POST', resource: 'events', op: 1 }, 400, 'INVALID_REQUEST', /no field "op"/],
    [{ room: 'a', method: 'POST', resource: 'events', body: 1, base64: 'AA==' }, 400, 'INVALID_REQUEST', /"base64"/],
    [{ room: 'a', method: 'POST', resource: 'events', base64: 'a b' }, 400, 'INVALID_REQUEST', /"base64"/],
    [{ room: 'a', method: 'POST', resource: 'events', headers: { accept: '*/*' } }, 400, 'INVALID_REQUEST', /"accept"/],
    [{ room: 'a', method: 'POST', resource: 'events', headers: [] }, 400, 'INVALID_REQUEST', /"headers"/],
    [
      { room: 'a', method: 'PATCH', resource: 'document', headers: { 'Content-Type': 'text/plain' }, body: {} },
      415,
      'UNSUPPORTED_TYPE',
      /"text\/plain"/,
    ],
    [{ room: 'a', method: 'POST', resource: 'events' }, 400, 'INVALID_JSON', /empty/],
  ])('answers the change %j in its place', async (change, status, code, message) => {
    const { batch } = await start()
    const { json } = await batch([change, { room: 'b', method: 'POST', resource: 'events', body: { event: 'e' } }])
    expect([json[0].status, json[0].body.code]).toEqual([status, code])
    expect(json[0].body.message).toMatch(message)
    expect(json[1].status).toBe(200)
  })

  it('asks for each room whether its sender may use it', async () => {
    const { batch } = await start({ apps: [APP] })
    const changes = ['private-a', 'b'].map((room) => ({
      room,
      method: 'POST',
      resource: 'events',
      body: { event: 'e' },
    }))
    const statuses = ({ json }: Answered) => json.map(({ status }: { status: number }) => status)
    expect(statuses(await batch(changes))).toEqual([403, 200])
    expect(statuses(await batch(changes, { authorization: `Bearer ${APP.secret}` }))).toEqual([200, 200])
  })

  it('is refused as a whole if it is no list of changes', async () => {
    const { send, batch } = await start()
    const many = Array(1001).fill({ room: 'a', method: 'DELETE' })
    for (const [answered, status, code] of [
      [await batch({}), 400, 'INVALID_REQUEST'],
      [await batch('[', { 'content-type': 'application/json' }), 400, 'INVALID_JSON'],
      [await batch('[]', { 'content-type': 'text/plain' }), 415, 'UNSUPPORTED_TYPE'],
      [await batch(many), 413, 'TOO_LARGE'],
      [await send('GET', '/batch'), 405, 'METHOD_NOT_ALLOWED'],
      [await send('POST', '/batch?x=1', { body: [] }), 400, 'INVALID_REQUEST'],
    ] as const) {
      expect([answered.status, answered.json.code]).toEqual([status, code])
    }
  })
})
