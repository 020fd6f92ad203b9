/** Unmodified clients against the Pusher door: pusher-js 8 in Node, alone and under laravel-echo 2. */
import Echo from 'laravel-echo'
import type PusherServer from 'pusher'
import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import { type CreateServerOptions, createServer, type Server } from '../../server/index.ts'
import { until } from '../e2e/until.ts'
import { APP } from './pusherClient.ts'
import { sdkOf } from './pusherHttpClient.ts'
import { type PusherChannel as Channel, connectPusher, optionsFor, Pusher, subscribed, type User } from './pusherJs.ts'
import { recorded } from './pusherRecorder.ts'
import { startServer } from './testServer.ts'

const ends: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

beforeAll(() => {
  Pusher.logToConsole = false
})

const MASTER_KEY = Buffer.alloc(32, 7).toString('base64')

/** What an application does at its own back end. */
const backEndOf = (server: Server): PusherServer => sdkOf(server, APP, { encryptionMasterKeyBase64: MASTER_KEY })

const start = async (options: CreateServerOptions = {}) => {
  const { server, url } = await startServer({ apps: [APP], ...options })
  const proxy = await recorded(url)
  const backEnd = backEndOf(server)
  const connect = (user: User = { id: 'ada' }, key: string = APP.key): Pusher =>
    connectPusher(key, proxy.port, backEnd, user)
  return { server, proxy, backEnd, connect }
}

/** What a channel's listeners are called with, in order. */
const heard = (channel: Channel): unknown[][] => {
  const calls: unknown[][] = []
  channel.bind_global((event: string, data: unknown) => calls.push([event, data]))
  return calls
}

describe('pusher-js', () => {
  test.each(['news', 'private-a', 'private-encrypted-a', 'presence-a'])(
    'hears on %s what a back end triggers',
    async (name) => {
      const { connect, backEnd } = await start()
      const channel = await subscribed(connect(), name)
      const calls = heard(channel)
      await backEnd.trigger(name, 'App\\Events\\Shipped', { id: 7 })
      await backEnd.trigger(name, 'text', 'hello')
      await until('both', () => calls.length === 2)
      expect(calls).toEqual([
        ['App\\Events\\Shipped', { id: 7 }],
        ['text', 'hello'],
      ])
    },
  )

  test('is left out of what it caused, by its socket id', async () => {
    const { connect, backEnd } = await start()
    const [ada, bob] = [connect(), connect({ id: 'bob' })]
    const [of, others] = [heard(await subscribed(ada, 'news')), heard(await subscribed(bob, 'news'))]
    await backEnd.trigger('news', 'own', 1, { socket_id: ada.connection.socket_id })
    await backEnd.trigger('news', 'all', 2)
    await until('the last', () => of.length === 1 && others.length === 2)
    expect(of).toEqual([['all', 2]])
  })

  test('exchanges client events, with the sender’s user id on presence channels', async () => {
    const { connect } = await start()
    const [ada, bob] = [connect(), connect({ id: 'bob' })]
    const [a, b] = [await subscribed(ada, 'presence-a'), await subscribed(bob, 'presence-a')]
    const calls: unknown[][] = []
    b.bind('client-typing', (data: unknown, metadata: unknown) => calls.push([data, metadata]))
    a.trigger('client-typing', { on: true })
    await until('the event', () => calls.length === 1)
    expect(calls).toEqual([[{ on: true }, { user_id: 'ada' }]])
  })

  test('knows the members of a presence channel, and who comes and goes', async () => {
    const { connect } = await start()
    const [ada, bob] = [connect({ id: 'ada', info: { name: 'Ada' } }), connect({ id: 'bob' })]
    const a = (await subscribed(ada, 'presence-a')) as Channel & {
      members: { count: number; me: unknown; get(id: string): unknown }
    }
    expect([a.members.count, a.members.me]).toEqual([1, { id: 'ada', info: { name: 'Ada' } }])
    const news: unknown[] = []
    a.bind('pusher:member_added', (member: unknown) => news.push(['added', member]))
    a.bind('pusher:member_removed', (member: unknown) => news.push(['removed', member]))
    const b = (await subscribed(bob, 'presence-a')) as typeof a
    expect([b.members.count, b.members.me]).toEqual([2, { id: 'bob', info: null }])
    await until('Bob', () => a.members.count === 2)
    bob.unsubscribe('presence-a')
    await until('that Bob left', () => a.members.count === 1)
    expect(news).toEqual([
      ['added', { id: 'bob', info: null }],
      ['removed', { id: 'bob', info: null }],
    ])
  })

  test('gets the cached event, or hears of the miss', async () => {
    const { connect, backEnd } = await start()
    const pusher = connect()
    const missing = heard(pusher.subscribe('cache-a'))
    await until('the miss', () => missing.some(([event]) => event === 'pusher:cache_miss'))
    await backEnd.trigger('cache-a', 'state', { on: true })
    const other = connect()
    const calls = heard(other.subscribe('cache-a'))
    await until('the event', () => calls.some(([event]) => event === 'state'))
    expect(calls.map(([event]) => event)).toEqual(['pusher:subscription_succeeded', 'state'])
  })

  test('is told how many subscribe', async () => {
    const { connect } = await start({ apps: [{ ...APP, subscriptionCount: true }] })
    const channel = await subscribed(connect(), 'news')
    await until('one', () => channel.subscriptionCount === 1)
    await subscribed(connect(), 'news')
    await until('two', () => channel.subscriptionCount === 2)
  })

  test('signs in, gets what is sent to its user, and hears of those it watches', async () => {
    const { connect, backEnd } = await start({ apps: [{ ...APP, watchlist: true }] })
    const pusher = connect({ id: 'ada', watchlist: ['bob'] })
    const got: unknown[] = []
    const watched: unknown[] = []
    pusher.user.bind('hello', (data: unknown) => got.push(data))
    pusher.user.watchlist.bind('online', (event: unknown) => watched.push(event))
    pusher.user.watchlist.bind('offline', (event: unknown) => watched.push(event))
    pusher.signin()
    await until('the offline one', () => watched.length === 1)
    const bob = connect({ id: 'bob' })
    bob.signin()
    await until('the online one', () => watched.length === 2)
    expect(watched).toEqual([
      { name: 'offline', user_ids: ['bob'] },
      { name: 'online', user_ids: ['bob'] },
    ])
    await until('the event', async () => {
      // Its channel is subscribed after the sign-in.
      await backEnd.sendToUser('ada', 'hello', { n: 1 })
      return got.length > 0
    })
    expect(got[0]).toEqual({ n: 1 })
    await backEnd.terminateUserConnections('ada')
    await until('the end', () => pusher.connection.state === 'disconnected')
    expect(bob.connection.state).toBe('connected')
  })

  test('is told of a refused subscription, and goes on', async () => {
    const { connect, backEnd } = await start()
    const pusher = connect()
    Object.assign(backEnd, {
      authorizeChannel: () => ({ auth: `${APP.key}:${'0'.repeat(64)}` }),
    })
    const errors: unknown[] = []
    pusher.subscribe('private-a').bind('pusher:subscription_error', (error: unknown) => errors.push(error))
    await until('the error', () => errors.length === 1)
    expect(errors).toEqual([{ type: 'AuthError', error: expect.stringContaining('not valid'), status: 401 }])
    await subscribed(pusher, 'news')
  })

  test('is back after a cut with the channels it had, at its first attempt', async () => {
    const { connect, proxy, backEnd } = await start()
    const pusher = connect()
    const calls = heard(await subscribed(pusher, 'presence-a'))
    let returns = 0
    pusher.connection.bind('connected', () => returns++)
    proxy.cut()
    await until('the return', () => returns === 1)
    await until('the subscription', () => calls.some(([event]) => event === 'pusher:subscription_succeeded'))
    await backEnd.trigger('presence-a', 'after', 1)
    await until('the event', () => calls.some(([event]) => event === 'after'))
    expect(proxy.connections()).toBe(2)
  })
})

describe('refusals', () => {
  test('a client with an unknown key makes one attempt, one that meets a full server keeps trying', async () => {
    const { connect, proxy } = await start({ maxConnections: 1 })
    const first = connect()
    await until('the first', () => first.connection.state === 'connected')
    const before = proxy.connections()
    const stranger = connect({ id: 'x' }, 'unknown')
    const errors: unknown[] = []
    stranger.connection.bind('error', (error: unknown) => errors.push(error))
    // The server is full for it as well; where the key is wrong, waiting does not help.
    await until('the refusal', () => proxy.connections() > before && errors.length > 0)
    expect(errors[0]).toMatchObject({ error: { data: { code: 4100 } } })
    first.disconnect()
    await until('the end', () => stranger.connection.state === 'disconnected')
    expect(errors.at(-1)).toMatchObject({ error: { data: { code: 4001 } } })

    const attempts = proxy.connections()
    const second = connect()
    await until('the second', () => second.connection.state === 'connected')
    const third = connect()
    let tries = 0
    third.connection.bind('error', () => tries++)
    await until('three tries', () => tries >= 3)
    // Each a second after the last: the stranger had the time for as many.
    expect(proxy.connections()).toBe(attempts + 1 + tries)
  })

  /** What a restart is to many clients: the server on the same port, a moment later. */
  test('2,000 clients of a server that is started anew are back after at most 3 attempts each', {
    timeout: 120_000,
  }, async () => {
    const apps = [APP]
    const options = { data: 'memory', logLevel: 'silent', apps } as const
    const server = await createServer({ ...options, port: 0 })
    const { port } = server.address
    const clients = 2000
    const attempts = new Array<number>(clients).fill(0)
    const pushers: Pusher[] = []
    for (let i = 0; i < clients; i++) {
      const pusher = connectPusher(APP.key, port, backEndOf(server), { id: String(i) })
      pusher.connection.bind('state_change', ({ current }: { current: string }) => {
        if (current === 'connecting') attempts[i]!++
      })
      pusher.subscribe('news')
      pushers.push(pusher)
      // In chunks: the start is not what this is about.
      if (i % 100 === 99) await until('a chunk', () => pusher.connection.state === 'connected', 30_000)
    }
    const areBack = (): boolean => pushers.every(({ connection }) => connection.state === 'connected')
    await until('all of them', areBack, 30_000)
    attempts.fill(0)
    await server.close()
    const next = await createServer({ ...options, port })
    ends.push(() => next.close())
    await until('all of them again', () => areBack() && attempts.every((count) => count > 0), 60_000)
    expect(Math.max(...attempts)).toBeLessThanOrEqual(3)
    expect(Math.min(...attempts)).toBeGreaterThanOrEqual(1)
  })
})

describe('laravel-echo', () => {
  test.each(['reverb', 'pusher'] as const)(
    'over %s: channels, private, presence, whisper, leave',
    async (broadcaster) => {
      const { server, proxy, backEnd } = await start()
      const echoOf = (user: User) => {
        const options = optionsFor(proxy.port, backEnd, user)
        const echo = new Echo({ broadcaster, key: APP.key, Pusher, ...options } as never) as Echo<'pusher'>
        ends.push(() => echo.disconnect())
        return echo
      }
      const [ada, bob] = [echoOf({ id: 'ada', info: { name: 'Ada' } }), echoOf({ id: 'bob', info: { name: 'Bob' } })]
      const calls: unknown[] = []
      ada.channel('orders').listen('Shipped', (data: unknown) => calls.push(['public', data]))
      ada.private('orders.1').listen('.shipped', (data: unknown) => calls.push(['private', data]))
      ada
        .join('room')
        .here((members: unknown) => calls.push(['here', members]))
        .joining((member: unknown) => calls.push(['joining', member]))
        .leaving((member: unknown) => calls.push(['leaving', member]))
        .listenForWhisper('typing', (data: unknown) => calls.push(['whisper', data]))
      await until('the list', () => calls.length === 1)
      const room = bob.join('room')
      const isIn = new Promise((resolve) => room.subscribed(() => resolve(undefined)))
      await isIn
      await until('Bob', () => calls.length === 2)
      room.whisper('typing', { on: true })
      await until('the whisper', () => calls.length === 3)
      bob.leave('room')
      await until('that Bob left', () => calls.length === 4)
      await backEnd.trigger('orders', 'App\\Events\\Shipped', { id: 1 })
      await backEnd.trigger('private-orders.1', 'shipped', { id: 2 })
      await until('both', () => calls.length === 6)
      expect(calls).toEqual([
        ['here', [{ name: 'Ada' }]],
        ['joining', { name: 'Bob' }],
        ['whisper', { on: true }],
        ['leaving', { name: 'Bob' }],
        ['public', { id: 1 }],
        ['private', { id: 2 }],
      ])
      expect(ada.socketId()).toMatch(/^\d+\.\d+$/)
      expect(await server.room('presence-room').members()).toEqual([{ id: 'ada', info: { name: 'Ada' } }])
    },
  )
})
