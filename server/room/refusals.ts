/**
 * Slows down those who come back after a refusal: y-websocket before 3.1 retries every close, so each further refusal
 * of an address is answered later.
 */
export const FIRST_DELAY_MS = 100
export const MAX_DELAY_MS = 30_000
/** An address without a refusal for this long starts afresh. */
const FORGET_MS = 60_000
/** Addresses remembered; the oldest goes first. */
const MAX_ADDRESSES = 10_000

export interface Refusals {
  /** Calls `close` at once for a first refusal, later for each further one. */
  delay(address: string, close: () => void): void
  /** Calls everything still waiting now. */
  flush(): void
}

export const createRefusals = (): Refusals => {
  const counts = new Map<string, { count: number; at: number }>()
  const waiting = new Map<NodeJS.Timeout, () => void>()

  const countOf = (address: string): number => {
    const now = Date.now()
    const known = counts.get(address)
    const count = known && now - known.at < FORGET_MS ? known.count + 1 : 1
    counts.delete(address)
    counts.set(address, { count, at: now })
    if (counts.size > MAX_ADDRESSES) {
      const [oldest] = counts.keys()
      if (oldest !== undefined) counts.delete(oldest)
    }
    return count
  }

  const delay = (address: string, close: () => void): void => {
    const count = countOf(address)
    if (count === 1) {
      // Not in this turn: the caller may be inside a callback of the very socket.
      setImmediate(close)
      return
    }
    const timer = setTimeout(
      () => {
        waiting.delete(timer)
        close()
      },
      Math.min(FIRST_DELAY_MS * 2 ** (count - 2), MAX_DELAY_MS),
    )
    waiting.set(timer, close)
  }

  const flush = (): void => {
    for (const [timer, close] of waiting) {
      clearTimeout(timer)
      close()
    }
    waiting.clear()
  }

  return { delay, flush }
}
