/** The last event that a back end published in each `cache-` channel, for those who subscribe later. */
import type { RoomEvent } from '../contracts.ts'

/** Pusher keeps one for at most 30 minutes. */
export const TTL_MS = 30 * 60 * 1000
/** Of all apps together; the one published longest ago goes first. */
const MAX_EVENTS = 10_000
const MAX_BYTES = 64 * 1024 * 1024
/** Besides its texts, of two bytes a character at most. */
const ENTRY_BYTES = 200

const bytesOf = ({ event, body }: RoomEvent): number =>
  ENTRY_BYTES + 2 * event.length + (typeof body === 'string' ? 2 * body.length : body.byteLength)

export interface CacheLimits {
  readonly maxEvents: number
  readonly maxBytes: number
}

export class EventCache {
  readonly #limits: CacheLimits
  /** By room, the one published longest ago first. */
  readonly #events = new Map<string, RoomEvent>()
  #bytes = 0

  constructor(limits: CacheLimits = { maxEvents: MAX_EVENTS, maxBytes: MAX_BYTES }) {
    this.#limits = limits
  }

  put(room: string, event: RoomEvent): void {
    this.#remove(room)
    this.#events.set(room, event)
    this.#bytes += bytesOf(event)
    for (const [oldest, { at }] of this.#events) {
      const isFull = this.#events.size > this.#limits.maxEvents || this.#bytes > this.#limits.maxBytes
      if (!isFull && event.at - at < TTL_MS) break
      this.#remove(oldest)
    }
  }

  /** The cached event, with the milliseconds for which it is kept yet. */
  get(room: string): { readonly event: RoomEvent; readonly ttlMs: number } | undefined {
    const event = this.#events.get(room)
    if (!event) return undefined
    const ttlMs = event.at + TTL_MS - Date.now()
    if (ttlMs > 0) return { event, ttlMs }
    this.#remove(room)
    return undefined
  }

  #remove(room: string): void {
    const event = this.#events.get(room)
    if (!event) return
    this.#events.delete(room)
    this.#bytes -= bytesOf(event)
  }
}
