/** A line for the first of many like events, then at most one a minute, with how many there were. */
import type { Clock } from './clock.ts'

const INTERVAL_MS = 60_000

export class SparseLog {
  readonly #clock: Clock
  readonly #write: (count: number, fields: object) => void
  #count = 0
  #fields: object = {}
  #writtenAt = Number.NEGATIVE_INFINITY

  /** @param write is given how many events it stands for, and the fields of the last one */
  constructor(clock: Clock, write: (count: number, fields: object) => void) {
    this.#clock = clock
    this.#write = write
  }

  note(count: number, fields: object): void {
    this.#count += count
    this.#fields = fields
    if (this.#clock.now() - this.#writtenAt >= INTERVAL_MS) this.flush()
  }

  /** Writes what was not written yet. */
  flush(): void {
    if (this.#count === 0) return
    this.#writtenAt = this.#clock.now()
    this.#write(this.#count, this.#fields)
    this.#count = 0
  }
}
