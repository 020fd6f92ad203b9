/** Door 2: `ws://host/app/<key>`, the Pusher Channels protocol. One door for each app. */
import type { TuttiError } from '../../lib/errors.ts'
import type { App, AppNews, Apps } from '../apps.ts'
import type { Connection, Door, Handshake, Logger, Publisher, Socket } from '../contracts.ts'
import { PUSHER_CLOSE } from '../protocol/closeCode.ts'
import { kindOf } from '../protocol/pusherName.ts'
import { callerOf } from '../room/caller.ts'
import type { Audience, ChannelObserver } from '../room/channel.ts'
import type { Channels } from '../room/channels.ts'
import { enter, refusalOf } from '../room/entrance.ts'
import type { HookedConnections } from '../room/hookedConnections.ts'
import type { JoinLimits } from '../room/joinRate.ts'
import { createAudience, textOf } from './audience.ts'
import type { HostingRooms } from './awarenessEntry.ts'
import { EventCache } from './cache.ts'
import { PusherConnection, type PusherConnectionParts } from './connection.ts'
import type { PusherDoor } from './contracts.ts'
import { appProblem, type HandshakeProblem, keyOf, pathProblem, protocolProblem, tellsProtocol } from './handshake.ts'
import { Recoveries } from './recoveries.ts'
import { closeCodeOf } from './refusal.ts'
import { createSubscriptionCountNews } from './subscriptionCountNews.ts'
import { Users, userRoomOf } from './users.ts'

export interface PusherDoorParts {
  readonly apps: Pick<Apps, 'all' | 'byKey'>
  readonly channels: Pick<Channels, 'open' | 'find' | 'trigger' | 'observe'>
  readonly rooms: HostingRooms
  readonly publisher: Publisher
  readonly log: Logger
  readonly limits: JoinLimits & {
    readonly maxMessageBytes: number
    readonly maxBackpressureBytes: number
    readonly leaveGraceSeconds: number
    readonly eventHistorySeconds: number
  }
  /** `undefined`: the server has no hooks. */
  readonly hooked?: HookedConnections | undefined
}

/** A client's message beside the data of an event: names, signatures, what is told of a user. */
const FRAME_EXTRA_BYTES = 64 * 1024
/** Bytes that one byte of text may take in JSON: `\\u001f`. */
const MAX_JSON_BYTES = 6

const nothing = (): void => undefined

/** A connection that is being refused. */
const REFUSED: Connection = { receive: nothing, missed: nothing, drained: nothing, ponged: nothing, left: nothing }

/** Not in this turn: the caller may be inside a callback of the very socket. */
const closeSoon = (socket: Socket, { code, reason }: HandshakeProblem): Connection => {
  setImmediate(() => socket.close(code, reason))
  return REFUSED
}

interface AppParts {
  readonly app: App
  readonly audience: Audience
  readonly users: Users
  readonly door: Door
}

export const createPusherDoor = (parts: PusherDoorParts): PusherDoor => {
  const { apps, channels, rooms, publisher, log, limits, hooked } = parts
  const cache = new EventCache()
  const news = new Set<AppNews>()

  const refuse = (socket: Socket, error: TuttiError): void => {
    closeSoon(socket, { code: closeCodeOf(error), reason: error.message })
  }
  const goingAway = { code: PUSHER_CLOSE.goingAway, reason: 'The server is stopping.' }

  /** @param connections of the app, by the id of their socket */
  const doorOf = (
    connectionParts: Omit<PusherConnectionParts, 'closed'>,
    connections: Map<string, PusherConnection>,
  ): Door => {
    const { app } = connectionParts
    const closed = ({ socket }: PusherConnection): void => {
      connections.delete(socket.id)
    }
    const allParts: PusherConnectionParts = { ...connectionParts, closed }

    const open = (socket: Socket, handshake: Handshake): Connection => {
      const problem = protocolProblem(handshake.query) ?? appProblem(app, connections.size)
      if (problem) return closeSoon(socket, problem)
      const hooks = hooked?.open(callerOf('pusher', handshake, socket))
      return enter({
        hooked,
        hooks,
        maxBytes: connectionParts.limits.maxFrameBytes,
        ask: () => hooks?.connect(),
        open: () => {
          // Others may have come while a hook was being asked.
          const late = appProblem(app, connections.size)
          if (late) return closeSoon(socket, late)
          const connection = new PusherConnection(allParts, socket, hooks)
          connections.set(socket.id, connection)
          return connection
        },
        refuse: (error) => refuse(socket, refusalOf(error, log)),
      })
    }
    return { open, refuse, goingAway }
  }

  const createApp = (app: App): AppParts => {
    // Of this app alone: what an event of another app's room excludes is never looked for among its connections.
    const connections = new Map<string, PusherConnection>()
    const recoveries = new Recoveries(limits.eventHistorySeconds * 1000, (socketId, room) =>
      connections.get(socketId)?.legacyIn(room),
    )
    const audience = createAudience({
      prefix: app.prefix,
      excepted: (socketId, room, offset) => connections.get(socketId)?.excepted(room, offset),
    })
    const users = new Users({ app, publisher, graceMs: limits.leaveGraceSeconds * 1000 })
    const maxFrameBytes = Math.min(
      limits.maxMessageBytes,
      app.limits.maxEventBytes * MAX_JSON_BYTES + FRAME_EXTRA_BYTES,
    )
    const connectionParts = {
      app,
      audience,
      users,
      channels,
      rooms,
      cache,
      recoveries,
      log,
      limits: { ...limits, maxFrameBytes },
      cacheMissed: (channel: string): void => {
        for (const observing of news) observing.cacheMiss?.(app, channel)
      },
    }
    const door = doorOf(connectionParts, connections)
    return { app, audience, users, door }
  }

  const byApp = new Map(apps.all.map((app) => [app, createApp(app)]))
  const partsOf = (app: App): AppParts => {
    const found = byApp.get(app)
    if (!found) throw new Error('an app of another server')
    return found
  }

  /** Those who told a protocol but no key of an app: what they want is clear, and what is wrong can be said. */
  const strangers: Door = {
    open: (socket, { path }) => closeSoon(socket, pathProblem(keyOf(path) ?? '')),
    refuse,
    goingAway,
  }

  const counting = [...byApp.values()].filter(({ app }) => app.subscriptionCount)
  const counts = createSubscriptionCountNews(counting)

  const observer: ChannelObserver = {
    published: ({ name: room }, event) => {
      if (event.from === 'server') {
        if (room.includes('cache-') && apps.all.some((app) => isCache(app, room))) cache.put(room, event)
        return
      }
      if (news.size === 0 || !event.event.startsWith('client-')) return
      for (const app of apps.all) {
        if (!room.startsWith(app.prefix)) continue
        const channel = room.slice(app.prefix.length)
        const { isPrivate, isPresence } = kindOf(channel)
        if (!isPrivate) continue
        const userId = isPresence ? event.userId : undefined
        for (const observing of news) {
          observing.clientEvent?.(app, channel, event.event, textOf(event.body), event.except ?? '', userId)
        }
      }
    },
    ...(counting.length > 0 ? { counted: counts.changed } : {}),
  }
  const endObserving = apps.all.length > 0 ? channels.observe(observer) : nothing

  return {
    door: (path, query) => {
      if (apps.all.length === 0) return undefined
      const key = keyOf(path)
      if (key === undefined) return undefined
      const app = apps.byKey(key)
      if (app) return partsOf(app).door
      return tellsProtocol(query) ? strangers : undefined
    },
    users: {
      idsOf: (app) => partsOf(app).users.ids(),
      terminate: (app, userId) =>
        partsOf(app).users.terminate(
          userId,
          PUSHER_CLOSE.unauthorised,
          'The application ended the connections of this user.',
        ),
      sendToUser: (app, userId, { event, body, caller }) =>
        channels.trigger(userRoomOf(app, userId), { event, body, from: 'server', caller }),
    },
    cacheOf: (app, channel) => {
      const cached = cache.get(`${app.prefix}${channel}`)
      return cached && { data: textOf(cached.event.body), ttl: Math.ceil(cached.ttlMs / 1000) }
    },
    subscriptionCount: (app, channel) => channels.find(`${app.prefix}${channel}`)?.subscribers ?? 0,
    observe: (observing) => {
      news.add(observing)
      return () => {
        news.delete(observing)
      }
    },
    close: () => {
      endObserving()
      counts.stop()
      for (const { users } of byApp.values()) users.close()
    },
  }
}

const isCache = ({ prefix }: App, room: string): boolean =>
  room.startsWith(prefix) && kindOf(room.slice(prefix.length)).isCache
