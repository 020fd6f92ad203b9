/**
 * Numbers of subscriptions, told as Pusher documents it: each change of a small channel; of a larger one at most one
 * every 5 seconds, the last one of them in any case.
 */

const SMALL = 100
const INTERVAL_MS = 5000

/** Calls `fn` once, after `ms` milliseconds. Returns the function that calls it off. */
export type After = (ms: number, fn: () => void) => () => void

interface Told {
  count: number
  /** Calls off what is to be told when the interval is over. */
  readonly callOff: () => void
}

/** `C`: what stands for a channel. */
export interface SubscriptionCounts<C> {
  changed(channel: C, count: number): void
  /** Ends its timers. */
  stop(): void
}

const afterTimeout: After = (ms, fn) => {
  const timer = setTimeout(fn, ms)
  timer.unref()
  return () => clearTimeout(timer)
}

export const createSubscriptionCounts = <C>(
  tell: (channel: C, count: number) => void,
  after: After = afterTimeout,
): SubscriptionCounts<C> => {
  /** Large channels that were told of within the interval. */
  const large = new Map<C, Told>()

  const tellNow = (channel: C, count: number): void => {
    large.get(channel)?.callOff()
    large.delete(channel)
    tell(channel, count)
    if (count <= SMALL) return
    const told: Told = {
      count,
      callOff: after(INTERVAL_MS, () => {
        large.delete(channel)
        if (told.count !== count) tellNow(channel, told.count)
      }),
    }
    large.set(channel, told)
  }

  return {
    changed: (channel, count) => {
      const told = large.get(channel)
      if (told && count > SMALL) told.count = count
      else tellNow(channel, count)
    },
    stop: () => {
      for (const { callOff } of large.values()) callOff()
      large.clear()
    },
  }
}
