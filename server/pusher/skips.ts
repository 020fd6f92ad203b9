/** Offsets to remember before those that nobody can ask for any more are looked for. */
const FOLD_AT = 128

/**
 * Which of a channel's events one connection did not get, since they were not for it. A Pusher client knows of no
 * offsets: it counts what came since its subscription, and these are what its count lacks.
 */
export class Skips {
  /** Where the count begins. */
  readonly from: number
  /** Ascending. */
  #offsets: number[] = []
  /** Skips before all of `#offsets`, no more told apart. */
  #folded = 0
  #foldAt = FOLD_AT

  constructor(from: number) {
    this.from = from
  }

  get isEmpty(): boolean {
    return this.#folded === 0 && this.#offsets.length === 0
  }

  /** @param floor says after which offset the events are kept: nobody comes back to what is before */
  add(offset: number, floor: () => number): void {
    this.#offsets.push(offset)
    if (this.#offsets.length < this.#foldAt) return
    const lowest = floor()
    const kept = this.#offsets.filter((skipped) => skipped > lowest)
    this.#folded += this.#offsets.length - kept.length
    this.#offsets = kept
    this.#foldAt = Math.max(FOLD_AT, kept.length * 2)
  }

  /**
   * The offset up to which everything has been seen by a connection that got `count` events. Where the truth is among
   * the folded it may be too high, but never beyond the events that are kept no more.
   */
  offsetAfter(count: number): number {
    let offset = this.from + this.#folded + count
    for (const skipped of this.#offsets) {
      if (skipped > offset + 1) break
      offset++
    }
    return offset
  }
}
