/** One Pusher client: what it asks for, and what it is told. Bad input is answered with the reason; nothing else ends. */
import { TuttiError } from '../../lib/errors.ts'
import type { App } from '../apps.ts'
import type { Connection, Logger, Socket } from '../contracts.ts'
import { hasBroken } from '../protocol/closeCode.ts'
import { checkUserAuth } from '../protocol/pusherAuth.ts'
import {
  type ClientEventRequest,
  connectionEstablishedFrame,
  PONG_FRAME,
  type PusherMember,
  type PusherRequest,
  readPusherMessage,
  type SigninRequest,
  type SubscribeRequest,
  signinSuccessFrame,
} from '../protocol/pusherMessage.ts'
import { kindOf } from '../protocol/pusherName.ts'
import { type PusherUser, readUserData } from '../protocol/pusherUser.ts'
import type { Audience } from '../room/channel.ts'
import type { Channels } from '../room/channels.ts'
import type { ConnectionHooks } from '../room/connectionHooks.ts'
import { TokenBucket } from '../room/tokenBucket.ts'
import { userAudience } from './audience.ts'
import { authorize } from './authorize.ts'
import { type HostingRooms, showInAwareness } from './awarenessEntry.ts'
import type { EventCache } from './cache.ts'
import { checkClientEvent } from './clientEvent.ts'
import type { Recoveries } from './recoveries.ts'
import { CLIENT_EVENT_RATE, CLOSE, refusalFrame, subscriptionRefusal, WATCHLIST_LIMIT } from './refusal.ts'
import { Subscription } from './subscription.ts'
import { type UserConnection, type Users, userRoomOf } from './users.ts'

/** Seconds of silence after which a client pings. What is dead the server finds by itself, with WebSocket pings. */
const ACTIVITY_TIMEOUT_S = 120

/** A client is sent no more of what it missed while this much waits in its socket, or half of what may wait at all. */
const HIGH_WATER_BYTES = 256 * 1024

export interface PusherConnectionParts {
  readonly app: App
  readonly audience: Audience
  readonly users: Users
  readonly channels: Pick<Channels, 'open' | 'trigger'>
  readonly rooms: HostingRooms
  readonly cache: EventCache
  readonly recoveries: Recoveries
  readonly log: Logger
  readonly limits: {
    /** Of a message of a client. */
    readonly maxFrameBytes: number
    readonly maxRoomsPerConnection: number
    readonly maxBackpressureBytes: number
  }
  cacheMissed(channel: string): void
  /** The connection is gone. */
  closed(connection: PusherConnection): void
}

const USER_CHANGED = 'Another user is signed in on this connection.'

export class PusherConnection implements Connection, UserConnection {
  readonly socket: Socket
  readonly #parts: PusherConnectionParts
  readonly #hooks: ConnectionHooks | undefined
  readonly #subscriptions = new Map<string, Subscription>()
  /** Requests about which a hook is being asked, by channel. */
  readonly #pending = new Map<string, SubscribeRequest>()
  readonly #clientEvents: TokenBucket
  #user: PusherUser | undefined
  /** Nothing is sent or taken any more. `isBroken`: its client is expected back. */
  #ended: { readonly isBroken: boolean } | undefined

  /** @param hooks `undefined`: the server has none */
  constructor(parts: PusherConnectionParts, socket: Socket, hooks: ConnectionHooks | undefined) {
    this.#parts = parts
    this.socket = socket
    this.#hooks = hooks
    this.#clientEvents = new TokenBucket(parts.app.limits.maxClientEventsPerSecond, performance.now())
    this.send(connectionEstablishedFrame(socket.id, ACTIVITY_TIMEOUT_S))
  }

  // --- The socket -----------------------------------------------------------------------------------------------

  receive(bytes: Uint8Array, isBinary: boolean): void {
    if (this.#ended) return
    try {
      this.#take(this.#read(bytes, isBinary))
    } catch (error) {
      this.#refuse(error)
    }
  }

  /** A slow reader is cut: its client comes back after a second, and with our wrapper it gets what it missed. */
  missed(): void {
    this.#cut()
  }

  drained(): void {
    if (this.#ended) return
    for (const subscription of this.#subscriptions.values()) if (subscription.isReading) subscription.advance()
  }

  ponged(): void {
    // That it is alive is known to the network.
  }

  left(code: number): void {
    const isBroken = this.#ended?.isBroken ?? hasBroken(code)
    this.#ended = { isBroken }
    this.#pending.clear()
    for (const subscription of this.#subscriptions.values()) subscription.leave(isBroken)
    this.#subscriptions.clear()
    if (this.#user) this.#parts.users.signOut(this, this.#user, isBroken)
    this.#parts.closed(this)
  }

  // --- What others do with it -----------------------------------------------------------------------------------

  send(frame: string): void {
    if (!this.#ended && !this.socket.send(frame)) this.#cut()
  }

  end(code: number, reason: string): void {
    if (this.#ended) return
    this.#ended = { isBroken: false }
    this.socket.close(code, reason)
  }

  /** An event of a room was published that names this connection as the one that does not get it. */
  excepted(room: string, offset: number): void {
    this.#subscriptions.get(room.slice(this.#parts.app.prefix.length))?.excepted(offset)
  }

  // --- Inside ---------------------------------------------------------------------------------------------------

  #read(bytes: Uint8Array, isBinary: boolean): PusherRequest {
    if (isBinary) {
      throw new TuttiError('PROTOCOL', 'A binary message came; expected text.', { hint: 'Send JSON as text frames.' })
    }
    const { maxFrameBytes } = this.#parts.limits
    if (bytes.byteLength > maxFrameBytes) {
      throw new TuttiError(
        'TOO_LARGE',
        `A message of ${bytes.byteLength} bytes came; at most ${maxFrameBytes} are taken.`,
        { hint: 'Send less at once.' },
      )
    }
    return readPusherMessage(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString())
  }

  #take(request: PusherRequest): void {
    switch (request.type) {
      case 'ping':
        this.send(PONG_FRAME)
        return
      case 'pong':
        return
      case 'subscribe':
        this.#subscribe(request)
        return
      case 'unsubscribe':
        this.#unsubscribe(request.channel)
        return
      case 'signin':
        this.#signIn(request)
        return
      case 'event':
        this.#trigger(request)
        return
      default:
        request satisfies never
    }
  }

  #subscribe(request: SubscribeRequest): void {
    const { channel } = request
    const known = this.#subscriptions.get(channel)
    if (known) {
      known.repeat()
      return
    }
    // Its answer is still to come.
    if (this.#pending.has(channel)) return
    try {
      const member = authorize(this.#parts.app, this.socket.id, request, this.#user)
      this.#checkCount()
      const person = member ?? (this.#user && { id: this.#user.id, info: this.#user.info })
      const admitted = kindOf(channel).isUser ? undefined : this.#hooks?.join(this.#roomOf(channel), false, person)
      if (admitted) this.#await(admitted, request, member)
      else this.#enter(request, member)
    } catch (error) {
      this.#refuseSubscription(channel, error)
    }
  }

  #checkCount(): void {
    const { maxRoomsPerConnection } = this.#parts.limits
    if (this.#subscriptions.size + this.#pending.size < maxRoomsPerConnection) return
    throw new TuttiError('RATE_LIMITED', `This connection has its ${maxRoomsPerConnection} subscriptions.`, {
      hint: 'Unsubscribe from some, or raise maxRoomsPerConnection on the server.',
    })
  }

  /** Goes on with a subscription when the hook has let it in, unless it was taken back. */
  #await(admitted: Promise<void>, request: SubscribeRequest, member: PusherMember | undefined): void {
    const { channel } = request
    const isWanted = (): boolean => this.#pending.get(channel) === request && this.#pending.delete(channel)
    this.#pending.set(channel, request)
    admitted.then(
      () => {
        if (!isWanted()) return
        try {
          this.#enter(request, member)
        } catch (error) {
          this.#refuseSubscription(channel, error)
        }
      },
      (error: unknown) => {
        if (isWanted()) this.#refuseSubscription(channel, error)
      },
    )
  }

  #enter({ channel: name, recover }: SubscribeRequest, member: PusherMember | undefined): void {
    const { app, audience, channels, rooms, cache, recoveries, log, limits } = this.#parts
    const room = this.#roomOf(name)
    const channel = channels.open(room)
    if (member && !channel.people.has(member.id) && channel.people.count >= app.limits.maxPresenceMembers) {
      throw new TuttiError('RATE_LIMITED', `The channel has its ${app.limits.maxPresenceMembers} members.`, {
        hint: 'Wait until one has left, or raise maxPresenceMembers of the app.',
      })
    }
    const subscription = new Subscription(
      {
        name,
        channel,
        audience: this.#audienceOf(name, audience),
        socket: this.socket,
        send: (frame) => this.send(frame),
        cut: () => this.#cut(),
        highWater: Math.min(HIGH_WATER_BYTES, limits.maxBackpressureBytes / 2),
        cache,
        recoveries,
        cacheMissed: () => this.#parts.cacheMissed(name),
      },
      member,
    )
    this.#subscriptions.set(name, subscription)
    subscription.start(recover, (shown) => showInAwareness(rooms, room, shown, log))
  }

  #unsubscribe(channel: string): void {
    // Not subscribed, or not yet: there is nothing to say then.
    this.#pending.delete(channel)
    this.#subscriptions.get(channel)?.leave(false)
    this.#subscriptions.delete(channel)
    this.#hooks?.leave(this.#roomOf(channel), false)
  }

  #signIn({ auth, userData }: SigninRequest): void {
    const { app, users } = this.#parts
    let user: PusherUser
    try {
      checkUserAuth(app, this.socket.id, userData, auth)
      user = readUserData(userData, app.limits)
      if (this.#user && this.#user.id !== user.id) {
        throw new TuttiError('FORBIDDEN', USER_CHANGED, { hint: 'Connect anew to sign in as someone else.' })
      }
    } catch (error) {
      if (!(error instanceof TuttiError)) throw error
      this.send(refusalFrame(error, CLOSE.unauthorised))
      return
    }
    this.send(signinSuccessFrame(userData))
    if (this.#user) return
    this.#user = user
    users.signIn(this, user)
    if (app.watchlist && user.watchlist.length > 0) this.#watch(user)
  }

  #watch({ watchlist }: PusherUser): void {
    const { app, users } = this.#parts
    const { maxWatchlist } = app.limits
    if (watchlist.length <= maxWatchlist) {
      users.watch(this, watchlist)
      return
    }
    const error = new TuttiError(
      'RATE_LIMITED',
      `The watchlist has ${watchlist.length} users; at most ${maxWatchlist} are watched.`,
      { hint: 'Nobody is watched now: sign in with a shorter list.' },
    )
    this.send(refusalFrame(error, WATCHLIST_LIMIT))
  }

  #trigger(request: ClientEventRequest): void {
    const { event, channel, body } = request
    const { app, channels } = this.#parts
    const subscription = this.#subscriptions.get(channel)
    checkClientEvent(app, request, subscription?.kind)
    if (!this.#clientEvents.take(performance.now())) {
      const { maxClientEventsPerSecond } = app.limits
      const error = new TuttiError(
        'RATE_LIMITED',
        `The client event was not sent: there were more than ${maxClientEventsPerSecond} in a second.`,
        { hint: 'Send fewer, or raise maxClientEventsPerSecond of the app.' },
      )
      this.send(refusalFrame(error, CLIENT_EVENT_RATE))
      return
    }
    const userId = subscription?.member?.id
    const published = channels.trigger(this.#roomOf(channel), {
      event,
      body,
      except: this.socket.id,
      userId,
      from: 'peer',
    })
    if (published instanceof Promise) published.catch((error: unknown) => this.#refuse(error))
  }

  #roomOf(channel: string): string {
    const { app } = this.#parts
    return kindOf(channel).isUser && this.#user ? userRoomOf(app, this.#user.id) : `${app.prefix}${channel}`
  }

  /** The room of a user's channel may have another name than the channel. */
  #audienceOf(channel: string, audience: Audience): Audience {
    return kindOf(channel).isUser ? userAudience(audience, channel) : audience
  }

  #refuseSubscription(channel: string, error: unknown): void {
    this.#hooks?.leave(this.#roomOf(channel), false)
    this.send(subscriptionRefusal(channel, this.#errorOf(error)))
  }

  #refuse(error: unknown): void {
    this.send(refusalFrame(this.#errorOf(error)))
  }

  #errorOf(error: unknown): TuttiError {
    if (error instanceof TuttiError) return error
    this.#parts.log.error({ app: this.#parts.app.id, err: error }, 'Pusher message failed')
    return new TuttiError('INTERNAL', 'The server failed on this message.', { cause: error })
  }

  #cut(): void {
    if (this.#ended) return
    this.#ended = { isBroken: true }
    // Touching the socket inside the `dropped` callback of uWebSockets.js can end the process (SIGBUS).
    setImmediate(() => this.socket.terminate())
  }
}
