/**
 * Numbers of subscriptions of one app's channels, told as Pusher does: each change of a small channel; of a larger one
 * at most one every 5 seconds, the last one of them in any case.
 */
import type { Clock } from './clock.ts'

const SMALL = 100
const INTERVAL_MS = 5000

interface Told {
  count: number
  /** Calls off what is to be told when the interval is over. */
  readonly callOff: () => void
}

export interface SubscriptionCounts {
  changed(channel: string, count: number): void
  stop(): void
}

export const createSubscriptionCounts = (
  clock: Clock,
  tell: (channel: string, count: number) => void,
): SubscriptionCounts => {
  /** Large channels that were told of within the interval. */
  const large = new Map<string, Told>()

  const tellNow = (channel: string, count: number): void => {
    large.get(channel)?.callOff()
    large.delete(channel)
    tell(channel, count)
    if (count <= SMALL) return
    const told: Told = {
      count,
      callOff: clock.after(INTERVAL_MS, () => {
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
