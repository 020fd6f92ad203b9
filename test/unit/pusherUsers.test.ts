/** Users who are signed in: their own channel, who watches them, the end of their connections. */
import { expect, test } from 'vitest'
import type { CreateServerOptions, Server } from '../../server/index.ts'
import { userRoomOf } from '../../server/pusher/users.ts'
import { until } from '../e2e/until.ts'
import { APP, PusherClient, signed } from './pusherClient.ts'
import { sendSigned } from './pusherHttpClient.ts'
import { startServer } from './testServer.ts'

const start = (options: CreateServerOptions = {}) => startServer({ apps: [APP], ...options })

const signedIn = async (url: string, user: object): Promise<PusherClient> => {
  const client = await PusherClient.connect(url)
  client.signIn(user)
  await client.find('pusher:signin_success')
  return client
}

/** A signed request to the HTTP API, by which applications reach the users. */
const post = async (server: Server, path: string, body: object): Promise<number> =>
  (await sendSigned(server, APP, { path, body: JSON.stringify(body) })).status

test('user_data comes back as the same text', async () => {
  const { url } = await start()
  const client = await PusherClient.connect(url)
  const text = '{ "id" : "u1", "user_info": {"name":"Ünal"} }'
  client.send('pusher:signin', { auth: signed(`${client.id}::user::${text}`), user_data: text })
  expect((await client.find('pusher:signin_success')).data).toEqual({ user_data: text })
  client.send('pusher:signin', { auth: signed(`${client.id}::user::${text}`), user_data: text })
  await client.settled()
  expect(client.frames.filter(({ event }) => event === 'pusher:signin_success')).toHaveLength(2)
})

test.each([
  ['a wrong signature', '{"id":"u1"}', 'key:00', /signature is not valid/],
  ['no JSON', 'nonsense', undefined, /user_data is not JSON/],
  ['no id', '{}', undefined, /id of user_data is missing/],
  ['an empty id', '{"id":""}', undefined, /is empty/],
  ['an id that is a number', '{"id":5}', undefined, /of type number; expected text/],
  ['an id that is too long', `{"id":"${'x'.repeat(129)}"}`, undefined, /at most 128/],
])('a sign-in with %s fails with 4009, and the connection stays', async (_title, text, auth, message) => {
  const { url } = await start()
  const client = await PusherClient.connect(url)
  client.send('pusher:signin', { auth: auth ?? signed(`${client.id}::user::${text}`), user_data: text })
  const refused = await client.find('pusher:error')
  expect(refused.data).toEqual({ code: 4009, message: expect.stringMatching(message) })
  await client.subscribe('news')
})

test('nobody becomes another user on the same connection', async () => {
  const { url } = await start()
  const client = await signedIn(url, { id: 'u1' })
  client.signIn({ id: 'u2' })
  expect((await client.find('pusher:error')).data).toEqual({
    code: 4009,
    message: 'Another user is signed in on this connection. Connect anew to sign in as someone else.',
  })
})

test.each(['u1', 'user 1/..//x', 'ü'.repeat(128), 'a:b#c'])(
  'what is sent to user %s reaches their connections alone',
  async (id) => {
    const { url, server } = await start()
    const channel = `#server-to-user-${id}`
    const a = await signedIn(url, { id })
    const b = await signedIn(url, { id })
    const other = await signedIn(url, { id: 'another' })
    for (const client of [a, b]) {
      client.send('pusher:subscribe', { auth: '', channel })
      expect((await client.find('pusher_internal:subscription_succeeded', channel)).data).toEqual({})
    }
    other.send('pusher:subscribe', { auth: '', channel })
    expect((await other.find('pusher:subscription_error', channel)).data).toMatchObject({ type: 'AuthError' })
    await server.room(userRoomOf({ prefix: '' }, id)).trigger('hello', { to: id })
    for (const client of [a, b])
      expect(await client.find('hello')).toEqual({ event: 'hello', channel, data: { to: id } })
    await other.settled()
    expect(other.names()).not.toContain('hello')
  },
)

test('the room of a user’s channel is closed to the other doors', async () => {
  const { url } = await start()
  const { WebSocket } = await import('ws')
  const socket = new WebSocket(`${url}/${encodeURIComponent('#server-to-user-u1')}`)
  const code = await new Promise((resolve) => {
    socket.once('close', resolve)
  })
  expect(code).toBe(4403)
})

test('a signed-in user joins a presence channel without channel data, as who they are', async () => {
  const { url } = await start()
  const client = await signedIn(url, { id: 'u1', user_info: { name: 'Uma' } })
  expect((await client.subscribe('presence-a')).presence).toEqual({
    ids: ['u1'],
    hash: { u1: { name: 'Uma' } },
    count: 1,
  })
})

test('to terminate a user’s connections closes each with 4009, and takes them from their channels at once', async () => {
  const { url, server } = await start({ leaveGraceSeconds: 3600 })
  const a = await signedIn(url, { id: 'u 1' })
  const b = await signedIn(url, { id: 'u 1' })
  const other = await signedIn(url, { id: 'u2' })
  await a.subscribe('presence-a')
  await other.subscribe('presence-a')
  expect(await post(server, `/apps/${APP.id}/users/u 1/terminate_connections`, {})).toBe(200)
  await until('the closes', () => a.closed !== undefined && b.closed !== undefined)
  expect([a.closed?.code, b.closed?.code]).toEqual([4009, 4009])
  await other.find('pusher_internal:member_removed', 'presence-a')
  expect(other.closed).toBeUndefined()
})

test('watched users are told of, at the sign-in and as they come and go, once per user', async () => {
  const { url } = await start({ apps: [{ ...APP, watchlist: true }], leaveGraceSeconds: 1 })
  await signedIn(url, { id: 'here' })
  const watcher = await signedIn(url, { id: 'watcher', watchlist: ['here', 'away', 'away', 5, 'watcher'] })
  expect((await watcher.find('pusher_internal:watchlist_events')).data).toEqual({
    events: [
      { name: 'online', user_ids: ['here', 'watcher'] },
      { name: 'offline', user_ids: ['away'] },
    ],
  })
  const news = (): unknown[] =>
    watcher.frames
      .filter(({ event }) => event === 'pusher_internal:watchlist_events')
      .slice(1)
      .map(({ data }) => (data as { events: unknown[] }).events[0])
  // A second sign-in tells nothing anew.
  watcher.signIn({ id: 'watcher', watchlist: ['here'] })
  await watcher.settled()
  const away = await signedIn(url, { id: 'away' })
  const tab = await signedIn(url, { id: 'away' })
  await away.close(1000)
  await tab.cut()
  const back = await signedIn(url, { id: 'away' })
  await back.cut()
  await until('that they are offline', () => news().length >= 2)
  expect(news()).toEqual([
    { name: 'online', user_ids: ['away'] },
    { name: 'offline', user_ids: ['away'] },
  ])
})

test('a watchlist over its limit is refused with 4302, the sign-in is not', async () => {
  const { url } = await start({ apps: [{ ...APP, watchlist: true, limits: { maxWatchlist: 2 } }] })
  const client = await signedIn(url, { id: 'u1', watchlist: ['a', 'b', 'c'] })
  expect((await client.find('pusher:error')).data).toEqual({
    code: 4302,
    message: 'The watchlist has 3 users; at most 2 are watched. Nobody is watched now: sign in with a shorter list.',
  })
})

test('nobody is watched where the app does not want it', async () => {
  const { url } = await start()
  const client = await signedIn(url, { id: 'u1', watchlist: ['u2'] })
  await signedIn(url, { id: 'u2' })
  await client.settled()
  expect(client.names()).not.toContain('pusher_internal:watchlist_events')
})
