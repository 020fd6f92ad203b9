/** Time, as webhooks need it. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number
  /** Calls `fn` once, after `ms` milliseconds. Returns the function that calls it off. */
  after(ms: number, fn: () => void): () => void
}

export const systemClock: Clock = {
  now: Date.now,
  after: (ms, fn) => {
    const timer = setTimeout(fn, ms)
    return () => clearTimeout(timer)
  },
}
