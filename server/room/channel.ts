/**
 * The events of one room: numbered, published once to everyone in the same order, the last ones kept. It exists apart
 * from the room's document: a channel that only carries events needs no storage.
 */
import { randomBytes } from 'node:crypto'
import type { NewEvent, Person, Position, Publisher, RoomEvent, Socket } from '../contracts.ts'
import { EventHistory, type HistoryLimits } from './history.ts'
import { People } from './people.ts'

/** Readers that get the same frames: those of one door. */
export interface Audience {
  /** Unique within the room. */
  readonly key: string
  encode(event: RoomEvent, room: string): Uint8Array | string
  /**
   * What tells that a person came or went, or that someone who is there tells something else of themselves;
   * `undefined` if this audience is not told.
   */
  encodePerson(news: 'joined' | 'left' | 'present', person: Person, room: string): Uint8Array | string | undefined
  /** An event was published that names an `except`; the others have been sent it. */
  excepted?(event: RoomEvent, room: string): void
}

export interface ChannelLimits extends HistoryLimits {
  /** How long someone whose connection broke is not gone yet. */
  readonly graceMs: number
}

/** What a channel tells of itself, at once and in order. */
export interface ChannelObserver {
  published?(channel: Channel, event: RoomEvent): void
  /** The first subscriber or person came. */
  occupied?(channel: Channel): void
  /** The last subscriber and person are gone, and no connection broke within the grace period. */
  vacated?(channel: Channel): void
  joined?(channel: Channel, person: Person): void
  left?(channel: Channel, person: Person): void
  /** The number of subscribed connections changed. */
  counted?(channel: Channel, subscribers: number): void
}

/** Who wants to hear of the people of one channel. Must not throw. */
export type PeopleListener = (news: 'joined' | 'left', person: Person) => void

interface Group {
  readonly audience: Audience
  readonly topic: string
  size: number
}

const EPOCH_BYTES = 9

/** Control characters can't be in the name of a room: no topic of an audience is another's, or a document's. */
const topicOf = (room: string, audience: Audience): string => `${audience.key}\u0000${room}`

export class Channel {
  readonly name: string
  readonly people: People
  readonly #limits: ChannelLimits
  readonly #publisher: Publisher
  readonly #observers: ReadonlySet<ChannelObserver>
  readonly #groups = new Map<string, Group>()
  readonly #listeners = new Set<(event: RoomEvent) => void>()
  /** Those who want to hear of this channel alone. */
  readonly #peopleListeners = new Set<PeopleListener>()
  readonly #history: EventHistory
  readonly epoch = randomBytes(EPOCH_BYTES).toString('base64url')
  #offset = 0
  #subscribers = 0
  #isOccupied = false
  /** Runs while a subscriber whose connection broke may be back. */
  #grace: NodeJS.Timeout | undefined
  #isHushed = false
  /** When it was last used, in ms of `Date.now()`. */
  usedAt = Date.now()

  constructor(
    name: string,
    limits: ChannelLimits,
    publisher: Publisher,
    observers: ReadonlySet<ChannelObserver>,
    resized: (channel: Channel, bytes: number) => void,
  ) {
    this.name = name
    this.#limits = limits
    this.#publisher = publisher
    this.#observers = observers
    this.#history = new EventHistory(limits, (bytes) => resized(this, bytes))
    this.people = new People({
      graceMs: limits.graceMs,
      joined: (person, by) => {
        if (this.#isHushed) return
        this.#occupy()
        if (this.#groups.size > 0) this.#tellPerson('joined', person, by?.id)
        for (const observer of this.#observers) observer.joined?.(this, person)
        for (const listener of this.#peopleListeners) listener('joined', person)
      },
      left: (person) => {
        if (this.#isHushed) return
        this.#tellPerson('left', person, undefined)
        for (const observer of this.#observers) observer.left?.(this, person)
        for (const listener of this.#peopleListeners) listener('left', person)
        this.#leftAlone()
      },
      changed: (person) => {
        if (!this.#isHushed) this.#tellPerson('present', person, undefined)
      },
    })
  }

  get position(): Position {
    return { epoch: this.epoch, offset: this.#offset }
  }

  /** Connections that hear it, of all doors. */
  get subscribers(): number {
    return this.#subscribers
  }

  /** Someone subscribed, or someone is there, or was until a moment ago. */
  get isOccupied(): boolean {
    return this.#isOccupied
  }

  /** Nobody would miss it if it were forgotten now. */
  isForgettable(now: number): boolean {
    if (this.#isOccupied || this.#isHeard || now - this.usedAt <= this.#limits.maxAgeMs) return false
    this.#history.expire(now)
    return this.#history.isEmpty
  }

  get #isHeard(): boolean {
    return this.#listeners.size > 0 || this.#peopleListeners.size > 0
  }

  /** Numbers the event, keeps it and sends it to everyone but `except`. */
  publish({ event, body, except, userId, from }: NewEvent): RoomEvent {
    const now = Date.now()
    this.usedAt = now
    this.#offset++
    // Not spread: whatever door they come by, kept events have one shape, which is fast to read.
    const published: RoomEvent = { event, body, except, userId, from, offset: this.#offset, at: now }
    this.#history.add(published)
    for (const { audience, topic } of this.#groups.values()) {
      this.#publisher.publish(topic, audience.encode(published, this.name), except)
      if (except !== undefined) audience.excepted?.(published, this.name)
    }
    for (const listener of this.#listeners) listener(published)
    for (const observer of this.#observers) observer.published?.(this, published)
    return published
  }

  /** The events after a position, without those that `reader` must not get; `undefined` if that can't be told. */
  since({ epoch, offset }: Position, reader?: string): RoomEvent[] | undefined {
    if (epoch !== this.epoch || offset > this.#offset) return undefined
    const events = this.#history.after(offset, Date.now())
    return reader === undefined ? events : events?.filter((event) => event.except !== reader)
  }

  /** The kept events, oldest first. */
  kept(): readonly RoomEvent[] {
    return this.#history.kept(Date.now())
  }

  /** Drops the oldest kept event; `false` if there is none. */
  dropOldest(): boolean {
    if (this.#history.isEmpty) return false
    this.#history.dropOldest()
    return true
  }

  /**
   * Subscribes a socket, from the next event on: what it missed has to be sent in the same turn, before. A socket is
   * in one audience of a channel at most once.
   */
  join(socket: Socket, audience: Audience): void {
    let group = this.#groups.get(audience.key)
    if (!group) {
      group = { audience, topic: topicOf(this.name, audience), size: 0 }
      this.#groups.set(audience.key, group)
    }
    group.size++
    socket.subscribe(group.topic)
    this.#subscribers++
    this.#occupy()
    this.#tellCount()
  }

  /** @param hasBroken the connection did not say good-bye, so it may be back in a moment */
  leave(socket: Socket, audience: Audience, hasBroken: boolean): void {
    const group = this.#groups.get(audience.key)
    if (!group) return
    socket.unsubscribe(group.topic)
    group.size--
    if (group.size === 0) this.#groups.delete(audience.key)
    this.#subscribers--
    this.usedAt = Date.now()
    this.#tellCount()
    if (hasBroken && this.#limits.graceMs > 0) this.#awaitReturn()
    this.#leftAlone()
  }

  /** Stops a socket from hearing the events for now, since it missed some; `resume` goes on. It stays subscribed. */
  pause(socket: Socket, audience: Audience): void {
    socket.unsubscribe(topicOf(this.name, audience))
  }

  resume(socket: Socket, audience: Audience): void {
    socket.subscribe(topicOf(this.name, audience))
  }

  /** Calls `listener` for each event from now on. It must not throw. Returns the function that ends it. */
  listen(listener: (event: RoomEvent) => void): () => void {
    this.#listeners.add(listener)
    return () => {
      this.#listeners.delete(listener)
      this.usedAt = Date.now()
    }
  }

  /** Calls `listener` for each person who comes or goes from now on. Returns the function that ends it. */
  listenToPeople(listener: PeopleListener): () => void {
    this.#peopleListeners.add(listener)
    return () => {
      this.#peopleListeners.delete(listener)
      this.usedAt = Date.now()
    }
  }

  /** Sends a frame to an audience, unnumbered and not kept: news of the channel itself. */
  tell(audience: Audience, frame: Uint8Array | string, except?: string): void {
    const group = this.#groups.get(audience.key)
    if (group) this.#publisher.publish(group.topic, frame, except)
  }

  /** Tells nobody of who comes or goes from now on. */
  hush(): void {
    this.#isHushed = true
  }

  /** Ends its timers. */
  close(): void {
    clearTimeout(this.#grace)
    this.people.clear()
  }

  #tellCount(): void {
    if (this.#isHushed) return
    for (const observer of this.#observers) observer.counted?.(this, this.#subscribers)
  }

  #tellPerson(news: 'joined' | 'left' | 'present', person: Person, except: string | undefined): void {
    for (const { audience, topic } of this.#groups.values()) {
      const frame = audience.encodePerson(news, person, this.name)
      if (frame !== undefined) this.#publisher.publish(topic, frame, except)
    }
  }

  #occupy(): void {
    if (this.#isOccupied || this.#isHushed) return
    this.#isOccupied = true
    for (const observer of this.#observers) observer.occupied?.(this)
  }

  /** Whoever comes and goes meanwhile, the channel stays occupied until the grace of this break is over. */
  #awaitReturn(): void {
    if (this.#grace) {
      this.#grace.refresh()
      return
    }
    this.#grace = setTimeout(() => {
      this.#grace = undefined
      this.#leftAlone()
    }, this.#limits.graceMs)
  }

  #leftAlone(): void {
    if (!this.#isOccupied || this.#isHushed || this.#subscribers > 0 || this.people.count > 0 || this.#grace) return
    this.#isOccupied = false
    this.usedAt = Date.now()
    for (const observer of this.#observers) observer.vacated?.(this)
  }
}
