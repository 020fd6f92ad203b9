/** What a Pusher client that was away gets, when it tells where it stood. */
import { expect, test } from 'vitest'
import type { CreateServerOptions, Server } from '../../server/index.ts'
import { until } from '../e2e/until.ts'
import { createRandom, seeds } from '../fuzz/random.ts'
import { APP, PusherClient, type SubscribeFields } from './pusherClient.ts'
import { startServer } from './testServer.ts'

const start = (options: CreateServerOptions = {}) => startServer({ apps: [APP], ...options })

/** A client that comes back: it counts as a wrapper of pusher-js does, and keeps all that it ever got. */
class Reader {
  readonly #url: string
  readonly #channel: string
  readonly #fields: SubscribeFields
  client!: PusherClient
  /** What each subscription was told. */
  readonly recovered: boolean[] = []
  readonly #before: unknown[] = []
  #told: { epoch: string; offset: number } | undefined
  #socketId = ''
  /** Where the frames of the present subscription begin. */
  #since = 0

  constructor(url: string, channel: string, fields: SubscribeFields = {}) {
    this.#url = url
    this.#channel = channel
    this.#fields = fields
  }

  /** What came of the present subscription up to a frame, without a cached event. */
  #events(end?: number): unknown[] {
    const frames = this.client.frames.slice(this.#since, end)
    const { recovery } = (frames[0]?.data ?? {}) as { recovery?: { cached?: true } }
    const events = frames.filter(({ event, channel }) => channel === this.#channel && !event.startsWith('pusher'))
    return events.slice(recovery?.cached ? 1 : 0).map(({ data }) => data)
  }

  get got(): unknown[] {
    return [...this.#before, ...(this.client ? this.#events() : [])]
  }

  /** Names itself while it is away as well. */
  get socketId(): string {
    return this.#socketId
  }

  async connect(): Promise<void> {
    const recover = this.#told && { ...this.#told, count: this.#events().length, socket_id: this.#socketId }
    if (this.client) this.#before.push(...this.#events())
    this.client = await PusherClient.connect(this.#url)
    this.#socketId = this.client.id
    this.#since = 0
    this.recovered.push(await this.#subscribe(recover))
  }

  /** Leaves the channel and enters it anew, on the same connection. */
  async subscribeAnew(): Promise<void> {
    this.client.send('pusher:unsubscribe', { channel: this.#channel })
    await this.#subscribe(undefined)
  }

  async cut(): Promise<void> {
    await this.client.cut()
  }

  /** Loses the network, which the server does not notice: it holds the connection for open, and sends to it. */
  lose(): void {
    this.client.socket.pause()
  }

  async #subscribe(recover: unknown): Promise<boolean> {
    const from = this.client.frames.length
    const { recovery } = await this.client.subscribe(this.#channel, { ...this.#fields, recover })
    if (!recovery) throw new Error('no recovery was told')
    const answer = this.client.frames.findIndex(
      ({ event }, index) => index >= from && event === 'pusher_internal:subscription_succeeded',
    )
    // What came until then is of the subscription before.
    this.#before.push(...this.#events(answer))
    this.#since = answer
    this.#told = { epoch: recovery.epoch, offset: recovery.offset }
    return recovery.recovered
  }
}

const trigger = (server: Server, room: string, data: unknown, except?: string) =>
  server.room(room).trigger('e', data, except === undefined ? {} : { except })

test('events missed during a cut arrive in order, none twice, and excluded ones stay excluded', async () => {
  const { url, server } = await start()
  const reader = new Reader(url, 'news')
  await reader.connect()
  await trigger(server, 'news', 1)
  await trigger(server, 'news', 'own', reader.socketId)
  await trigger(server, 'news', 2)
  await until('two events', () => reader.got.length === 2)
  await reader.cut()
  await trigger(server, 'news', 'own', reader.socketId)
  for (const data of [3, 4, 5, 6]) await trigger(server, 'news', data)
  await reader.connect()
  await trigger(server, 'news', 7)
  await until('all', () => reader.got.includes(7))
  expect(reader.got).toEqual([1, 2, 3, 4, 5, 6, 7])
  expect(reader.recovered).toEqual([false, true])
})

test('events excluded before one cut stay excluded after the next', async () => {
  const { url, server } = await start()
  const reader = new Reader(url, 'news')
  await reader.connect()
  await reader.cut()
  await trigger(server, 'news', 1)
  await trigger(server, 'news', 'own', reader.socketId)
  await trigger(server, 'news', 2)
  for (let round = 0; round < 3; round++) {
    await reader.connect()
    await until('both', () => reader.got.length === 2)
    await reader.cut()
  }
  await trigger(server, 'news', 3)
  await reader.connect()
  await until('the last', () => reader.got.includes(3))
  expect(reader.got).toEqual([1, 2, 3])
  expect(reader.recovered).toEqual([false, true, true, true, true])
})

test('a client that is cut again before it got what it missed, gets it then', async () => {
  const { url, server } = await start()
  const a = await PusherClient.connect(url)
  const { recovery } = await a.subscribe('news')
  await a.cut()
  await trigger(server, 'news', 1)
  await trigger(server, 'news', 'own', a.id)
  await trigger(server, 'news', 2)
  const b = await PusherClient.connect(url)
  const second = (await b.subscribe('news', { recover: { ...recovery, count: 0, socket_id: a.id } })).recovery
  expect(second).toEqual({ epoch: recovery?.epoch, offset: 0, recovered: true })
  await b.cut()
  const c = await PusherClient.connect(url)
  await c.subscribe('news', { recover: { ...second, count: 0, socket_id: b.id } })
  await c.settled()
  expect(c.events('news')).toEqual([
    ['e', 1],
    ['e', 2],
  ])
})

test('a client that got far more than the history holds still recovers', async () => {
  const { url, server } = await start({ eventHistoryCount: 5 })
  const reader = new Reader(url, 'private-a')
  await reader.connect()
  for (let i = 0; i < 400; i++) await trigger(server, 'private-a', i, i % 2 === 0 ? undefined : reader.socketId)
  await until('all', () => reader.got.length === 200)
  await reader.cut()
  for (const data of ['a', 'b']) await trigger(server, 'private-a', data)
  await reader.connect()
  await until('the last', () => reader.got.includes('b'))
  expect(reader.got.slice(-3)).toEqual([398, 'a', 'b'])
  expect(reader.recovered).toEqual([false, true])
})

test('a history that is too short is told, and nothing of it is delivered', async () => {
  const { url, server } = await start({ eventHistoryCount: 3 })
  const reader = new Reader(url, 'news')
  await reader.connect()
  await reader.cut()
  for (const data of [1, 2, 3, 4]) await trigger(server, 'news', data)
  await reader.connect()
  await trigger(server, 'news', 5)
  await until('the live event', () => reader.got.length > 0)
  expect([reader.got, reader.recovered]).toEqual([[5], [false, false]])
})

test('an empty channel has an epoch, and a client that missed nothing is told so', async () => {
  const { url } = await start()
  const reader = new Reader(url, 'news')
  await reader.connect()
  await reader.cut()
  await reader.connect()
  expect(reader.recovered).toEqual([false, true])
})

test('another epoch is told: the server was started anew', async () => {
  const { url, server } = await start()
  const client = await PusherClient.connect(url)
  const recover = { epoch: 'another', offset: 0, count: 0, socket_id: client.id }
  await trigger(server, 'news', 1)
  const { recovery } = await client.subscribe('news', { recover })
  expect(recovery).toMatchObject({ offset: 1, recovered: false })
})

test.each([
  ['no object', 5],
  ['a null', null],
  ['an offset of text', { epoch: 'x', offset: '1', count: 0, socket_id: '1.1' }],
  ['a negative count', { epoch: 'x', offset: 1, count: -1, socket_id: '1.1' }],
  ['no socket id', { epoch: 'x', offset: 1, count: 0 }],
])('a request to recover that is %s counts as none', async (_title, recover) => {
  const { url } = await start()
  const client = await PusherClient.connect(url)
  expect((await client.subscribe('news', { recover })).recovery).toMatchObject({ recovered: false })
})

test('a count beyond what was published is never a silent gap', async () => {
  const { url, server } = await start()
  const client = await PusherClient.connect(url)
  const { recovery } = await client.subscribe('news')
  await trigger(server, 'news', 1)
  const other = await PusherClient.connect(url)
  const recover = { epoch: recovery?.epoch, offset: 0, count: 2, socket_id: client.id }
  expect((await other.subscribe('news', { recover })).recovery).toMatchObject({ offset: 1, recovered: false })
})

test('a second subscription counts anew', async () => {
  const { url, server } = await start()
  const client = await PusherClient.connect(url)
  await client.subscribe('news')
  await trigger(server, 'news', 1)
  await trigger(server, 'news', 2, client.id)
  expect((await client.subscribe('news')).recovery).toMatchObject({ offset: 2, recovered: false })
  await trigger(server, 'news', 'own', client.id)
  await trigger(server, 'news', 3)
  await client.settled()
  await client.cut()
  await trigger(server, 'news', 4)
  const { epoch } = (await (await PusherClient.connect(url)).subscribe('news')).recovery ?? {}
  const back = await PusherClient.connect(url)
  await back.subscribe('news', { recover: { epoch, offset: 2, count: 1, socket_id: client.id } })
  await back.settled()
  expect(back.events('news')).toEqual([['e', 4]])
  // Cut before the second answer came, a client counts from the first one.
  const unaware = await PusherClient.connect(url)
  await unaware.subscribe('news', { recover: { epoch, offset: 0, count: 1, socket_id: client.id } })
  await unaware.settled()
  expect(unaware.events('news')).toEqual([
    ['e', 3],
    ['e', 4],
  ])
})

test('an event that was not for a client stays so when the server takes its lost connection for open', async () => {
  const { url, server } = await start()
  const reader = new Reader(url, 'private-a')
  await reader.connect()
  await trigger(server, 'private-a', 1)
  await trigger(server, 'private-a', 'own', reader.socketId)
  reader.client.send('client-own', 'own', 'private-a')
  await reader.client.settled()
  await trigger(server, 'private-a', 2)
  await until('two events', () => reader.got.length === 2)
  reader.lose()
  await trigger(server, 'private-a', 3)
  await trigger(server, 'private-a', 'own', reader.socketId)
  await trigger(server, 'private-a', 4)
  await reader.connect()
  await until('the last', () => reader.got.includes(4))
  expect(reader.got).toEqual([1, 2, 3, 4])
  expect(reader.recovered).toEqual([false, true])
})

test('what a connection was not sent in an earlier subscription does not matter to its later one', async () => {
  const { url, server } = await start()
  const reader = new Reader(url, 'news')
  await reader.connect()
  await trigger(server, 'news', 1)
  await trigger(server, 'news', 'own', reader.socketId)
  await reader.subscribeAnew()
  await trigger(server, 'news', 2)
  await until('two events', () => reader.got.length === 2)
  await reader.cut()
  await trigger(server, 'news', 3)
  await reader.connect()
  await until('the last', () => reader.got.includes(3))
  expect(reader.got).toEqual([1, 2, 3])
  expect(reader.recovered).toEqual([false, true])
})

test.each(['cut', 'lost without notice'])(
  'an event stays excluded when one connection after the other is %s among what was missed',
  async (how) => {
    const { url, server } = await start({ maxBackpressureBytes: 64 * 1024, eventHistoryCount: 2000 })
    const text = 'x'.repeat(9000)
    const first = await PusherClient.connect(url)
    let told = (await first.subscribe('news')).recovery
    await first.cut()
    // More than the kernels hold for a client that does not read.
    for (let i = 0; i < 1500; i++) await trigger(server, 'news', [i, text])
    await trigger(server, 'news', ['own', text], first.id)
    await trigger(server, 'news', [1500, text])

    const numbers = (client: PusherClient): unknown[] => client.events('news').map(([, data]) => (data as unknown[])[0])
    const got: unknown[] = []
    let lost = { id: first.id, count: 0 }
    for (let round = 0; round < 3; round++) {
      const client = await PusherClient.connect(url)
      client.subscribing('news', { recover: { ...told, count: lost.count, socket_id: lost.id } })
      await until('the first of what was missed', () => client.events('news').length > 0)
      client.socket.pause()
      const succeeded = await client.find('pusher_internal:subscription_succeeded')
      told = (succeeded.data as { recovery: typeof told }).recovery
      expect(told?.recovered).toBe(true)
      if (how === 'cut') await client.cut()
      got.push(...numbers(client))
      lost = { id: client.id, count: client.events('news').length }
    }
    // It was published meanwhile, but in the name of the first connection.
    await trigger(server, 'news', ['own', text], first.id)
    await trigger(server, 'news', [1501, text])
    const last = await PusherClient.connect(url)
    await last.subscribe('news', { recover: { ...told, count: lost.count, socket_id: lost.id } })
    await until('the last', () => numbers(last).includes(1501))
    expect([...got, ...numbers(last)]).toEqual(Array.from({ length: 1502 }, (_, i) => i))
  },
)

test('what a client says of the connection of another decides only what it is sent itself', async () => {
  const { url, server } = await start()
  const reader = new Reader(url, 'news')
  await reader.connect()
  const { epoch, offset } = (await (await PusherClient.connect(url)).subscribe('news')).recovery ?? {}
  await trigger(server, 'news', 1)
  await trigger(server, 'news', 'own', reader.socketId)
  await trigger(server, 'news', 2)
  const stranger = await PusherClient.connect(url)
  await stranger.subscribe('news', { recover: { epoch, offset, count: 1, socket_id: reader.socketId } })
  await stranger.settled()
  expect(stranger.events('news')).toEqual([['e', 2]])
  await trigger(server, 'news', 3)
  await reader.cut()
  await stranger.cut()
  const other = await PusherClient.connect(url)
  await other.subscribe('news', { recover: { epoch, offset, count: 99, socket_id: reader.socketId } })
  await trigger(server, 'news', 4)
  await reader.connect()
  await until('the last', () => reader.got.includes(4))
  expect(reader.got).toEqual([1, 2, 3, 4])
  expect(reader.recovered).toEqual([false, true])
})

test('an event of one app that names a connection of another changes nothing there', async () => {
  const { url, server } = await startServer({
    apps: [
      { id: '1', key: 'key1', secret: 'secret1' },
      { ...APP, id: '2' },
    ],
  })
  const neighbour = new PusherClient(`${url}/app/key1?protocol=7`)
  await neighbour.find('pusher:connection_established')
  // As long as the prefix of the second app, and then as its channel is called.
  await neighbour.subscribe('xxnews')
  const reader = new Reader(url, 'news')
  await reader.connect()
  await trigger(server, 'xxnews', 'elsewhere', reader.socketId)
  await reader.cut()
  await trigger(server, '2/news', 1)
  await reader.connect()
  await until('the event', () => reader.got.length > 0)
  expect(reader.got).toEqual([1])
  expect(reader.recovered).toEqual([false, true])
})

test('a reader that stops among what it missed goes on where it stopped, and others are not held up', async () => {
  const { url, server } = await start({
    maxBackpressureBytes: 64 * 1024,
    leaveGraceSeconds: 0,
    eventHistoryCount: 2000,
  })
  const text = 'x'.repeat(9000)
  const channel = 'presence-a'
  const reader = new Reader(url, channel, { channelData: { user_id: 'reader' } })
  await reader.connect()
  const other = await PusherClient.connect(url)
  await other.subscribe(channel, { channelData: { user_id: 'other' } })
  await reader.cut()
  for (let i = 0; i < 1500; i++) await trigger(server, channel, [i, text])
  await other.cut()

  // What was asked for is more than the kernels hold for a client that does not read.
  const connecting = reader.connect()
  await until('the subscription', () => Boolean(reader.client?.names(channel)[0]))
  reader.client.socket.pause()
  const late = await PusherClient.connect(url)
  await late.subscribe(channel, { channelData: { user_id: 'late' } })
  await trigger(server, channel, [1500, text])
  await trigger(server, channel, ['own', text], reader.socketId)
  await trigger(server, channel, [1501, text])
  await until('the live events', () => late.events(channel).length === 3)
  reader.client.socket.resume()
  await connecting
  await until('all', () => reader.got.length >= 1502)
  await trigger(server, channel, [1502, text])
  await until('the last', () => reader.got.length >= 1503)
  expect(reader.got.map((data) => (data as unknown[])[0])).toEqual(Array.from({ length: 1503 }, (_, i) => i))
  expect(reader.recovered).toEqual([false, true])
  expect(reader.client.closed).toBeUndefined()
  // Told once it hears the channel again.
  await reader.client.find('pusher_internal:member_added', channel)
})

/** Cuts at any time, events from both sides, some of them for everyone else: nothing is lost, doubled or out of order. */
test.each(seeds(12))('whatever happens, a reader gets what was for it (seed %i)', async (seed) => {
  const random = createRandom(seed)
  const { url, server } = await start({ apps: [{ ...APP, limits: { maxClientEventsPerSecond: 1000 } }] })
  const channel = 'private-cache-a'
  const reader = new Reader(url, channel)
  const peer = await PusherClient.connect(url)
  await peer.subscribe(channel)
  const expected: number[] = []
  let next = 0
  await reader.connect()
  let isAway = false
  for (let step = 0; step < 120; step++) {
    const dice = random.between(0, 9)
    if (dice < 4) {
      expected.push(next)
      await trigger(server, channel, next++)
    } else if (dice < 6) {
      await trigger(server, channel, next++, reader.socketId)
    } else if (dice === 6) {
      if (!isAway) reader.client.send('client-own', next++, channel)
      if (!isAway) await reader.client.settled()
    } else if (dice === 7) {
      expected.push(next)
      peer.send('client-e', next++, channel)
      await peer.settled()
    } else if (dice === 8) {
      // Cut while events may be on their way; or lost, and the server does not know.
      if (!isAway && random.between(0, 1) === 0) await reader.cut()
      else if (!isAway) reader.lose()
      isAway = true
    } else if (isAway) {
      await reader.connect()
      isAway = false
    } else if (random.between(0, 1) === 0) {
      await reader.subscribeAnew()
    }
  }
  if (isAway) await reader.connect()
  await until('all', () => reader.got.length >= expected.length)
  await reader.client.settled()
  expect(reader.got).toEqual(expected)
  expect(reader.recovered.slice(1).every(Boolean)).toBe(true)
})
