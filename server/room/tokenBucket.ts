/** Lets `perSecond` through each second, and up to `most` at once after a rest. */
export class TokenBucket {
  readonly #perSecond: number
  readonly #most: number
  #tokens: number
  #filledAt: number

  /**
   * @param now in ms, of any clock that does not go back; the same for `take`
   * @param most default: what comes in one second
   */
  constructor(perSecond: number, now: number, most = perSecond) {
    this.#perSecond = perSecond
    this.#most = most
    this.#tokens = most
    this.#filledAt = now
  }

  /** Whether one more may pass. */
  take(now: number): boolean {
    this.#tokens = Math.min(this.#most, this.#tokens + ((now - this.#filledAt) / 1000) * this.#perSecond)
    this.#filledAt = now
    if (this.#tokens < 1) return false
    this.#tokens--
    return true
  }
}
