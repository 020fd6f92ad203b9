/** What applications are told after a restart of those who were there before it. */
import { describe, expect, test } from 'vitest'
import type { App } from '../../server/apps.ts'
import type { Journal } from '../../server/contracts.ts'
import { createMemoryJournal } from '../../server/storage/memoryJournal.ts'
import { until } from '../e2e/until.ts'
import { AUDIENCE, appWith, hook, receiver, SOCKET, silentChannels, start } from './webhookParts.ts'
import type { WebhookReceiver } from './webhookReceiver.ts'

/** One that outlives its server. */
const keptJournal = (): Journal => ({ ...createMemoryJournal(), close: async () => undefined })

/** A server, as far as webhooks know of it: its channels and its webhooks. */
const startServer = async (app: App, journal: Journal) => {
  const started = await start(app, { journal })
  const channels = silentChannels()
  channels.observe(started.webhooks.observer)
  return {
    ...started,
    /** A user subscribes to a channel. */
    enter: (name: string, id: string) => {
      channels.open(name).people.enter(id, { id, info: null })
      channels.open(name).join(SOCKET, AUDIENCE)
    },
    leave: (name: string, id: string) => {
      channels.open(name).leave(SOCKET, AUDIENCE, false)
      channels.open(name).people.exit(id, false)
    },
    /** Connections break as it ends; nobody hears of them any more. */
    end: async () => {
      await started.webhooks.close()
      channels.close()
    },
  }
}

const lines = (inbox: WebhookReceiver, from = 0): string[] =>
  inbox
    .events()
    .slice(from)
    .map(({ name, channel, user_id: user = '' }) => `${name} ${channel} ${user}`.trimEnd())

const sorted = (texts: readonly string[]): string[] => [...texts].sort()

/** An application, and a server that ended when these were there. */
const afterEnd = async (
  there: readonly (readonly [channel: string, user: string])[],
  events?: App['webhooks'][0]['events'],
) => {
  const inbox = await receiver()
  const app = appWith(hook(inbox.url, events ? { events } : {}))
  const journal = keptJournal()
  const first = await startServer(app, journal)
  for (const [channel, user] of there) first.enter(channel, user)
  await until('all is delivered', () => first.webhooks.counts()[0]?.waiting === 0)
  await first.end()
  const told = inbox.events().length
  return { inbox, app, journal, told, restart: () => startServer(app, journal) }
}

const RETURN_MS = 23_000

describe('after a restart', () => {
  test('those who do not come back are told to have gone, members before their channel, once', async () => {
    const { inbox, told, restart, journal } = await afterEnd([
      ['presence-a', 'ann'],
      ['presence-a', 'bob'],
      ['private-b', 'ann'],
    ])
    expect(told).toBe(4)
    const second = await restart()
    expect(second.clock.pending).toEqual([RETURN_MS])
    second.clock.advance(RETURN_MS - 1)
    expect(second.webhooks.counts()[0]).toMatchObject({ waiting: 0, delivered: 0 })
    second.clock.advance(1)
    await until('all is delivered', () => second.webhooks.counts()[0]?.delivered === 4)
    const later = lines(inbox, told)
    expect(later.filter((line) => line.includes('presence-a'))).toEqual([
      'member_removed presence-a ann',
      'member_removed presence-a bob',
      'channel_vacated presence-a',
    ])
    expect(later).toContain('channel_vacated private-b')
    await second.end()
    expect(await journal.read()).toEqual([])
    expect((await restart()).clock.pending).toEqual([])
  })

  test('those who come back are not told of twice, and their leaving once', async () => {
    const { inbox, told, restart } = await afterEnd([
      ['presence-a', 'ann'],
      ['news', 'ann'],
    ])
    const second = await restart()
    second.enter('presence-a', 'ann')
    second.enter('news', 'ann')
    second.enter('other', 'ann')
    second.clock.advance(RETURN_MS)
    second.leave('presence-a', 'ann')
    await until('all is delivered', () => second.webhooks.counts()[0]?.waiting === 0)
    expect(sorted(lines(inbox, told))).toEqual([
      'channel_occupied other',
      'channel_vacated presence-a',
      'member_removed presence-a ann',
    ])
    // Another restart has no more to tell than what stands now.
    await second.end()
    const third = await restart()
    third.clock.advance(RETURN_MS)
    await until('all is delivered', () => third.webhooks.counts()[0]?.delivered === 2)
    expect(sorted(lines(inbox, told + 3))).toEqual(['channel_vacated news', 'channel_vacated other'])
  })

  test('of a channel to which some come back only the others are gone', async () => {
    const { inbox, told, restart } = await afterEnd([
      ['presence-a', 'ann'],
      ['presence-a', 'bob'],
    ])
    const second = await restart()
    second.enter('presence-a', 'bob')
    second.enter('presence-a', 'cy')
    second.clock.advance(RETURN_MS)
    await until('all is delivered', () => second.webhooks.counts()[0]?.delivered === 2)
    expect(lines(inbox, told)).toEqual(['member_added presence-a cy', 'member_removed presence-a ann'])
  })

  test('whoever has not come back is removed before a channel is vacated', async () => {
    const { inbox, told, restart } = await afterEnd([
      ['presence-a', 'ann'],
      ['presence-a', 'bob'],
    ])
    const second = await restart()
    second.enter('presence-a', 'bob')
    second.leave('presence-a', 'bob')
    await until('all is delivered', () => second.webhooks.counts()[0]?.delivered === 3)
    second.clock.advance(RETURN_MS)
    expect(second.webhooks.counts()[0]).toMatchObject({ waiting: 0, delivered: 3 })
    expect(lines(inbox, told)).toEqual([
      'member_removed presence-a bob',
      'member_removed presence-a ann',
      'channel_vacated presence-a',
    ])
  })

  test('a webhook that wants to hear of the end alone hears of it', async () => {
    const { inbox, told, restart } = await afterEnd([['presence-a', 'ann']], ['channel_vacated'])
    expect(told).toBe(0)
    const second = await restart()
    second.clock.advance(RETURN_MS)
    await until('it is delivered', () => second.webhooks.counts()[0]?.delivered === 1)
    expect(lines(inbox)).toEqual(['channel_vacated presence-a'])
  })

  test('what has ended before is not told, nor what nobody wants to hear of', async () => {
    const { app, journal, restart } = await afterEnd([['presence-a', 'ann']], ['client_event'])
    expect(await journal.read()).toEqual([])
    const second = await startServer({ ...app, webhooks: [hook(app.webhooks[0]?.url ?? '')] }, journal)
    second.enter('news', 'ann')
    second.leave('news', 'ann')
    await until('all is delivered', () => second.webhooks.counts()[0]?.delivered === 2)
    await second.end()
    expect(await journal.read()).toEqual([])
    expect((await restart()).clock.pending).toEqual([])
  })

  test('nothing is told of an app that is there no more', async () => {
    const { app, journal } = await afterEnd([['presence-a', 'ann']])
    const second = await startServer({ ...app, id: '9' }, journal)
    expect(second.clock.pending).toEqual([])
    expect(await journal.read()).toEqual([])
    expect(second.log.entries).toEqual([])
  })
})
