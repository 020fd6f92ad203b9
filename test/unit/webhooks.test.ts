import { createServer as createTcpServer, type Socket } from 'node:net'
import Pusher from 'pusher'
import { describe, expect, test } from 'vitest'
import type { Journal } from '../../server/contracts.ts'
import { createMemoryJournal } from '../../server/storage/memoryJournal.ts'
import { until } from '../e2e/until.ts'
import { createRandom, seeds } from '../fuzz/random.ts'
import { appWith, hook, receiver, start } from './webhookParts.ts'
import { type ReceivedRequest, type Responder, status } from './webhookReceiver.ts'

/** The only webhook's counts. */
const countsOf = ({ webhooks }: Awaited<ReturnType<typeof start>>) => webhooks.counts()[0]!

const eventNames = (events: readonly Readonly<Record<string, unknown>>[]): unknown[] => events.map(({ event }) => event)

/** Answers 500 to what names one of these channels. */
const failing =
  (...channels: string[]): Responder =>
  (request, response) =>
    status(request.events.some(({ channel }) => channels.includes(channel as string)) ? 500 : 200)(request, response)

describe('a webhook', () => {
  test("is what npm's pusher takes for one of its app, with exactly the documented fields", async () => {
    const inbox = await receiver()
    const app = appWith(hook(inbox.url))
    const { webhooks, clock } = await start(app)
    webhooks.clientEvent(app, 'presence-a', 'client-x', '{"ä":"\u2028"}', '12.34', 'u1')
    webhooks.clientEvent(app, 'private-a', 'client-y', 'no JSON \uD800', '12.34', undefined)
    webhooks.cacheMiss(app, 'cache-a')
    await inbox.count(3)

    expect(inbox.events()).toEqual(
      expect.arrayContaining([
        {
          name: 'client_event',
          channel: 'presence-a',
          event: 'client-x',
          data: '{"ä":"\u2028"}',
          socket_id: '12.34',
          user_id: 'u1',
        },
        { name: 'client_event', channel: 'private-a', event: 'client-y', data: 'no JSON \uD800', socket_id: '12.34' },
        { name: 'cache_miss', channel: 'cache-a' },
      ]),
    )
    const sdk = new Pusher({ appId: app.id, key: app.key, secret: app.secrets[0], host: 'localhost' })
    const stranger = new Pusher({ appId: app.id, key: app.key, secret: 'another', host: 'localhost' })
    for (const { headers, body, timeMs, url } of inbox.requests) {
      expect(url).toBe('/hook')
      expect(headers['content-type']).toBe('application/json')
      expect(timeMs).toBe(clock.now())
      expect(sdk.webhook({ headers, rawBody: body }).isValid()).toBe(true)
      expect(sdk.webhook({ headers, rawBody: `${body} ` }).isValid()).toBe(false)
      expect(stranger.webhook({ headers, rawBody: body }).isValid()).toBe(false)
    }
  })

  test('is signed with the first of two secrets', async () => {
    const inbox = await receiver()
    const app = { ...appWith(hook(inbox.url)), secrets: ['new', 'old'] as const }
    const { webhooks } = await start(app)
    webhooks.cacheMiss(app, 'cache-a')
    await inbox.count(1)
    const { headers, body } = inbox.requests[0]!
    const sdkWith = (secret: string) => new Pusher({ appId: '3', key: app.key, secret, host: 'localhost' })
    expect(sdkWith('new').webhook({ headers, rawBody: body }).isValid()).toBe(true)
    expect(sdkWith('old').webhook({ headers, rawBody: body }).isValid()).toBe(false)
  })

  test('gets the events it asked for, of its own app', async () => {
    const [all, misses] = [await receiver(), await receiver()]
    const app = appWith(hook(all.url), hook(misses.url, { events: ['cache_miss'] }))
    const other = { ...appWith(hook(misses.url)), id: '4', key: 'k4' }
    const { webhooks, tell } = await start(app, { apps: [app, other] })
    tell('private-a', 1)
    webhooks.cacheMiss(app, 'cache-a')
    await all.count(2)
    await misses.count(1)
    await until('all is delivered', () => webhooks.counts().every(({ waiting }) => waiting === 0))
    expect(misses.events()).toEqual([{ name: 'cache_miss', channel: 'cache-a' }])
    expect(webhooks.counts().map(({ app, delivered }) => [app, delivered])).toEqual([
      ['3', 2],
      ['3', 1],
      ['4', 0],
    ])
  })

  test('with credentials in its URL sends them as a header, and logs them nowhere', async () => {
    const inbox = await receiver()
    const url = `${inbox.url.replace('//', '//me:p%40ss%@')}?token=secret`
    inbox.respond(status(500))
    const started = await start(appWith(hook(url)))
    started.tell('private-a', 1)
    await until('the failure is logged', () => started.log.entries.length > 0)
    expect(inbox.requests[0]!.headers.authorization).toBe(`Basic ${btoa('me:p%40ss%')}`)
    expect(inbox.requests[0]!.url).toBe('/hook?token=secret')
    expect(JSON.stringify([started.log.entries, started.webhooks.counts()])).not.toMatch(/p%40ss|secret/)
  })

  test('uses a connection again', async () => {
    const inbox = await receiver()
    inbox.respond((_, response) => response.writeHead(200).end('x'.repeat(60_000)))
    const { tell } = await start(appWith(hook(inbox.url)))
    for (let i = 0; i < 50; i++) tell('private-a', i)
    await inbox.count(50)
    // A second one, if the next request comes before the first one is seen to be free.
    expect(inbox.connections()).toBeLessThanOrEqual(2)
  })
})

describe('without a batch', () => {
  test('each event is a request of its own, and those of a channel come in order', async () => {
    const inbox = await receiver()
    const { tell } = await start(appWith(hook(inbox.url)))
    for (let i = 0; i < 100; i++) tell(`private-${i % 5}`, i)
    await inbox.count(100)
    for (let channel = 0; channel < 5; channel++) {
      const own = inbox.events().filter((event) => event.channel === `private-${channel}`)
      expect(eventNames(own)).toEqual(Array.from({ length: 20 }, (_, i) => String(i * 5 + channel)))
    }
    expect(inbox.requests.every(({ events }) => events.length === 1)).toBe(true)
  })

  test('at most 8 requests wait for an answer at a time', async () => {
    const inbox = await receiver()
    const answers: (() => void)[] = []
    inbox.respond((_, response) => answers.push(() => response.end()))
    const { tell } = await start(appWith(hook(inbox.url)))
    for (let i = 0; i < 30; i++) tell(`private-${i}`, i)
    await until('as many as there may be', () => answers.length === 8)
    for (let answered = 0; answered < 30; answered++) {
      await until('a request', () => answers.length > 0)
      answers.shift()!()
    }
    await inbox.count(30)
    expect(inbox.mostAtOnce()).toBe(8)
  })
})

describe('with batches', () => {
  test('events of 250 ms are one request', async () => {
    const inbox = await receiver()
    const started = await start(appWith(hook(inbox.url, { batch: true })))
    for (const i of [1, 2, 3]) started.tell(`private-${i}`, i)
    await until('events are collected', () => started.clock.pending.length === 1)
    expect(started.clock.pending).toEqual([250])
    started.clock.advance(249)
    started.tell('private-1', 4)
    await until('four events wait', () => countsOf(started).waiting === 4)
    expect(inbox.requests).toHaveLength(0)
    // One more turn: the fourth is in the journal, too.
    await new Promise(setImmediate)
    started.clock.advance(1)
    await inbox.count(1)
    // Lane by lane; within each, in order.
    expect(eventNames(inbox.requests[0]!.events)).toEqual(['1', '4', '2', '3'])
  })

  test('what comes while a batch is under way waits for the next one', async () => {
    const inbox = await receiver()
    let answer: (() => void) | undefined
    inbox.respond((_, response) => {
      answer = () => response.end()
    })
    const started = await start(appWith(hook(inbox.url, { batch: true })))
    started.tell('private-a', 1)
    await until('it is collected', () => started.clock.pending.length === 1)
    started.clock.advance(250)
    await until('it is under way', () => answer !== undefined)
    started.tell('private-b', 2)
    await until('the next one is collected', () => started.clock.pending.length === 1)
    answer!()
    await until('the first one is delivered', () => countsOf(started).delivered === 1)
    expect(started.clock.pending).toEqual([250])
    inbox.respond(status(200))
    started.clock.advance(250)
    await until('the second one is delivered', () => countsOf(started).delivered === 2)
    expect(inbox.requests.map(({ events }) => eventNames(events))).toEqual([['1'], ['2']])
  })

  test('20 events are sent at once, and a request has no more', async () => {
    const inbox = await receiver()
    const started = await start(appWith(hook(inbox.url, { batch: true })))
    for (let i = 0; i < 45; i++) started.tell(`private-${i % 3}`, i)
    await until('two batches', () => inbox.requests.length >= 2)
    await until('the rest waits for more', () => started.clock.pending.length === 1 || countsOf(started).waiting === 0)
    started.clock.advance(250)
    await until('all is delivered', () => countsOf(started).delivered === 45)
    expect(Math.max(...inbox.requests.map(({ events }) => events.length))).toBe(20)
    for (let channel = 0; channel < 3; channel++) {
      const own = inbox.events().filter((event) => event.channel === `private-${channel}`)
      expect(eventNames(own)).toEqual(Array.from({ length: 15 }, (_, i) => String(i * 3 + channel)))
    }
  })

  test('after a request failed each of its channels is tried by itself: one that fails holds up no other', async () => {
    const inbox = await receiver()
    inbox.respond(failing('private-bad'))
    const started = await start(appWith(hook(inbox.url, { batch: true })))
    for (const [channel, event] of [
      ['private-a', 1],
      ['private-bad', 2],
      ['private-b', 3],
      ['private-a', 4],
    ] as const) {
      started.tell(channel, event)
    }
    await until('events are collected', () => countsOf(started).waiting === 4 && started.clock.pending.length === 1)
    await new Promise(setImmediate)
    started.clock.advance(250)
    await until('the batch failed', () => started.clock.pending.length === 3)
    started.clock.advance(1000)
    await until('two channels are through', () => countsOf(started).delivered === 3)
    expect(inbox.requests.slice(1).map(({ events }) => eventNames(events))).toEqual(
      expect.arrayContaining([['1', '4'], ['2'], ['3']]),
    )
    // What comes meanwhile goes with the next batch, without the channel that fails.
    for (const channel of ['private-a', 'private-bad', 'private-c']) started.tell(channel, 5)
    await until('events are collected', () => started.clock.pending.includes(250))
    await new Promise(setImmediate)
    started.clock.advance(250)
    await until('they are through', () => countsOf(started).delivered === 5)
    expect(inbox.requests.at(-1)!.events.map(({ channel }) => channel)).toEqual(['private-a', 'private-c'])
    inbox.respond(status(200))
    started.clock.advance(2000)
    await until('all is delivered', () => countsOf(started).delivered === 7)
    expect(eventNames(inbox.requests.at(-1)!.events)).toEqual(['2', '5'])
  })
})

describe('an event that is not answered 2xx', () => {
  test.each([300, 301, 302, 307, 400, 404, 410, 500, 503])(
    'is sent again after a %i, and the next one of its channel waits for it',
    async (code) => {
      const inbox = await receiver()
      inbox.respond((_, response) => response.writeHead(code, { location: '/elsewhere' }).end())
      const started = await start(appWith(hook(inbox.url)))
      started.tell('private-a', 1)
      started.tell('private-a', 2)
      await until('the failure is noted', () => started.clock.pending.length === 1)
      inbox.respond(status(204))
      started.clock.advance(1000)
      await until('both are delivered', () => countsOf(started).delivered === 2)
      expect(eventNames(inbox.events())).toEqual(['1', '1', '2'])
      expect(inbox.requests.every(({ url }) => url === '/hook')).toBe(true)
    },
  )

  test('is stamped and signed anew at each attempt', async () => {
    const inbox = await receiver()
    inbox.respond(status(500))
    const app = appWith(hook(inbox.url))
    const started = await start(app)
    started.tell('private-a', 1)
    await until('it failed', () => started.clock.pending.length === 1)
    started.clock.advance(1000)
    await inbox.count(2)
    const [first, second] = inbox.requests as [ReceivedRequest, ReceivedRequest]
    expect(second.timeMs - first.timeMs).toBe(750)
    const sdk = new Pusher({ appId: app.id, key: app.key, secret: app.secrets[0], host: 'localhost' })
    expect(sdk.webhook({ headers: second.headers, rawBody: second.body }).isValid()).toBe(true)
    expect(second.headers['x-pusher-signature']).not.toBe(first.headers['x-pusher-signature'])
  })

  test.each([
    [0, [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]],
    [0.5, [750, 1500, 3000, 6000, 12_000, 24_000, 45_000, 45_000]],
    [0.999_999, [1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]],
  ])('is sent after pauses that double up to a minute, of random length (chance %f)', async (chance, pauses) => {
    const inbox = await receiver()
    inbox.respond(status(500))
    const started = await start(appWith(hook(inbox.url)), { random: () => chance })
    started.tell('private-a', 1)
    const seen: number[] = []
    for (let attempt = 1; attempt <= pauses.length; attempt++) {
      await until('the attempt failed', () => countsOf(started).failedAttempts === attempt)
      seen.push(Math.round(started.clock.pending[0]!))
      started.clock.advance(started.clock.pending[0]!)
    }
    expect(seen).toEqual(pauses)
  })

  test('is given up 5 minutes after it happened, with a last attempt then, and those that waited with it', async () => {
    const inbox = await receiver()
    inbox.respond(status(500))
    const started = await start(appWith(hook(inbox.url)))
    const begin = started.clock.now()
    started.tell('private-a', 1)
    started.tell('private-a', 2)
    await until('it failed', () => started.clock.pending.length === 1)
    started.tell('private-b', 'b')
    await until('this one, too', () => started.clock.pending.length === 2)
    started.clock.advance(100)
    started.tell('private-a', 3)
    for (let attempts = countsOf(started).failedAttempts; started.clock.now() < begin + 300_000; ) {
      const due = started.clock.pending
      started.clock.advance(due[0]!)
      attempts += due.filter((ms) => ms === due[0]).length
      await until('the attempt failed', () => countsOf(started).failedAttempts === attempts)
    }
    expect(inbox.requests.at(-1)!.timeMs).toBe(begin + 300_000)
    expect(countsOf(started)).toMatchObject({ givenUp: 3, waiting: 1, delivered: 0, dropped: 0 })
    // The third has 100 ms left.
    expect(started.clock.pending).toEqual([100])
    inbox.respond(status(200))
    started.clock.advance(100)
    await until('it is delivered', () => countsOf(started).delivered === 1)
    expect(inbox.events().at(-1)!.event).toBe('3')
    expect(started.log.entries.map(({ level, message }) => [level, message])).toContainEqual([
      'warn',
      'events of a webhook were given up after 300 s',
    ])
  })

  test('holds up neither another channel nor another webhook', async () => {
    const [bad, good] = [await receiver(), await receiver()]
    bad.respond(failing('private-a'))
    const started = await start(appWith(hook(bad.url), hook(good.url)))
    for (let i = 0; i < 10; i++) {
      started.tell('private-a', i)
      started.tell('private-b', i)
    }
    await until('the rest is delivered', () => {
      const [first, second] = started.webhooks.counts()
      return first!.delivered === 10 && second!.delivered === 20
    })
    expect(bad.events().filter(({ channel }) => channel === 'private-a')).toHaveLength(1)
  })

  test('takes turns with those that did not fail, where both wait for a request to end', async () => {
    const inbox = await receiver()
    const started = await start(appWith(hook(inbox.url)), { times: { maxRequests: 1 } })
    inbox.respond(status(500))
    for (const i of [1, 2, 3]) started.tell(`private-bad-${i}`, i)
    await until('they failed', () => started.clock.pending.length === 3)
    let answer: (() => void) | undefined
    inbox.respond((_, response) => {
      answer = () => response.end()
    })
    started.tell('private-first', 0)
    await until('it is under way', () => answer !== undefined)
    started.clock.advance(1000)
    for (const i of [1, 2, 3]) started.tell(`private-good-${i}`, i)
    await until('all wait', () => countsOf(started).waiting === 7)
    await new Promise(setImmediate)
    inbox.respond(status(200))
    answer!()
    await until('all are delivered', () => countsOf(started).delivered === 7)
    const kinds = inbox.events().map(({ channel }) => String(channel).split('-')[1])
    expect(kinds.slice(4).join(' ')).toMatch(/^(good bad good bad good bad|bad good bad good bad good)$/)
  })

  test('is sent again where the application does not answer in time', async () => {
    const inbox = await receiver()
    inbox.respond(() => undefined)
    const started = await start(appWith(hook(inbox.url)), { times: { attemptMs: 1000 } })
    started.tell('private-a', 1)
    await until('it failed', () => started.clock.pending.length === 1)
    expect(started.log.entries.at(-1)).toMatchObject({ level: 'warn', fields: { reason: 'no answer within 1000 ms' } })
    inbox.respond(status(200))
    started.clock.advance(1000)
    await until('it is delivered', () => countsOf(started).delivered === 1)
    expect(eventNames(inbox.events())).toEqual(['1', '1'])
  })

  test('is sent again where there is nobody, or who is there hangs up', async () => {
    const gone = await receiver()
    await gone.close()
    const started = await start(appWith(hook(gone.url)))
    started.tell('private-a', 1)
    await until('it failed', () => started.clock.pending.length === 1)
    expect(started.log.entries.at(-1)).toMatchObject({ fields: { reason: expect.stringContaining('ECONNREFUSED') } })

    const sockets = new Set<Socket>()
    const hangingUp = createTcpServer((socket) => {
      sockets.add(socket.on('error', () => undefined))
      socket.once('data', () => socket.destroy())
    })
    await new Promise<void>((resolve) => hangingUp.listen(gone.port, '127.0.0.1', resolve))
    started.clock.advance(1000)
    await until('it failed again', () => countsOf(started).failedAttempts === 2)
    await new Promise((resolve) => hangingUp.close(resolve))
    expect(sockets.size).toBeGreaterThan(0)

    const inbox = await receiver(gone.port)
    started.clock.advance(2000)
    await until('it is delivered', () => countsOf(started).delivered === 1)
    expect(eventNames(inbox.events())).toEqual(['1'])
  })

  test('was taken if the answer began with 2xx, however it ends', async () => {
    const inbox = await receiver()
    const endings: Responder[] = [
      // Cut off, never ended, and far too long.
      (_, response) => response.writeHead(200).write('x', () => response.destroy()),
      (_, response) => response.writeHead(200).write('x'),
      (_, response) => response.writeHead(200).end('x'.repeat(10_000_000)),
    ]
    inbox.respond((request, response) => endings.shift()!(request, response))
    // Real time: long enough for the head of an answer on a busy machine.
    const started = await start(appWith(hook(inbox.url)), { times: { attemptMs: 2000 } })
    for (const i of [1, 2, 3]) started.tell('private-a', i)
    await until('all are delivered', () => countsOf(started).delivered === 3)
    expect(countsOf(started)).toMatchObject({ failedAttempts: 0, waiting: 0 })
    expect(inbox.requests).toHaveLength(3)
  })

  test('does not wait for an answer without an end', async () => {
    const inbox = await receiver()
    let isClosed = false
    inbox.respond((_, response) => {
      const more = (): void => {
        while (!isClosed && response.write('x'.repeat(65_536)));
      }
      response.on('close', () => {
        isClosed = true
      })
      response.on('drain', more).writeHead(200)
      more()
    })
    const started = await start(appWith(hook(inbox.url)), { times: { attemptMs: 60_000 } })
    started.tell('private-a', 1)
    await until('it is delivered', () => countsOf(started).delivered === 1)
    await until('the connection is closed', () => isClosed)
  })
})

describe('whatever fails', () => {
  test.each(seeds(3).flatMap((seed) => [true, false].map((batch) => [seed, batch] as const)))(
    'each event is taken once and in the order of its channel (seed %i, batch: %s)',
    async (seed, batch) => {
      const random = createRandom(seed)
      const inbox = await receiver()
      const taken = new Map<string, string[]>()
      inbox.respond((request, response) => {
        // Later answers first, now and then.
        const answer = () => {
          if (random.chance(0.4)) return response.writeHead(500).end()
          for (const { channel, event } of request.events as readonly { channel: string; event: string }[]) {
            taken.set(channel, [...(taken.get(channel) ?? []), event])
          }
          return response.end()
        }
        if (random.chance(0.5)) setImmediate(answer)
        else answer()
      })
      const started = await start(appWith(hook(inbox.url, { batch })), {
        random: () => random.between(0, 999) / 1000,
        times: { giveUpMs: 1e9 },
      })
      const told = new Map<string, string[]>()
      for (let i = 0; i < 400; i++) {
        const channel = `private-${random.between(1, 12)}`
        told.set(channel, [...(told.get(channel) ?? []), String(i)])
        started.tell(channel, i)
        if (random.chance(0.1)) await new Promise(setImmediate)
        if (random.chance(0.1)) started.clock.advance(random.between(0, 499))
      }
      await until('all events are taken', () => {
        started.clock.advance(Math.min(...started.clock.pending, 1000))
        return countsOf(started).waiting === 0
      })
      expect(taken).toEqual(new Map([...taken.keys()].map((channel) => [channel, told.get(channel)])))
      expect(taken.size).toBe(told.size)
      expect(countsOf(started)).toMatchObject({ delivered: 400, givenUp: 0, dropped: 0 })
      expect(countsOf(started).failedAttempts).toBeGreaterThan(0)
    },
  )
})

describe('the queue', () => {
  test('drops the oldest beyond its length, but none that is being sent, and says so', async () => {
    const inbox = await receiver()
    const answers: (() => void)[] = []
    inbox.respond((_, response) => answers.push(() => response.end()))
    const journal = createMemoryJournal()
    const started = await start(appWith(hook(inbox.url)), {
      journal,
      limits: { webhookQueueEvents: 5, webhookQueueBytes: 1_000_000, leaveGraceSeconds: 3 },
    })
    started.tell('private-a', 1)
    await inbox.count(1)
    for (let i = 2; i <= 12; i++) started.tell(i % 2 ? 'private-a' : 'private-b', i)
    await until('two are being sent', () => answers.length === 2)
    expect(countsOf(started)).toMatchObject({ waiting: 5, dropped: 7 })
    expect(await journal.read()).toHaveLength(5)
    expect(started.log.entries.map(({ level, message }) => [level, message])).toEqual([
      ['warn', 'too many events wait for a webhook; the oldest were dropped'],
    ])
    inbox.respond(status(200))
    for (const answer of answers) answer()
    await until('the rest is delivered', () => countsOf(started).waiting === 0)
    const of = (channel: string) => eventNames(inbox.events().filter((event) => event.channel === channel))
    expect([of('private-a')[0], ...of('private-a').slice(1)]).toEqual(['1', '9', '11'])
    expect(of('private-b').slice(-2)).toEqual(['10', '12'])
    expect(await journal.read()).toEqual([])
  })

  test('drops the oldest beyond its bytes', async () => {
    const inbox = await receiver()
    inbox.respond(status(500))
    const app = appWith(hook(inbox.url))
    const started = await start(app, {
      limits: { webhookQueueEvents: 1000, webhookQueueBytes: 70_000, leaveGraceSeconds: 3 },
    })
    for (let i = 0; i < 10; i++) {
      started.webhooks.clientEvent(app, 'private-a', String(i), 'x'.repeat(10_000), '1.2', undefined)
    }
    await until('the first one failed', () => started.clock.pending.length === 1)
    expect(countsOf(started)).toMatchObject({ waiting: 3, dropped: 7 })
    // An event larger than all of it is still sent.
    started.webhooks.clientEvent(app, 'private-b', 'big', 'x'.repeat(100_000), '1.2', undefined)
    inbox.respond(status(200))
    await until('all is delivered', () => countsOf(started).waiting === 0)
    expect(eventNames(inbox.events()).at(-1)).toBe('big')
  })

  test('a channel whose only event was dropped while it waited for its next attempt leaves nothing', async () => {
    const inbox = await receiver()
    inbox.respond(failing('private-a'))
    const started = await start(appWith(hook(inbox.url)), {
      limits: { webhookQueueEvents: 1, webhookQueueBytes: 1_000_000, leaveGraceSeconds: 3 },
    })
    started.tell('private-a', 1)
    await until('it failed', () => started.clock.pending.length === 1)
    started.tell('private-b', 2)
    await until('the other is delivered', () => countsOf(started).delivered === 1)
    expect(started.clock.pending).toEqual([])
    expect(countsOf(started)).toMatchObject({ waiting: 0, dropped: 1 })
  })

  test('keeps what was not delivered over a stop, in order, with 5 minutes more', async () => {
    const inbox = await receiver()
    inbox.respond(status(500))
    const app = appWith(hook(inbox.url))
    const kept = createMemoryJournal()
    const journal = { ...kept, close: async () => undefined }
    const first = await start(app, { journal })
    for (let i = 1; i <= 3; i++) first.tell('private-a', i)
    await until('it failed', () => first.clock.pending.length === 1)
    await first.webhooks.close()
    expect(first.clock.pending).toEqual([])
    first.tell('private-a', 'too late')
    expect(await kept.read()).toHaveLength(3)
    expect(first.log.entries.at(-1)).toMatchObject({ level: 'info', fields: { waiting: 3 } })

    const second = await start(app, { journal })
    await until('it failed again', () => countsOf(second).failedAttempts === 1)
    second.tell('private-a', 4)
    inbox.respond(status(200))
    second.clock.advance(1000)
    await until('all is delivered', () => countsOf(second).delivered === 4)
    expect(eventNames(inbox.events())).toEqual(['1', '1', '1', '2', '3', '4'])
    expect(await kept.read()).toEqual([])
  })

  test('a request under way has a moment to end when the server stops, and is broken off then', async () => {
    const inbox = await receiver()
    const answers: (() => void)[] = []
    inbox.respond((_, response) => answers.push(() => response.end()))
    const started = await start(appWith(hook(inbox.url)))
    started.tell('private-a', 1)
    started.tell('private-b', 2)
    await until('both are under way', () => answers.length === 2)
    const closed = started.webhooks.close()
    answers[0]!()
    await until('one is delivered', () => countsOf(started).delivered === 1)
    expect(started.clock.pending).toEqual([1000])
    started.clock.advance(1000)
    await closed
    expect(countsOf(started)).toMatchObject({ waiting: 1, failedAttempts: 0 })
  })

  test('what is left of a webhook that is configured no more, or cannot be read, is dropped', async () => {
    const journal = createMemoryJournal()
    await journal.append([
      { id: 5, record: JSON.stringify(['3', 'http://127.0.0.1:1/', 'private-a', '{}']) },
      { id: 6, record: 'nonsense' },
      { id: 7, record: '[1]' },
    ])
    const inbox = await receiver()
    const started = await start(appWith(hook(inbox.url)), { journal })
    expect(await journal.read()).toEqual([])
    expect(started.log.entries).toMatchObject([{ level: 'warn', fields: { count: 3 } }])
    started.tell('private-a', 1)
    await inbox.count(1)
  })

  test('events are delivered, and the log says it, where the journal fails', async () => {
    const inbox = await receiver()
    const fail = async () => {
      throw new Error('disk full')
    }
    const journal = { ...createMemoryJournal(), append: fail, remove: fail }
    const started = await start(appWith(hook(inbox.url)), { journal })
    for (let i = 1; i <= 3; i++) started.tell('private-a', i)
    await until('all are delivered', () => countsOf(started).delivered === 3)
    expect(eventNames(inbox.events())).toEqual(['1', '2', '3'])
    expect(started.log.entries).toMatchObject([{ level: 'error', fields: { count: 1 } }])
  })

  test('an event is in the journal before it is sent', async () => {
    const inbox = await receiver()
    let write: (() => void) | undefined
    const memory = createMemoryJournal()
    const written = new Promise<void>((resolve) => {
      write = resolve
    })
    const journal: Journal = {
      ...memory,
      append: (entries) => (entries[0]!.id === 1 ? written : memory.append(entries)),
    }
    const started = await start(appWith(hook(inbox.url)), { journal })
    started.tell('private-a', 1)
    started.tell('private-b', 2)
    await until('the second one is delivered', () => countsOf(started).delivered === 1)
    expect(eventNames(inbox.events())).toEqual(['2'])
    write!()
    await inbox.count(2)
  })
})
