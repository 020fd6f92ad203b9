/** The events of one connection at door 1: what it subscribes to, what it triggers, what it missed. */
import { TuttiError } from '../../lib/errors.ts'
import {
  encodeEvent,
  encodeMissed,
  encodePerson,
  encodeRefused,
  encodeSkipped,
  encodeTriggered,
  type Subscribe,
  type Trigger,
  type WireError,
} from '../../lib/eventProtocol.ts'
import { roomNameProblem } from '../../lib/protocol.ts'
import type { Admission, Caller, Logger, Person, Position, Socket } from '../contracts.ts'
import type { Audience } from './channel.ts'
import type { Channels } from './channels.ts'
import { checkEventName } from './eventName.ts'
import { EventSubscription } from './eventSubscription.ts'
import { createJoinRate, type JoinLimits, type JoinRate } from './joinRate.ts'
import { TokenBucket } from './tokenBucket.ts'

/** A connection is sent no more while this much waits in its socket, or half of what may wait for it at all. */
const HIGH_WATER_BYTES = 256 * 1024

export interface EventSessionsParts {
  readonly channels: Pick<Channels, 'open' | 'trigger'>
  readonly log: Logger
  readonly limits: JoinLimits & {
    readonly maxEventBytes: number
    readonly maxEventsPerSecond: number
    readonly maxBackpressureBytes: number
  }
  /** Asked for each room but the connection's own. Default: everyone may use every room. */
  readonly admission?: Admission | undefined
}

/** Makes the events half of connections. */
export interface EventSessions {
  /**
   * @param room the connection's own room, where it has been admitted
   * @param caller who is asked about in other rooms; needed where there is an admission
   */
  open(socket: Socket, room: string, caller: Caller | undefined): EventSession
}

interface Shared extends EventSessionsParts {
  readonly audience: Audience
  /** By the id of their socket. */
  readonly sessions: Map<string, EventSession>
  readonly highWater: number
}

export class EventSession {
  readonly #shared: Shared
  readonly #socket: Socket
  readonly #room: string
  readonly #caller: Caller | undefined
  readonly #rate: TokenBucket
  readonly #takeJoin: JoinRate
  readonly #subscriptions = new Map<string, EventSubscription>()
  /** Rooms about which the admission is being asked, with the last request for each. */
  readonly #asked = new Map<string, { request: Subscribe }>()
  #missedSome = false
  #isEnded = false

  constructor(shared: Shared, socket: Socket, room: string, caller: Caller | undefined) {
    this.#shared = shared
    this.#socket = socket
    this.#room = room
    this.#caller = caller
    this.#rate = new TokenBucket(shared.limits.maxEventsPerSecond, performance.now())
    this.#takeJoin = createJoinRate(shared.limits)
    shared.sessions.set(socket.id, this)
  }

  subscribe(request: Subscribe): void {
    const { room } = request
    const known = this.#subscriptions.get(room)
    if (known) {
      known.ask(request)
      known.advance()
      return
    }
    const pending = this.#asked.get(room)
    if (pending) {
      pending.request = request
      return
    }
    try {
      this.#checkRoom(room)
      this.#checkCount()
      this.#takeJoin()
      const admitted = this.#admit(room)
      if (admitted) this.#await(admitted, request)
      else this.#begin(request)
    } catch (error) {
      this.#refuse(room, error)
    }
  }

  #await(admitted: Promise<void>, request: Subscribe): void {
    const { room } = request
    const asked = { request }
    this.#asked.set(room, asked)
    // It may have left, or left and asked anew: another answer counts then.
    const isOver = (): boolean => this.#asked.get(room) !== asked
    admitted.then(
      () => {
        if (isOver()) return
        this.#asked.delete(room)
        this.#begin(asked.request)
      },
      (error: unknown) => {
        if (isOver()) return
        this.#asked.delete(room)
        this.#refuse(room, error)
      },
    )
  }

  unsubscribe(room: string): void {
    this.#asked.delete(room)
    this.#subscriptions.get(room)?.leave(false)
    this.#subscriptions.delete(room)
    if (this.#caller && room !== this.#room) this.#shared.admission?.left?.(room, this.#caller)
  }

  /** @param userId who the connection shows itself to be */
  trigger(trigger: Trigger, userId: string | undefined): void {
    const { id, room, ack } = trigger
    const published = ({ offset }: Position): void => {
      if (ack) this.#socket.send(encodeTriggered(id, offset))
    }
    const failed = (error: unknown): void => {
      this.#socket.send(encodeTriggered(id, this.#wireError(room, error)))
    }
    try {
      this.#checkTrigger(trigger)
      const admitted = this.#subscriptions.has(room) ? undefined : this.#admit(room)
      const outcome = admitted ? admitted.then(() => this.#publish(trigger, userId)) : this.#publish(trigger, userId)
      if (outcome instanceof Promise) outcome.then(published, failed)
      else published(outcome)
    } catch (error) {
      failed(error)
    }
  }

  /** The connection shows itself as this person, whom the others in its room were told of. */
  entered(person: Person): void {
    if (!this.#subscriptions.get(this.#room)?.wantsPeople) return
    this.#socket.send(encodePerson('present', person, this.#room))
  }

  /** An event is not for this connection. */
  skip(room: string, offset: number): void {
    // Before it is live, the replay brings it. If the socket is full, the client will meet a hole and ask.
    if (this.#subscriptions.get(room)?.phase === 'live') this.#socket.send(encodeSkipped(room, offset))
  }

  /** A published frame was skipped, since the socket is full. Nothing is touched in this turn. */
  missed(): void {
    if (this.#missedSome || this.#subscriptions.size === 0) return
    this.#missedSome = true
    // Unsubscribing inside the `dropped` callback of uWebSockets.js can end the process (SIGBUS).
    setImmediate(() => {
      this.#missedSome = false
      if (this.#isEnded) return
      for (const subscription of this.#subscriptions.values()) subscription.stall()
      this.drained()
    })
  }

  /** The socket can take more. */
  drained(): void {
    if (this.#isEnded) return
    const stalled: EventSubscription[] = []
    for (const subscription of this.#subscriptions.values()) {
      if (subscription.phase === 'stalled') stalled.push(subscription)
      else subscription.advance()
    }
    if (stalled.length === 0 || this.#socket.buffered() > this.#shared.highWater) return
    if (this.#socket.send(encodeMissed())) for (const subscription of stalled) subscription.told()
  }

  /** The connection is gone. `hasBroken`: it did not say good-bye. */
  close(hasBroken: boolean): void {
    this.#isEnded = true
    this.#shared.sessions.delete(this.#socket.id)
    for (const subscription of this.#subscriptions.values()) subscription.leave(hasBroken)
    this.#subscriptions.clear()
    this.#asked.clear()
  }

  #begin(request: Subscribe): void {
    const { room } = request
    const { channels, audience, highWater } = this.#shared
    const parts = { channel: channels.open(room), audience, socket: this.#socket, highWater }
    const subscription = new EventSubscription(parts, request)
    this.#subscriptions.set(room, subscription)
    subscription.advance()
  }

  #refuse(room: string, error: unknown): void {
    if (!this.#isEnded) this.#socket.send(encodeRefused(room, this.#wireError(room, error)))
  }

  /** `undefined`: it may, at once. */
  #admit(room: string): Promise<void> | undefined {
    const { admission } = this.#shared
    if (!admission || room === this.#room) return undefined
    if (!this.#caller) throw new TuttiError('FORBIDDEN', 'It is not known who asks for this room.')
    return admission.admit(room, this.#caller) ?? undefined
  }

  #publish({ room, event, body }: Trigger, userId: string | undefined): Position | Promise<Position> {
    const from = 'peer'
    const caller = this.#caller
    return this.#shared.channels.trigger(room, { event, body, userId, except: this.#socket.id, from, caller })
  }

  #checkRoom(room: string): void {
    const problem = roomNameProblem(room)
    if (problem !== undefined) {
      throw new TuttiError('INVALID_ROOM', `This is no room name: ${problem}.`, {
        hint: 'Use 1–255 bytes of UTF-8 without control characters and without empty, "." or ".." segments.',
      })
    }
  }

  #checkCount(): void {
    const { maxRoomsPerConnection } = this.#shared.limits
    if (this.#subscriptions.size + this.#asked.size < maxRoomsPerConnection) return
    throw new TuttiError('RATE_LIMITED', `This connection has its ${maxRoomsPerConnection} channels.`, {
      hint: 'Unsubscribe from some, or raise maxRoomsPerConnection on the server.',
    })
  }

  #checkTrigger({ room, event, body }: Trigger): void {
    const { maxEventsPerSecond, maxEventBytes } = this.#shared.limits
    if (!this.#rate.take(performance.now())) {
      throw new TuttiError('RATE_LIMITED', `More than ${maxEventsPerSecond} events came within a second.`, {
        hint: 'Send fewer, or raise maxEventsPerSecond on the server.',
      })
    }
    this.#checkRoom(room)
    checkEventName(event)
    const bytes = typeof body === 'string' ? Buffer.byteLength(body) : body.byteLength
    if (bytes > maxEventBytes) {
      throw new TuttiError('TOO_LARGE', `The event has ${bytes} bytes of data; the limit is ${maxEventBytes}.`, {
        hint: 'Keep large things in the document, or raise maxEventBytes on the server.',
      })
    }
  }

  #wireError(room: string, error: unknown): WireError {
    if (error instanceof TuttiError) return error
    this.#shared.log.error({ room, err: error }, 'event failed')
    return { code: 'INTERNAL', message: 'The server failed on this event.', hint: 'The server log has the cause.' }
  }
}

export const createEventSessions = (parts: EventSessionsParts): EventSessions => {
  const sessions = new Map<string, EventSession>()
  const audience: Audience = {
    key: 't',
    encode: (event, room) => encodeEvent({ ...event, room }),
    encodePerson: (news, person, room) => encodePerson(news, person, room),
    excepted: ({ except = '', offset }, room) => sessions.get(except)?.skip(room, offset),
  }
  const highWater = Math.min(HIGH_WATER_BYTES, parts.limits.maxBackpressureBytes / 2)
  const shared: Shared = { ...parts, audience, sessions, highWater }
  return { open: (socket, room, caller) => new EventSession(shared, socket, room, caller) }
}
