import { once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import { describe, expect, it, vi } from 'vitest'
import type { CreateServerOptions } from '../../server/index.ts'
import { createRandom, seeds } from '../fuzz/random.ts'
import { request } from './apiRequest.ts'
import { EventReader } from './eventSource.ts'
import { startServer } from './testServer.ts'

const start = async (options?: CreateServerOptions) => {
  const { server } = await startServer(options)
  const room = server.room('a')
  return {
    server,
    room,
    path: `${server.url}/rooms/a/events`,
    /** Publishes that many events, whose data go on counting. */
    publish: async (count: number, from = 0): Promise<void> => {
      for (let i = 0; i < count; i++) await room.trigger('e', from + i)
    },
  }
}

const numbers = (reader: EventReader): number[] => reader.data().map(({ data }) => data)
const upTo = (count: number, from = 0): number[] => Array.from({ length: count }, (_, i) => from + i)

describe('a stream of events', () => {
  it('begins now, gives each event with its place, and says where it stands before there is one', async () => {
    const { path, room, publish } = await start()
    await publish(3)
    const reader = await EventReader.open(path)
    expect([reader.status, reader.headers['content-type']]).toEqual([200, 'text/event-stream'])
    expect(reader.headers).toMatchObject({ 'cache-control': 'no-store', 'x-accel-buffering': 'no' })
    await expect.poll(() => reader.lastEventId).toMatch(/^[\w-]{12}\.3$/)
    await room.trigger('say\nmore', { text: 'hällo\u2028' }, { userId: 'ada' })
    await room.trigger('bytes', Uint8Array.of(0, 10, 13, 255))
    await expect.poll(() => reader.events.length).toBe(2)
    const { epoch } = await room.trigger('last')
    expect(reader.data()).toEqual([
      { offset: 4, event: 'say\nmore', data: { text: 'hällo\u2028' }, at: expect.any(Number), userId: 'ada' },
      { offset: 5, event: 'bytes', base64: 'AAoN/w==', at: expect.any(Number) },
    ])
    expect(reader.events.map(({ type, lastEventId }) => [type, lastEventId])).toEqual([
      ['message', `${epoch}.4`],
      ['message', `${epoch}.5`],
    ])
  })

  it('goes on behind Last-Event-ID, or behind the place in the query', async () => {
    const { path, room, publish } = await start()
    await publish(5)
    const { epoch } = await room.trigger('e', 5)
    const back = await EventReader.open(`${path}?after=0`, { 'last-event-id': `${epoch}.4` })
    const asked = await EventReader.open(`${path}?after=2&epoch=${epoch}`)
    const all = await EventReader.open(`${path}?after=0`)
    await publish(2, 6)
    await expect.poll(() => [back, asked, all].map(numbers)).toEqual([upTo(4, 4), upTo(6, 2), upTo(8)])
    for (const reader of [back, asked, all]) expect(reader.data('gap')).toEqual([])
  })

  it.each([
    ['of another epoch', 'elsewhere.2'],
    ['that is none', 'nonsense'],
    ['too far back', 'EPOCH.1'],
    ['of a future', 'EPOCH.9'],
  ])('tells a gap for a Last-Event-ID %s, and goes on', async (_, id) => {
    const { path, room, publish } = await start({ eventHistoryCount: 2 })
    await publish(4)
    const { epoch } = await room.trigger('e', 4)
    const reader = await EventReader.open(path, { 'last-event-id': id.replace('EPOCH', epoch) })
    await room.trigger('e', 5)
    await expect.poll(() => reader.events.length).toBe(2)
    expect(reader.events[0]).toMatchObject({ type: 'gap', lastEventId: `${epoch}.5` })
    expect(reader.data('gap')).toEqual([{ epoch, offset: 5 }])
    expect(numbers(reader)).toEqual([5])
  })

  it('gives only the events that were named; its place goes on with the others', async () => {
    const { path, room } = await start()
    const reader = await EventReader.open(`${path}?after=0&events=a,b`)
    for (const event of ['a', 'c', 'b', 'c', 'a']) await room.trigger(event)
    await expect
      .poll(() => reader.data().map(({ event, offset }) => [event, offset]))
      .toEqual([
        ['a', 1],
        ['b', 3],
        ['a', 5],
      ])
  })

  it('writes each event once for all its readers', async () => {
    const { path, publish } = await start()
    const readers = await Promise.all(upTo(50).map(() => EventReader.open(path)))
    await expect.poll(() => readers.every(({ lastEventId }) => lastEventId !== '')).toBe(true)
    const encode = vi.spyOn(Buffer, 'from')
    await publish(5)
    const made = encode.mock.calls.filter(([text]) => String(text).includes('data: ')).length
    encode.mockRestore()
    expect(made).toBe(5)
    await expect.poll(() => readers.every((reader) => reader.events.length === 5)).toBe(true)
    for (const reader of readers) expect(numbers(reader)).toEqual(upTo(5))
  })

  it('of a reader that does not keep up is caught up from the history, and delays nobody', async () => {
    const { path, room } = await start({ eventHistoryCount: 1000 })
    const [slow, quick] = [await EventReader.open(`${path}?after=0`), await EventReader.open(`${path}?after=0`)]
    slow.pause()
    const large = 'x'.repeat(60_000)
    for (const i of upTo(300)) await room.trigger('e', { i, large })
    await expect.poll(() => quick.events.length, { timeout: 10_000 }).toBe(300)
    expect(slow.events.length).toBeLessThan(300)
    slow.resume()
    await expect.poll(() => slow.events.length, { timeout: 10_000 }).toBe(300)
    expect(slow.data().map(({ data }) => data.i)).toEqual(upTo(300))
    expect(slow.data('gap')).toEqual([])
  })

  it('of a reader that had to wait is sent to its end, also when nothing follows', async () => {
    const { path, room } = await start({ maxEventBytes: 32 * 1024 * 1024 })
    const slow = await EventReader.open(`${path}?after=0`)
    slow.pause()
    // More than the buffers of the sockets take.
    await room.trigger('e', 'x'.repeat(16 * 1024 * 1024))
    await new Promise((resolve) => setImmediate(resolve))
    slow.resume()
    await expect.poll(() => slow.events.length, { timeout: 10_000 }).toBe(1)
  })

  it('of a reader that was slow for longer than the history tells the gap', async () => {
    const { path, room } = await start({ eventHistoryCount: 5 })
    const slow = await EventReader.open(`${path}?after=0`)
    slow.pause()
    const large = 'x'.repeat(60_000)
    for (const i of upTo(300)) await room.trigger('e', { i, large })
    slow.resume()
    await expect.poll(() => slow.data('gap').length, { timeout: 10_000 }).toBe(1)
    await room.trigger('e', { i: 300, large: '' })
    await expect.poll(() => slow.data().at(-1)?.data.i, { timeout: 10_000 }).toBe(300)
    const seen = slow.data().map(({ offset }) => offset)
    const [{ offset: gapAt }] = slow.data('gap')
    // Without a hole before the gap, and without one behind it.
    const before = seen.filter((offset) => offset <= gapAt && offset < 296)
    expect(before).toEqual(upTo(before.length, 1))
    expect(seen.filter((offset) => offset > gapAt)).toEqual(upTo(301 - gapAt, gapAt + 1))
  })

  it.each(seeds(10))(
    'that is cut and taken up again at random misses nothing and gives nothing twice (seed %i)',
    async (seed) => {
      const random = createRandom(seed)
      const { path, room } = await start()
      const seen: number[] = []
      let published = 0
      let lastEventId = ''
      const publishSome = async (): Promise<void> => {
        for (let n = random.between(0, 12); n > 0; n--) await room.trigger('e', published++)
      }
      let reader = await EventReader.open(`${path}?after=0`)
      for (let cuts = 0; cuts < 8; cuts++) {
        await publishSome()
        const wanted = random.between(0, published - seen.length)
        await expect.poll(() => reader.events.length).toBeGreaterThanOrEqual(wanted)
        reader.close()
        lastEventId = reader.lastEventId === '' ? lastEventId : reader.lastEventId
        seen.push(...numbers(reader))
        await publishSome()
        reader = await EventReader.open(`${path}?after=0`, lastEventId === '' ? {} : { 'last-event-id': lastEventId })
      }
      await room.trigger('e', published)
      await expect.poll(() => reader.data().at(-1)?.data).toBe(published)
      expect([...seen, ...numbers(reader)]).toEqual(upTo(published + 1))
    },
  )

  it('ends whole when the server stops, also after another reader went', async () => {
    const { server, path, room } = await start()
    const [stays, goes] = [await EventReader.open(path), await EventReader.open(path)]
    await room.trigger('e', 0)
    await expect.poll(() => goes.events.length).toBe(1)
    goes.close()
    for (const i of upTo(20, 1)) await room.trigger('e', i)
    await expect.poll(() => stays.events.length).toBe(21)
    await server.close()
    await expect.poll(() => stays.ended).toBe('whole')
  })

  it('is refused where there is one limit of connections too many', async () => {
    const { server, path } = await start({ maxConnections: 2 })
    const readers = [await EventReader.open(path), await EventReader.open(path)]
    const refused = await request(server.url, 'GET', '/rooms/a/events', { headers: { accept: 'text/event-stream' } })
    expect([refused.status, refused.json.code]).toEqual([503, 'TRY_LATER'])
    readers[0]!.close()
    await expect
      .poll(async () => {
        const reader = await EventReader.open(path)
        reader.close()
        return reader.status
      })
      .toBe(200)
  })

  it('has no limit, and answers HEAD without one', async () => {
    const { server } = await start()
    const headers = { accept: 'text/event-stream' }
    const refused = await request(server.url, 'GET', '/rooms/a/events?limit=3', { headers })
    expect([refused.status, refused.json.code]).toEqual([400, 'INVALID_REQUEST'])
    const head = await request(server.url, 'HEAD', '/rooms/a/events', { headers })
    expect([head.status, head.headers.get('content-type'), head.text]).toEqual([200, 'text/event-stream', ''])
  })

  it('sends a sign of life now and then', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    try {
      const { path, room } = await start()
      const reader = await EventReader.open(path)
      await expect.poll(() => reader.comments).toBe(1)
      await room.trigger('e', 0)
      vi.advanceTimersByTime(15_000)
      await expect.poll(() => reader.comments).toBe(2)
      expect(reader.events).toHaveLength(1)
    } finally {
      vi.useRealTimers()
    }
  })
})

describe('a back end that relays', () => {
  it('gets a stream through another HTTP server, chunk by chunk', async () => {
    const { path, room } = await start()
    const relay = createHttpServer(async (_, response) => {
      const upstream = await fetch(path, { headers: { accept: 'text/event-stream' } })
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      for await (const chunk of upstream.body!) response.write(chunk)
      response.end()
    })
    relay.listen(0, '127.0.0.1')
    await once(relay, 'listening')
    try {
      const { port } = relay.address() as { port: number }
      const reader = await EventReader.open(`http://127.0.0.1:${port}/`)
      await room.trigger('e', 1)
      await expect.poll(() => numbers(reader)).toEqual([1])
    } finally {
      relay.closeAllConnections()
      relay.close()
    }
  })
})
