/** Tells the subscribers of a channel how many they are, for the apps that want it; presence channels have members. */
import type { App } from '../apps.ts'
import { subscriptionCountFrame } from '../protocol/pusherMessage.ts'
import { kindOf } from '../protocol/pusherName.ts'
import type { Audience, Channel } from '../room/channel.ts'
import { createSubscriptionCounts, type SubscriptionCounts } from '../room/subscriptionCounts.ts'

export interface CountingApp {
  readonly app: App
  readonly audience: Audience
}

export const createSubscriptionCountNews = (counting: readonly CountingApp[]): SubscriptionCounts<Channel> =>
  createSubscriptionCounts((channel, count) => {
    for (const { app, audience } of counting) {
      if (!channel.name.startsWith(app.prefix)) continue
      const name = channel.name.slice(app.prefix.length)
      const { isPresence, isUser } = kindOf(name)
      if (!isPresence && !isUser) channel.tell(audience, subscriptionCountFrame(name, count))
    }
  })
