import { createHash, createHmac } from 'node:crypto'
import Pusher from 'pusher'
import { describe, expect, it } from 'vitest'
import type { CreateServerOptions, Server } from '../../server/index.ts'
import { startServer } from './testServer.ts'

const KEY = '278d425bdf160c739803'
const SECRET = '7ad3773142a6692b25b8'
const APP = { id: '3', key: KEY, secret: SECRET }

const start = async (options: CreateServerOptions = {}): Promise<Server> => {
  const { server } = await startServer({ apps: [APP], ...options })
  return server
}

const sdk = ({ address }: Server, more: Partial<Pusher.Options> = {}): Pusher =>
  new Pusher({
    appId: APP.id,
    key: KEY,
    secret: SECRET,
    host: address.host,
    port: String(address.port),
    useTLS: false,
    ...more,
  } as Pusher.Options)

/** Events of a room as they are published. */
const heard = (server: Server, room: string): { event: string; data: unknown }[] => {
  const events: { event: string; data: unknown }[] = []
  server.room(room).on('event', ({ event, data }) => events.push({ event, data }))
  return events
}

interface Sent {
  method?: string
  path: string
  query?: Record<string, string>
  body?: string
  secret?: string
  key?: string
  /** Changes the parameters after they were signed. */
  tamper?: (query: Record<string, string>) => void
}

const send = async (server: Server, sent: Sent): Promise<{ status: number; text: string }> => {
  const { method = 'POST', path, body, secret = SECRET, key = KEY, tamper } = sent
  const query: Record<string, string> = {
    auth_key: key,
    auth_timestamp: String(Math.floor(Date.now() / 1000)),
    auth_version: '1.0',
    ...(body === undefined ? {} : { body_md5: createHash('md5').update(body).digest('hex') }),
    ...sent.query,
  }
  const text = Object.keys(query)
    .sort()
    .map((name) => `${name}=${query[name]}`)
    .join('&')
  query.auth_signature = createHmac('sha256', secret).update(`${method}\n${path}\n${text}`).digest('hex')
  tamper?.(query)
  const response = await fetch(`${server.url}${path}?${new URLSearchParams(query)}`, { method, body: body ?? null })
  return { status: response.status, text: await response.text() }
}

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

  it('triggers a batch, in order', async () => {
    const server = await start()
    const a = heard(server, 'a')
    const batch = [1, 2, 3].map((number) => ({ channel: 'a', name: `n${number}`, data: number }))
    const response = await sdk(server).triggerBatch(batch)
    expect(await response.json()).toEqual({})
    expect(a).toEqual([1, 2, 3].map((number) => ({ event: `n${number}`, data: number })))
  })

  it('asks for what is occupied, for one channel and for its users', async () => {
    const server = await start()
    const pusher = sdk(server)
    const end = server.room('quiet').on('event', () => undefined)
    end()
    const answer = async (path: string, params?: object): Promise<unknown> =>
      (await pusher.get({ path, ...(params === undefined ? {} : { params: params as Pusher.Params }) })).json()
    expect(await answer('/channels')).toEqual({ channels: {} })
    expect(await answer('/channels/quiet')).toEqual({ occupied: false })
    expect(await answer('/channels/presence-x/users')).toEqual({ users: [] })
    expect(await answer('/channels', { filter_by_prefix: 'presence-', info: 'user_count' })).toEqual({ channels: {} })
  })

  it('sends to a user and terminates their connections, whatever characters their id has', async () => {
    const server = await start()
    const pusher = sdk(server)
    expect((await pusher.sendToUser('u 1', 'hello', { a: 1 })).status).toBe(200)
    expect((await pusher.terminateUserConnections('u 1')).status).toBe(200)
  })

  it('passes encrypted data through, and is told of wrong secrets in words', async () => {
    const server = await start()
    const encrypted = heard(server, 'private-encrypted-a')
    const key = Buffer.alloc(32, 7).toString('base64')
    await sdk(server, { encryptionMasterKeyBase64: key } as Partial<Pusher.Options>).trigger(
      'private-encrypted-a',
      'secret',
      { a: 1 },
    )
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

describe('requests of other SDKs', () => {
  it('of Python terminate connections without the app in their path', async () => {
    const server = await start()
    expect(await send(server, { path: '/users/u1/terminate_connections', body: '{}' })).toEqual({
      status: 200,
      text: '{}',
    })
  })

  it('may carry the MD5 of nothing on a GET, and commas raw or encoded', async () => {
    const server = await start()
    const query = { body_md5: 'd41d8cd98f00b204e9800998ecf8427e', filter_by_prefix: 'presence-', info: 'user_count' }
    expect(await send(server, { method: 'GET', path: '/apps/3/channels', query })).toEqual({
      status: 200,
      text: '{"channels":{}}',
    })
    const both = { info: 'user_count,subscription_count' }
    expect((await send(server, { method: 'GET', path: '/apps/3/channels/a', query: both })).status).toBe(400)
  })
})

describe('a request is refused', () => {
  const event = { name: 'x', channels: ['a'], data: '1' }
  it.each<[string, unknown, Partial<Sent>, number, RegExp]>([
    ['without a name', { channels: ['a'], data: '1' }, {}, 400, /^name is missing/],
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
    ['for a strange socket_id', { ...event, socket_id: 'me' }, {}, 400, /socket_id is none/],
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
    expect(await batch([good, { ...good, info: 'subscription_count' }])).toEqual({
      status: 200,
      text: '{"batch":[{},{"subscription_count":0}]}',
    })
    expect(a).toHaveLength(2)
  })

  it('when a hook refuses its event', async () => {
    const server = await start({
      hooks: {
        beforeEvent: () => {
          throw new Error('no')
        },
      },
    })
    expect((await post(server, event)).status).toBe(403)
  })
})
