/**
 * Carries the events of one webhook of one app to its URL. Events of a channel go in order: none is sent before the
 * one before it was answered 2xx or given up. Channels don't wait for each other: where a request with several channels
 * failed, each of them is tried again by itself.
 */
import { Backlog, bytesOf } from './backlog.ts'
import type { Clock } from './clock.ts'
import type { Answer } from './delivery.ts'
import type { Lane, Parcel } from './lane.ts'
import type { WebhookTimes } from './times.ts'

export interface CourierParts {
  /** Whether events are collected before they are sent. */
  readonly isBatching: boolean
  readonly limits: { readonly webhookQueueEvents: number; readonly webhookQueueBytes: number }
  readonly times: WebhookTimes
  readonly clock: Clock
  /** 0 up to, not with, 1. */
  random(): number
  post(texts: readonly string[]): Promise<Answer>
  /** These parcels are done with: taken, given up or dropped. */
  done(ids: readonly number[]): void
  failed(reason: string): void
  givenUp(count: number, channel: string): void
  dropped(count: number): void
}

export interface CourierCounts {
  /** Events that wait, those that are being sent included. */
  readonly waiting: number
  readonly delivered: number
  readonly givenUp: number
  readonly dropped: number
  readonly failedAttempts: number
}

/** A request: the first parcels of some lanes. */
type Load = readonly Lane[]

export class Courier {
  readonly #parts: CourierParts
  /** Lanes with parcels, by channel. */
  readonly #lanes = new Map<string, Lane>()
  /** All parcels; those too that are not in a lane yet. */
  readonly #backlog = new Backlog()
  /** Lanes that are ready and did not just fail, the one ready longest first. */
  readonly #fresh = new Set<Lane>()
  /** Lanes whose rest after a failure is over. */
  readonly #retries = new Set<Lane>()
  #isRetryNext = false
  readonly #requests = new Set<Promise<void>>()
  /** How many parcels came to fresh lanes since the last batch was due. */
  #collected = 0
  #isBatchDue = false
  #stopCollecting: (() => void) | undefined
  #isStopped = false
  #delivered = 0
  #givenUp = 0
  #dropped = 0
  #failedAttempts = 0

  constructor(parts: CourierParts) {
    this.#parts = parts
  }

  get counts(): CourierCounts {
    return {
      waiting: this.#backlog.size,
      delivered: this.#delivered,
      givenUp: this.#givenUp,
      dropped: this.#dropped,
      failedAttempts: this.#failedAttempts,
    }
  }

  /** Makes room for a parcel and counts it; `take` sends it. */
  expect(parcel: Parcel): void {
    const { webhookQueueEvents, webhookQueueBytes } = this.#parts.limits
    const isTooMuch = () =>
      this.#backlog.size >= webhookQueueEvents || this.#backlog.bytes + bytesOf(parcel) > webhookQueueBytes
    // The oldest: what an application ends up with when it is back must be how things are then.
    while (isTooMuch() && this.#dropOldest());
    this.#backlog.add(parcel)
  }

  /** Sends an expected parcel when its turn has come. Parcels are taken in the order of their ids. */
  take(parcel: Parcel): void {
    if (this.#isStopped || !this.#backlog.has(parcel)) return
    const lane = this.#lanes.get(parcel.channel)
    if (lane) {
      lane.parcels.push(parcel)
      if (lane.state.name === 'ready' && lane.failures === 0) this.#collect(1)
      return
    }
    const opened: Lane = { channel: parcel.channel, parcels: [parcel], state: { name: 'ready' }, failures: 0 }
    this.#lanes.set(parcel.channel, opened)
    this.#ready(opened)
  }

  /** Starts nothing any more. Resolves when no request is under way. */
  async stop(): Promise<void> {
    this.#isStopped = true
    this.#stopCollecting?.()
    for (const { state } of this.#lanes.values()) if (state.name === 'resting') state.callOff()
    await Promise.all(this.#requests)
  }

  #ready(lane: Lane): void {
    lane.state = { name: 'ready' }
    if (lane.failures > 0) {
      this.#retries.add(lane)
      this.#send()
    } else {
      this.#fresh.add(lane)
      this.#collect(lane.parcels.length)
    }
  }

  /** So many parcels more are in fresh lanes. */
  #collect(count: number): void {
    const { isBatching, times, clock } = this.#parts
    this.#collected += count
    if (!isBatching || this.#collected >= times.batchEvents) this.#batchDue()
    else this.#stopCollecting ??= clock.after(times.batchMs, () => this.#batchDue())
  }

  #batchDue(): void {
    this.#stopCollecting?.()
    this.#stopCollecting = undefined
    this.#collected = 0
    this.#isBatchDue = true
    this.#send()
  }

  #send(): void {
    while (!this.#isStopped && this.#requests.size < this.#parts.times.maxRequests) {
      const load = this.#nextLoad()
      if (!load) return
      const request = this.#request(load).finally(() => {
        this.#requests.delete(request)
        this.#send()
      })
      this.#requests.add(request)
    }
  }

  /** Takes turns between fresh lanes and those that failed, so that neither keeps the other waiting. */
  #nextLoad(): Load | undefined {
    const isRetryFirst = this.#isRetryNext
    this.#isRetryNext = !isRetryFirst
    return isRetryFirst ? (this.#retryLoad() ?? this.#freshLoad()) : (this.#freshLoad() ?? this.#retryLoad())
  }

  #retryLoad(): Load | undefined {
    for (const lane of this.#retries) {
      this.#retries.delete(lane)
      this.#reserve(lane, this.#perRequest)
      return [lane]
    }
    return undefined
  }

  #freshLoad(): Load | undefined {
    if (!this.#isBatchDue) return undefined
    const load: Lane[] = []
    let space = this.#perRequest
    for (const lane of this.#fresh) {
      if (space === 0) return load
      this.#fresh.delete(lane)
      space -= this.#reserve(lane, space)
      load.push(lane)
    }
    this.#isBatchDue = this.#fresh.size > 0
    return load.length > 0 ? load : undefined
  }

  get #perRequest(): number {
    return this.#parts.isBatching ? this.#parts.times.batchEvents : 1
  }

  #reserve(lane: Lane, space: number): number {
    const count = Math.min(lane.parcels.length, space)
    lane.state = { name: 'sending', count }
    return count
  }

  async #request(load: Load): Promise<void> {
    const sent = load.map((lane) => lane.parcels.slice(0, lane.state.name === 'sending' ? lane.state.count : 0))
    const answer = await this.#parts.post(sent.flat().map(({ text }) => text))
    if (answer.isTaken) {
      this.#delivered += sent.flat().length
      for (const [i, lane] of load.entries()) {
        lane.failures = 0
        this.#forget(lane, sent[i]!.length)
        this.#next(lane)
      }
      return
    }
    // What a stop broke off has not failed.
    if (this.#isStopped) return
    this.#failedAttempts++
    this.#parts.failed(answer.reason)
    for (const lane of load) this.#retryLater(lane)
  }

  #retryLater(lane: Lane): void {
    const { clock, times } = this.#parts
    lane.failures++
    const now = clock.now()
    // Those behind the first one waited with it: their time is over as well.
    const kept = lane.parcels.findIndex(({ expiresAt }) => expiresAt > now)
    const expired = kept === -1 ? lane.parcels.length : kept
    if (expired > 0) {
      this.#givenUp += expired
      this.#parts.givenUp(expired, lane.channel)
      this.#forget(lane, expired)
    }
    const first = lane.parcels[0]
    if (!first) {
      this.#lanes.delete(lane.channel)
      return
    }
    const most = Math.min(times.maxRetryMs, times.firstRetryMs * 2 ** (lane.failures - 1))
    const delay = (most / 2) * (1 + this.#parts.random())
    const callOff = clock.after(Math.min(delay, first.expiresAt - now), () => this.#ready(lane))
    lane.state = { name: 'resting', callOff }
  }

  /** What becomes of a lane after its first parcels are gone. */
  #next(lane: Lane): void {
    if (lane.parcels.length > 0) this.#ready(lane)
    else this.#lanes.delete(lane.channel)
  }

  /** Drops the first parcels of a lane. */
  #forget(lane: Lane, count: number): void {
    const gone = lane.parcels.splice(0, count)
    for (const parcel of gone) this.#backlog.remove(parcel)
    this.#parts.done(gone.map(({ id }) => id))
  }

  #isBeingSent(parcel: Parcel): boolean {
    const lane = this.#lanes.get(parcel.channel)
    return lane?.state.name === 'sending' && lane.parcels.lastIndexOf(parcel, lane.state.count - 1) >= 0
  }

  /** Drops the oldest parcel that is not being sent; `false` if there is none. */
  #dropOldest(): boolean {
    const oldest = this.#backlog.oldest((parcel) => !this.#isBeingSent(parcel))
    if (!oldest) return false
    const lane = this.#lanes.get(oldest.channel)
    const at = lane?.parcels.indexOf(oldest) ?? -1
    if (lane && at >= 0) {
      lane.parcels.splice(at, 1)
      if (lane.parcels.length === 0) this.#close(lane)
    }
    this.#backlog.remove(oldest)
    this.#dropped++
    this.#parts.dropped(1)
    this.#parts.done([oldest.id])
    return true
  }

  #close(lane: Lane): void {
    if (lane.state.name === 'resting') lane.state.callOff()
    this.#fresh.delete(lane)
    this.#retries.delete(lane)
    this.#lanes.delete(lane.channel)
  }
}
