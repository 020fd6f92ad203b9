import { describe, expect, it } from 'vitest'
import { createIdempotency } from '../../server/api/idempotency.ts'
import type { ApiRequest } from '../../server/contracts.ts'
import type { CreateServerOptions } from '../../server/index.ts'
import { type Answered, type RequestOptions, request } from './apiRequest.ts'
import { APP } from './pusherClient.ts'
import { startServer } from './testServer.ts'

const PATCH = { 'content-type': 'application/merge-patch+json' }

const start = async (options?: CreateServerOptions) => {
  const { server } = await startServer(options)
  return (method: string, target: string, more?: RequestOptions): Promise<Answered> =>
    request(server.url, method, target, more)
}

describe('the header Idempotency-Key', () => {
  it('makes a request that is sent again one request, with the same answer', async () => {
    const send = await start()
    const post = (key: string, event: string) =>
      send('POST', '/rooms/a/events', { headers: { 'idempotency-key': key }, body: { event } })
    const [first, second] = await Promise.all([post('k1', 'e'), post('k1', 'e')])
    expect(second.json).toEqual(first.json)
    expect((await post('k1', 'e')).json).toEqual(first.json)
    expect((await post('k2', 'e')).json.offset).toBe(2)
    expect((await send('GET', '/rooms/a/events')).json.offset).toBe(2)
  })

  it('of another request is refused', async () => {
    const send = await start()
    const headers = { ...PATCH, 'idempotency-key': 'k' }
    expect((await send('PATCH', '/rooms/a/document', { headers, body: { n: 1 } })).json).toEqual({ changed: true })
    const others: [string, string, RequestOptions][] = [
      ['PATCH', '/rooms/a/document', { headers, body: { n: 2 } }],
      ['PATCH', '/rooms/b/document', { headers, body: { n: 1 } }],
      ['PATCH', '/rooms/a/document?text=n', { headers, body: { n: 1 } }],
      ['PATCH', '/rooms/a/document', { headers: { ...headers, 'if-match': '"x"' }, body: { n: 1 } }],
      ['DELETE', '/rooms/a', { headers }],
      ['POST', '/batch', { headers: { 'idempotency-key': 'k' }, body: [] }],
    ]
    for (const [method, target, more] of others) {
      const { status, json } = await send(method, target, more)
      expect([status, json.code], `${method} ${target}`).toEqual([422, 'KEY_REUSED'])
    }
    expect((await send('PATCH', '/rooms/a/document', { headers, body: { n: 1 } })).json).toEqual({ changed: true })
    expect((await send('GET', '/rooms/a/document')).json).toEqual({ n: 1 })
  })

  it('of a request that was refused can be used again', async () => {
    const send = await start()
    const headers = { 'idempotency-key': 'k' }
    expect((await send('POST', '/rooms/a/events', { headers, body: { event: '' } })).status).toBe(422)
    expect((await send('POST', '/rooms/a/events', { headers, body: { event: 'e' } })).json.offset).toBe(1)
  })

  it('does not matter to reading', async () => {
    const send = await start()
    const headers = { 'idempotency-key': 'k' }
    expect((await send('GET', '/rooms/a/document', { headers })).json).toEqual({})
    await send('PATCH', '/rooms/a/document', { headers: PATCH, body: { n: 1 } })
    expect((await send('GET', '/rooms/a/document', { headers })).json).toEqual({ n: 1 })
  })

  it('gives nobody the answer to another sender', async () => {
    const send = await start({ apps: [APP] })
    const owner = { 'idempotency-key': 'k', authorization: `Bearer ${APP.secret}` }
    const body = [{ room: 'private-a', method: 'POST', resource: 'events', body: { event: 'e' } }]
    expect((await send('POST', '/batch', { headers: owner, body })).json[0].status).toBe(200)
    const stranger = { 'idempotency-key': 'k' }
    expect((await send('POST', '/batch', { headers: stranger, body })).json[0].status).toBe(403)
    const event = { body: { event: 'e' } }
    expect((await send('POST', '/rooms/private-a/events', { headers: owner, ...event })).json.code).toBe('KEY_REUSED')
    expect((await send('POST', '/rooms/private-a/events', { headers: stranger, ...event })).status).toBe(403)
  })

  it.each([['with space'], ['x'.repeat(256)]])('refuses the key %.20s', async (key) => {
    const send = await start()
    const { status, json } = await send('POST', '/rooms/a/events', {
      headers: { 'idempotency-key': key },
      body: { event: 'e' },
    })
    expect([status, json.code]).toEqual([400, 'INVALID_REQUEST'])
  })

  it('is forgotten after five minutes', async () => {
    let time = 0
    let made = 0
    const idempotency = createIdempotency(() => time)
    const asked: ApiRequest = {
      method: 'POST',
      path: '/rooms/a/events',
      query: '',
      address: '',
      header: (name) => (name === 'idempotency-key' ? 'k' : ''),
      body: new Uint8Array(),
    }
    const ask = () => idempotency.answer(asked, () => ({ status: 200, headers: {}, body: String(++made) }))
    expect((await ask()).body).toBe('1')
    time = 299_999
    expect((await ask()).body).toBe('1')
    time = 300_000
    expect((await ask()).body).toBe('2')
  })
})
