/**
 * Holds every frame that the Pusher door sends in a test to what known clients need. A test's own clients and the proxy
 * for unmodified ones (`recorded`) report here; what was wrong fails the test after it.
 */
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { afterEach, expect } from 'vitest'
import { type RawData, WebSocket, WebSocketServer } from 'ws'

const problems: string[] = []
const socketIds = new Set<string>()
const closing: (() => unknown)[] = []

type Fields = Record<string, unknown>

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0
const isTexts = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((item) => typeof item === 'string')

/** What one client knows of a channel. */
interface Known {
  /** On presence channels. */
  members: Set<string>
  /** The next event is the cached one. */
  awaitsCached: boolean
}

/** The rules for one connection, which sees what both sides send. */
export class PusherRules {
  readonly #name: string
  readonly #channels = new Map<string, Known>()
  #frames = 0
  #signins = 0
  #openedAt = performance.now()

  constructor(name = 'a connection') {
    this.#name = name
  }

  fromClient(text: string): void {
    // What a client sends may be anything.
    let message: unknown
    try {
      message = JSON.parse(text)
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error
      return
    }
    if (!isFields(message)) return
    if (message.event === 'pusher:signin') this.#signins++
    const { data } = message
    // The others of the channel may still be told, until it is handled: nothing is expected of the list any more.
    if (message.event === 'pusher:unsubscribe' && isFields(data)) this.#left.add(String(data.channel))
    if (message.event === 'pusher:subscribe' && isFields(data)) this.#left.delete(String(data.channel))
  }

  readonly #left = new Set<string>()

  fromServer(bytes: RawData, isBinary: boolean): void {
    const text = String(bytes)
    const fail = (problem: string): void => {
      problems.push(`${this.#name}: ${problem}: ${text.slice(0, 300)}`)
    }
    if (isBinary) fail('a binary frame, which browsers do not take')
    let frame: unknown
    try {
      frame = JSON.parse(text)
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error
      fail('no JSON')
      return
    }
    if (!isFields(frame) || typeof frame.event !== 'string') {
      fail('no string event: kills a Node client')
      return
    }
    const { event, channel, data, user_id: userId, ...rest } = frame
    if (Object.keys(rest).length > 0) fail('fields that are dropped before any listener')
    if (data === undefined) fail('no data, which Java reads unguarded')
    this.#frames++
    if ((this.#frames === 1) !== (event === 'pusher:connection_established')) {
      fail('connection_established must come first and once')
    }
    if (userId !== undefined) {
      const isRight = typeof userId === 'string' && userId !== '' && /^presence-/.test(String(channel))
      if (!isRight || /^pusher/.test(event)) fail('user_id is for events in presence channels')
    }
    if (event === 'pusher:error') {
      if (!isFields(data) || typeof data.message !== 'string') fail('data of pusher:error is an object with a message')
      else if (data.code !== null && ![4009, 4301, 4302].includes(data.code as number)) fail('an unknown code')
      return
    }
    if (typeof data !== 'string') {
      fail('data is no string')
      return
    }
    if (channel !== undefined && typeof channel !== 'string') fail('channel is no string')
    if (/^pusher(_internal)?:/.test(event)) this.#protocolFrame(event, channel as string | undefined, data, fail)
    else this.#applicationFrame(channel, fail)
  }

  closed(code: number): void {
    if (code >= 4200)
      problems.push(`${this.#name}: closed with ${code}, after ${performance.now() - this.#openedAt} ms`)
  }

  #applicationFrame(channel: unknown, fail: (problem: string) => void): void {
    const known = this.#channels.get(String(channel))
    if (!known) fail('an event of a channel that is not subscribed')
    else known.awaitsCached = false
  }

  #protocolFrame(event: string, channel: string | undefined, data: string, fail: (problem: string) => void): void {
    const value: unknown = JSON.parse(data)
    if (!isFields(value)) {
      fail('data of a frame of the protocol is no object')
      return
    }
    const known = channel === undefined ? undefined : this.#channels.get(channel)
    if (known?.awaitsCached) fail('the cached event must be next')
    switch (event) {
      case 'pusher:connection_established': {
        const { socket_id: id, activity_timeout: timeout } = value
        if (typeof id !== 'string' || !/^\d+\.\d+$/.test(id)) fail('socket_id that server SDKs refuse')
        else if (socketIds.has(id)) fail('socket_id that was used before')
        else socketIds.add(id)
        if (!isCount(timeout) || timeout === 0) fail('activity_timeout: the client closes and never comes back')
        return
      }
      case 'pusher:pong':
        if (data !== '{}') fail('a pong with data')
        return
      case 'pusher:ping':
        return
      case 'pusher_internal:subscription_succeeded':
        this.#succeeded(channel, value, fail)
        return
      case 'pusher:subscription_error':
        if (channel === undefined) fail('no channel')
        if (typeof value.type !== 'string' || typeof value.error !== 'string' || !isCount(value.status)) {
          fail('a subscription error has type, error and status')
        }
        return
      case 'pusher_internal:member_added':
      case 'pusher_internal:member_removed': {
        const { user_id: id } = value
        if (typeof id !== 'string' || id === '') fail('a member without an id')
        if (channel !== undefined && this.#left.has(channel)) return
        if (!known || !channel?.startsWith('presence-')) {
          fail('members of a channel that is not subscribed')
          return
        }
        if (event.endsWith('added')) {
          if (!('user_info' in value)) fail('a member without user_info')
          if (known.members.has(String(id))) fail('a member that is there was added')
          known.members.add(String(id))
        } else if (!known.members.delete(String(id))) fail('a member that is not there was removed')
        return
      }
      case 'pusher_internal:subscription_count':
        if (!isCount(value.subscription_count)) fail('no count')
        if (channel?.startsWith('presence-') !== false) fail('presence channels have members, not counts')
        return
      case 'pusher:cache_miss':
        if (data !== '{}' || !/^(private-|private-encrypted-|presence-)?cache-/.test(channel ?? '')) fail('cache_miss')
        return
      case 'pusher:signin_success':
        if (this.#signins-- <= 0) fail('a signin_success that was not asked for throws in pusher-js')
        if (typeof value.user_data !== 'string') fail('user_data is no string: pusher-js stays signed out')
        return
      case 'pusher_internal:watchlist_events': {
        const { events } = value
        const isRight = (item: unknown): boolean =>
          isFields(item) && (item.name === 'online' || item.name === 'offline') && isTexts(item.user_ids)
        if (!Array.isArray(events) || !events.every(isRight)) fail('watchlist events')
        return
      }
      default:
        fail('an event that no client knows')
    }
  }

  #succeeded(channel: string | undefined, value: Fields, fail: (problem: string) => void): void {
    if (channel === undefined) {
      fail('no channel')
      return
    }
    const { presence, recovery } = value
    let members: string[] = []
    if (channel.startsWith('presence-')) {
      if (!isFields(presence) || !isTexts(presence.ids) || !isFields(presence.hash)) {
        fail('presence lacks ids or hash: an uncaught exception in pusher-js')
        return
      }
      members = presence.ids
      if (presence.count !== members.length) fail('presence.count: NaN in pusher-js')
      if (new Set(members).size !== members.length) fail('a member twice')
      const hashed = Object.keys(presence.hash)
      if (hashed.length !== members.length || !members.every((id) => hashed.includes(id))) fail('ids and hash differ')
    } else if (presence !== undefined) fail('presence of a channel without members')
    let awaitsCached = false
    if (recovery !== undefined) {
      const isRight =
        isFields(recovery) &&
        typeof recovery.epoch === 'string' &&
        recovery.epoch !== '' &&
        isCount(recovery.offset) &&
        typeof recovery.recovered === 'boolean' &&
        (recovery.cached === undefined || recovery.cached === true)
      if (!isRight) fail('recovery')
      awaitsCached = isFields(recovery) && recovery.cached === true
    } else if (!channel.startsWith('#')) fail('no recovery')
    this.#channels.set(channel, { members: new Set(members), awaitsCached })
  }
}

/** A WebSocket address that passes everything on to the server's and back, for clients that can't be looked into. */
/** @param rewrite of the path and query that a client asks for */
export const recorded = async (
  url: string,
  rewrite = (target: string): string => target,
): Promise<{ port: number; cut(): void; connections(): number }> => {
  const proxy = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  await once(proxy, 'listening')
  const clients = new Set<WebSocket>()
  let count = 0
  proxy.on('connection', (client, request) => {
    count++
    clients.add(client)
    const rules = new PusherRules(request.url)
    const server = new WebSocket(`${url}${rewrite(request.url ?? '/')}`)
    const waiting: [RawData, boolean][] = []
    client.on('message', (bytes, isBinary) => {
      if (!isBinary) rules.fromClient(String(bytes))
      if (server.readyState === WebSocket.OPEN) server.send(bytes, { binary: isBinary })
      else waiting.push([bytes, isBinary])
    })
    server.on('open', () => {
      for (const [bytes, binary] of waiting) server.send(bytes, { binary })
    })
    server.on('message', (bytes, isBinary) => {
      rules.fromServer(bytes, isBinary)
      client.send(bytes, { binary: isBinary })
    })
    const pass = (to: WebSocket, code: number, reason: Buffer): void => {
      if (code === 1005) to.close()
      else if (code === 1006) to.terminate()
      else to.close(code, reason)
    }
    server.on('close', (code, reason) => {
      rules.closed(code)
      pass(client, code, reason)
    })
    client.on('close', (code, reason) => {
      clients.delete(client)
      pass(server, code, reason)
    })
    server.on('error', () => client.terminate())
    client.on('error', () => server.terminate())
  })
  const cut = (): void => {
    for (const client of clients) client.terminate()
  }
  closing.push(() => {
    cut()
    proxy.close()
  })
  return { port: (proxy.address() as AddressInfo).port, cut, connections: () => count }
}

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
  expect(problems.splice(0)).toEqual([])
})
