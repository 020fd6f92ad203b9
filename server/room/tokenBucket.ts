/** Lets `perSecond` through each second, and as many at once after a second of rest. */
export class TokenBucket {
  readonly #perSecond: number
  #tokens: number
  #filledAt: number

  /** @param now in ms, of any clock that does not go back; the same for `take` */
  constructor(perSecond: number, now: number) {
    this.#perSecond = perSecond
    this.#tokens = perSecond
    this.#filledAt = now
  }

  /** Whether one more may pass. */
  take(now: number): boolean {
    this.#tokens = Math.min(this.#perSecond, this.#tokens + ((now - this.#filledAt) / 1000) * this.#perSecond)
    this.#filledAt = now
    if (this.#tokens < 1) return false
    this.#tokens--
    return true
  }
}
