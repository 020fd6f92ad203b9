/** Tells the subscribers of a channel how many they are, for the apps that want it; presence channels have members. */
import type { App } from '../apps.ts'
import { subscriptionCountFrame } from '../protocol/pusherMessage.ts'
import { kindOf, USER_CHANNEL_PREFIX } from '../protocol/pusherName.ts'
import type { Audience, Channel } from '../room/channel.ts'

/** Above this, a count is told only so often (Pusher's documentation). */
const MANY = 100
const MANY_EVERY_MS = 5000

export interface CountingApp {
  readonly app: App
  readonly audience: Audience
}

export interface SubscriptionCounts {
  /** The number of a channel's subscribers has changed. */
  counted(channel: Channel): void
  close(): void
}

export const createSubscriptionCounts = (counting: readonly CountingApp[]): SubscriptionCounts => {
  /** Channels with many subscribers that were told a moment ago, with the count they were told. */
  const resting = new Map<Channel, { readonly timer: NodeJS.Timeout; readonly told: number }>()

  const tell = (channel: Channel): void => {
    for (const { app, audience } of counting) {
      if (!channel.name.startsWith(app.prefix)) continue
      const name = channel.name.slice(app.prefix.length)
      if (kindOf(name).isPresence || name.startsWith(USER_CHANNEL_PREFIX)) continue
      channel.tell(audience, subscriptionCountFrame(name, channel.subscribers))
    }
  }

  const rest = (channel: Channel): void => {
    const told = channel.subscribers
    const timer = setTimeout(() => {
      resting.delete(channel)
      if (channel.subscribers !== told) counted(channel)
    }, MANY_EVERY_MS)
    timer.unref()
    resting.set(channel, { timer, told })
  }

  const counted = (channel: Channel): void => {
    const before = resting.get(channel)
    if (channel.subscribers > MANY) {
      if (before) return
      rest(channel)
    } else if (before) {
      clearTimeout(before.timer)
      resting.delete(channel)
    }
    tell(channel)
  }

  return {
    counted,
    close: () => {
      for (const { timer } of resting.values()) clearTimeout(timer)
      resting.clear()
    },
  }
}
