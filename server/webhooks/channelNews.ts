/** What the rooms of a server mean to its apps: news of channels. */
import type { App } from '../apps.ts'
import { channelNameProblem, kindOf } from '../protocol/pusherName.ts'
import type { Channel, ChannelObserver } from '../room/channel.ts'
import { createSubscriptionCounts } from '../room/subscriptionCounts.ts'
import type { Clock } from './clock.ts'
import type { News } from './news.ts'

export interface ChannelNewsParts {
  /** Those that want news. */
  readonly apps: readonly App[]
  readonly clock: Clock
  tell(app: App, news: News): void
}

export interface ChannelNews {
  readonly observer: ChannelObserver
  stop(): void
}

/**
 * The channel that a room is to an app; `undefined` if it is none. A room may be one of several apps; what is sent to one
 * user (`#…`) is nobody's news.
 */
const channelOf = ({ prefix, limits }: App, room: string): string | undefined => {
  if (!room.startsWith(prefix)) return undefined
  const channel = room.slice(prefix.length)
  if (channelNameProblem(channel, limits.maxChannelNameLength) !== undefined) return undefined
  return kindOf(channel).isUser ? undefined : channel
}

export const createChannelNews = ({ apps, clock, tell }: ChannelNewsParts): ChannelNews => {
  const all = apps.map((app) => ({
    app,
    counts: app.subscriptionCount
      ? createSubscriptionCounts<string>(
          (channel, count) => tell(app, { name: 'subscription_count', channel, subscription_count: count }),
          clock.after,
        )
      : undefined,
  }))

  const tellAll = ({ name }: Channel, newsOf: (channel: string) => News | undefined): void => {
    for (const { app } of all) {
      const channel = channelOf(app, name)
      const news = channel === undefined ? undefined : newsOf(channel)
      if (news) tell(app, news)
    }
  }

  const tellOfMember = (room: Channel, name: 'member_added' | 'member_removed', user_id: string): void =>
    tellAll(room, (channel) => (kindOf(channel).isPresence ? { name, channel, user_id } : undefined))

  return {
    observer: {
      occupied: (room) => tellAll(room, (channel) => ({ name: 'channel_occupied', channel })),
      vacated: (room) => tellAll(room, (channel) => ({ name: 'channel_vacated', channel })),
      joined: (room, { id }) => tellOfMember(room, 'member_added', id),
      left: (room, { id }) => tellOfMember(room, 'member_removed', id),
      counted: ({ name }, subscribers) => {
        for (const { app, counts } of all) {
          const channel = counts && channelOf(app, name)
          if (channel !== undefined && !kindOf(channel).isPresence) counts?.changed(channel, subscribers)
        }
      },
    },
    stop: () => {
      for (const { counts } of all) counts?.stop()
    },
  }
}
