/** What Pusher's HTTP API tells of channels, and does to connections: npm's pusher and connected clients. */
import Pusher from 'pusher'
import { describe, expect, it } from 'vitest'
import { sign } from '../../server/protocol/hmac.ts'
import { until } from '../e2e/until.ts'
import { APP, PusherClient } from './pusherClient.ts'
import { read, sdkOf, sendSigned } from './pusherHttpClient.ts'
import { startServer } from './testServer.ts'

const start = async () => {
  const { server, url } = await startServer({ apps: [APP] })
  return { server, url, pusher: sdkOf(server, APP), client: () => PusherClient.connect(url) }
}

const member = (id: string) => ({ channelData: { user_id: id } })

describe('of channels it tells', () => {
  it('which are occupied, by prefix, with connections and people counted', async () => {
    const { pusher, client } = await start()
    const [a, b, c] = [await client(), await client(), await client()]
    await a.subscribe('news')
    await b.subscribe('news')
    await a.subscribe('__proto__')
    // One person, two connections.
    await a.subscribe('presence-x', member('1'))
    await b.subscribe('presence-x', member('1'))
    await c.subscribe('presence-x', member('2'))

    expect(await read(pusher, '/channels')).toEqual(
      JSON.parse('{"channels":{"news":{},"__proto__":{},"presence-x":{}}}'),
    )
    const both = { filter_by_prefix: 'presence-', info: 'user_count,subscription_count' }
    expect(await read(pusher, '/channels', both)).toEqual({
      channels: { 'presence-x': { user_count: 2 } },
    })
    expect(await read(pusher, '/channels/news', { info: 'subscription_count' })).toEqual({
      occupied: true,
      subscription_count: 2,
    })
    expect(await read(pusher, '/channels/presence-x', { info: 'user_count' })).toEqual({
      occupied: true,
      user_count: 2,
    })
    // A presence channel counts users only; what else is asked of it is left out.
    expect(await read(pusher, '/channels/presence-x', { info: 'subscription_count' })).toEqual({ occupied: true })
    const counted = { info: 'subscription_count' }
    expect(await read(pusher, '/channels', counted)).toEqual(
      JSON.parse('{"channels":{"news":{"subscription_count":2},"__proto__":{"subscription_count":1},"presence-x":{}}}'),
    )
    expect(await read(pusher, '/channels/presence-x/users')).toEqual({ users: [{ id: '1' }, { id: '2' }] })
    expect(await read(pusher, '/channels/none', { info: 'subscription_count' })).toEqual({ occupied: false })

    for (const each of [a, b, c]) await each.close(1000)
    await until('all are gone', async () => JSON.stringify(await read(pusher, '/channels')) === '{"channels":{}}')
  })

  it('nothing of another app', async () => {
    const { server, url } = await startServer({ apps: [APP, { id: '2', key: 'key2', secret: 'secret2' }] })
    const first = await PusherClient.connect(url)
    await first.subscribe('mine')
    expect(await read(sdkOf(server, { id: '2', key: 'key2', secret: 'secret2' }), '/channels')).toEqual({
      channels: {},
    })
    expect(await read(sdkOf(server, APP), '/channels')).toEqual({ channels: { mine: {} } })
  })

  it('the cached event, also of a channel where nobody is', async () => {
    const { pusher } = await start()
    expect(await read(pusher, '/channels/cache-a', { info: 'cache' })).toEqual({ occupied: false, cache: null })
    await pusher.trigger('cache-a', 'x', { a: 1 })
    expect(await read(pusher, '/channels/cache-a', { info: 'cache' })).toEqual({
      occupied: false,
      cache: { data: '{"a":1}', ttl: expect.any(Number) },
    })
    await expect(read(pusher, '/channels/a', { info: 'cache' })).rejects.toMatchObject({
      status: 400,
      body: 'cache is known of cache channels only, not of "a".\n',
    })
  })

  it('counts with the event that is published, as the documentation of the SDK asks for them', async () => {
    const { pusher, client } = await start()
    const a = await client()
    await a.subscribe('my-channel')
    await a.subscribe('presence-my-channel', member('1'))
    const info = 'user_count,subscription_count'
    expect(await (await pusher.trigger('presence-my-channel', 'event', 'test', { info })).json()).toEqual({
      channels: { 'presence-my-channel': { user_count: 1 } },
    })
    const batch = [
      { channel: 'my-channel', name: 'event', data: 'test1', info: 'subscription_count' },
      { channel: 'presence-my-channel', name: 'event', data: 'test2', info },
      { channel: 'my-channel', name: 'event', data: 'test3' },
    ]
    expect(await (await pusher.triggerBatch(batch)).json()).toEqual({
      batch: [{ subscription_count: 1 }, { user_count: 1 }, {}],
    })
  })

  it.each([
    ['/channels', { info: 'user_count' }, /needs filter_by_prefix=presence-/],
    ['/channels', { info: 'cache' }, /expected any of user_count,subscription_count/],
    ['/channels/a', { info: 'user_count' }, /presence channels only, not of "a"/],
    ['/channels/a/users', {}, /presence channels only, not of "a"/],
    ['/channels/a%20b', {}, /no name of a channel/],
  ])('what is wrong with %s and %j', async (path, query, text) => {
    const { server } = await start()
    const answer = await sendSigned(server, APP, { method: 'GET', path: `/apps/${APP.id}${path}`, query })
    expect(answer).toMatchObject({ status: 400, text: expect.stringMatching(text) })
  })
})

describe('an event', () => {
  it('does not reach the connection that its socket_id names; one that is not there is no error', async () => {
    const { pusher, client } = await start()
    const [a, b] = [await client(), await client()]
    await a.subscribe('news')
    await b.subscribe('news')
    await pusher.trigger('news', 'x', 1, { socket_id: a.id })
    await pusher.trigger('news', 'x', 2, { socket_id: '1.1' })
    await a.find('x')
    await until('b has both', () => b.events('news').length === 2)
    expect(a.events('news')).toEqual([['x', 2]])
    expect(b.events('news')).toEqual([
      ['x', 1],
      ['x', 2],
    ])
  })

  it('reaches its channels in the order of the batch', async () => {
    const { pusher, client } = await start()
    const a = await client()
    await a.subscribe('news')
    const numbers = Array.from({ length: 10 }, (_, number) => number)
    await pusher.triggerBatch(numbers.map((data) => ({ channel: 'news', name: 'n', data })))
    await until('all are here', () => a.events('news').length === 10)
    expect(a.events('news')).toEqual(numbers.map((number) => ['n', number]))
  })
})

describe('a user', () => {
  /** A slash, a space and an umlaut: SDKs put the id into the path as it is. */
  const ID = 'team/ü 1'

  it('is sent to on their own connections alone, and ended with 4009', async () => {
    const { server, pusher, client } = await start()
    const [own, tab, other] = [await client(), await client(), await client()]
    for (const [each, id] of [
      [own, ID],
      [tab, ID],
      [other, 'u2'],
    ] as const) {
      const { auth, user_data } = pusher.authenticateUser(each.id, { id })
      each.send('pusher:signin', { auth, user_data })
      await each.find('pusher:signin_success')
      each.send('pusher:subscribe', { auth: '', channel: `#server-to-user-${id}` })
      await each.find('pusher_internal:subscription_succeeded', `#server-to-user-${id}`)
    }
    await pusher.sendToUser(ID, 'hello', { a: 1 })
    for (const each of [own, tab]) expect((await each.find('hello')).data).toEqual({ a: 1 })
    await other.settled()
    expect(other.frames.map(({ event }) => event)).not.toContain('hello')

    expect((await pusher.terminateUserConnections(ID)).status).toBe(200)
    await until('both are ended', () => own.closed !== undefined && tab.closed !== undefined)
    expect([own.closed?.code, tab.closed?.code]).toEqual([4009, 4009])
    await other.settled()
    expect(await sendSigned(server, APP, { path: '/users/u2/terminate_connections', body: '{}' })).toMatchObject({
      status: 200,
      text: '{}',
    })
    await until('the other is ended', () => other.closed !== undefined)
  })

  it('who is not there is no error', async () => {
    const { pusher } = await start()
    expect((await pusher.sendToUser('nobody', 'x', {})).status).toBe(200)
    expect((await pusher.terminateUserConnections('nobody')).status).toBe(200)
  })
})

describe('what the SDK signs for others', () => {
  const KEY = '278d425bdf160c739803'
  const SECRET = '7ad3773142a6692b25b8'
  const sdk = new Pusher({ appId: '3', key: KEY, secret: SECRET, host: '127.0.0.1', useTLS: false } as Pusher.Options)

  it('is the known answer', () => {
    expect(sdk.authorizeChannel('1234.1234', 'private-foobar').auth).toBe(
      `${KEY}:58df8b0c36d6982b82c3ecf6b4662e34fe8c25bba48f5369f135bf843651c3a4`,
    )
    expect(sdk.authenticateUser('1234.1234', { id: '12345' })).toEqual({
      auth: `${KEY}:4708d583dada6a56435fb8bc611c77c359a31eebde13337c16ab43aa6de336ba`,
      user_data: '{"id":"12345"}',
    })
  })

  it('lets a client into a private and a presence channel', async () => {
    const { pusher, client } = await start()
    const a = await client()
    await a.subscribe('private-a', { auth: pusher.authorizeChannel(a.id, 'private-a').auth })
    const { auth, channel_data } = pusher.authorizeChannel(a.id, 'presence-a', {
      user_id: '7',
      user_info: { name: 'Ü' },
    })
    a.send('pusher:subscribe', { auth, channel: 'presence-a', channel_data })
    const { data } = await a.find('pusher_internal:subscription_succeeded', 'presence-a')
    expect(data).toMatchObject({ presence: { ids: ['7'], hash: { '7': { name: 'Ü' } }, count: 1 } })
  })

  it('is checked of a webhook that is signed as the server signs', () => {
    const rawBody = '{"time_ms":1327078148132,"events":[{"name":"channel_occupied","channel":"my-channel"}]}'
    const headers = {
      'content-type': 'application/json',
      'x-pusher-key': KEY,
      'x-pusher-signature': sign(SECRET, rawBody),
    }
    const webhook = sdk.webhook({ headers, rawBody })
    expect(webhook.isValid()).toBe(true)
    expect(webhook.getEvents()).toEqual([{ name: 'channel_occupied', channel: 'my-channel' }])
    expect(sdk.webhook({ headers, rawBody: `${rawBody} ` }).isValid()).toBe(false)
  })
})
