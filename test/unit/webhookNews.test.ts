import { describe, expect, test } from 'vitest'
import { APP_LIMITS, type App } from '../../server/apps.ts'
import { createSubscriptionCounts } from '../../server/room/subscriptionCounts.ts'
import { createChannelNews } from '../../server/webhooks/channelNews.ts'
import type { News } from '../../server/webhooks/news.ts'
import { ManualClock } from './manualClock.ts'
import { appWith, AUDIENCE as audience, silentChannels, SOCKET as socket } from './webhookParts.ts'

const appOf = (id: string, prefix: string, more: Partial<App> = {}): App => ({ ...appWith(), id, prefix, ...more })

/** Channels whose news are collected, as `<app> <kind> <channel> <user or count>`. */
const start = (...apps: App[]) => {
  const news: string[] = []
  const rest = (item: News): string => {
    if ('user_id' in item) return ` ${item.user_id}`
    return 'subscription_count' in item ? ` ${item.subscription_count}` : ''
  }
  const { observer } = createChannelNews({
    apps,
    clock: new ManualClock(),
    tell: (app, item) => news.push(`${app.id} ${item.name} ${item.channel}${rest(item)}`),
  })
  const channels = silentChannels()
  channels.observe(observer)
  /** Someone subscribes and leaves. */
  const visit = (room: string): void => {
    channels.open(room).join(socket, audience)
    channels.open(room).leave(socket, audience, false)
  }
  return { news, channels, visit }
}

describe('news of channels', () => {
  test('a room is the channel of the app with its prefix, if the rest is a channel name', () => {
    const { news, visit } = start(appOf('1', ''), appOf('2', '2/'), appOf('3', 'x/y/'))
    for (const room of [
      'lobby',
      '2/lobby',
      '3/lobby',
      'x/y/lobby',
      'a room',
      '2/a/b',
      '#server-to-user-1',
      'ä',
      '2/ä',
    ]) {
      visit(room)
    }
    for (const room of ['y'.repeat(164), 'y'.repeat(165)]) visit(room)
    expect(news.filter((line) => line.includes('occupied'))).toEqual([
      '1 channel_occupied lobby',
      '2 channel_occupied lobby',
      '3 channel_occupied lobby',
      `1 channel_occupied ${'y'.repeat(164)}`,
    ])
    expect(news.filter((line) => line.includes('vacated'))).toHaveLength(4)
  })

  test('a name may be as long as the app allows', () => {
    const { news, visit } = start(appOf('1', '', { limits: { ...APP_LIMITS, maxChannelNameLength: 5 } }))
    visit('12345')
    visit('123456')
    expect(news).toEqual(['1 channel_occupied 12345', '1 channel_vacated 12345'])
  })

  test('members are told of presence channels only, in the order of what happened', () => {
    const { news, channels } = start(appOf('1', ''))
    for (const room of ['presence-a', 'private-a']) {
      const channel = channels.open(room)
      channel.join(socket, audience)
      channel.people.enter('first tab', { id: 'ann', info: null })
      channel.people.enter('second tab', { id: 'ann', info: null })
      channel.people.enter('other', { id: 'bob', info: null })
      channel.people.exit('first tab', false)
      channel.people.exit('second tab', false)
      channel.people.exit('other', false)
      channel.leave(socket, audience, false)
    }
    expect(news).toEqual([
      '1 channel_occupied presence-a',
      '1 member_added presence-a ann',
      '1 member_added presence-a bob',
      '1 member_removed presence-a ann',
      '1 member_removed presence-a bob',
      '1 channel_vacated presence-a',
      '1 channel_occupied private-a',
      '1 channel_vacated private-a',
    ])
  })

  test('numbers of subscriptions are told where an app has them switched on, not of presence channels', () => {
    const { news, visit } = start(appOf('1', ''), appOf('2', '', { subscriptionCount: true }))
    for (const room of ['a', 'presence-a', 'a/b']) visit(room)
    expect(news.filter((line) => line.includes('count'))).toEqual([
      '2 subscription_count a 1',
      '2 subscription_count a 0',
    ])
  })
})

describe('numbers of subscriptions', () => {
  test('up to 100 each change is told; above, at most one in 5 seconds, and the last', () => {
    const clock = new ManualClock()
    const told: number[] = []
    const counts = createSubscriptionCounts<string>(
      (channel, count) => channel === 'a' && told.push(count),
      clock.after,
    )
    for (let count = 1; count <= 150; count++) counts.changed('a', count)
    expect(told).toEqual(Array.from({ length: 101 }, (_, i) => i + 1))
    clock.advance(4999)
    expect(told.at(-1)).toBe(101)
    counts.changed('a', 149)
    clock.advance(1)
    expect(told.at(-1)).toBe(149)
    counts.changed('a', 148)
    counts.changed('a', 149)
    clock.advance(5000)
    // Nothing new to tell, and nothing to wait for.
    expect(told.slice(-2)).toEqual([101, 149])
    expect(clock.pending).toEqual([])
    counts.changed('a', 148)
    counts.changed('a', 100)
    expect(told.slice(-2)).toEqual([148, 100])
    expect(clock.pending).toEqual([])
  })

  test('channels do not wait for each other, and a stop ends all', () => {
    const clock = new ManualClock()
    const told: string[] = []
    const counts = createSubscriptionCounts<string>((channel, count) => told.push(`${channel} ${count}`), clock.after)
    for (const channel of ['a', 'b']) for (const count of [101, 102]) counts.changed(channel, count)
    expect(told).toEqual(['a 101', 'b 101'])
    expect(clock.pending).toEqual([5000, 5000])
    counts.stop()
    expect(clock.pending).toEqual([])
  })
})
