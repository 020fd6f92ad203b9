import { once } from 'node:events'
import Pusher from 'pusher'
import { afterEach, describe, expect, test } from 'vitest'
import WebSocket from 'ws'
import { until } from '../e2e/until.ts'
import { join } from './eventRooms.ts'
import { connectPusher, type Pusher as PusherJs, subscribed as subscribe } from './pusherJs.ts'
import { startServer } from './testServer.ts'
import { receiver } from './webhookParts.ts'
import type { WebhookReceiver } from './webhookReceiver.ts'

const APP = { id: '3', key: 'the-key', secret: 'the-secret' }
const SDK = new Pusher({ appId: APP.id, key: APP.key, secret: APP.secret, host: 'localhost' })

const closing: (() => void)[] = []
afterEach(() => {
  for (const close of closing.splice(0)) close()
})

/** A stock Pusher client, as a user of this id. */
const connect = async (url: string, user = 'ann'): Promise<PusherJs> => {
  const client = connectPusher(APP.key, Number(new URL(url).port), SDK, { id: user, info: { name: user } })
  await until('a connection', () => client.connection.state === 'connected')
  return client
}

/** Waits until these and no others came, and each request of them is signed. */
const expectEvents = async (inbox: WebhookReceiver, expected: readonly object[]): Promise<void> => {
  await until(`${expected.length} events, there are ${JSON.stringify(inbox.events())}`, () => {
    return inbox.events().length >= expected.length
  })
  expect(inbox.events()).toEqual(expected)
  for (const { headers, body } of inbox.requests) expect(SDK.webhook({ headers, rawBody: body }).isValid()).toBe(true)
}

/** A connection of Ann's in a presence channel, without a client that would come back by itself. */
const socketTo = async (url: string): Promise<WebSocket> => {
  const socket = new WebSocket(`${url}/app/${APP.key}?protocol=7`)
  closing.push(() => socket.terminate())
  const subscribed = new Promise<void>((resolve) => {
    socket.on('message', (text) => {
      const { event, data } = JSON.parse(String(text))
      if (event === 'pusher:connection_established') {
        const channel = 'presence-a'
        const signed = SDK.authorizeChannel(JSON.parse(data).socket_id, channel, { user_id: 'ann' })
        socket.send(JSON.stringify({ event: 'pusher:subscribe', data: { channel, ...signed } }))
      }
      if (event === 'pusher_internal:subscription_succeeded') resolve()
    })
  })
  await subscribed
  return socket
}

const start = async (more: object = {}, options: object = {}) => {
  const inbox = await receiver()
  const { url, server } = await startServer({
    apps: [{ ...APP, webhooks: [{ url: inbox.url }], ...more }],
    ...options,
  })
  return { inbox, url, server }
}

describe('webhooks of a server with stock Pusher clients', () => {
  test('tell of a channel that is occupied and vacated, once for all its subscribers', async () => {
    const { inbox, url } = await start()
    const [ann, bob] = [await connect(url), await connect(url, 'bob')]
    await subscribe(ann, 'lobby')
    await subscribe(bob, 'lobby')
    ann.unsubscribe('lobby')
    bob.disconnect()
    await expectEvents(inbox, [
      { name: 'channel_occupied', channel: 'lobby' },
      { name: 'channel_vacated', channel: 'lobby' },
    ])
  })

  test('tell of members, once per person', async () => {
    const { inbox, url } = await start()
    const tabs = [await connect(url), await connect(url)]
    for (const tab of tabs) await subscribe(tab, 'presence-a')
    const bob = await connect(url, 'bob')
    await subscribe(bob, 'presence-a')
    for (const client of [...tabs, bob]) {
      client.disconnect()
    }
    const channel = 'presence-a'
    await until('all left', () => inbox.events().some(({ name }) => name === 'channel_vacated'))
    // Who leaves first is open: three connections close at once.
    const removed = inbox.events().slice(3, 5)
    expect(new Set(removed.map(({ name, user_id }) => `${name} ${user_id}`))).toEqual(
      new Set(['member_removed ann', 'member_removed bob']),
    )
    await expectEvents(inbox, [
      { name: 'channel_occupied', channel },
      { name: 'member_added', channel, user_id: 'ann' },
      { name: 'member_added', channel, user_id: 'bob' },
      ...removed,
      { name: 'channel_vacated', channel },
    ])
  })

  test("tell of members that come by a room's own door, as of any other", async () => {
    const { inbox, url } = await start({}, { open: true })
    const { store } = join(url, { room: 'presence-a', user: 'tina' })
    const channel = 'presence-a'
    await until('she is told of', () => inbox.events().some(({ name }) => name === 'member_added'))
    store.destroy()
    await until('all of it', () => inbox.events().length >= 4)
    await expectEvents(inbox, [
      { name: 'channel_occupied', channel },
      { name: 'member_added', channel, user_id: 'tina' },
      { name: 'member_removed', channel, user_id: 'tina' },
      { name: 'channel_vacated', channel },
    ])
  })

  test('tell nothing of an app that is disabled', async () => {
    const inbox = await receiver()
    const webhooks = [{ url: inbox.url }]
    const { url } = await startServer({
      apps: [
        { ...APP, id: '1', key: 'first', webhooks, enabled: false },
        { ...APP, webhooks },
      ],
    })
    for (const room of ['a', '3/b']) join(url, { room, user: 'tina' })
    await until('some news', () => inbox.events().length > 0)
    await expectEvents(inbox, [{ name: 'channel_occupied', channel: 'b' }])
  })

  test('tell nothing of a connection that broke and came back within the grace period', async () => {
    const { inbox, url } = await start({}, { leaveGraceSeconds: 1 })
    const first = await socketTo(url)
    first.terminate()
    const second = await socketTo(url)
    second.close(1000)
    const channel = 'presence-a'
    await expectEvents(inbox, [
      { name: 'channel_occupied', channel },
      { name: 'member_added', channel, user_id: 'ann' },
      { name: 'member_removed', channel, user_id: 'ann' },
      { name: 'channel_vacated', channel },
    ])
  })

  test('tell nothing of one who says good-bye while another connection of theirs that broke may be back', async () => {
    const { inbox, url } = await start({}, { leaveGraceSeconds: 3600 })
    const [first, second] = [await socketTo(url), await socketTo(url)]
    first.terminate()
    second.close(1000)
    await once(second, 'close')
    await socketTo(url)
    const channel = 'presence-a'
    await subscribe(await connect(url, 'bob'), channel)
    await expectEvents(inbox, [
      { name: 'channel_occupied', channel },
      { name: 'member_added', channel, user_id: 'ann' },
      { name: 'member_added', channel, user_id: 'bob' },
    ])
  })

  test('tell of client events, with who sent them', async () => {
    const inbox = await receiver()
    const { url } = await startServer({
      apps: [{ ...APP, webhooks: [{ url: inbox.url, events: ['client_event'] }] }],
    })
    const ann = await connect(url)
    const socket_id = ann.connection.socket_id
    for (const channel of ['private-a', 'presence-a']) {
      const subscribed = await subscribe(ann, channel)
      subscribed.trigger('client-typing', { where: 'ä' })
      await until('its webhook', () => inbox.events().some((event) => event.channel === channel))
    }
    const event = { name: 'client_event', event: 'client-typing', data: '{"where":"ä"}', socket_id }
    await expectEvents(inbox, [
      { ...event, channel: 'private-a' },
      { ...event, channel: 'presence-a', user_id: 'ann' },
    ])
  })

  test.each(['cache-a', 'private-cache-a', 'presence-cache-a'])(
    'tell that %s has no event after that it is occupied',
    async (channel) => {
      const { inbox, url } = await start()
      await subscribe(await connect(url), channel)
      await expectEvents(inbox, [
        { name: 'channel_occupied', channel },
        ...(channel.startsWith('presence-') ? [{ name: 'member_added', channel, user_id: 'ann' }] : []),
        { name: 'cache_miss', channel },
      ])
    },
  )

  test('tell the number of subscriptions where the app has it switched on', async () => {
    const { inbox, url } = await start({ subscriptionCount: true })
    const [ann, bob] = [await connect(url), await connect(url, 'bob')]
    const channel = 'lobby'
    await subscribe(ann, channel)
    await subscribe(bob, channel)
    ann.unsubscribe(channel)
    await expectEvents(inbox, [
      { name: 'channel_occupied', channel },
      { name: 'subscription_count', channel, subscription_count: 1 },
      { name: 'subscription_count', channel, subscription_count: 2 },
      { name: 'subscription_count', channel, subscription_count: 1 },
    ])
  })

  test('tell nothing when the server stops: its clients will come back', async () => {
    const { inbox, url, server } = await start()
    await subscribe(await connect(url), 'lobby')
    await inbox.count(1)
    await server.close()
    expect(inbox.events()).toEqual([{ name: 'channel_occupied', channel: 'lobby' }])
  })

  test('that hang delay neither events nor other requests, and a stop by a second at most', async () => {
    const { inbox, url, server } = await start()
    inbox.respond(() => undefined)
    const [ann, bob] = [await connect(url), await connect(url, 'bob')]
    const heard: unknown[] = []
    for (const client of [ann, bob])
      (await subscribe(client, 'private-a')).bind('client-x', (data: unknown) => heard.push(data))
    await inbox.count(1)
    for (let i = 0; i < 10; i++) ann.channel('private-a').trigger('client-x', i)
    await until('all events', () => heard.length === 10)
    expect(heard).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    expect(inbox.requests).toHaveLength(1)
    await server.close()
  })
})
