/** Answers that are remembered for a while, so that a request sent twice is carried out once. */
import type { TuttiError } from '../../lib/errors.ts'

export interface AnswersLimits {
  readonly lifetimeMs: number
  /** Answers kept; beyond, the oldest go first. */
  readonly maxCount: number
  /** Bytes of all of them together, as `bytesOf` counts. */
  readonly maxBytes: number
}

export interface AnswersParts<T> extends AnswersLimits {
  /** What an answer takes in memory; `undefined` if it is not to be kept. */
  bytesOf(answer: T): number | undefined
  /** What refuses another request under a key. */
  reused(): TuttiError
  /** The time, in ms. */
  now?(): number
}

interface Kept<T> {
  readonly request: string
  readonly answer: T
  readonly bytes: number
  readonly until: number
}

interface Running<T> {
  readonly request: string
  readonly answer: Promise<T>
}

/** What an entry takes besides its key and its answer: measured, rounded up. */
const ENTRY_BYTES = 200

export class Answers<T> {
  readonly #parts: AnswersParts<T>
  readonly #now: () => number
  /** In the order in which they were given. */
  readonly #kept = new Map<string, Kept<T>>()
  readonly #running = new Map<string, Running<T>>()
  #bytes = 0

  constructor(parts: AnswersParts<T>) {
    this.#parts = parts
    this.#now = parts.now ?? Date.now
  }

  /**
   * The answer under a key: the one that was given, the one that is being made, or what `work` makes. `work` begins in
   * this turn if nothing is known. Only what `bytesOf` counts is kept: after anything else the next one tries anew.
   * @param request tells requests apart, so that a key is not used for two of them
   * @throws TuttiError what `reused` gives; rejects with what `work` throws
   */
  async once(key: string, request: string, work: () => T | Promise<T>): Promise<T> {
    for (;;) {
      this.#expire()
      const known = this.#kept.get(key) ?? this.#running.get(key)
      if (known === undefined) return this.#run(key, request, work)
      if (known.request !== request) throw this.#parts.reused()
      if ('until' in known) return known.answer
      // It fails for its own caller; this one then tries itself.
      await known.answer.catch(() => undefined)
      const given = this.#kept.get(key)
      if (given !== undefined && given.request === request) return given.answer
    }
  }

  async #run(key: string, request: string, work: () => T | Promise<T>): Promise<T> {
    const answer = (async () => work())()
    this.#running.set(key, { request, answer })
    try {
      const given = await answer
      this.#keep(key, request, given)
      return given
    } finally {
      this.#running.delete(key)
    }
  }

  #keep(key: string, request: string, answer: T): void {
    const answerBytes = this.#parts.bytesOf(answer)
    if (answerBytes === undefined) return
    const bytes = ENTRY_BYTES + 2 * key.length + answerBytes
    this.#kept.set(key, { request, answer, bytes, until: this.#now() + this.#parts.lifetimeMs })
    this.#bytes += bytes
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= this.#parts.maxCount && this.#bytes <= this.#parts.maxBytes) return
      this.#drop(oldest)
    }
  }

  #expire(): void {
    const now = this.#now()
    for (const [key, { until }] of this.#kept) {
      if (until > now) return
      this.#drop(key)
    }
  }

  #drop(key: string): void {
    this.#bytes -= this.#kept.get(key)?.bytes ?? 0
    this.#kept.delete(key)
  }
}
