/**
 * Where a Pusher client that comes back has to go on. It says what it was told at its last subscription, how many
 * events it got since, and the id of its lost connection; which events that connection was not to get is remembered
 * here for as long as they may be in a history.
 */
import type { Position } from '../contracts.ts'
import type { RecoverRequest } from '../protocol/pusherMessage.ts'
import type { Skips } from './skips.ts'

/** Subscriptions of closed connections that are remembered, of all channels. */
const MAX_REMEMBERED = 100_000

interface Remembered {
  readonly skips: Skips
  /** When the connection was closed, in ms of `Date.now()`. */
  readonly closedAt: number
}

/** Where to go on, and what was not for the lost connection. */
export interface Resumption {
  readonly position: Position
  readonly socketId: string
  readonly skips: Skips | undefined
}

const keyOf = (socketId: string, room: string): string => `${socketId} ${room}`

export class Recoveries {
  readonly #maxAgeMs: number
  /** By connection and room, the one closed first first. Only where something was skipped. */
  readonly #closed = new Map<string, Remembered>()
  /** Until then the memory may lack something that a history still has. */
  #unsureUntil = 0

  /** @param maxAgeMs how long an event is kept */
  constructor(maxAgeMs: number) {
    this.#maxAgeMs = maxAgeMs
  }

  /** A connection was closed, or unsubscribed. */
  remember(socketId: string, room: string, skips: Skips): void {
    if (skips.isEmpty) return
    const now = Date.now()
    this.#closed.set(keyOf(socketId, room), { skips, closedAt: now })
    for (const [key, { closedAt }] of this.#closed) {
      const isOld = now - closedAt > this.#maxAgeMs
      if (!isOld && this.#closed.size <= MAX_REMEMBERED) break
      if (!isOld) this.#unsureUntil = closedAt + this.#maxAgeMs
      this.#closed.delete(key)
    }
  }

  /** `undefined` if that can't be told: then nothing is recovered. */
  resume({ epoch, offset, count, socketId }: RecoverRequest, room: string): Resumption | undefined {
    const skips = this.#closed.get(keyOf(socketId, room))?.skips
    if (skips === undefined) {
      if (Date.now() < this.#unsureUntil) return undefined
      return { position: { epoch, offset: offset + count }, socketId, skips }
    }
    // What it counts from is not what it was told last.
    if (skips.from !== offset) return undefined
    return { position: { epoch, offset: skips.offsetAfter(count) }, socketId, skips }
  }
}
