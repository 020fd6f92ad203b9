/** Pusher's HTTP API with npm's pusher, over real sockets: what it publishes, and what it refuses in which words. */
import type Pusher from 'pusher'
import { describe, expect, it } from 'vitest'
import { type CreateServerOptions, type Server, TuttiError } from '../../server/index.ts'
import { type Sent, sdkOf, sendSigned } from './pusherHttpClient.ts'
import { startServer } from './testServer.ts'

const KEY = '278d425bdf160c739803'
const SECRET = '7ad3773142a6692b25b8'
const APP = { id: '3', key: KEY, secret: SECRET }

const start = async (options: CreateServerOptions = {}): Promise<Server> => {
  const { server } = await startServer({ apps: [APP], ...options })
  return server
}

const sdk = (server: Server, more: Parameters<typeof sdkOf>[2] = {}): Pusher => sdkOf(server, APP, more)

/** Events of a room as they are published. */
const heard = (server: Server, room: string): { event: string; data: unknown }[] => {
  const events: { event: string; data: unknown }[] = []
  server.room(room).on('event', ({ event, data }) => events.push({ event, data }))
  return events
}

const send = (server: Server, sent: Sent) => sendSigned(server, APP, sent)

const post = (server: Server, body: unknown, more: Partial<Sent> = {}) =>
  send(server, { path: '/apps/3/events', body: typeof body === 'string' ? body : JSON.stringify(body), ...more })

describe("npm's pusher", () => {
  it('triggers an event in one channel and in many', async () => {
    const server = await start()
    const [a, b] = [heard(server, 'a'), heard(server, 'b')]
    expect((await sdk(server).trigger('a', 'greet', { text: 'grüße 🎉' })).status).toBe(200)
    await sdk(server).trigger(['a', 'b'], 'plain', 'hello')
    expect(a).toEqual([
      { event: 'greet', data: { text: 'grüße 🎉' } },
      { event: 'plain', data: 'hello' },
    ])
    expect(b).toEqual([{ event: 'plain', data: 'hello' }])
  })

  it('triggers an event once in a channel that it names twice', async () => {
    const server = await start()
    const [a, b] = [heard(server, 'a'), heard(server, 'b')]
    await sdk(server).trigger(['a', 'b', 'a'], 'x', 1)
    expect([a, b]).toEqual([[{ event: 'x', data: 1 }], [{ event: 'x', data: 1 }]])
  })

  it('triggers a batch, in order', async () => {
    const server = await start()
    const a = heard(server, 'a')
    const batch = [1, 2, 3].map((number) => ({ channel: 'a', name: `n${number}`, data: number }))
    const response = await sdk(server).triggerBatch(batch)
    expect(await response.json()).toEqual({})
    expect(a).toEqual([1, 2, 3].map((number) => ({ event: `n${number}`, data: number })))
  })

  it('passes encrypted data through, and is told of wrong secrets in words', async () => {
    const server = await start()
    const encrypted = heard(server, 'private-encrypted-a')
    const key = Buffer.alloc(32, 7).toString('base64')
    await sdk(server, { encryptionMasterKeyBase64: key }).trigger('private-encrypted-a', 'secret', { a: 1 })
    expect(encrypted).toEqual([
      { event: 'secret', data: { nonce: expect.any(String) as string, ciphertext: expect.any(String) as string } },
    ])
    const wrong = sdk(server, { secret: 'wrong' }).trigger('a', 'x', {})
    await expect(wrong).rejects.toMatchObject({ status: 401, body: expect.stringMatching(/auth_signature is not/) })
  })

  it('signs with either secret while they are changed', async () => {
    const server = await start({ apps: [{ id: '3', key: KEY, secrets: ['new', SECRET] }] })
    expect((await sdk(server).trigger('a', 'x', {})).status).toBe(200)
    expect((await sdk(server, { secret: 'new' }).trigger('a', 'x', {})).status).toBe(200)
  })

  it('reaches the room that has the prefix of its app', async () => {
    const server = await start({ apps: [{ id: '1', key: 'first', secret: 's' }, APP] })
    const prefixed = heard(server, '3/a')
    const plain = heard(server, 'a')
    await sdk(server).trigger('a', 'x', 1)
    expect(prefixed).toEqual([{ event: 'x', data: 1 }])
    expect(plain).toEqual([])
  })
})

describe('a request is refused', () => {
  const event = { name: 'x', channels: ['a'], data: '1' }
  const deep: unknown = JSON.parse(`${'['.repeat(600)}${']'.repeat(600)}`)
  it.each<[string, unknown, Partial<Sent>, number, RegExp]>([
    ['without a name', { channels: ['a'], data: '1' }, {}, 400, /^name is missing/],
    ['with data too deep', { ...event, data: deep }, {}, 400, /^data nests deeper than 512/],
    ['without data', { name: 'x', channels: ['a'] }, {}, 400, /^data is missing/],
    ['without a channel', { name: 'x', data: '1' }, {}, 400, /^channels is empty/],
    ['for a channel with a slash', { ...event, channels: ['a/b'] }, {}, 400, /no name of a channel/],
    ['for a channel of 165 characters', { ...event, channels: ['a'.repeat(165)] }, {}, 400, /at most 164/],
    [
      'for 101 channels',
      { ...event, channels: Array.from({ length: 101 }, (_, i) => `c${i}`) },
      {},
      400,
      /at most 100/,
    ],
    ['for an event of the protocol', { ...event, name: 'pusher:x' }, {}, 400, /are kept/],
    ['for an event of 201 characters', { ...event, name: 'x'.repeat(201) }, {}, 400, /longer than 200/],
    ['for data over the limit', { ...event, data: 'x'.repeat(10_241) }, {}, 413, /10241 bytes; at most 10240/],
    [
      'for two channels of which one is encrypted',
      { ...event, channels: ['a', 'private-encrypted-a'] },
      {},
      400,
      /alone/,
    ],
    ['for a strange socket_id', { ...event, socket_id: 'me' }, {}, 400, /socket_id is "me"; expected two numbers/],
    ['for user_count of a public channel', { ...event, info: 'user_count' }, {}, 400, /presence channels only/],
    ['for an attribute nobody knows', { ...event, info: 'age' }, {}, 400, /expected any of/],
    ['for a body that is no JSON', '{', {}, 400, /not JSON/],
    ['for a body that is no object', '[]', {}, 400, /no JSON object/],
    ['with another key', event, { key: 'other' }, 401, /auth_key is not/],
    ['with another secret', event, { secret: 'other' }, 401, /auth_signature is not/],
    ['for another app', event, { path: '/apps/4/events' }, 404, /no app "4"/],
    ['for another path', event, { path: '/apps/3/event' }, 404, /nothing under this path/],
    ['with another method', event, { method: 'PUT' }, 405, /expected POST/],
    ['with an old clock', event, { query: { auth_timestamp: '1353088179' } }, 401, /more than 600 s off/],
    ['with another version', event, { query: { auth_version: '2.0' } }, 401, /auth_version/],
    ['with another md5', event, { query: { body_md5: '0'.repeat(32) } }, 401, /body_md5 is not/],
    [
      'with an upper-case signature',
      event,
      { tamper: (query) => Object.assign(query, { auth_signature: query.auth_signature?.toUpperCase() }) },
      401,
      /auth_signature is not/,
    ],
    ['without its md5', event, { tamper: (query) => delete query.body_md5 }, 401, /body_md5 is missing/],
    [
      'without a signature',
      event,
      { tamper: (query) => delete query.auth_signature },
      401,
      /auth_signature is missing/,
    ],
    ['without a key', event, { tamper: (query) => delete query.auth_key }, 401, /auth_key is missing/],
  ])('%s', async (_, body, more, status, text) => {
    const server = await start()
    const answer = await post(server, body, more)
    expect(answer.text).toMatch(text)
    expect(answer.text).not.toContain(SECRET)
    expect(answer.text.trimEnd()).not.toContain('\n')
    expect(answer.status).toBe(status)
  })

  it('as a batch of 11, and as a batch with one bad event, of which nothing is published', async () => {
    const server = await start()
    const a = heard(server, 'a')
    const good = { channel: 'a', name: 'x', data: '1' }
    const batch = (events: unknown[]) => post(server, { batch: events }, { path: '/apps/3/batch_events' })
    expect(await batch(Array.from({ length: 11 }, () => good))).toMatchObject({ status: 400 })
    expect(await batch([good, { ...good, name: 5 }])).toMatchObject({ status: 400 })
    expect(a).toEqual([])
    expect(await batch([good, { ...good, info: 'subscription_count' }])).toMatchObject({
      status: 200,
      text: '{"batch":[{},{"subscription_count":0}]}',
    })
    expect(a).toHaveLength(2)
  })

  it('when a hook refuses its event, in the words of the hook; its other channels get it', async () => {
    const server = await start({
      hooks: {
        beforeEvent: ({ room }) => {
          if (room === 'b') throw new TuttiError('FORBIDDEN', 'Not in here.', { hint: 'Use another channel.' })
          // What is asked elsewhere is refused later than what is refused at once.
          return room === 'd' ? Promise.reject<boolean>(new Error('no')) : true
        },
      },
    })
    const [a, c] = [heard(server, 'a'), heard(server, 'c')]
    const answer = await post(server, { ...event, channels: ['a', 'd', 'b', 'c'] })
    expect(answer).toMatchObject({ status: 403, text: expect.stringMatching(/hook beforeEvent refused/) })
    expect([a, c]).toEqual([[{ event: 'x', data: 1 }], [{ event: 'x', data: 1 }]])
    expect(await post(server, { ...event, channels: ['b'] })).toMatchObject({
      status: 403,
      text: 'Not in here. Use another channel.\n',
    })
    expect(await post(server, event)).toMatchObject({ status: 200 })
  })

  it('for a channel that makes no room, before anything is published', async () => {
    const server = await start()
    const a = heard(server, 'a')
    expect(await post(server, { ...event, channels: ['a', '..'] })).toMatchObject({
      status: 400,
      text: expect.stringMatching(/makes no name of a room/),
    })
    expect(a).toEqual([])
  })

  it('over the limit of bodies as a line of text, be its length announced or not', async () => {
    const server = await start({ maxBodyBytes: 4096 })
    const post = async (url: string, body: BodyInit): Promise<unknown[]> => {
      const init = { method: 'POST', body, duplex: 'half' }
      const response = await fetch(url, init)
      return [response.status, response.headers.get('content-type'), await response.text()]
    }
    const body = 'x'.repeat(5000)
    const text = 'The body is larger than 4096 bytes. Send it in parts, or raise maxBodyBytes on the server.'
    const refusal = [413, 'text/plain; charset=utf-8', `${text}\n`]
    for (const path of ['/apps/3/events', '/apps/none', '/users/1/terminate_connections']) {
      expect(await post(`${server.url}${path}`, body)).toEqual(refusal)
      expect(await post(`${server.url}${path}`, new Blob([body]).stream())).toEqual(refusal)
    }
    await expect(sdk(server).trigger('a', 'x', body)).rejects.toMatchObject({ status: 413, body: `${text}\n` })
    // Other doors say it in their own way, and so does a server without apps.
    expect((await post(`${server.url}/rooms/a/events`, body))[1]).toBe('application/json')
    const { server: plain } = await startServer({ maxBodyBytes: 4096 })
    expect((await post(`${plain.url}/apps/3/events`, body))[1]).toBe('application/json')
  })

  it('by another method with a header that names the one there is', async () => {
    const server = await start()
    const { status, headers } = await send(server, { method: 'DELETE', path: '/apps/3/events' })
    expect([status, headers.get('allow'), headers.get('content-type')]).toEqual([
      405,
      'POST',
      'text/plain; charset=utf-8',
    ])
  })

  it.each(['constructor', '__proto__', 'users/u1', 'users//terminate_connections', 'channels/a/b', ''])(
    'for the path %j',
    async (path) => {
      const server = await start()
      const { status } = await send(server, { path: `/apps/3/${path}`, body: '{}' })
      expect(status).toBe(path === 'users//terminate_connections' ? 400 : 404)
    },
  )
})

describe('the limits of an app', () => {
  it('can be raised', async () => {
    const limits = { maxEventBytes: 20_000, maxEventNameLength: 300, maxChannelNameLength: 200, maxBatchEvents: 11 }
    const server = await start({ apps: [{ ...APP, limits }] })
    const channel = 'c'.repeat(200)
    const events = heard(server, channel)
    const event = { name: 'x'.repeat(300), channel, data: JSON.stringify('y'.repeat(19_000)) }
    expect(await post(server, event)).toMatchObject({ status: 200 })
    const batch = { batch: Array.from({ length: 11 }, () => event) }
    expect(await post(server, batch, { path: '/apps/3/batch_events' })).toMatchObject({ status: 200 })
    expect(events).toHaveLength(12)
    expect(await post(server, { ...event, name: 'x'.repeat(301) })).toMatchObject({ status: 400 })
  })

  it('count bytes of UTF-8, not characters', async () => {
    const server = await start()
    const event = { name: 'x', channel: 'a' }
    expect(await post(server, { ...event, data: 'ü'.repeat(5120) })).toMatchObject({ status: 200 })
    expect(await post(server, { ...event, data: 'ü'.repeat(5121) })).toMatchObject({ status: 413 })
  })
})
