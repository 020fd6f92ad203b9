/** The subscriptions of one connection: asked for, let in or refused, ended. */
import { TuttiError } from '../../lib/errors.ts'
import type { App } from '../apps.ts'
import type { Logger, Socket } from '../contracts.ts'
import type { PusherMember, SubscribeRequest } from '../protocol/pusherMessage.ts'
import { kindOf } from '../protocol/pusherName.ts'
import type { PusherUser } from '../protocol/pusherUser.ts'
import type { Audience } from '../room/channel.ts'
import type { Channels } from '../room/channels.ts'
import type { ConnectionHooks } from '../room/connectionHooks.ts'
import { createJoinRate, type JoinLimits, type JoinRate } from '../room/joinRate.ts'
import { userAudience } from './audience.ts'
import { authorize } from './authorize.ts'
import { type HostingRooms, showInAwareness } from './awarenessEntry.ts'
import type { EventCache } from './cache.ts'
import type { Recoveries } from './recoveries.ts'
import { subscriptionRefusal } from './refusal.ts'
import { Subscription } from './subscription.ts'
import { userRoomOf } from './users.ts'

/** A client is sent no more of what it missed while this much waits in its socket, or half of what may wait at all. */
const HIGH_WATER_BYTES = 256 * 1024

export interface SubscriptionsParts {
  readonly app: App
  readonly audience: Audience
  readonly channels: Pick<Channels, 'open' | 'trigger'>
  readonly rooms: HostingRooms
  readonly cache: EventCache
  readonly recoveries: Recoveries
  readonly log: Logger
  readonly limits: JoinLimits & { readonly maxBackpressureBytes: number }
  cacheMissed(channel: string): void
}

/** The connection, as far as its subscriptions are concerned. */
export interface Subscriber {
  readonly socket: Socket
  /** `undefined`: the server has none. */
  readonly hooks: ConnectionHooks | undefined
  /** Who is signed in. */
  readonly user: PusherUser | undefined
  send(frame: string): void
  /** Ends the connection, as one that broke. */
  cut(): void
  /** What a client is told of an error. */
  errorOf(error: unknown): TuttiError
}

export class Subscriptions {
  readonly #parts: SubscriptionsParts
  readonly #by: Subscriber
  readonly #byChannel = new Map<string, Subscription>()
  /** Requests about which a hook is being asked, by channel. */
  readonly #pending = new Map<string, SubscribeRequest>()
  readonly #takeJoin: JoinRate

  constructor(parts: SubscriptionsParts, by: Subscriber) {
    this.#parts = parts
    this.#by = by
    this.#takeJoin = createJoinRate(parts.limits)
  }

  get(channel: string): Subscription | undefined {
    return this.#byChannel.get(channel)
  }

  subscribe(request: SubscribeRequest): void {
    const { channel } = request
    // Its answer is still to come.
    if (this.#pending.has(channel)) return
    try {
      const known = this.#byChannel.get(channel)
      if (known) {
        // What is told again costs as much as what is told first.
        this.#takeJoin()
        known.repeat()
        return
      }
      const { socket, user, hooks } = this.#by
      const member = authorize(this.#parts.app, socket.id, request, user)
      const room = this.roomOf(channel)
      this.#checkCount()
      this.#takeJoin()
      const person = member ?? (user && { id: user.id, info: user.info })
      const admitted = kindOf(channel).isUser ? undefined : hooks?.join(room, false, person)
      if (admitted) this.#await(admitted, request, member)
      else this.#enter(request, member)
    } catch (error) {
      this.#refuse(channel, error)
    }
  }

  unsubscribe(channel: string): void {
    // Not subscribed, or not yet: there is nothing to say then.
    this.#pending.delete(channel)
    this.#byChannel.get(channel)?.leave(false)
    this.#byChannel.delete(channel)
    this.#by.hooks?.leave(this.roomOf(channel), false)
  }

  /** The socket can take more. */
  drained(): void {
    for (const subscription of this.#byChannel.values()) if (subscription.isReading) subscription.advance()
  }

  /** @param isBroken the connection did not say good-bye */
  leave(isBroken: boolean): void {
    this.#pending.clear()
    for (const subscription of this.#byChannel.values()) subscription.leave(isBroken)
    this.#byChannel.clear()
  }

  roomOf(channel: string): string {
    const { app } = this.#parts
    const { user } = this.#by
    return kindOf(channel).isUser && user ? userRoomOf(app, user.id) : `${app.prefix}${channel}`
  }

  #checkCount(): void {
    const { maxRoomsPerConnection } = this.#parts.limits
    if (this.#byChannel.size + this.#pending.size < maxRoomsPerConnection) return
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
          this.#refuse(channel, error)
        }
      },
      (error: unknown) => {
        if (isWanted()) this.#refuse(channel, error)
      },
    )
  }

  #enter({ channel: name, recover }: SubscribeRequest, member: PusherMember | undefined): void {
    const { app, audience, channels, rooms, cache, recoveries, log, limits } = this.#parts
    const by = this.#by
    const room = this.roomOf(name)
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
        // The room of a user's channel may have another name than the channel.
        audience: kindOf(name).isUser ? userAudience(audience, name) : audience,
        socket: by.socket,
        send: (frame) => by.send(frame),
        cut: () => by.cut(),
        highWater: Math.min(HIGH_WATER_BYTES, limits.maxBackpressureBytes / 2),
        cache,
        recoveries,
        cacheMissed: () => this.#parts.cacheMissed(name),
      },
      member,
    )
    this.#byChannel.set(name, subscription)
    subscription.start(recover, (shown) => showInAwareness(rooms, room, shown, log))
  }

  #refuse(channel: string, error: unknown): void {
    this.#by.hooks?.leave(this.roomOf(channel), false)
    this.#by.send(subscriptionRefusal(channel, this.#by.errorOf(error)))
  }
}
