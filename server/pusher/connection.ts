/** One Pusher client: what it asks for, and what it is told. Bad input is answered with the reason; nothing else ends. */
import { TuttiError } from '../../lib/errors.ts'
import type { Connection, Socket } from '../contracts.ts'
import { hasBroken, PUSHER_CLOSE, PUSHER_ERROR } from '../protocol/closeCode.ts'
import { checkUserAuth } from '../protocol/pusherAuth.ts'
import {
  type ClientEventRequest,
  connectionEstablishedFrame,
  PONG_FRAME,
  type PusherRequest,
  readPusherMessage,
  type SigninRequest,
  signinSuccessFrame,
} from '../protocol/pusherMessage.ts'
import { type PusherUser, readUserData } from '../protocol/pusherUser.ts'
import type { ConnectionHooks } from '../room/connectionHooks.ts'
import { TokenBucket } from '../room/tokenBucket.ts'
import { checkClientEvent } from './clientEvent.ts'
import type { Legacy } from './recoveries.ts'
import { refusalFrame } from './refusal.ts'
import type { Subscription } from './subscription.ts'
import { type Subscriber, Subscriptions, type SubscriptionsParts } from './subscriptions.ts'
import type { UserConnection, Users } from './users.ts'

/** Seconds of silence after which a client pings. What is dead the server finds by itself, with WebSocket pings. */
const ACTIVITY_TIMEOUT_S = 120

export interface PusherConnectionParts extends SubscriptionsParts {
  readonly users: Users
  readonly limits: SubscriptionsParts['limits'] & {
    /** Of a message of a client. */
    readonly maxFrameBytes: number
  }
  /** The connection is gone. */
  closed(connection: PusherConnection): void
}

const USER_CHANGED = 'Another user is signed in on this connection.'

export class PusherConnection implements Connection, UserConnection, Subscriber {
  readonly socket: Socket
  readonly #parts: PusherConnectionParts
  readonly hooks: ConnectionHooks | undefined
  readonly #subscriptions: Subscriptions
  readonly #clientEvents: TokenBucket
  #user: PusherUser | undefined
  /** Nothing is sent or taken any more. `isBroken`: its client is expected back. */
  #ended: { readonly isBroken: boolean } | undefined

  /** @param hooks `undefined`: the server has none */
  constructor(parts: PusherConnectionParts, socket: Socket, hooks: ConnectionHooks | undefined) {
    this.#parts = parts
    this.socket = socket
    this.hooks = hooks
    this.#subscriptions = new Subscriptions(parts, this)
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
    this.cut()
  }

  drained(): void {
    if (this.#ended) return
    this.#subscriptions.drained()
  }

  ponged(): void {
    // That it is alive is known to the network.
  }

  left(code: number): void {
    const isBroken = this.#ended?.isBroken ?? hasBroken(code)
    this.#ended = { isBroken }
    this.#subscriptions.leave(isBroken)
    if (this.#user) this.#parts.users.signOut(this, this.#user, isBroken)
    this.#parts.closed(this)
  }

  get user(): PusherUser | undefined {
    return this.#user
  }

  // --- What others do with it -----------------------------------------------------------------------------------

  send(frame: string): void {
    if (!this.#ended && !this.socket.send(frame)) this.cut()
  }

  end(code: number, reason: string): void {
    if (this.#ended) return
    this.#ended = { isBroken: false }
    this.socket.close(code, reason)
  }

  /** Ends it as one that broke. */
  cut(): void {
    if (this.#ended) return
    this.#ended = { isBroken: true }
    // Touching the socket inside the `dropped` callback of uWebSockets.js can end the process (SIGBUS).
    setImmediate(() => this.socket.terminate())
  }

  /** What its client is told of an error. */
  errorOf(error: unknown): TuttiError {
    if (error instanceof TuttiError) return error
    this.#parts.log.error({ app: this.#parts.app.id, err: error }, 'Pusher message failed')
    return new TuttiError('INTERNAL', 'The server failed on this message.', { cause: error })
  }

  /** An event of a room was published that names this connection as the one that does not get it. */
  excepted(room: string, offset: number): void {
    this.#subscriptionTo(room)?.excepted(offset)
  }

  /** What its subscription to a room would leave to one that goes on in its place. */
  legacyIn(room: string): Legacy | undefined {
    return this.#subscriptionTo(room)?.legacy
  }

  // --- Inside ---------------------------------------------------------------------------------------------------

  #subscriptionTo(room: string): Subscription | undefined {
    return this.#subscriptions.get(room.slice(this.#parts.app.prefix.length))
  }

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
        this.#subscriptions.subscribe(request)
        return
      case 'unsubscribe':
        this.#subscriptions.unsubscribe(request.channel)
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
      this.send(refusalFrame(error, PUSHER_CLOSE.unauthorised))
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
    this.send(refusalFrame(error, PUSHER_ERROR.watchlist))
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
      this.send(refusalFrame(error, PUSHER_ERROR.clientEventRate))
      return
    }
    const userId = subscription?.member?.id
    const published = channels.trigger(this.#subscriptions.roomOf(channel), {
      event,
      body,
      except: this.socket.id,
      userId,
      from: 'peer',
      caller: this.hooks?.caller,
    })
    if (published instanceof Promise) published.catch((error: unknown) => this.#refuse(error))
  }

  #refuse(error: unknown): void {
    this.send(refusalFrame(this.errorOf(error)))
  }
}
