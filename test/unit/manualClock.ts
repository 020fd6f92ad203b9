/** A clock that a test moves. */
import type { Clock } from '../../server/webhooks/clock.ts'

export class ManualClock implements Clock {
  #now = 1_700_000_000_000
  readonly #timers = new Set<{ readonly at: number; fn(): void }>()

  now = (): number => this.#now

  after = (ms: number, fn: () => void): (() => void) => {
    const timer = { at: this.#now + ms, fn }
    this.#timers.add(timer)
    return () => {
      this.#timers.delete(timer)
    }
  }

  /** How long until each timer is due, in ms, the next one first. */
  get pending(): number[] {
    return Array.from(this.#timers, ({ at }) => at - this.#now).sort((a, b) => a - b)
  }

  /** Moves the time on and calls what is due, in order. */
  advance(ms: number): void {
    const end = this.#now + ms
    for (;;) {
      const due = [...this.#timers].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0]
      if (!due) break
      this.#timers.delete(due)
      this.#now = Math.max(this.#now, due.at)
      due.fn()
    }
    this.#now = end
  }
}
