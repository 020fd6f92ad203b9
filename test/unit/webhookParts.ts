/** What the tests of webhooks start: an app, its webhooks, receivers; all of it ends after the test. */
import { afterEach } from 'vitest'
import { parseApps } from '../../server/appOptions.ts'
import { type App, WEBHOOK_EVENTS, type Webhook } from '../../server/apps.ts'
import type { Socket } from '../../server/contracts.ts'
import type { Audience } from '../../server/room/channel.ts'
import { type Channels, createChannels } from '../../server/room/channels.ts'
import { createMemoryJournal } from '../../server/storage/memoryJournal.ts'
import { openWebhooks, type Webhooks, type WebhooksParts } from '../../server/webhooks/webhooks.ts'
import { ManualClock } from './manualClock.ts'
import { createMemoryLog, type MemoryLog } from './memoryLog.ts'
import { startReceiver, type WebhookReceiver } from './webhookReceiver.ts'

const closing: (() => Promise<void>)[] = []

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

export const receiver = async (port?: number): Promise<WebhookReceiver> => {
  const started = await startReceiver(port)
  closing.push(started.close)
  return started
}

export const hook = (url: string, more: Partial<Webhook> = {}): Webhook => ({
  url,
  events: WEBHOOK_EVENTS,
  batch: false,
  ...more,
})

export const appWith = (...webhooks: Webhook[]): App =>
  parseApps([{ id: '3', key: '278d425bdf160c739803', secret: '7ad3773142a6692b25b8', webhooks }], 'the test')[0]!

/** A subscriber who hears nothing. */
export const SOCKET: Socket = {
  id: '1.2',
  address: '',
  send: () => true,
  buffered: () => 0,
  subscribe: () => undefined,
  unsubscribe: () => undefined,
  ping: () => undefined,
  close: () => undefined,
  terminate: () => undefined,
}

export const AUDIENCE: Audience = { key: 'a', encode: () => '', encodePerson: () => undefined }

/** Channels that send nothing and keep nothing: what happens in them is all there is. */
export const silentChannels = (): Channels =>
  createChannels({
    publisher: { publish: () => undefined },
    present: () => [],
    limits: { eventHistoryCount: 0, eventHistorySeconds: 0, eventHistoryBytes: 0, leaveGraceSeconds: 3 },
  })

export interface Started {
  readonly webhooks: Webhooks
  readonly clock: ManualClock
  readonly log: MemoryLog
  /** Tells of a client event in a channel: the simplest news. */
  tell(channel: string, event: string | number): void
}

/** Webhooks of one app; their time stands still, their chance is 1/2. */
export const start = async (app: App, parts: Partial<WebhooksParts> = {}): Promise<Started> => {
  const [clock, log] = [new ManualClock(), createMemoryLog()]
  const webhooks = await openWebhooks({
    apps: [app],
    journal: createMemoryJournal(),
    log,
    limits: { webhookQueueEvents: 10_000, webhookQueueBytes: 64 * 1024 * 1024, leaveGraceSeconds: 3 },
    clock,
    random: () => 0.5,
    ...parts,
  })
  closing.push(webhooks.close)
  const tell = (channel: string, event: string | number): void =>
    webhooks.clientEvent(app, channel, String(event), '"data"', '1.2', undefined)
  return { webhooks, clock, log, tell }
}
