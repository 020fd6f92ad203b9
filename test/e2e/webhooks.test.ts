/** What waits for a webhook survives the end of the server, however it ends. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Pusher from 'pusher'
import { afterEach, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { connectPusher, subscribed } from '../unit/pusherJs.ts'
import { startReceiver, status, type WebhookReceiver } from '../unit/webhookReceiver.ts'
import { freePort, startServerProcess } from './serverProcess.ts'
import { until } from './until.ts'

const SDK = new Pusher({ appId: '3', key: 'the-key', secret: 'the-secret', host: 'localhost' })

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean()
})

const startCommand = async (data: string, inbox: WebhookReceiver, port = 0, ...more: string[]) => {
  const flags = ['--app', '3:the-key:the-secret', '--webhook', inbox.url, ...more]
  const server = await startServerProcess({ data, port }, ...flags)
  cleanups.push(() => server.stop('SIGKILL'))
  return server
}

/** A connection that subscribes by hand: unlike a stock client it ends with the server. */
const connect = async (url: string) => {
  const socket = new WebSocket(`${url}/app/the-key?protocol=7`)
  cleanups.push(() => socket.terminate())
  const frames: { event: string; channel?: string }[] = []
  socket.on('message', (text) => frames.push(JSON.parse(String(text))))
  socket.on('error', () => undefined)
  const got = (wanted: string, channel?: string) =>
    until(`${wanted} ${channel}`, () => frames.some((frame) => frame.event === wanted && frame.channel === channel))
  const send = (event: string, channel: string) => socket.send(JSON.stringify({ event, data: { channel } }))
  await got('pusher:connection_established')
  return {
    subscribe: async (channel: string): Promise<void> => {
      send('pusher:subscribe', channel)
      await got('pusher_internal:subscription_succeeded', channel)
    },
    unsubscribe: (channel: string): void => send('pusher:unsubscribe', channel),
  }
}

test.each(['SIGKILL', 'SIGTERM'] as const)(
  'what could not be delivered before a %s is delivered after the next start, in order, and then no more',
  async (signal) => {
    const data = await mkdtemp(join(tmpdir(), 'tutti-webhooks-'))
    cleanups.push(() => rm(data, { recursive: true, force: true }))
    const inbox = await startReceiver()
    cleanups.push(inbox.close)
    inbox.respond(status(503))
    const channels = Array.from({ length: 12 }, (_, i) => `channel-${i}`)
    const happened = channels.map((channel, i) => [
      { name: 'channel_occupied', channel },
      // Never tried before the end of the server: it waits for the one before it.
      ...(i % 2 ? [{ name: 'channel_vacated', channel }] : []),
    ])
    const later = (channel: string, from: number): unknown[] =>
      inbox.requests.slice(from).flatMap(({ events }) => events.filter((event) => event.channel === channel))

    const first = await startCommand(data, inbox)
    const client = await connect(first.url)
    for (const channel of channels) await client.subscribe(channel)
    for (const [i, channel] of channels.entries()) if (i % 2) client.unsubscribe(channel)
    await client.subscribe('fence')
    // What happened before this one is in the journal by then.
    await until('an attempt for the last event', () => later('fence', 0).length > 0)
    await first.stop(signal)

    const before = inbox.requests.length
    inbox.respond(status(200))
    const second = await startCommand(data, inbox)
    const total = before + happened.flat().length + 1
    await inbox.count(total)
    expect(channels.map((channel) => later(channel, before))).toEqual(happened)
    for (const { headers, body, timeMs } of inbox.requests.slice(before)) {
      expect(SDK.webhook({ headers, rawBody: body }).isValid()).toBe(true)
      expect(Math.abs(Date.now() - timeMs)).toBeLessThan(60_000)
    }
    await second.stop()

    const third = await startCommand(data, inbox)
    await (await connect(third.url)).subscribe('last')
    await inbox.count(total + 1)
    expect(inbox.requests.slice(total).map(({ events }) => events)).toEqual([
      [{ name: 'channel_occupied', channel: 'last' }],
    ])
    expect(await third.stop()).toBe(0)
  },
)

test('after a kill -9, who comes back is not told of twice, and who does not has left', {
  timeout: 60_000,
}, async () => {
  const data = await mkdtemp(join(tmpdir(), 'tutti-webhooks-'))
  cleanups.push(() => rm(data, { recursive: true, force: true }))
  const inbox = await startReceiver()
  cleanups.push(inbox.close)
  const port = await freePort()
  const start = () => startCommand(data, inbox, port, '--leave-grace-seconds', '0')
  const names = (from: number): string[] =>
    inbox
      .events()
      .slice(from)
      .map(({ name, channel, user_id: user = '' }) => `${name} ${channel} ${user}`.trimEnd())

  const first = await start()
  const [stays, goes] = ['ann', 'bob'].map((id) => connectPusher('the-key', port, SDK, { id }))
  if (!stays || !goes) throw new Error('two clients')
  await subscribed(stays, 'presence-a')
  await subscribed(goes, 'presence-a')
  await subscribed(goes, 'news')
  await until('all is told', () => inbox.events().length === 4)
  // What is told of these is written after that the others were taken: none of the others comes twice.
  for (const fence of ['fence-1', 'fence-2']) {
    const before = inbox.events().length
    await subscribed(stays, fence)
    await until('the fence', () => inbox.events().length > before)
  }
  await first.stop('SIGKILL')
  goes.disconnect()

  await start()
  const isBack = (): boolean => stays.connection.state === 'connected' && stays.channel('presence-a').subscribed
  // Where the server was not there a second after its end, pusher-js tries again 15 s later.
  await until('she is back', isBack, 30_000)
  await subscribed(stays, 'late')
  const told = (): string[] => names(4).filter((line) => !line.includes('fence'))
  await until('the others are told to have left', () => told().length >= 3, 40_000)
  expect(told()[0]).toBe('channel_occupied late')
  expect(told().slice(1).sort()).toEqual(['channel_vacated news', 'member_removed presence-a bob'])
})
