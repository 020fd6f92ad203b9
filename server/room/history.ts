/** A room's last events, so that a reader that was away misses none. */
import type { RoomEvent } from '../contracts.ts'

export interface HistoryLimits {
  readonly maxEvents: number
  readonly maxAgeMs: number
}

/** What an entry takes besides its texts: the object, its number slots, its place in the list. Measured, rounded up. */
const ENTRY_BYTES = 160
/** A string in V8 takes at most this for each UTF-16 unit. */
const CHARACTER_BYTES = 2

const bytesOf = ({ event, body, except = '', userId = '' }: RoomEvent): number => {
  const characters = event.length + except.length + userId.length + (typeof body === 'string' ? body.length : 0)
  return ENTRY_BYTES + characters * CHARACTER_BYTES + (typeof body === 'string' ? 0 : body.byteLength)
}

export class EventHistory {
  readonly #limits: HistoryLimits
  readonly #resized: (bytes: number) => void
  #entries: RoomEvent[] = []
  /** Everything after this offset is kept. */
  #floor = 0

  /** @param resized is told by how many bytes of memory, at most, the entries grew (or shrank, if negative) */
  constructor(limits: HistoryLimits, resized: (bytes: number) => void) {
    this.#limits = limits
    this.#resized = resized
  }

  get isEmpty(): boolean {
    return this.#entries.length === 0
  }

  add(event: RoomEvent): void {
    this.#entries.push(event)
    this.#resized(bytesOf(event))
    while (this.#entries.length > this.#limits.maxEvents) this.dropOldest()
    this.expire(event.at)
  }

  /** Drops what is too old. */
  expire(now: number): void {
    for (let oldest = this.#entries[0]; oldest && now - oldest.at > this.#limits.maxAgeMs; oldest = this.#entries[0]) {
      this.dropOldest()
    }
  }

  dropOldest(): void {
    const oldest = this.#entries.shift()
    if (!oldest) return
    this.#resized(-bytesOf(oldest))
    this.#floor = oldest.offset
  }

  /** The events after an offset, oldest first; `undefined` if some of them are kept no more. */
  after(offset: number, now: number): RoomEvent[] | undefined {
    this.expire(now)
    if (offset < this.#floor) return undefined
    return this.#entries.filter((entry) => entry.offset > offset)
  }

  /** The kept events, oldest first. */
  kept(now: number): readonly RoomEvent[] {
    this.expire(now)
    return this.#entries
  }
}
