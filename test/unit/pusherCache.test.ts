/** Channels that keep their last event, and channels that tell how many subscribe. */
import { afterEach, describe, expect, test, vi } from 'vitest'
import type { RoomEvent } from '../../server/contracts.ts'
import type { CreateServerOptions } from '../../server/index.ts'
import { EventCache } from '../../server/pusher/cache.ts'
import { until } from '../e2e/until.ts'
import { APP, PusherClient } from './pusherClient.ts'
import { startServer } from './testServer.ts'

const start = (options: CreateServerOptions = {}) => startServer({ apps: [APP], ...options })

afterEach(() => {
  vi.useRealTimers()
})

describe('cache channels', () => {
  test.each(['cache-a', 'private-cache-a', 'private-encrypted-cache-a', 'presence-cache-a'])(
    '%s: a newcomer gets the last event of a back end, and a miss if there is none',
    async (channel) => {
      const { url, server } = await start()
      const fields = channel.startsWith('presence-') ? { channelData: { user_id: '1' } } : {}
      const a = await PusherClient.connect(url)
      expect((await a.subscribe(channel, fields)).recovery?.cached).toBeUndefined()
      expect((await a.find('pusher:cache_miss', channel)).data).toEqual({})
      await server.room(channel).trigger('first', 1)
      await server.room(channel).trigger('last', 2)
      const b = await PusherClient.connect(url)
      expect((await b.subscribe(channel, fields)).recovery).toMatchObject({ offset: 2, recovered: false, cached: true })
      await b.settled()
      expect(b.names(channel)).toEqual(['pusher_internal:subscription_succeeded', 'last'])
    },
  )

  test('client events are not kept', async () => {
    const { url } = await start()
    const a = await PusherClient.connect(url)
    await a.subscribe('private-cache-a')
    a.send('client-x', 1, 'private-cache-a')
    await a.settled()
    const b = await PusherClient.connect(url)
    await b.subscribe('private-cache-a')
    await b.find('pusher:cache_miss')
  })

  test('other channels keep nothing, and tell of no miss', async () => {
    const { url, server } = await start()
    await server.room('my-cache-a').trigger('x', 1)
    const a = await PusherClient.connect(url)
    await a.subscribe('my-cache-a')
    await a.settled()
    expect(a.names('my-cache-a')).toEqual(['pusher_internal:subscription_succeeded'])
  })

  test('who recovers gets what was missed instead of the cached event', async () => {
    const { url, server } = await start()
    const a = await PusherClient.connect(url)
    const { recovery } = await a.subscribe('cache-a')
    await a.cut()
    await server.room('cache-a').trigger('one', 1)
    await server.room('cache-a').trigger('two', 2)
    const b = await PusherClient.connect(url)
    await b.subscribe('cache-a', { recover: { ...recovery, count: 0, socket_id: a.id } })
    await b.settled()
    expect(b.events('cache-a')).toEqual([
      ['one', 1],
      ['two', 2],
    ])
  })

  const event = (at: number, body = 'x'): RoomEvent => ({ event: 'e', body, from: 'server', offset: 1, at })

  test('a cached event is gone after 30 minutes', () => {
    vi.useFakeTimers({ toFake: ['Date'] })
    const cache = new EventCache()
    cache.put('cache-a', event(Date.now()))
    vi.setSystemTime(Date.now() + 30 * 60_000 - 1)
    expect(cache.get('cache-a')?.ttlMs).toBe(1)
    vi.setSystemTime(Date.now() + 1)
    expect(cache.get('cache-a')).toBeUndefined()
  })

  test('cached events are bounded in number and bytes, the oldest goes first', () => {
    const now = Date.now()
    const few = new EventCache({ maxEvents: 2, maxBytes: 1e6 })
    for (const room of ['a', 'b', 'a', 'c']) few.put(room, event(now))
    expect(['a', 'b', 'c'].map((room) => few.get(room) !== undefined)).toEqual([true, false, true])
    const small = new EventCache({ maxEvents: 100, maxBytes: 5000 })
    small.put('a', event(now, 'x'.repeat(2000)))
    small.put('b', event(now, 'x'.repeat(2000)))
    expect(['a', 'b'].map((room) => small.get(room) !== undefined)).toEqual([false, true])
    small.put('b', event(now))
    small.put('c', event(now, 'x'.repeat(2000)))
    expect(['b', 'c'].map((room) => small.get(room) !== undefined)).toEqual([true, true])
  })
})

describe('subscription counts', () => {
  const counts = (client: PusherClient, channel: string): unknown[] =>
    client.frames
      .filter(({ event, channel: of }) => event === 'pusher_internal:subscription_count' && of === channel)
      .map(({ data }) => (data as { subscription_count: number }).subscription_count)

  test('are told at each change, where the app wants it, but not in presence channels', async () => {
    const { url } = await start({ apps: [{ ...APP, subscriptionCount: true }] })
    const a = await PusherClient.connect(url)
    await a.subscribe('news')
    await a.subscribe('presence-a', { channelData: { user_id: '1' } })
    const b = await PusherClient.connect(url)
    await b.subscribe('news')
    await b.close(1000)
    await until('three counts', () => counts(a, 'news').length === 3)
    expect(counts(a, 'news')).toEqual([1, 2, 1])
    expect(counts(a, 'presence-a')).toEqual([])
  })

  test('are not told where the app does not want it', async () => {
    const { url } = await start()
    const a = await PusherClient.connect(url)
    await a.subscribe('news')
    await a.settled()
    expect(counts(a, 'news')).toEqual([])
  })

  test('above 100 subscribers are told every 5 s', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const { url } = await start({ apps: [{ ...APP, subscriptionCount: true }] })
    const clients: PusherClient[] = []
    const connect = async (): Promise<PusherClient> => {
      const client = new PusherClient(`${url}/app/${APP.key}?protocol=7`)
      await new Promise((resolve) => client.socket.once('message', resolve))
      client.subscribing('news')
      clients.push(client)
      await new Promise((resolve) => client.socket.once('message', resolve))
      return client
    }
    const first = await connect()
    for (let i = 2; i <= 104; i++) await connect()
    const settled = async (): Promise<void> => {
      first.send('pusher:ping', {})
      await new Promise((resolve) => {
        first.socket.on('message', (bytes) => {
          if (String(bytes).includes('pusher:pong')) resolve(undefined)
        })
      })
    }
    await settled()
    expect(counts(first, 'news').at(-1)).toBe(101)
    await vi.advanceTimersByTimeAsync(5000)
    await settled()
    expect(counts(first, 'news').slice(-2)).toEqual([101, 104])
    for (const client of clients.slice(-5)) client.send('pusher:unsubscribe', { channel: 'news' })
    const last = clients.at(-1)
    last?.send('pusher:ping', {})
    await new Promise((resolve) => last?.socket.once('message', resolve))
    await settled()
    expect(counts(first, 'news').slice(-3)).toEqual([104, 100, 99])
  })
})
