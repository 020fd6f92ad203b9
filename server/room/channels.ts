/** The channels of a server: made when first used, forgotten when nobody could miss them. */
import { TuttiError } from '../../lib/errors.ts'
import type { NewEvent, Person, Position, Publisher } from '../contracts.ts'
import { Channel, type ChannelObserver } from './channel.ts'
import type { People } from './people.ts'
import { checkRoomName } from './roomName.ts'

/** How often channels are looked at, to forget those without use. */
const SWEEP_MS = 5000

type Publish = (room: string, event: NewEvent) => Position

export interface ChannelsParts {
  readonly publisher: Publisher
  /** What stands between an event and its publication, where there is such a hook. */
  readonly ordered?: ((publish: Publish) => Channels['trigger']) | undefined
  /** Who is in a room, by what stands for their connection there. */
  present(room: string): Iterable<readonly [key: unknown, person: Person]>
  readonly limits: {
    readonly eventHistoryCount: number
    readonly eventHistorySeconds: number
    readonly eventHistoryBytes: number
    readonly leaveGraceSeconds: number
  }
}

export interface Channels {
  /**
   * The channel of a room; made if it is not there.
   * @throws TuttiError `INVALID_ROOM`
   */
  open(room: string): Channel
  /** The channel of a room, if it is there. */
  find(room: string): Channel | undefined
  /** Those that are there, in no order. */
  all(): Iterable<Channel>
  /**
   * Publishes an event in a room. Whoever calls has checked its name and its size.
   * @throws TuttiError `INVALID_ROOM`; what a hook refuses it with
   */
  trigger(room: string, event: NewEvent): Position | Promise<Position>
  /** Tells an observer of all channels. Returns the function that ends it. */
  observe(observer: ChannelObserver): () => void
  /**
   * Where a room's document half tells of the people there; `undefined` while nobody would hear of it: a channel that
   * is made later asks for them.
   */
  peopleOf(room: string): People | undefined
  /** Forgets the events that are kept of a room. */
  forget(room: string): void
  /**
   * Tells nobody of who comes or goes from now on: the server is stopping, and clients whose connections it ends have
   * not left. Events are published as before.
   */
  hush(): void
  close(): void
}

const hearsOfPeople = ({ occupied, vacated, joined, left }: ChannelObserver): boolean =>
  occupied !== undefined || vacated !== undefined || joined !== undefined || left !== undefined

export const createChannels = ({ publisher, ordered, present, limits }: ChannelsParts): Channels => {
  const channelLimits = {
    maxEvents: limits.eventHistoryCount,
    maxAgeMs: limits.eventHistorySeconds * 1000,
    graceMs: limits.leaveGraceSeconds * 1000,
  }
  const channels = new Map<string, Channel>()
  /** Channels with a history, the one published to least recently first. */
  const byUse = new Set<Channel>()
  /** Published to last: of a run of events in one room, only the first has to move it to the end. */
  let lastUsed: Channel | undefined
  const observers = new Set<ChannelObserver>()
  /** Those who want to hear of people, in whatever room. */
  let peopleObservers = 0
  let historyBytes = 0
  let isClosed = false
  let isHushed = false

  const resized = (_channel: Channel, bytes: number): void => {
    historyBytes += bytes
  }

  const open = (room: string): Channel => {
    const known = channels.get(room)
    if (known) return known
    checkRoomName(room)
    const channel = new Channel(room, channelLimits, publisher, observers, resized)
    channels.set(room, channel)
    if (isHushed) channel.hush()
    for (const [key, person] of present(room)) channel.people.enter(key, person)
    return channel
  }

  /** Keeps the histories of all rooms together within their budget: those used least recently lose first. */
  const shrink = (): void => {
    for (const channel of byUse) {
      while (historyBytes > limits.eventHistoryBytes && channel.dropOldest());
      if (historyBytes <= limits.eventHistoryBytes) return
      byUse.delete(channel)
    }
  }

  const publish = (room: string, event: NewEvent): Position => {
    // A hook may have held the event back until now.
    if (isClosed) throw new TuttiError('GOING_AWAY', 'The server is stopping.', { hint: 'Try again in a moment.' })
    const channel = open(room)
    const { offset } = channel.publish(event)
    if (channel !== lastUsed || !byUse.has(channel)) {
      byUse.delete(channel)
      byUse.add(channel)
      lastUsed = channel
    }
    if (historyBytes > limits.eventHistoryBytes) shrink()
    return { epoch: channel.epoch, offset }
  }

  const sweep = setInterval(() => {
    const now = Date.now()
    for (const channel of channels.values()) {
      if (!channel.isForgettable(now)) continue
      byUse.delete(channel)
      channels.delete(channel.name)
    }
  }, SWEEP_MS)
  sweep.unref()

  return {
    open,
    find: (room) => channels.get(room),
    all: () => channels.values(),
    trigger: ordered?.(publish) ?? publish,
    observe: (observer) => {
      observers.add(observer)
      const ofPeople = hearsOfPeople(observer) ? 1 : 0
      peopleObservers += ofPeople
      return () => {
        if (observers.delete(observer)) peopleObservers -= ofPeople
      }
    },
    peopleOf: (room) => (peopleObservers > 0 && !isHushed ? open(room) : channels.get(room))?.people,
    forget: (room) => {
      const channel = channels.get(room)
      while (channel?.dropOldest());
    },
    hush: () => {
      isHushed = true
      for (const channel of channels.values()) channel.hush()
    },
    close: () => {
      isClosed = true
      clearInterval(sweep)
      for (const channel of channels.values()) channel.close()
      channels.clear()
      byUse.clear()
    },
  }
}
