/** The application's hooks at the Pusher door, and what the door tells the rest of the server. */
import { describe, expect, test } from 'vitest'
import { parseApps } from '../../server/appOptions.ts'
import { createApps } from '../../server/apps.ts'
import type { CreateServerOptions, Hooks } from '../../server/index.ts'
import { TuttiError } from '../../server/index.ts'
import { createPusherDoor } from '../../server/pusher/door.ts'
import { closeCodeOf } from '../../server/pusher/refusal.ts'
import { createChannels } from '../../server/room/channels.ts'
import { until } from '../e2e/until.ts'
import { APP, PusherClient } from './pusherClient.ts'
import { startServer } from './testServer.ts'

const start = (hooks: Hooks, options: CreateServerOptions = {}) => startServer({ apps: [APP], hooks, ...options })

const gate = (): { open: () => void; opened: Promise<void> } => {
  let open = (): void => undefined
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { open, opened }
}

describe('hooks', () => {
  test('are told of a connection in order, with who it is', async () => {
    const told: unknown[] = []
    const { url } = await start({
      connect: ({ caller }) => void told.push(['connect', caller.door, caller.path]),
      join: ({ room, user, isGuarded }) => void told.push(['join', room, user, isGuarded]),
      leave: ({ room, user, hasBroken }) => void told.push(['leave', room, user, hasBroken]),
      disconnect: ({ code }) => void told.push(['disconnect', code]),
    })
    const client = await PusherClient.connect(url)
    await client.subscribe('news')
    await client.subscribe('presence-a', { channelData: { user_id: 'ada' } })
    client.send('pusher:unsubscribe', { channel: 'news' })
    await client.settled()
    await client.close(1000)
    await until('the end', () => told.length === 6)
    const ada = { id: 'ada', info: null }
    expect(told).toEqual([
      ['connect', 'pusher', `/app/${APP.key}`],
      ['join', 'news', undefined, false],
      ['join', 'presence-a', ada, false],
      ['leave', 'news', undefined, false],
      ['leave', 'presence-a', ada, false],
      ['disconnect', 1000],
    ])
  })

  test('may refuse a connection for good, or for now', async () => {
    const { url } = await start({
      connect: async ({ caller }) => {
        if (caller.query.includes('later')) throw new TuttiError('TRY_LATER', 'Come back.')
        throw new Error('no')
      },
    })
    const never = new PusherClient(`${url}/app/${APP.key}?protocol=7`)
    const later = new PusherClient(`${url}/app/${APP.key}?protocol=7&later=1`)
    await until('the closes', () => never.closed !== undefined && later.closed !== undefined)
    expect([never.closed?.code, later.closed?.code]).toEqual([4009, 4100])
    expect([never.frames, later.frames]).toEqual([[], []])
  })

  test('what is sent while a connection is asked about is taken when it is let in', async () => {
    const { open, opened } = gate()
    const { url } = await start({ connect: () => opened })
    const client = new PusherClient(`${url}/app/${APP.key}?protocol=7`)
    await until('the socket', () => client.socket.readyState === client.socket.OPEN)
    client.send('pusher:subscribe', { channel: 'news' })
    expect(client.frames).toEqual([])
    open()
    await client.find('pusher_internal:subscription_succeeded', 'news')
  })

  test('may refuse a subscription, and the connection goes on', async () => {
    const { url } = await start({
      join: async ({ room }) => {
        if (room === 'secret') throw new TuttiError('FORBIDDEN', 'Not for you.')
      },
    })
    const client = await PusherClient.connect(url)
    client.subscribing('secret')
    expect((await client.find('pusher:subscription_error', 'secret')).data).toEqual({
      type: 'AuthError',
      error: 'Not for you.',
      status: 403,
    })
    await client.subscribe('news')
  })

  test('a subscription that was taken back while it was asked about does not happen', async () => {
    const { open, opened } = gate()
    const left: string[] = []
    const { url, server } = await start({
      join: ({ room }) => (room === 'slow' ? opened : undefined),
      leave: ({ room }) => void left.push(room),
    })
    const client = await PusherClient.connect(url)
    client.subscribing('slow')
    // Asked twice, answered once.
    client.subscribing('slow')
    client.send('pusher:unsubscribe', { channel: 'slow' })
    await client.settled()
    open()
    await until('the leave', () => left.length === 1)
    await server.room('slow').trigger('e', 1)
    await client.settled()
    expect(client.names('slow')).toEqual([])
    await client.subscribe('slow')
  })

  test('a subscription that is asked for twice while it is asked about is one', async () => {
    const { open, opened } = gate()
    const { url } = await start({ join: () => opened }, { maxRoomsPerConnection: 1 })
    const client = await PusherClient.connect(url)
    client.subscribing('slow')
    client.subscribing('slow')
    await client.settled()
    open()
    await client.find('pusher_internal:subscription_succeeded', 'slow')
    await client.settled()
    expect(client.names('slow')).toEqual(['pusher_internal:subscription_succeeded'])
  })

  test('a connection that ends while its subscription is asked about leaves nothing', async () => {
    const { open, opened } = gate()
    const left: string[] = []
    const { url, server } = await start({
      join: () => opened,
      leave: ({ room }) => void left.push(room),
    })
    const client = await PusherClient.connect(url)
    client.subscribing('presence-a', { channelData: { user_id: 'ada' } })
    await client.settled()
    await client.cut()
    open()
    await until('the leave', () => left.length === 1)
    expect(await server.room('presence-a').members()).toEqual([])
  })
})

test.each([
  ['GOING_AWAY', 1001],
  ['TRY_LATER', 4100],
  ['INTERNAL', 4100],
  ['FORBIDDEN', 4009],
  ['UNAUTHENTICATED', 4009],
] as const)('a connection refused with %s is closed with %i', (code, close) => {
  expect(closeCodeOf(new TuttiError(code, 'No.'))).toBe(close)
})

describe('what the door tells', () => {
  const serve = () => {
    const apps = createApps(parseApps([APP, { id: '2', key: 'second', secret: 's' }], 'apps'))
    const channels = createChannels({
      publisher: { publish: () => undefined },
      present: () => [],
      limits: { eventHistoryCount: 10, eventHistorySeconds: 60, eventHistoryBytes: 1e6, leaveGraceSeconds: 3 },
    })
    const silent = (): void => undefined
    const door = createPusherDoor({
      apps,
      channels,
      rooms: {
        open: () => {
          throw new TuttiError('GOING_AWAY', 'No room is needed.')
        },
      },
      publisher: { publish: () => undefined },
      log: { debug: silent, info: silent, warn: silent, error: silent },
      limits: {
        maxMessageBytes: 1e6,
        maxRoomsPerConnection: 10,
        maxJoinsPerSecond: 100,
        maxBackpressureBytes: 1e6,
        leaveGraceSeconds: 3,
        eventHistorySeconds: 60,
      },
    })
    return { apps, channels, door }
  }

  test('client events of private channels, with the app and the channel', () => {
    const { channels, door } = serve()
    const news: unknown[] = []
    const end = door.observe({
      clientEvent: (app, ...told) => news.push([app.id, ...told]),
    })
    channels.trigger('private-a', { event: 'client-x', body: '1', except: '1.1', userId: 'u', from: 'peer' })
    channels.trigger('2/presence-a', { event: 'client-x', body: '2', except: '1.1', userId: 'u', from: 'peer' })
    // Not from a client, not of a private channel, not a client event.
    channels.trigger('private-a', { event: 'client-x', body: '3', from: 'server' })
    channels.trigger('news', { event: 'client-x', body: '4', from: 'peer' })
    channels.trigger('private-a', { event: 'x', body: '5', from: 'peer' })
    end()
    channels.trigger('private-a', { event: 'client-x', body: '6', from: 'peer' })
    expect(news).toEqual([
      ['1', 'private-a', 'client-x', '1', '1.1', undefined],
      ['2', 'presence-a', 'client-x', '2', '1.1', 'u'],
    ])
    // It hears of events, not of people: rooms without a subscriber need no channel for it.
    expect(channels.peopleOf('somewhere')).toBeUndefined()
    channels.close()
    door.close()
  })

  test('cached events, by app', () => {
    const { channels, door, apps } = serve()
    const [first, second] = apps.all
    if (!first || !second) throw new Error('two apps were given')
    channels.trigger('cache-a', { event: 'x', body: '{"a":1}', from: 'server' })
    channels.trigger('2/private-cache-a', { event: 'x', body: Uint8Array.of(1), from: 'server' })
    channels.trigger('a-cache-', { event: 'x', body: '1', from: 'server' })
    expect(door.cacheOf(first, 'cache-a')).toEqual({ data: '{"a":1}', ttl: 1800 })
    expect(door.cacheOf(second, 'private-cache-a')).toEqual({ data: 'AQ==', ttl: 1800 })
    expect(door.cacheOf(second, 'cache-a')).toBeUndefined()
    expect(door.cacheOf(first, 'a-cache-')).toBeUndefined()
    channels.close()
    door.close()
  })
})
