/** The Pusher door, message by message, over real sockets. */
import { describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import type { CreateServerOptions } from '../../server/index.ts'
import { until } from '../e2e/until.ts'
import { APP, PusherClient, signed } from './pusherClient.ts'
import { sendSigned } from './pusherHttpClient.ts'
import { startServer } from './testServer.ts'

const start = (options: CreateServerOptions = {}) => startServer({ apps: [APP], ...options })

const closeOf = async (url: string): Promise<{ code: number; reason: string }> => {
  const client = new PusherClient(url)
  await until('the close', () => client.closed !== undefined)
  expect(client.frames).toEqual([])
  return client.closed ?? { code: 0, reason: '' }
}

describe('connecting', () => {
  test('the first frame gives a socket id and an activity time-out', async () => {
    const { url } = await start()
    const client = await PusherClient.connect(url)
    expect(client.frames).toEqual([
      {
        event: 'pusher:connection_established',
        data: { socket_id: expect.stringMatching(/^\d+\.\d+$/), activity_timeout: 120 },
      },
    ])
  })

  test.each(['5', '6', '7'])('protocol %s is spoken', async (protocol) => {
    const { url } = await start()
    const client = await PusherClient.connect(url, `protocol=${protocol}&client=js&version=2.2.4`)
    client.send('pusher:subscribe', { channel: 'news' })
    await client.find('pusher_internal:subscription_succeeded', 'news')
    client.send('pusher:ping', {})
    await client.find('pusher:pong')
  })

  test.each([
    ['a missing protocol', 'client=js', 4008, /protocol is missing.*5, 6, 7/],
    ['another protocol', 'protocol=8&client=js', 4007, /Protocol 8 is not supported/],
    ['a protocol that is no number', 'protocol=x&client=js', 4006, /no number/],
  ])('%s is closed with its code', async (_title, query, code, reason) => {
    const { url } = await start()
    const closed = await closeOf(`${url}/app/${APP.key}?${query}`)
    expect(closed.code).toBe(code)
    expect(closed.reason).toMatch(reason)
  })

  test('an unknown key is closed with 4001, and a path below it with 4005', async () => {
    const { url } = await start()
    expect(await closeOf(`${url}/app/other?protocol=7`)).toEqual({
      code: 4001,
      reason: 'There is no app with this key.',
    })
    expect((await closeOf(`${url}/app/${APP.key}/more?protocol=7`)).code).toBe(4005)
  })

  test('a path under /app/ is a room where no app has the key and no protocol is told', async () => {
    const { url } = await start()
    const socket = new WebSocket(`${url}/app/other`)
    const [bytes, isBinary] = await new Promise<[Uint8Array, boolean]>((resolve) => {
      socket.once('message', (message, binary) => resolve([message as Uint8Array, binary]))
    })
    // A sync step 1 of y-websocket.
    expect([isBinary, bytes[0], bytes[1]]).toEqual([true, 0, 0])
    socket.terminate()
  })

  test('without an app there is no such door', async () => {
    const { url } = await startServer()
    const socket = new WebSocket(`${url}/app/${APP.key}?protocol=7`)
    const isBinary = await new Promise((resolve) => {
      socket.once('message', (_message, binary) => resolve(binary))
    })
    expect(isBinary).toBe(true)
    socket.terminate()
  })

  test('a server that is full closes with 4100', async () => {
    const { url } = await start({ maxConnections: 1 })
    await PusherClient.connect(url)
    expect((await closeOf(`${url}/app/${APP.key}?protocol=7`)).code).toBe(4100)
  })

  test('a server that stops closes with 1001', async () => {
    const { url, server } = await start()
    const client = await PusherClient.connect(url)
    await server.close()
    await until('the close', () => client.closed !== undefined)
    expect(client.closed).toEqual({ code: 1001, reason: 'The server is stopping.' })
  })

  test('a ping is answered', async () => {
    const { url } = await start()
    const client = await PusherClient.connect(url)
    client.sendText('{"event":"pusher:ping","data":{}}')
    expect(await client.find('pusher:pong')).toEqual({ event: 'pusher:pong', data: {} })
  })
})

describe('subscribing', () => {
  test('a public channel needs no signature, and carries what a back end triggers', async () => {
    const { url, server } = await start()
    const client = await PusherClient.connect(url)
    const { recovery, presence } = await client.subscribe('news')
    expect(presence).toBeUndefined()
    expect(recovery).toEqual({ epoch: expect.any(String), offset: 0, recovered: false })
    await server.room('news').trigger('App\\Events\\Shipped', { id: 7, empty: '' })
    expect(await client.find('App\\Events\\Shipped')).toEqual({
      event: 'App\\Events\\Shipped',
      channel: 'news',
      data: { id: 7, empty: '' },
    })
  })

  test('bytes arrive as base64 text', async () => {
    const { url, server } = await start()
    const client = await PusherClient.connect(url)
    await client.subscribe('news')
    await server.room('news').trigger('raw', Uint8Array.of(0, 255, 16))
    expect((await client.find('raw')).data).toBe('AP8Q')
  })

  test('the user who sent it is told in presence channels only', async () => {
    const { url, server } = await start()
    const client = await PusherClient.connect(url)
    await client.subscribe('private-a')
    await client.subscribe('presence-a', { channelData: { user_id: '1' } })
    for (const room of ['private-a', 'presence-a']) await server.room(room).trigger('e', 1, { userId: 'ada' })
    await client.find('e', 'presence-a')
    expect(client.frames.filter(({ event }) => event === 'e').map((frame) => frame.user_id)).toEqual([undefined, 'ada'])
  })

  test('empty data is delivered', async () => {
    const { url, server } = await start()
    const client = await PusherClient.connect(url)
    await client.subscribe('news')
    await server.room('news').trigger('empty', '')
    expect((await client.find('empty')).data).toBe('')
  })

  test.each(['private-a', 'private-encrypted-a', 'private-cache-a', 'presence-a', 'presence-cache-a'])(
    '%s needs the signature of the app',
    async (channel) => {
      const { url } = await start()
      const client = await PusherClient.connect(url)
      const channelData = channel.startsWith('presence-') ? { user_id: '1' } : undefined
      client.subscribing(channel, { auth: signed('another text'), ...(channelData ? { channelData } : {}) })
      const refusal = await client.find('pusher:subscription_error', channel)
      expect(refusal.data).toEqual({ type: 'AuthError', error: expect.stringContaining('signature'), status: 401 })
      await client.subscribe(channel, channelData ? { channelData } : {})
    },
  )

  test.each([
    ['no auth', ''],
    ['an auth without a key', 'ab12'],
    ['the key of another app', 'OTHER'],
    ['upper-case hexadecimal', 'UPPER'],
  ])('%s is no signature', async (_title, given) => {
    const { url } = await start()
    const client = await PusherClient.connect(url)
    const right = signed(`${client.id}:private-a`)
    const auth = given === 'UPPER' ? upper(right) : given === 'OTHER' ? right.replace(APP.key, 'other') : given
    client.subscribing('private-a', { auth })
    expect((await client.find('pusher:subscription_error')).data).toMatchObject({ type: 'AuthError', status: 401 })
  })

  test('channel data of a private channel is part of what is signed', async () => {
    const { url } = await start()
    const client = await PusherClient.connect(url)
    client.send('pusher:subscribe', {
      auth: signed(`${client.id}:private-a`),
      channel: 'private-a',
      channel_data: '{}',
    })
    await client.find('pusher:subscription_error', 'private-a')
    await client.subscribe('private-a', { channelData: { user_id: '1' } })
  })

  test('a signature is bound to its connection', async () => {
    const { url } = await start()
    const client = await PusherClient.connect(url)
    const other = await PusherClient.connect(url)
    other.subscribing('private-a', { auth: signed(`${client.id}:private-a`) })
    await other.find('pusher:subscription_error', 'private-a')
  })

  test('each of two secrets is accepted while a key is rotated', async () => {
    const { url } = await startServer({ apps: [{ id: '1', key: APP.key, secrets: ['new', APP.secret] }] })
    const client = await PusherClient.connect(url)
    await client.subscribe('private-old')
    await client.subscribe('private-new', { auth: signed(`${client.id}:private-new`, 'new') })
    client.subscribing('private-none', { auth: signed(`${client.id}:private-none`, 'none') })
    await client.find('pusher:subscription_error', 'private-none')
  })

  test('a second subscription is answered again, and the events come once', async () => {
    const { url, server } = await start()
    const client = await PusherClient.connect(url)
    await client.subscribe('news')
    await client.subscribe('news')
    await server.room('news').trigger('one', 1)
    await client.find('one')
    await client.settled()
    expect(client.events('news')).toEqual([['one', 1]])
  })

  test('an unsubscribed channel is quiet; to unsubscribe what was not subscribed is nothing', async () => {
    const { url, server } = await start()
    const client = await PusherClient.connect(url)
    await client.subscribe('news')
    client.send('pusher:unsubscribe', { channel: 'news' })
    client.send('pusher:unsubscribe', { channel: 'never' })
    await client.settled()
    await server.room('news').trigger('one', 1)
    await client.settled()
    expect(client.frames.map(({ event }) => event)).toEqual([
      'pusher:connection_established',
      'pusher_internal:subscription_succeeded',
      'pusher:pong',
      'pusher:pong',
    ])
  })

  test('a name that is none is refused, others are not', async () => {
    const { url } = await start()
    const client = await PusherClient.connect(url)
    for (const channel of ['', 'a b', 'a/b', 'a:b', 'ä', '#server-to-user-1', '#x', 'x'.repeat(165)]) {
      client.subscribing(channel, { auth: '' })
    }
    await client.subscribe('x'.repeat(164))
    const types = client.frames.slice(1, -1).map(({ data }) => (data as { type: string }).type)
    expect(types).toEqual([...Array(5).fill('InvalidChannel'), 'AuthError', 'InvalidChannel', 'InvalidChannel'])
  })

  test('the channels of two apps do not meet', async () => {
    const second = { id: '2', key: 'second', secret: 'other' }
    const { url, server } = await start({ apps: [APP, second] })
    const a = await PusherClient.connect(url)
    const b = new PusherClient(`${url}/app/second?protocol=7`)
    await b.find('pusher:connection_established')
    await a.subscribe('news')
    await b.subscribe('news')
    await server.room('news').trigger('first', 1)
    await server.room('2/news').trigger('second', 2)
    await a.find('first')
    await b.find('second')
    await a.settled()
    await b.settled()
    expect([a.events('news'), b.events('news')]).toEqual([[['first', 1]], [['second', 2]]])
  })
})

test('no name of one app reaches a room of another, by any door of Pusher', async () => {
  const second = { id: '2', key: 'second', secret: 'other', prefix: 'shop/' }
  const { url, server } = await start({ apps: [APP, second] })
  const client = await PusherClient.connect(url)
  client.subscribing('shop/a')
  expect((await client.find('pusher:subscription_error')).data).toMatchObject({ type: 'InvalidChannel' })
  for (const channel of ['shop/private-a', 'shop/a']) {
    const body = JSON.stringify({ name: 'x', channel, data: '' })
    const { status, text } = await sendSigned(server, APP, { path: '/apps/1/events', body })
    expect([status, text]).toEqual([400, expect.stringContaining('is no name of a channel')])
  }
})

describe('client events', () => {
  const pair = async (channel: string, options: CreateServerOptions = {}) => {
    const { url, server } = await start(options)
    const a = await PusherClient.connect(url)
    const b = await PusherClient.connect(url)
    const fields = (id: string) => (channel.startsWith('presence-') ? { channelData: { user_id: id } } : {})
    await a.subscribe(channel, fields('ada'))
    await b.subscribe(channel, fields('bob'))
    return { a, b, server, url }
  }

  test('reach the others, not the sender', async () => {
    const { a, b } = await pair('private-a')
    for (const data of [{ x: 1 }, [1], 'text', '5', 5, true, null, '']) a.send('client-x', data, 'private-a')
    a.sendText('{"event":"client-absent","channel":"private-a"}')
    await b.find('client-absent')
    // A text is passed on as it is, and read as JSON if it is JSON.
    expect(b.events('private-a')).toEqual([
      ...[{ x: 1 }, [1], 'text', 5, 5, true, null, ''].map((data) => ['client-x', data]),
      ['client-absent', null],
    ])
    await a.settled()
    expect(a.events('private-a')).toEqual([])
    expect(b.frames.every((frame) => frame.user_id === undefined)).toBe(true)
  })

  test('carry the user id of the sender on presence channels', async () => {
    const { a, b } = await pair('presence-a')
    a.send('client-x', {}, 'presence-a')
    expect(await b.find('client-x')).toEqual({
      event: 'client-x',
      channel: 'presence-a',
      data: {},
      user_id: 'ada',
    })
  })

  test('over the rate are refused with 4301, and nothing ends', async () => {
    const { a, b } = await pair('private-a', { apps: [{ ...APP, limits: { maxClientEventsPerSecond: 3 } }] })
    for (let i = 0; i < 20; i++) a.send('client-x', i, 'private-a')
    await a.settled()
    const refused = a.frames.filter(({ event }) => event === 'pusher:error')
    expect(refused.length).toBeGreaterThan(10)
    expect(refused[0]?.data).toEqual({ code: 4301, message: expect.stringContaining('more than 3 in a second') })
    await b.settled()
    expect(b.events('private-a').slice(0, 3)).toEqual([0, 1, 2].map((i) => ['client-x', i]))
    expect(b.events('private-a')).toHaveLength(20 - refused.length)
    expect(a.closed).toBeUndefined()
  })

  test.each<[string, (a: PusherClient) => void, RegExp]>([
    ['on a public channel', (a) => a.send('client-x', 1, 'news'), /no private or presence channel/],
    ['on a channel that is not subscribed', (a) => a.send('client-x', 1, 'private-b'), /not subscribed/],
    ['on an encrypted channel', (a) => a.send('client-x', 1, 'private-encrypted-a'), /encrypted/],
    ['with too much data', (a) => a.send('client-x', 'x'.repeat(10_241), 'private-a'), /10241 bytes; at most 10240/],
    ['with too long a name', (a) => a.send(`client-${'x'.repeat(200)}`, 1, 'private-a'), /longer than 200/],
    ['without a channel', (a) => a.send('client-x', 1), /channel of "client-x" is missing/],
    ['named otherwise', (a) => a.send('message', 1, 'private-a'), /no event "message" that a client may send/],
  ])('%s are refused', async (_title, send, message) => {
    const { a, b } = await pair('private-a')
    await a.subscribe('news')
    await a.subscribe('private-encrypted-a')
    send(a)
    const refused = await a.find('pusher:error')
    expect(refused.data).toEqual({ code: null, message: expect.stringMatching(message) })
    await b.settled()
    expect(b.events('private-a')).toEqual([])
  })

  test('are refused where the app allows none', async () => {
    const { a } = await pair('private-a', { apps: [{ ...APP, clientEvents: false }] })
    a.send('client-x', 1, 'private-a')
    expect((await a.find('pusher:error')).data).toMatchObject({ message: expect.stringContaining('allows none') })
  })

  test('that a hook refuses are told to their sender', async () => {
    const { a, b } = await pair('private-a', {
      hooks: {
        beforeEvent: async ({ data }) => {
          if (data === 'bad') throw new Error('no')
          return { data: 'changed' }
        },
      },
    })
    a.send('client-x', 'bad', 'private-a')
    a.send('client-x', 'good', 'private-a')
    await b.find('client-x')
    expect(b.events('private-a')).toEqual([['client-x', 'changed']])
    expect((await a.find('pusher:error')).data).toMatchObject({ message: expect.stringContaining('refused') })
  })
})

describe('bad input', () => {
  test.each([
    ['no JSON', 'nonsense', /not JSON: "nonsense"/],
    ['nothing', '', /not JSON/],
    ['null', 'null', /is null; expected an object/],
    ['a list', '[]', /is an array; expected an object/],
    ['no event', '{}', /event of a message is missing/],
    ['an event that is no text', '{"event":5}', /of type number/],
    ['an unknown event', '{"event":"pusher:nonsense","data":{}}', /no event "pusher:nonsense"/],
    ['an internal event', '{"event":"pusher_internal:member_added","data":{}}', /no event/],
    ['a subscription to nothing', '{"event":"pusher:subscribe"}', /data of pusher:subscribe is missing/],
    ['a subscription of text', '{"event":"pusher:subscribe","data":"{}"}', /of type string; expected an object/],
    ['a channel that is no text', '{"event":"pusher:subscribe","data":{"channel":1}}', /channel of pusher:subscribe/],
    ['an auth that is no text', '{"event":"pusher:subscribe","data":{"channel":"private-a","auth":{}}}', /auth of/],
    ['an unsubscription of nothing', '{"event":"pusher:unsubscribe","data":{}}', /channel of pusher:unsubscribe/],
    ['a sign-in without data', '{"event":"pusher:signin","data":{}}', /auth of pusher:signin is missing/],
    [
      'a client event nested deep',
      `{"event":"client-x","channel":"a","data":${'['.repeat(5000)}${']'.repeat(5000)}}`,
      /nests deeper/,
    ],
  ])('%s is answered with what is wrong', async (_title, text, message) => {
    const { url } = await start()
    const client = await PusherClient.connect(url)
    client.sendText(text)
    const refused = await client.find('pusher:error')
    expect(refused.data).toEqual({ code: null, message: expect.stringMatching(message) })
    await client.subscribe('news')
  })

  test('a binary frame is answered, and the connection stays', async () => {
    const { url } = await start()
    const client = await PusherClient.connect(url)
    client.socket.send(Uint8Array.of(1, 2, 3))
    expect(await client.find('pusher:error')).toEqual({
      event: 'pusher:error',
      data: { code: null, message: 'A binary message came; expected text. Send JSON as text frames.' },
    })
    await client.subscribe('news')
  })

  test('a message beyond the limit is answered, and the connection stays', async () => {
    const { url } = await start()
    const client = await PusherClient.connect(url)
    client.send('pusher:subscribe', { channel: 'x'.repeat(200_000) })
    expect((await client.find('pusher:error')).data).toMatchObject({
      message: expect.stringMatching(/of 2000\d\d bytes/),
    })
    await client.subscribe('news')
  })

  test('subscriptions beyond the limit are refused, each with a reason; one less makes room for one', async () => {
    const { url } = await start({ maxRoomsPerConnection: 1000 })
    const client = await PusherClient.connect(url)
    for (let i = 0; i < 10_000; i++) client.subscribing(`c${i}`)
    await client.settled()
    const refused = client.frames.filter(({ event }) => event === 'pusher:subscription_error')
    expect(refused).toHaveLength(9000)
    expect(refused[0]).toMatchObject({ channel: 'c1000', data: { type: 'LimitReached', status: 429 } })
    client.send('pusher:unsubscribe', { channel: 'c0' })
    await client.subscribe('c1000', {})
    client.subscribing('c1001')
    await client.settled()
    expect(client.frames.at(-2)).toMatchObject({ event: 'pusher:subscription_error', channel: 'c1001' })
  })

  test('a storm of subscribing and unsubscribing is refused, each with a reason; the others are not told of it', async () => {
    const { url, server } = await start({ maxRoomsPerConnection: 2, maxJoinsPerSecond: 1 })
    const other = await PusherClient.connect(url)
    await other.subscribe('presence-a', { channelData: { user_id: 'bob' } })
    const client = await PusherClient.connect(url)
    await client.subscribe('news')
    for (let i = 0; i < 50; i++) {
      client.subscribing('presence-a', { channelData: { user_id: 'ada' } })
      client.send('pusher:unsubscribe', { channel: 'presence-a' })
    }
    await client.settled()
    const answers = client.names('presence-a').filter((event) => !event.includes('member'))
    const succeeded = answers.filter((event) => event === 'pusher_internal:subscription_succeeded').length
    // One or two more may pass where the machine is slow.
    expect([answers.length, succeeded >= 2, succeeded < 10]).toEqual([50, true, true])
    expect(client.frames.find(({ event }) => event === 'pusher:subscription_error')).toEqual({
      event: 'pusher:subscription_error',
      channel: 'presence-a',
      data: {
        type: 'LimitReached',
        error: expect.stringMatching(/subscribes too often; 1 in a second .* raise maxJoinsPerSecond/),
        status: 429,
      },
    })
    await other.settled()
    expect(other.names('presence-a').filter((event) => event === 'pusher_internal:member_added')).toHaveLength(
      succeeded,
    )
    // The connection goes on, and so does subscribing after a rest.
    await server.room('news').trigger('still', 1)
    await client.find('still')
    await until('another subscription', async () => {
      const from = client.frames.length
      client.subscribing('late')
      await client.settled()
      return client.frames.slice(from).some(({ event }) => event === 'pusher_internal:subscription_succeeded')
    })
  })

  test('so is subscribing again and again to one channel', async () => {
    const { url } = await start({ maxRoomsPerConnection: 2, maxJoinsPerSecond: 1 })
    const client = await PusherClient.connect(url)
    for (let i = 0; i < 50; i++) client.subscribing('presence-a', { channelData: { user_id: 'ada' } })
    await client.settled()
    const named = (name: string) => client.frames.filter(({ event }) => event === name).length
    const succeeded = named('pusher_internal:subscription_succeeded')
    // One or two more may pass where the machine is slow.
    expect([succeeded >= 2, succeeded < 10]).toEqual([true, true])
    expect(named('pusher:subscription_error')).toBe(50 - succeeded)
  })

  test('a client that comes back with all channels that it may have is let in at once', async () => {
    const { url } = await start({ maxRoomsPerConnection: 5000, maxJoinsPerSecond: 1 })
    for (let round = 0; round < 2; round++) {
      const client = await PusherClient.connect(url)
      for (let i = 0; i < 5000; i++) client.subscribing(`c${i}`)
      await client.settled()
      const succeeded = client.frames.filter(({ event }) => event === 'pusher_internal:subscription_succeeded')
      expect(succeeded).toHaveLength(5000)
      await client.cut()
    }
  })

  test('a client that sends without reading is cut, and others hear on', async () => {
    const { url, server } = await start({ maxBackpressureBytes: 64 * 1024 })
    const deaf = await PusherClient.connect(url)
    const other = await PusherClient.connect(url)
    await other.subscribe('news')
    deaf.socket.pause()
    let isGone = false
    deaf.socket.on('close', () => {
      isGone = true
    })
    // Reading stopped: what the kernels take is a few MB of answers.
    const nonsense = JSON.stringify({ event: 'x'.repeat(50) })
    for (let i = 0; i < 300_000 && deaf.socket.readyState === WebSocket.OPEN; i++) {
      deaf.socket.send(nonsense)
      if (i % 1000 === 0) await new Promise((resolve) => setImmediate(resolve))
    }
    await server.room('news').trigger('still', 1)
    await other.find('still')
    deaf.socket.resume()
    await until('the cut', () => isGone)
  })
})

/** The signature of an auth in upper case. */
const upper = (auth: string): string => auth.replace(/[0-9a-f]+$/, (hex) => hex.toUpperCase())
