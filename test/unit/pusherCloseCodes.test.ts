/** Every code that the Pusher door ends or refuses with, and what an unmodified pusher-js does on it. */
import { describe, expect, test } from 'vitest'
import type { AppOptions } from '../../server/appOptions.ts'
import { APP_LIMITS } from '../../server/apps.ts'
import type { CreateServerOptions } from '../../server/index.ts'
import { PUSHER_CLOSE, PUSHER_ERROR } from '../../server/protocol/closeCode.ts'
import { until } from '../e2e/until.ts'
import { APP, PusherClient } from './pusherClient.ts'
import { sdkOf, sendSigned } from './pusherHttpClient.ts'
import { connectPusher, type Pusher, subscribed } from './pusherJs.ts'
import { recorded } from './pusherRecorder.ts'
import { startServer } from './testServer.ts'

interface Setting {
  readonly app?: Partial<AppOptions>
  readonly options?: CreateServerOptions
  readonly key?: string
  /** pusher-js can't be told to: what it asks for is changed on the way. */
  readonly protocol?: string
}

type Permanent = Exclude<keyof typeof PUSHER_CLOSE, 'overCapacity' | 'goingAway'>

/** How each code that keeps a client away comes about. */
const PERMANENT: Readonly<Record<Permanent, Setting>> = {
  noApp: { key: 'unknown' },
  disabled: { app: { enabled: false } },
  overQuota: { app: { limits: { maxConnections: 0 } } },
  path: { key: `${APP.key}/more` },
  version: { protocol: 'protocol=x' },
  unsupportedProtocol: { protocol: 'protocol=8' },
  noProtocol: { protocol: 'protocol=' },
  unauthorised: {
    options: {
      hooks: {
        connect: () => {
          throw new Error('nobody')
        },
      },
    },
  },
}

interface Told {
  /** Of a `pusher:error`. */
  readonly data?: { readonly code: number | null }
  /** Of a close. */
  readonly error?: Pick<Told, 'data'>
}

/** The codes that an application hears of, in order. */
const codesOf = ({ connection }: Pusher): unknown[] => {
  const codes: unknown[] = []
  connection.bind('error', ({ data, error }: Told) => codes.push((error?.data ?? data)?.code))
  return codes
}

/** A pusher-js that meets such a server: what its application hears, and how often it tried. */
const meet = async ({ app = {}, options = {}, key = APP.key, protocol }: Setting) => {
  const { server, url } = await startServer({ apps: [{ ...APP, ...app }], ...options })
  const proxy = await recorded(url, (path) => (protocol ? path.replace('protocol=7', protocol) : path))
  const client = connectPusher(key, proxy.port, sdkOf(server, APP), { id: 'ada' })
  return { server, proxy, client, codes: codesOf(client) }
}

describe('pusher-js', () => {
  test('makes one attempt on codes 4001 to 4009, and keeps trying on 4100 and 1001', async () => {
    const refused = new Map<Permanent, Awaited<ReturnType<typeof meet>>>()
    for (const [name, setting] of Object.entries(PERMANENT)) refused.set(name as Permanent, await meet(setting))
    for (const [name, { client, codes }] of refused) {
      await until(`${name}: ${client.connection.state} ${codes}`, () => client.connection.state === 'disconnected')
    }

    const stopping = await meet({})
    await until('a connection', () => stopping.client.connection.state === 'connected')
    await stopping.server.close()

    const full = await meet({ options: { maxConnections: 1 } })
    await until('a connection', () => full.client.connection.state === 'connected')
    const late = connectPusher(APP.key, full.proxy.port, sdkOf(full.server, APP), { id: 'bob' })
    const lateCodes = codesOf(late)
    // Each a second after the last: the others had the time for as many.
    await until('two more attempts', () => lateCodes.length >= 3 && stopping.proxy.connections() >= 2)

    expect(new Set(lateCodes)).toEqual(new Set([PUSHER_CLOSE.overCapacity]))
    const seen = [...refused].map(([name, { codes, proxy }]) => [name, codes, proxy.connections()])
    expect(seen).toEqual(Object.keys(PERMANENT).map((name) => [name, [PUSHER_CLOSE[name as Permanent]], 1]))
  })

  test('is told of each error that ends nothing, and goes on', async () => {
    const { client, codes, server } = await meet({
      app: { watchlist: true, limits: { maxClientEventsPerSecond: 1, maxWatchlist: 1 } },
    })
    await subscribed(client, 'private-a')
    client.send_event('client-x', {}, 'private-b')
    await until('that its channel is not subscribed', () => codes.length === 1)
    for (let i = 0; i < 3; i++) client.send_event('client-x', {}, 'private-a')
    await until('that there were too many', () => codes.length >= 2)
    codes.splice(2)
    client.send_event('pusher:signin', { auth: 'none', user_data: '{"id":"ada"}' })
    await until('that the signature is wrong', () => codes.length === 3)

    const watching = connectPusher(APP.key, server.address.port, sdkOf(server, APP), {
      id: 'ada',
      watchlist: ['bob', 'cy'],
    })
    const watchCodes = codesOf(watching)
    watching.signin()
    await until('that the watchlist is too long', () => watchCodes.length === 1)
    expect([...codes, ...watchCodes]).toEqual([
      null,
      PUSHER_ERROR.clientEventRate,
      PUSHER_CLOSE.unauthorised,
      PUSHER_ERROR.watchlist,
    ])
    expect([client.connection.state, watching.connection.state]).toEqual(['connected', 'connected'])
  })
})

describe('an app', () => {
  test('that is disabled tells clients and back ends so, whatever else is right', async () => {
    const { server, url } = await startServer({ apps: [{ ...APP, enabled: false }] })
    const client = new PusherClient(`${url}/app/${APP.key}?protocol=7`)
    await until('the close', () => client.closed !== undefined)
    expect(client.closed).toEqual({ code: 4003, reason: 'The app is disabled.' })
    for (const [path, method] of [
      ['/apps/1/events', 'POST'],
      ['/apps/1/channels', 'GET'],
      ['/apps/1/nothing', 'GET'],
    ] as const) {
      const { status, text, headers } = await sendSigned(server, APP, { path, method })
      expect([path, status, text]).toEqual([path, 403, 'The app is disabled; its option enabled is false.\n'])
      expect(headers.get('content-type')).toMatch(/^text\/plain/)
    }
    const stranger = await sendSigned(server, APP, { path: '/apps/1/channels', method: 'GET', secret: 'wrong' })
    expect(stranger.status).toBe(401)
    await expect(sdkOf(server, APP).trigger('a', 'x', 1)).rejects.toMatchObject({ status: 403 })
    // Its rooms are nobody's: not open to others, nor to whoever shows its secret.
    const read = (headers: HeadersInit) => fetch(`${server.url}/rooms/private-a/events`, { headers })
    expect((await read({})).status).toBe(403)
    expect((await read({ authorization: `Bearer ${APP.secret}` })).status).toBe(403)
  })

  test('has as many connections as its limit; one that ends makes room, and other apps are not counted', async () => {
    const other = { id: '2', key: 'other', secret: 's' }
    const { url } = await startServer({ apps: [{ ...APP, limits: { maxConnections: 2 } }, other] })
    const first = await PusherClient.connect(url)
    await PusherClient.connect(url)
    const third = new PusherClient(`${url}/app/${APP.key}?protocol=7`)
    await until('the close', () => third.closed !== undefined)
    expect(third.closed).toEqual({ code: 4004, reason: 'The app has its 2 connections.' })
    await new PusherClient(`${url}/app/${other.key}?protocol=7`).find('pusher:connection_established')
    await first.close()
    await PusherClient.connect(url)
    expect(APP_LIMITS.maxConnections).toBe(1_000_000_000)
  })

  test('keeps to its limit while a hook is asked about several connections at a time', async () => {
    let letIn = (): void => undefined
    const asked: string[] = []
    const gate = new Promise<void>((resolve) => {
      letIn = resolve
    })
    const { url } = await startServer({
      apps: [{ ...APP, limits: { maxConnections: 1 } }],
      hooks: {
        connect: ({ caller: { path } }) => {
          asked.push(path)
          return gate
        },
      },
    })
    const clients = [1, 2, 3].map(() => new PusherClient(`${url}/app/${APP.key}?protocol=7`))
    await until('three questions', () => asked.length === 3)
    letIn()
    await until('two closes', () => clients.filter(({ closed }) => closed).length === 2)
    expect(clients.map(({ closed }) => closed?.code).sort()).toEqual([4004, 4004, undefined])
  })
})
