export interface BackoffOptions {
  /** Longest wait before the first retry, in milliseconds. Default 500. */
  min?: number
  /** Longest wait before any retry, in milliseconds. Default 30,000. */
  max?: number
}

export interface Backoff {
  /** Milliseconds to wait before the next attempt. */
  next(): number
  /** The last attempt did useful work: start over. */
  reset(): void
}

/**
 * Waits that double from `min` to `max`, each drawn at random from the upper four fifths, so that the clients of a
 * server that was restarted do not all return at once.
 */
export const createBackoff = ({ min = 500, max = 30_000 }: BackoffOptions = {}, random = Math.random): Backoff => {
  let ceiling = min
  return {
    next: () => {
      const limit = Math.min(ceiling, max)
      ceiling = limit * 2
      return Math.round(limit * (0.2 + 0.8 * random()))
    },
    reset: () => {
      ceiling = min
    },
  }
}
