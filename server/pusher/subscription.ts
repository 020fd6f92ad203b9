/**
 * One connection's subscription to a channel. In one turn of the event loop it is answered, gets what it missed and
 * joins, so that nothing falls between. A full socket stops it among what it missed; it goes on from the channel's
 * history, and holds no frames meanwhile.
 */
import type { Socket } from '../contracts.ts'
import {
  cacheMissFrame,
  memberAddedFrame,
  memberRemovedFrame,
  type PusherMember,
  type RecoverRequest,
  type Recovery,
  subscriptionSucceededFrame,
} from '../protocol/pusherMessage.ts'
import { type ChannelKind, kindOf } from '../protocol/pusherName.ts'
import type { Audience, Channel } from '../room/channel.ts'
import { frameOf } from './audience.ts'
import type { EventCache } from './cache.ts'
import type { Legacy, Recoveries } from './recoveries.ts'
import { Skips } from './skips.ts'

export interface SubscriptionParts {
  readonly name: string
  readonly channel: Channel
  readonly audience: Audience
  readonly socket: Socket
  /** Sends a frame; ends the connection if its socket is full. */
  send(frame: string): void
  /** Ends the connection, as one that broke: its client comes back and is told what is missing. */
  cut(): void
  /** Nothing of what was missed is sent while this many bytes wait in the socket. */
  readonly highWater: number
  readonly cache: EventCache
  readonly recoveries: Recoveries
  /** There is no cached event. */
  cacheMissed(): void
}

/** Among what was missed: everything up to `offset` has been sent. */
interface Reading {
  offset: number
  /** The members that the client knows of. */
  readonly known: ReadonlySet<string>
}

export class Subscription {
  readonly kind: ChannelKind
  readonly member: PusherMember | undefined
  readonly #parts: SubscriptionParts
  #reading: Reading | undefined
  /** `undefined` until it is answered: nothing counts from it yet. */
  #skips: Skips | undefined
  /** Connections in whose place it goes on: what names one of them is not sent to it with what it missed. */
  #former: readonly string[] = []
  #isJoined = false
  #hide: (() => void) | undefined

  /** @param member who is there by it, on a presence channel */
  constructor(parts: SubscriptionParts, member: PusherMember | undefined) {
    this.#parts = parts
    this.kind = kindOf(parts.name)
    this.member = member
  }

  get isReading(): boolean {
    return this.#reading !== undefined
  }

  /** What goes on in its place has to know. */
  get legacy(): Legacy | undefined {
    return this.#skips && { skips: this.#skips, former: this.#former }
  }

  /** @param show shows the member to the Yjs clients of the room; returns the function that ends it */
  start(recover: RecoverRequest | undefined, show: (member: PusherMember) => () => void): void {
    const { channel, socket, recoveries, cache, send } = this.#parts
    if (this.member) {
      channel.people.enter(socket.id, this.member, { by: socket, isSigned: true, former: recover?.socketId })
      this.#hide = show(this.member)
    }
    const resumption = recover && recoveries.resume(recover, channel.name)
    const recovered = resumption !== undefined && channel.since(resumption.position) !== undefined
    const offset = recovered ? resumption.position.offset : channel.position.offset
    if (recovered) this.#former = resumption.former
    const cached = this.kind.isCache ? cache.get(channel.name)?.event : undefined
    // Whoever missed nothing has had the cached event, or gets it in its place.
    const tellsCached = cached !== undefined && !recovered
    this.#answer(offset, recovered, tellsCached)
    if (tellsCached) send(frameOf(cached, this.#parts.name))
    const isMissed = this.kind.isCache && cached === undefined
    if (isMissed) send(cacheMissFrame(this.#parts.name))
    this.#reading = { offset, known: this.#memberIds() }
    this.advance()
    // By now the channel is occupied, which is told first.
    if (isMissed) this.#parts.cacheMissed()
  }

  /** Answers a second request to subscribe, which changes nothing. */
  repeat(): void {
    this.#answer(this.#reading?.offset ?? this.#parts.channel.position.offset, false, false)
    if (this.#reading) this.#reading = { ...this.#reading, known: this.#memberIds() }
  }

  /** Sends of what was missed as much as the socket takes; then it is live. Call again when the socket has drained. */
  advance(): void {
    const reading = this.#reading
    if (!reading) return
    const { channel, audience, socket, highWater, name, send } = this.#parts
    const missed = channel.since({ epoch: channel.epoch, offset: reading.offset })
    if (!missed) {
      // The history became too short while the socket was full.
      this.#parts.cut()
      return
    }
    for (const event of missed) {
      if (socket.buffered() > highWater) {
        this.#hold()
        return
      }
      const { except } = event
      if (except !== undefined && (except === socket.id || this.#former.includes(except))) this.#skip(event.offset)
      else send(frameOf(event, name))
      reading.offset = event.offset
    }
    this.#reading = undefined
    // All was sent and nothing left out: whoever goes on from here needs to know of no other connection.
    if (this.#skips?.isEmpty) this.#former = []
    if (this.#isJoined) {
      this.#tellMembers(reading.known)
      channel.resume(socket, audience)
    } else {
      this.#isJoined = true
      channel.join(socket, audience)
    }
  }

  /** An event was published that was not for this connection. */
  excepted(offset: number): void {
    // Among what was missed, it is still to come.
    if (!this.#reading) this.#skip(offset)
  }

  /** @param hasBroken the connection did not say good-bye, so it may be back in a moment */
  leave(hasBroken: boolean): void {
    const { channel, audience, socket } = this.#parts
    if (this.#isJoined) channel.leave(socket, audience, hasBroken)
    this.#hide?.()
    channel.people.exit(socket.id, hasBroken)
    this.#remember()
  }

  #remember(): void {
    const { channel, socket, recoveries } = this.#parts
    if (this.legacy) recoveries.remember(socket.id, channel.epoch, this.legacy)
  }

  #answer(offset: number, recovered: boolean, cached: boolean): void {
    const { channel, name, send } = this.#parts
    // What it counts from is another offset now; the connection may be lost before its client knows.
    this.#remember()
    this.#skips = new Skips(offset)
    const recovery: Recovery = { epoch: channel.epoch, offset, recovered, ...(cached ? { cached } : {}) }
    const members = this.kind.isPresence ? channel.people.list() : undefined
    // What is sent to a user has no history: whoever is away misses it.
    send(subscriptionSucceededFrame(name, this.kind.isUser ? undefined : recovery, members))
  }

  #skip(offset: number): void {
    const { channel } = this.#parts
    this.#skips?.add(offset, () => (channel.kept()[0]?.offset ?? channel.position.offset + 1) - 1)
  }

  /** Hears nothing for now; it counts as subscribed all the same. */
  #hold(): void {
    if (this.#isJoined) return
    const { channel, socket, audience } = this.#parts
    this.#isJoined = true
    channel.join(socket, audience)
    channel.pause(socket, audience)
  }

  #memberIds(): ReadonlySet<string> {
    return new Set(this.kind.isPresence ? this.#parts.channel.people.list().map(({ id }) => id) : [])
  }

  /** Who came and went while it heard nothing. */
  #tellMembers(known: ReadonlySet<string>): void {
    if (!this.kind.isPresence) return
    const { channel, name, send } = this.#parts
    for (const id of known) if (!channel.people.has(id)) send(memberRemovedFrame(name, id))
    for (const member of channel.people.list()) if (!known.has(member.id)) send(memberAddedFrame(name, member))
  }
}
