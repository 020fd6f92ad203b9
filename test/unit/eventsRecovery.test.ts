import { expect, test } from 'vitest'
import type { WebSocket } from 'ws'
import { encodeMissed } from '../../lib/eventProtocol.ts'
import { createRandom, seeds } from '../fuzz/random.ts'
import { joinEvents, startEventServer, until } from './eventRooms.ts'

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
const numbers = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, i) => from + i)

test('what was missed comes after a reconnect, once, in order and marked; what comes later is not', async () => {
  const { url, push } = await startEventServer()
  const a = await joinEvents(url, { room: 'chat' })
  push('chat', 'one')
  await until(() => a.heard.length === 1)
  await a.lose()
  for (const name of ['two', 'three']) push('chat', name)
  await until(() => a.heard.length === 3)
  push('chat', 'four')
  await until(() => a.heard.length === 4)
  expect(a.heard.map(({ event, meta }) => [event, meta.offset, meta.recovered])).toEqual([
    ['one', 1, false],
    ['two', 2, true],
    ['three', 3, true],
    ['four', 4, false],
  ])
  expect(new Set(a.heard.map(({ meta }) => meta.epoch)).size).toBe(1)
  expect(a.gaps).toEqual([])
})

test('events before the first subscription are not missed, and no gap', async () => {
  const { url, push } = await startEventServer({ eventHistoryCount: 1 })
  for (let i = 0; i < 5; i++) push('chat', 'early')
  const a = await joinEvents(url, { room: 'chat' })
  push('chat', 'now')
  await until(() => a.heard.length === 1)
  expect(a.heard[0]).toMatchObject({ event: 'now', meta: { offset: 6, recovered: false } })
  expect(a.gaps).toEqual([])
})

test('own events and those that except the client stay away from it after a reconnect', async () => {
  const { url, push } = await startEventServer()
  const a = await joinEvents(url, { room: 'chat' })
  push('chat', 'one')
  await until(() => a.heard.length === 1)
  // Its socket hears nothing more, but is still there: what is published now is lost with it.
  const [socket] = a.sockets
  const session = a.room.sessionId!
  socket!.pause()
  push('chat', 'two')
  await a.events.trigger('own', 1, { ack: false })
  push('chat', 'excepted', { except: session })
  push('chat', 'three')
  a.cut()
  await until(() => a.sockets.length === 2)
  // Cut again and again, as far as the answer to the subscription or not even that.
  for (let i = 2; i < 6; i++) {
    a.cut()
    await until(() => a.sockets.length > i)
  }
  await until(() => a.heard.at(-1)?.event === 'three')
  expect(a.heard.map(({ event }) => event)).toEqual(['one', 'two', 'three'])
  await until(() => a.events.subscribed)
  expect(a.gaps).toEqual([])
})

test('many own events are no gap', async () => {
  const { url, push } = await startEventServer({ eventHistoryCount: 3 })
  const a = await joinEvents(url, { room: 'chat' })
  for (let i = 0; i < 10; i++) await a.events.trigger('own', i)
  await a.lose()
  push('chat', 'other')
  await until(() => a.heard.length === 1)
  expect(a.gaps).toEqual([])
  expect(a.heard[0]).toMatchObject({ event: 'other', meta: { offset: 11, recovered: true } })
})

test('a history that is too short is told, and nothing of it is delivered', async () => {
  const { url, push } = await startEventServer({ eventHistoryCount: 3 })
  const a = await joinEvents(url, { room: 'chat' })
  push('chat', 'one')
  await until(() => a.heard.length === 1)
  await a.lose()
  for (let i = 0; i < 4; i++) push('chat', 'missed')
  await until(() => a.gaps.length === 1)
  push('chat', 'later')
  await until(() => a.heard.length === 2)
  expect(a.gaps).toEqual([{ offset: 5, after: 1 }])
  expect(a.heard[1]).toMatchObject({ event: 'later', meta: { offset: 6, recovered: false } })
  // Exactly as long as the history is no gap.
  await a.lose()
  for (let i = 0; i < 3; i++) push('chat', 'kept')
  await until(() => a.heard.length === 5)
  expect(a.gaps).toHaveLength(1)
})

test('a server that started anew is told as a gap', async () => {
  const first = await startEventServer()
  const a = await joinEvents(first.url, { room: 'chat' })
  first.push('chat', 'one')
  await until(() => a.heard.length === 1)
  const { epoch } = a.heard[0]!.meta
  await first.server.close()
  const second = await startEventServer({ port: first.server.address.port })
  await until(() => a.gaps.length === 1)
  expect(a.gaps).toEqual([{ offset: 0, after: 1 }])
  second.push('chat', 'two')
  await until(() => a.heard.length === 2)
  expect(a.heard[1]?.meta).toMatchObject({ offset: 1, recovered: false })
  expect(a.heard[1]?.meta.epoch).not.toBe(epoch)
})

test('a server that started anew and published before the client was back is a gap too', async () => {
  const first = await startEventServer()
  const a = await joinEvents(first.url, { room: 'chat', backoff: { min: 50, max: 50 } })
  for (let i = 0; i < 3; i++) first.push('chat', 'old')
  await until(() => a.heard.length === 3)
  await first.server.close()
  const second = await startEventServer({ port: first.server.address.port })
  // The same number of events: only the epoch tells.
  for (let i = 0; i < 3; i++) second.push('chat', 'new')
  await until(() => a.gaps.length === 1)
  expect(a.gaps).toEqual([{ offset: 3, after: 3 }])
  expect(a.offsets()).toEqual([1, 2, 3])
})

test.each(seeds(12))('random cuts lose, repeat and move nothing (seed %i)', async (seed) => {
  const random = createRandom(seed)
  const { url, push } = await startEventServer({ eventHistoryCount: 1000, maxEventsPerSecond: 10_000 })
  const backoff = { min: 1, max: 3 }
  const readers = await Promise.all([1, 2].map(() => joinEvents(url, { room: 'chat', backoff })))
  const [a, b] = [readers[0]!, readers[1]!]
  const own: Promise<unknown>[] = []
  let ownSent = 0
  for (let i = 0; i < 150; i++) {
    const what = random.between(1, 10)
    const reader = random.pick(readers)
    if (what <= 4) push('chat', 'push', { body: String(i) })
    else if (what === 5) push('chat', 'excepted', { except: reader.room.sessionId ?? '0.0' })
    else if (what <= 7) {
      // Sent or not, answered or not: it must not come back.
      own.push(reader.events.trigger('own', { by: readers.indexOf(reader), n: ++ownSent }).catch(() => undefined))
    } else if (what === 8) reader.cut()
    for (let turns = random.between(0, 3); turns > 0; turns--) await turn()
    if (random.chance(0.1)) await until(() => reader.events.subscribed)
  }
  await Promise.all(own)
  push('chat', 'last')
  await until(() => readers.every(({ heard }) => heard.at(-1)?.event === 'last'))

  const byOffset = new Map<number, unknown>()
  for (const [index, reader] of readers.entries()) {
    expect(reader.gaps).toEqual([])
    const offsets = reader.offsets()
    expect(offsets).toEqual([...new Set(offsets)].sort((x, y) => x - y))
    for (const { event, data, meta } of reader.heard) {
      if (event === 'own') expect((data as { by: number }).by).not.toBe(index)
      expect(byOffset.get(meta.offset) ?? [event, data]).toEqual([event, data])
      byOffset.set(meta.offset, [event, data])
    }
  }
  // Each offset reached somebody, and each event of the back end everybody.
  const total = a.heard.at(-1)!.meta.offset
  const missing = numbers(1, total).filter((offset) => !byOffset.has(offset))
  expect(missing).toEqual([])
  for (const name of ['push', 'last']) {
    const of = (reader: typeof a) => reader.heard.filter(({ event }) => event === name).map(({ data }) => data)
    expect(of(a)).toEqual(of(b))
  }
})

const MISSED = encodeMissed()
const hears = (socket: WebSocket, frame: Uint8Array): { count: number } => {
  const heard = { count: 0 }
  socket.on('message', (message: ArrayBuffer | Buffer) => {
    if (Buffer.from(message as ArrayBuffer).equals(frame)) heard.count++
  })
  return heard
}

// Loopback takes some megabytes before a socket that nobody reads is full.
const BODY = new Uint8Array(60 * 1024)

test('a reader that stops reading delays nobody, and then hears everything once and in order', async () => {
  const count = 400
  const { url, push } = await startEventServer({ eventHistoryCount: count, maxBackpressureBytes: 256 * 1024 })
  const slow = await joinEvents(url, { room: 'chat', user: 'slow' })
  const quick = await joinEvents(url, { room: 'chat' })
  await until(() => slow.events.members.length === 2)
  const missed = hears(slow.sockets[0]!, MISSED)
  slow.sockets[0]!.pause()
  for (let i = 0; i < count; i++) {
    push('chat', 'large', { body: BODY })
    await turn()
  }
  await until(() => quick.heard.length === count)
  expect(slow.heard.length).toBeLessThan(count)
  // Someone comes whom the slow one can't hear of.
  const late = await joinEvents(url, { room: 'chat', user: 'late' })
  slow.sockets[0]!.resume()
  await until(() => slow.heard.length === count)
  expect(slow.offsets()).toEqual(numbers(1, count))
  expect(missed.count).toBeGreaterThan(0)
  expect(slow.sockets).toHaveLength(1)
  expect(slow.gaps).toEqual([])
  await until(() => slow.events.members.some(({ id }) => id === 'late'))
  // Live again.
  await late.events.trigger('after', 1)
  await until(() => slow.heard.length === count + 1)
  expect(slow.heard.at(-1)).toMatchObject({ event: 'after', meta: { offset: count + 1, recovered: false } })
})

test('a reader that stops reading for longer than the history reaches is told of the gap', async () => {
  const count = 400
  const { url, push } = await startEventServer({ eventHistoryCount: 20, maxBackpressureBytes: 256 * 1024 })
  const slow = await joinEvents(url, { room: 'chat' })
  const quick = await joinEvents(url, { room: 'chat' })
  slow.sockets[0]!.pause()
  for (let i = 0; i < count; i++) {
    push('chat', 'large', { body: BODY })
    await turn()
  }
  await until(() => quick.heard.length === count)
  slow.sockets[0]!.resume()
  await until(() => slow.gaps.length > 0)
  push('chat', 'after')
  await until(() => slow.heard.at(-1)?.event === 'after')
  // All before the gap, then all after it.
  const [gap] = slow.gaps
  expect(slow.gaps).toHaveLength(1)
  expect(slow.offsets()).toEqual([...numbers(1, gap!.after), ...numbers(gap!.offset + 1, count + 1)])
})

test('a reader of many channels that stops reading hears each of them to the end', async () => {
  const count = 200
  const { url, push } = await startEventServer({ eventHistoryCount: count, maxBackpressureBytes: 64 * 1024 })
  const slow = await joinEvents(url, { room: 'r0' })
  const rooms = ['r1', 'r2', 'r3']
  const heard = new Map(rooms.map((name) => [name, [] as number[]]))
  const channels = rooms.map((name) => slow.room.channel(name))
  for (const channel of channels) channel.bindAll((_event, _data, { offset }) => heard.get(channel.name)?.push(offset))
  await until(() => channels.every(({ subscribed }) => subscribed))
  slow.sockets[0]!.pause()
  for (let i = 0; i < count; i++) {
    for (const name of rooms) push(name, 'large', { body: BODY })
    await turn()
  }
  slow.sockets[0]!.resume()
  await until(() => rooms.every((name) => heard.get(name)?.length === count))
  for (const name of rooms) expect(heard.get(name)).toEqual(numbers(1, count))
})
