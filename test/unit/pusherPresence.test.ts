/** Presence channels: one list of people, whatever door they came in by. */
import { afterEach, expect, test, vi } from 'vitest'
import { type CreateServerOptions, type Person, TuttiError } from '../../server/index.ts'
import { showInAwareness } from '../../server/pusher/awarenessEntry.ts'
import { until } from '../e2e/until.ts'
import { type Entry, encodeAwarenessFrame, WireClient } from '../e2e/wireClient.ts'
import { joinEvents } from './eventRooms.ts'
import { APP, PusherClient } from './pusherClient.ts'
import { startServer } from './testServer.ts'

const ROOM = 'presence-board'

/** `open`: a Yjs client may come without a signature. */
const start = (options: CreateServerOptions = {}) => startServer({ apps: [APP], open: true, ...options })

const member = (id: unknown, info?: unknown) => ({ channelData: { user_id: id, user_info: info } })

const joined = async (url: string, id: unknown, info?: unknown): Promise<PusherClient> => {
  const client = await PusherClient.connect(url)
  await client.subscribe(ROOM, member(id, info))
  return client
}

/** News of people, as `+id` and `-id`. */
const news = (client: PusherClient): string[] =>
  client.frames.flatMap(({ event, data }) => {
    if (event === 'pusher_internal:member_added') return [`+${(data as { user_id: string }).user_id}`]
    return event === 'pusher_internal:member_removed' ? [`-${(data as { user_id: string }).user_id}`] : []
  })

const showing = async (url: string, user: object): Promise<WireClient> => {
  const client = await WireClient.join(`${url}/${ROOM}`)
  client.send(encodeAwarenessFrame({ client: client.doc.clientID, clock: 1, state: JSON.stringify({ user }) }))
  await client.synced()
  return client
}

/** What a Yjs client sees of a user, with its client id. */
const seen = (client: WireClient, id: string): Entry | undefined => {
  const entries = client.frames.flatMap((frame) => (frame.type === 'awareness' ? frame.entries : []))
  return entries.findLast(({ state }) => (state as { user?: { id?: string } } | null)?.user?.id === id)
}

afterEach(() => {
  vi.useRealTimers()
})

test('the newcomer is in its own list, and the others are told once per user', async () => {
  const { url } = await start()
  const a = await PusherClient.connect(url)
  expect((await a.subscribe(ROOM, member('ada', { name: 'Ada' }))).presence).toEqual({
    ids: ['ada'],
    hash: { ada: { name: 'Ada' } },
    count: 1,
  })
  const b = await PusherClient.connect(url)
  // An app may sign a number.
  expect((await b.subscribe(ROOM, member(10))).presence).toEqual({
    ids: ['ada', '10'],
    hash: { ada: { name: 'Ada' }, 10: null },
    count: 2,
  })
  await a.find('pusher_internal:member_added')
  const tab = await joined(url, '10')
  await tab.settled()
  await a.settled()
  expect(news(a)).toEqual(['+10'])
  expect(news(b)).toEqual([])
  b.send('pusher:unsubscribe', { channel: ROOM })
  await b.settled()
  await a.settled()
  expect(news(a)).toEqual(['+10'])
  await tab.close(1000)
  await a.find('pusher_internal:member_removed')
  expect(news(a)).toEqual(['+10', '-10'])
})

test('a broken connection is no leave while the user may be back, and none if they are', async () => {
  const { url } = await start({ leaveGraceSeconds: 1 })
  const a = await joined(url, 'ada')
  const b = await joined(url, 'bob')
  await b.cut()
  const back = await joined(url, 'bob')
  await back.cut()
  await a.find('pusher_internal:member_removed')
  expect(news(a)).toEqual(['+bob', '-bob'])
})

test('a person stays while one connection of theirs that broke may be back, and another says good-bye', async () => {
  const { url } = await start({ leaveGraceSeconds: 3600 })
  const a = await joined(url, 'ada')
  const tabs = [await joined(url, 'bob'), await joined(url, 'bob')]
  await tabs[0]!.cut()
  await tabs[1]!.close(1000)
  await joined(url, 'bob')
  await joined(url, 'cleo')
  await a.settled()
  expect(news(a)).toEqual(['+bob', '+cleo'])
})

test('a connection that tells which one it comes back for is that one: with its good-bye the person is gone', async () => {
  const { url } = await start({ leaveGraceSeconds: 3600 })
  const a = await joined(url, 'ada')
  const b = await PusherClient.connect(url)
  const { recovery } = await b.subscribe(ROOM, member('bob'))
  await b.cut()
  const back = await PusherClient.connect(url)
  await back.subscribe(ROOM, { ...member('bob'), recover: { ...recovery, count: 0, socket_id: b.id } })
  await back.close(1000)
  await a.find('pusher_internal:member_removed')
  expect(news(a)).toEqual(['+bob', '-bob'])
})

test('who comes back within the grace with something else to tell of themselves is listed with that', async () => {
  const { url } = await start()
  const a = await joined(url, 'ada')
  const b = await joined(url, 'bob', { v: 1 })
  await b.cut()
  const back = await PusherClient.connect(url)
  expect((await back.subscribe(ROOM, member('bob', { v: 2 }))).presence?.hash).toEqual({ ada: null, bob: { v: 2 } })
  await a.settled()
  expect(news(a)).toEqual(['+bob'])
})

test('what is listed of a person is what their longest-standing connection that is here tells, a signed one first', async () => {
  const { url, server } = await start()
  const tina = await joinEvents(url, { room: ROOM, user: 'tina' })
  await until('her list', () => tina.events.members.length > 0)
  const yjs = await showing(url, { id: 'u1', name: 'evil' })
  await until('the unsigned', () => tina.events.members.length === 2)
  const first = await joined(url, 'u1', { name: 'Uno' })
  const second = await joined(url, 'u1', { name: 'Second' })
  const lists = async (): Promise<unknown[]> => {
    const newcomer = await PusherClient.connect(url)
    const { presence } = await newcomer.subscribe(ROOM, member('new'))
    await newcomer.close(1000)
    const answer = (await (await fetch(`${server.url}/rooms/${ROOM}/presence`)).json()) as { members: Person[] }
    const infoIn = (people: readonly Person[]): unknown => people.find(({ id }) => id === 'u1')?.info
    return [presence?.hash.u1, infoIn(answer.members), infoIn(await server.room(ROOM).members())]
  }
  const expectEverywhere = async (name: string): Promise<void> => {
    const info = { name }
    await until(`${name} for Tina`, () => {
      const shown = tina.events.members.find(({ id }) => id === 'u1')?.info
      return JSON.stringify(shown) === JSON.stringify(info)
    })
    expect(await lists()).toEqual([info, info, info])
  }
  await expectEverywhere('Uno')
  await yjs.close()
  await expectEverywhere('Uno')
  await showing(url, { id: 'u1', name: 'evil again' })
  await first.close(1000)
  await expectEverywhere('Second')
  await second.close(1000)
  await expectEverywhere('evil again')
})

test('a Yjs client whose user id is longer than the app takes is a member by its client id', async () => {
  const { url } = await start({ apps: [{ ...APP, limits: { maxUserIdLength: 5 } }] })
  const a = await joined(url, 'ada')
  const yjs = await showing(url, { id: 'maxima', name: 'Maxima' })
  expect((await a.find('pusher_internal:member_added')).data).toEqual({
    user_id: String(yjs.doc.clientID),
    user_info: { name: 'Maxima' },
  })
  await showing(url, { id: 'short' })
  await until('the other', () => news(a).length === 2)
  expect(news(a)[1]).toBe('+short')
})

test('a server that stops tells nobody that others leave, and its hooks of all', async () => {
  const left: string[] = []
  const { url, server } = await start({
    apps: [{ ...APP, subscriptionCount: true, watchlist: true }],
    hooks: {
      leave: ({ room }) => {
        left.push(room)
      },
    },
  })
  const heard: string[] = []
  const tina = await joinEvents(url, { room: ROOM, user: 'tina' })
  tina.events.on('leave', ({ id }) => heard.push(`leave ${id}`))
  await until('her list', () => tina.events.members.length > 0)
  server.room(ROOM).on('leave', ({ id }) => heard.push(`leave ${id} in process`))
  const ids = ['ada', 'bob', 'cleo', 'dan']
  const clients: PusherClient[] = []
  for (const id of ids) {
    const client = await joined(url, id)
    client.signIn({ id, watchlist: ids })
    await client.subscribe('news')
    clients.push(client)
  }
  await until('all for Tina', () => tina.events.members.length === 5)
  for (const client of clients) await client.settled()
  for (const { frames } of clients) frames.length = 0
  await server.close()
  await until('the closes', () => clients.every(({ closed }) => closed) && tina.sockets[0]?.readyState === 3)
  expect(clients.map(({ frames, closed }) => [closed?.code, frames])).toEqual(ids.map(() => [1001, []]))
  expect(heard).toEqual([])
  expect(tina.events.members).toHaveLength(5)
  expect(left.sort()).toEqual([...ids.map(() => 'news'), ...[...ids, 'tina'].map(() => ROOM)])
})

test('without a grace period a broken connection is a leave', async () => {
  const { url } = await start({ leaveGraceSeconds: 0 })
  const a = await joined(url, 'ada')
  const b = await joined(url, 'bob')
  await b.cut()
  await a.find('pusher_internal:member_removed')
})

test('a member is seen by Yjs clients at once, and is gone for them as soon as its connection breaks', async () => {
  const { url } = await start()
  const yjs = await showing(url, { id: 'yara' })
  const a = await joined(url, 'ada', { name: 'Ada', id: 'not this' })
  await yjs.until(() => seen(yjs, 'ada') !== undefined, 'Ada')
  const entry = seen(yjs, 'ada')
  expect(entry?.state).toEqual({ user: { name: 'Ada', id: 'ada' } })
  const late = await showing(url, { id: 'late' })
  await late.until(() => seen(late, 'ada') !== undefined, 'Ada')
  await a.cut()
  await yjs.until(() => yjs.presenceOf(entry?.client ?? 0) === null, 'that Ada left')
})

test('what a member tells of itself may be anything', async () => {
  const { url } = await start()
  const yjs = await showing(url, { id: 'yara' })
  await joined(url, 'text', 'words')
  await joined(url, '__proto__', [1])
  await joined(url, 'nothing')
  await yjs.until(() => seen(yjs, 'nothing') !== undefined, 'all three')
  expect(seen(yjs, 'text')?.state).toEqual({ user: { id: 'text', info: 'words' } })
  expect(seen(yjs, '__proto__')?.state).toEqual({ user: { id: '__proto__', info: [1] } })
  const last = await PusherClient.connect(url)
  const { presence } = await last.subscribe(ROOM, member('last', { a: null }))
  expect(presence?.ids).toEqual(['yara', 'text', '__proto__', 'nothing', 'last'])
  expect(Object.entries(presence?.hash ?? {})).toEqual([
    ['yara', null],
    ['text', 'words'],
    ['__proto__', [1]],
    ['nothing', null],
    ['last', { a: null }],
  ])
})

test('a Yjs client is a member, once with its Pusher connections of the same id', async () => {
  const { url } = await start()
  const a = await joined(url, 'ada')
  const yjs = await showing(url, { id: 'yara', name: 'Yara' })
  expect((await a.find('pusher_internal:member_added')).data).toEqual({
    user_id: 'yara',
    user_info: { name: 'Yara' },
  })
  const tab = await joined(url, 'yara')
  await yjs.close()
  await tab.settled()
  await a.settled()
  expect(news(a)).toEqual(['+yara'])
  await tab.close(1000)
  await a.find('pusher_internal:member_removed')
  expect(news(a)).toEqual(['+yara', '-yara'])
})

test('people are not told of in channels that are no presence channels', async () => {
  const { url } = await start()
  const client = await PusherClient.connect(url)
  await client.subscribe('news')
  const yjs = await WireClient.join(`${url}/news`)
  const state = JSON.stringify({ user: { id: 'yara' } })
  yjs.send(encodeAwarenessFrame({ client: yjs.doc.clientID, clock: 1, state }))
  await yjs.synced()
  await client.settled()
  expect(client.names('news')).toEqual(['pusher_internal:subscription_succeeded'])
})

test('a member is shown again when its room can be had again, and no more after it left', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  const shown: unknown[] = []
  let isClosed = true
  let close = (): void => undefined
  const rooms = {
    open: () => {
      if (isClosed) throw new TuttiError('STORAGE_FAILED', 'The room can not be read.')
      return {
        host: (state: object, closed: () => void) => {
          shown.push(state)
          close = closed
          return () => shown.push('hidden')
        },
      }
    },
  }
  const ignore = (): void => undefined
  const log = { debug: ignore, info: ignore, warn: ignore, error: ignore }
  const hide = showInAwareness(rooms, ROOM, { id: 'ada', info: null }, log)
  await vi.advanceTimersByTimeAsync(20_000)
  isClosed = false
  await vi.advanceTimersByTimeAsync(5000)
  close()
  await vi.advanceTimersByTimeAsync(5000)
  expect(shown).toEqual([{ user: { id: 'ada' } }, { user: { id: 'ada' } }])
  hide()
  expect(shown.at(-1)).toBe('hidden')
  close()
  await vi.advanceTimersByTimeAsync(5000)
  expect(shown).toHaveLength(3)
})

test('nobody takes over a member’s client id, by whatever frame', async () => {
  const { url } = await start()
  const yjs = await showing(url, { id: 'yara' })
  await joined(url, 'ada')
  await yjs.until(() => seen(yjs, 'ada') !== undefined, 'Ada')
  const id = seen(yjs, 'ada')?.client ?? 0
  const mallory = await WireClient.join(`${url}/${ROOM}`)
  mallory.send(encodeAwarenessFrame({ client: id, clock: 50, state: '{"user":{"id":"eve"}}' }))
  yjs.send(encodeAwarenessFrame({ client: id, clock: 51, state: 'null' }))
  await mallory.synced()
  await mallory.roundTrip()
  await yjs.roundTrip()
  expect(yjs.presenceOf(id)).toEqual({ user: { id: 'ada' } })
  expect(mallory.presenceOf(id)).toEqual({ user: { id: 'ada' } })
})

test('a member’s entry is renewed while Yjs clients are there, which drop what is not', async () => {
  vi.useFakeTimers({ toFake: ['Date', 'setInterval', 'clearInterval'] })
  const { url } = await start()
  const yjs = await showing(url, { id: 'yara' })
  await joined(url, 'ada')
  await yjs.until(() => seen(yjs, 'ada') !== undefined, 'Ada')
  await vi.advanceTimersByTimeAsync(1000)
  await yjs.roundTrip()
  const before = seen(yjs, 'ada')
  for (let renewal = 1; renewal <= 2; renewal++) {
    await vi.advanceTimersByTimeAsync(14_000)
    await yjs.roundTrip()
    await vi.advanceTimersByTimeAsync(1000)
    await yjs.until(() => (seen(yjs, 'ada')?.clock ?? 0) > (before?.clock ?? 0) + renewal - 1, 'the renewal')
    expect(seen(yjs, 'ada')).toEqual({ ...before, clock: (before?.clock ?? 0) + renewal })
  }
})

test('a room is kept while a member is there, and unloaded when the last one left', async () => {
  const unloaded: string[] = []
  const { url, server } = await start({
    roomIdleSeconds: 0,
    hooks: {
      roomUnloaded: ({ room }) => {
        unloaded.push(room)
      },
    },
  })
  const a = await joined(url, 'ada')
  // Used and left by someone else.
  await server.room(ROOM).edit((doc) => doc.getMap('').set('a', 1))
  // Loaded later than the member's room, and looked at by the same sweep.
  await server.room('other').edit((doc) => doc.getMap('').set('a', 1))
  await until('the other room to go', () => unloaded.includes('other'))
  expect(unloaded).toEqual(['other'])
  await a.close(1000)
  await until('the room to go', () => unloaded.includes(ROOM))
})

test.each([
  ['no channel data', undefined, /channel_data is missing/],
  ['no JSON', 'nonsense', /channel_data is not JSON/],
  ['no object', '[]', /no JSON object/],
  ['no user id', '{}', /user_id is missing/],
  ['an empty user id', '{"user_id":""}', /user_id is empty/],
  ['a user id of another type', '{"user_id":{}}', /of type object; expected text/],
  ['a user id that is too long', `{"user_id":"${'x'.repeat(129)}"}`, /129 characters; at most 128/],
  ['too much about the user', `{"user_id":"1","user_info":"${'x'.repeat(1023)}"}`, /1025 bytes; at most 1024/],
])('%s is refused with a subscription error', async (_title, text, message) => {
  const { signed } = await import('./pusherClient.ts')
  const { url } = await start()
  const client = await PusherClient.connect(url)
  const auth = signed(`${client.id}:${ROOM}${text === undefined ? '' : `:${text}`}`)
  client.send('pusher:subscribe', { channel: ROOM, auth, channel_data: text })
  const refusal = await client.find('pusher:subscription_error', ROOM)
  expect(refusal.data).toEqual({ type: 'InvalidData', error: expect.stringMatching(message), status: 422 })
})

test('the members of a channel are limited, the connections of a member are not', async () => {
  const { url } = await start({ apps: [{ ...APP, limits: { maxPresenceMembers: 2 } }] })
  const a = await joined(url, 'ada')
  const b = await joined(url, 'bob')
  await joined(url, 'bob')
  const c = await PusherClient.connect(url)
  c.subscribing(ROOM, member('cleo'))
  expect((await c.find('pusher:subscription_error')).data).toMatchObject({ type: 'LimitReached', status: 429 })
  await a.close(1000)
  await b.find('pusher_internal:member_removed')
  await c.subscribe(ROOM, member('cleo'))
})

test('the channel closes for Yjs clients without a signature where the server is not open', async () => {
  const { url } = await startServer({ apps: [APP] })
  await joined(url, 'ada')
  const { WebSocket } = await import('ws')
  const socket = new WebSocket(`${url}/${ROOM}`)
  const code = await new Promise((resolve) => {
    socket.once('close', resolve)
  })
  expect(code).toBe(4403)
})
