/**
 * One connection's subscription to a channel at door 1: what was asked, what is being replayed, what is live. In one
 * turn of the event loop it answers, replays and joins, so that nothing falls between. A full socket stops it anywhere;
 * it holds no frames meanwhile and goes on from the channel's history.
 *
 *     asked --> reading --> live --> stalled --> told --(the client asks again)--> asked
 */
import { encodeEvent, encodeSkipped, encodeSubscribed, type Subscribe } from '../../lib/eventProtocol.ts'
import type { RoomEvent, Socket } from '../contracts.ts'
import type { Audience, Channel } from './channel.ts'

type Phase =
  | { readonly name: 'asked'; readonly request: Subscribe }
  /** Everything up to `offset` has been sent. */
  | { readonly name: 'reading'; offset: number }
  | { readonly name: 'live' }
  /** Frames were skipped, and the client is to be told; `told`: it was. */
  | { readonly name: 'stalled' }
  | { readonly name: 'told' }

export interface EventSubscriptionParts {
  readonly channel: Channel
  readonly audience: Audience
  readonly socket: Socket
  /** Nothing more is sent while this many bytes wait in the socket. */
  readonly highWater: number
}

export class EventSubscription {
  readonly #parts: EventSubscriptionParts
  #phase: Phase
  /** Ids of this connection and those before it. */
  #former: readonly string[] = []
  #wantsPeople = false
  #isJoined = false
  #isPaused = false
  /** People came and went unheard since the last list was sent. */
  #isListOld = false

  constructor(parts: EventSubscriptionParts, request: Subscribe) {
    this.#parts = parts
    this.#phase = { name: 'asked', request }
  }

  get phase(): Phase['name'] {
    return this.#phase.name
  }

  get wantsPeople(): boolean {
    return this.#wantsPeople
  }

  ask(request: Subscribe): void {
    this.#phase = { name: 'asked', request }
  }

  /** Sends what there is, until it is live or the socket is full; call again when the socket has drained. */
  advance(): void {
    for (;;) {
      const phase = this.#phase
      if (phase.name === 'asked') {
        if (!this.#answer(phase.request)) return
      } else if (phase.name === 'reading') {
        const { channel } = this.#parts
        const missed = channel.since({ epoch: channel.epoch, offset: phase.offset })
        if (missed) {
          if (this.#replay(phase, missed) && this.#goLive()) return
          this.#hold()
          return
        }
        // The history became too short while the socket was full.
        this.ask({ room: channel.name, wantsPeople: this.#wantsPeople })
      } else return
    }
  }

  /** Some of the published frames were skipped. Not to be called in the turn in which they were. */
  stall(): void {
    if (this.#phase.name !== 'live') return
    this.#phase = { name: 'stalled' }
    this.#hold()
  }

  told(): void {
    if (this.#phase.name === 'stalled') this.#phase = { name: 'told' }
  }

  leave(hasBroken: boolean): void {
    const { channel, socket, audience } = this.#parts
    if (this.#isJoined) channel.leave(socket, audience, hasBroken)
    this.#isJoined = false
  }

  #answer(request: Subscribe): boolean {
    const { channel, socket, highWater } = this.#parts
    if (socket.buffered() > highWater) return false
    const { room, position } = request
    const recovered = position !== undefined && channel.since(position) !== undefined
    const { epoch, offset: latest } = channel.position
    const offset = recovered ? position.offset : latest
    const people = request.wantsPeople ? { people: channel.people.list() } : {}
    if (!socket.send(encodeSubscribed({ room, epoch, offset, latest, recovered, ...people }))) return false
    this.#wantsPeople = request.wantsPeople
    this.#isListOld = false
    this.#former = [socket.id, ...(position?.former ?? [])]
    this.#phase = { name: 'reading', offset }
    return true
  }

  #replay(reading: { offset: number }, events: readonly RoomEvent[]): boolean {
    const { channel, socket, highWater } = this.#parts
    for (const event of events) {
      if (socket.buffered() > highWater) return false
      const isOwn = event.except !== undefined && this.#former.includes(event.except)
      const frame = isOwn ? encodeSkipped(channel.name, event.offset) : encodeEvent({ ...event, room: channel.name })
      if (!socket.send(frame)) return false
      reading.offset = event.offset
    }
    return true
  }

  #goLive(): boolean {
    const { channel, socket, audience } = this.#parts
    const { epoch, offset } = channel.position
    if (this.#isListOld && this.#wantsPeople) {
      const people = channel.people.list()
      const frame = encodeSubscribed({ room: channel.name, epoch, offset, latest: offset, recovered: true, people })
      if (!socket.send(frame)) return false
    }
    if (!this.#isJoined) channel.join(socket, audience)
    else if (this.#isPaused) channel.resume(socket, audience)
    this.#isJoined = true
    this.#isPaused = false
    this.#phase = { name: 'live' }
    return true
  }

  /** Hears nothing for now; it counts as subscribed all the same. */
  #hold(): void {
    const { channel, socket, audience } = this.#parts
    if (!this.#isJoined) channel.join(socket, audience)
    if (!this.#isPaused) channel.pause(socket, audience)
    this.#isJoined = true
    this.#isPaused = true
    this.#isListOld = true
  }
}
