/**
 * Where a Pusher client that comes back has to go on. It says what it was told at a subscription, how many events it
 * got since, and the id of its lost connection. Which events that connection was not to get is asked of it while the
 * server still holds it for open (a client notices first that a network is gone), and remembered here afterwards, for
 * as long as they may be in a history. Whatever a client says of others, it decides only what it is sent itself.
 */
import type { Position } from '../contracts.ts'
import type { RecoverRequest } from '../protocol/pusherMessage.ts'
import type { Skips } from './skips.ts'

/** Subscriptions of closed connections that are remembered, of all channels of an app. */
const MAX_REMEMBERED = 100_000
/** Connections in a row, each cut before it had sent what was missed, whose exclusions are known. */
const MAX_FORMER = 16

/** What one subscription leaves to that which goes on in its place. */
export interface Legacy {
  readonly skips: Skips
  /** Connections that its client had before, the last one first: what is not for them is not for it. */
  readonly former: readonly string[]
}

/** Where to go on, and as which connections. */
export interface Resumption {
  readonly position: Position
  /** See `Legacy`; the lost connection is the first. */
  readonly former: readonly string[]
}

interface Remembered extends Legacy {
  /** When the subscription ended, in ms of `Date.now()`. */
  readonly endedAt: number
}

/** An epoch is of one channel only. A connection may have subscribed more than once, from different offsets. */
const keyOf = (socketId: string, epoch: string, from: number): string => `${epoch} ${from} ${socketId}`

/** Of the connections of one app. */
export class Recoveries {
  readonly #maxAgeMs: number
  readonly #openLegacy: (socketId: string, room: string) => Legacy | undefined
  /** The one that ended first first. Only where something was skipped, or may still be. */
  readonly #ended = new Map<string, Remembered>()
  /** Until then the memory may lack something that a history still has. */
  #unsureUntil = 0

  /**
   * @param maxAgeMs how long an event is kept
   * @param openLegacy what the subscription to a room would leave of a connection that is not closed
   */
  constructor(maxAgeMs: number, openLegacy: (socketId: string, room: string) => Legacy | undefined) {
    this.#maxAgeMs = maxAgeMs
    this.#openLegacy = openLegacy
  }

  /** A subscription ended, or begins to count anew. */
  remember(socketId: string, epoch: string, { skips, former }: Legacy): void {
    if (skips.isEmpty && former.length === 0) return
    const now = Date.now()
    const key = keyOf(socketId, epoch, skips.from)
    // Deleted first, so that it becomes the last.
    this.#ended.delete(key)
    this.#ended.set(key, { skips, former, endedAt: now })
    for (const [oldest, { endedAt }] of this.#ended) {
      const isOld = now - endedAt > this.#maxAgeMs
      if (!isOld && this.#ended.size <= MAX_REMEMBERED) break
      if (!isOld) this.#unsureUntil = endedAt + this.#maxAgeMs
      this.#ended.delete(oldest)
    }
  }

  /** `undefined` if that can't be told: then nothing is recovered. */
  resume({ epoch, offset, count, socketId }: RecoverRequest, room: string): Resumption | undefined {
    const legacy = this.#legacyOf(socketId, room, epoch, offset)
    if (legacy === undefined && Date.now() < this.#unsureUntil) return undefined
    return {
      position: { epoch, offset: legacy?.skips.offsetAfter(count) ?? offset + count },
      former: [socketId, ...(legacy?.former ?? [])].slice(0, MAX_FORMER),
    }
  }

  #legacyOf(socketId: string, room: string, epoch: string, from: number): Legacy | undefined {
    const open = this.#openLegacy(socketId, room)
    return open?.skips.from === from ? open : this.#ended.get(keyOf(socketId, epoch, from))
  }
}
