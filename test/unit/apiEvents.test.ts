import { describe, expect, it } from 'vitest'
import { eventToJson } from '../../server/api/rooms/eventJson.ts'
import type { CreateServerOptions } from '../../server/index.ts'
import { type Answered, type RequestOptions, request } from './apiRequest.ts'
import { createGate } from './gate.ts'
import { APP, PusherClient } from './pusherClient.ts'
import { startServer } from './testServer.ts'

const start = async (options?: CreateServerOptions) => {
  const { server, url } = await startServer(options)
  const send = (method: string, target: string, more?: RequestOptions): Promise<Answered> =>
    request(server.url, method, target, more)
  const post = (body: unknown, room = 'a', more: RequestOptions = {}): Promise<Answered> =>
    send('POST', `/rooms/${room}/events`, { ...more, body })
  const history = async (query = '', room = 'a') => (await send('GET', `/rooms/${room}/events${query}`)).json
  return { server, url, send, post, history }
}

const expectError = (answered: Answered, status: number, code: string, message: string | RegExp): void => {
  expect([answered.status, answered.json?.code]).toEqual([status, code])
  expect(answered.json.message).toMatch(message)
  expect(answered.json.hint).not.toBe('')
}

describe('POST of events', () => {
  it('answers where an event went, and it reaches subscribers', async () => {
    const { url, post } = await start({ apps: [APP] })
    const reader = await PusherClient.connect(url)
    await reader.subscribe('a')
    const first = await post({ event: 'message', data: { text: 'hello' } })
    expect([first.status, first.json]).toEqual([200, { epoch: expect.any(String), offset: 1 }])
    const second = await post({ event: 'bare' })
    expect(second.json).toEqual({ epoch: first.json.epoch, offset: 2 })
    await reader.settled()
    expect(reader.events('a')).toEqual([
      ['message', { text: 'hello' }],
      ['bare', null],
    ])
  })

  it('publishes an array in order and answers in order', async () => {
    const { post, history } = await start()
    const events = Array.from({ length: 50 }, (_, i) => ({ event: `e${i}`, data: i }))
    const { json } = await post(events)
    expect(json.map(({ offset }: { offset: number }) => offset)).toEqual(events.map((_, i) => i + 1))
    const { events: kept } = await history()
    expect(kept.map(({ event, data }: { event: string; data: unknown }) => ({ event, data }))).toEqual(events)
    expect((await post([])).json).toEqual([])
  })

  it('leaves out the connection that "except" names', async () => {
    const { url, post } = await start({ apps: [APP] })
    const [a, b] = [await PusherClient.connect(url), await PusherClient.connect(url)]
    await a.subscribe('a')
    await b.subscribe('a')
    await post({ event: 'one', except: a.id })
    await post({ event: 'two', except: null })
    await Promise.all([a.settled(), b.settled()])
    expect(a.events('a')).toEqual([['two', null]])
    expect(b.events('a')).toEqual([
      ['one', null],
      ['two', null],
    ])
  })

  it('takes bytes as they are', async () => {
    const { url, send, history } = await start({ apps: [APP] })
    const reader = await PusherClient.connect(url)
    await reader.subscribe('a')
    const bytes = Uint8Array.from({ length: 256 }, (_, i) => i)
    const headers = { 'content-type': 'application/octet-stream' }
    const target = `/rooms/a/events?event=frame%201&except=1.2`
    const { status, json } = await send('POST', target, { headers, body: bytes })
    expect([status, json.offset]).toEqual([200, 1])
    const base64 = Buffer.from(bytes).toString('base64')
    expect((await history()).events).toEqual([{ offset: 1, event: 'frame 1', base64, at: expect.any(Number) }])
    await reader.settled()
    expect(reader.events('a')).toEqual([['frame 1', base64]])
  })

  it('with an "id" is published once in 5 minutes, also by two requests at once and within an array', async () => {
    const { post, history } = await start()
    const event = { event: 'paid', data: 1, id: 'order-1' }
    const [first, again] = await Promise.all([post(event), post(event)])
    expect(again.json).toEqual(first.json)
    expect(
      (await post([event, { event: 'next' }, { ...event, id: 'order-2' }, { ...event, id: 'order-2' }])).json,
    ).toEqual([1, 2, 3, 3].map((offset) => ({ epoch: first.json.epoch, offset })))
    expect((await history()).events.map(({ event }: { event: string }) => event)).toEqual(['paid', 'next', 'paid'])
    // Another room, another event.
    expect((await post(event, 'b')).json.epoch).not.toBe(first.json.epoch)
    expect((await history('', 'b')).events).toHaveLength(1)
  })

  it('with an "id" that was used for another one is refused', async () => {
    const { post, history } = await start()
    const event = { event: 'paid', data: { a: 1 }, id: 'order-1' }
    await post(event)
    for (const other of [
      { ...event, data: { a: 2 } },
      { ...event, event: 'unpaid' },
      { ...event, except: '1.2' },
    ]) {
      expectError(await post(other), 422, 'KEY_REUSED', /under this "id"/)
    }
    const { json } = await post([event, { ...event, data: 3 }])
    expect(json).toEqual([
      { epoch: expect.any(String), offset: 1 },
      { code: 'KEY_REUSED', message: expect.any(String), hint: expect.any(String) },
    ])
    expect((await post(event)).json.offset).toBe(1)
    expect((await history()).events).toHaveLength(1)
  })

  it('keeps what it is given: numbers, depth, odd names, and JSON that only looks like text', async () => {
    const { post, history } = await start()
    const odd = [null, 0, -1.5e300, '', '"', 'a\nb\u2028', '{"a":1}', [], {}, { __proto__x: 1, ü: [[['deep']]] }, true]
    await post(odd.map((data, i) => ({ event: `name ${i}\n: #`, data })))
    const { events } = await history()
    expect(events.map(({ data }: { data: unknown }) => data)).toEqual(odd)
    expect(events[3].event).toBe('name 3\n: #')
  })

  it('tells in place which events of an array a hook refused', async () => {
    const { post, history } = await start({
      hooks: {
        beforeEvent: async ({ event }) => {
          await new Promise((resolve) => setImmediate(resolve))
          if (event === 'bad') throw new Error('no')
          return event === 'loud' ? { event: 'quiet' } : undefined
        },
      },
    })
    const { status, json } = await post([{ event: 'good' }, { event: 'bad' }, { event: 'loud' }])
    expect(status).toBe(200)
    expect(json).toEqual([
      { epoch: expect.any(String), offset: 1 },
      { code: 'FORBIDDEN', message: expect.any(String), hint: expect.any(String) },
      { epoch: expect.any(String), offset: 2 },
    ])
    expect((await history()).events.map(({ event }: { event: string }) => event)).toEqual(['good', 'quiet'])
    expectError(await post({ event: 'bad' }), 403, 'FORBIDDEN', /./)
  })

  it('an event that was refused can be sent again under its id', async () => {
    let isOpen = false
    const { post } = await start({
      hooks: {
        beforeEvent: () => {
          if (!isOpen) throw new Error('no')
        },
      },
    })
    expect((await post({ event: 'a', id: '1' })).status).toBe(403)
    isOpen = true
    expect((await post({ event: 'a', id: '1' })).json.offset).toBe(1)
  })

  it('a second request waits for the first of its id, and is published itself if that is refused', async () => {
    const gate = createGate()
    let asked = 0
    const { post } = await start({
      hooks: {
        beforeEvent: async () => {
          asked++
          if (asked > 1) return
          await gate.promise
          throw new Error('no')
        },
      },
    })
    const first = post({ event: 'a', id: '1' })
    const second = post({ event: 'a', id: '1' })
    await expect.poll(() => asked).toBe(1)
    gate.open()
    expect((await first).status).toBe(403)
    expect((await second).json.offset).toBe(1)
    expect(asked).toBe(2)
  })

  it.each([
    ['{"data": 1}', 422, 'INVALID_VALUE', /^The event has a name that is missing; expected a string/],
    ['{"event": 5}', 422, 'INVALID_VALUE', /name that is a number/],
    ['{"event": ""}', 422, 'INVALID_VALUE', /^The event has no valid name: it is empty/],
    [`{"event": "${'x'.repeat(201)}"}`, 422, 'INVALID_VALUE', /longer than 200 characters/],
    ['{"event": "pusher:ping"}', 422, 'INVALID_VALUE', /"pusher:"/],
    ['{"event": "\\ud800"}', 422, 'INVALID_VALUE', /surrogate/],
    ['{"event": "a", "name": 1}', 422, 'INVALID_VALUE', /has a field "name"; there are event, data, except, id/],
    ['{"event": "a", "except": "everyone"}', 422, 'INVALID_VALUE', /"except" that is not the id of a connection/],
    ['{"event": "a", "except": 1.5}', 422, 'INVALID_VALUE', /"except"/],
    ['{"event": "a", "id": ""}', 422, 'INVALID_VALUE', /"id" that is not a string of 1–128 characters/],
    [`{"event": "a", "id": "${'x'.repeat(129)}"}`, 422, 'INVALID_VALUE', /"id"/],
    ['[{"event": "a"}, {"event": ""}]', 422, 'INVALID_VALUE', /^Event 1 has no valid name/],
    ['[[]]', 422, 'INVALID_VALUE', /^Event 0 is an array; expected an object/],
    ['5', 422, 'INVALID_VALUE', /^The event is a number; expected an object/],
    ['null', 422, 'INVALID_VALUE', /^The event is null/],
    ['', 400, 'INVALID_JSON', /The body is empty/],
    ['{"event"', 400, 'INVALID_JSON', /The body is not JSON/],
    [`{"event": "a", "data": "${'x'.repeat(2000)}"}`, 413, 'TOO_LARGE', /has 2002 bytes of data; the limit is 1024/],
    [`{"event": "a", "data": "${'é'.repeat(600)}"}`, 413, 'TOO_LARGE', /has 1202 bytes/],
    [JSON.stringify(Array(1001).fill({ event: 'a' })), 413, 'TOO_LARGE', /has 1001 events; the limit is 1000/],
    // Deeper than a stack is.
    [`{"event": "a", "data": ${'['.repeat(100_000)}${']'.repeat(100_000)}}`, 422, 'INVALID_VALUE', /nests deeper/],
    // What is wide besides must not be searched with a path for each.
    [
      `{"event": "a", "data": ${'['.repeat(500)}{}${',1'.repeat(100_000)}${']'.repeat(500)}}`,
      413,
      'TOO_LARGE',
      /has 201002 bytes/,
    ],
  ])('refuses the body %.60s', async (body, status, code, message) => {
    const { post, history } = await start({ maxEventBytes: 1024 })
    const answered = await post(body, 'a', { headers: { 'content-type': 'application/json' } })
    expectError(answered, status, code, message)
    expect((await history()).offset).toBe(0)
  })

  it('publishes nothing of an array with one event that is wrong', async () => {
    const { post, history } = await start()
    await post([...Array(100).fill({ event: 'a' }), { event: '' }])
    expect((await history()).offset).toBe(0)
  })

  it('refuses bytes without a name, of the wrong type, with an odd query', async () => {
    const { send } = await start()
    const bytes = { headers: { 'content-type': 'application/octet-stream' }, body: Uint8Array.of(1) }
    expectError(await send('POST', '/rooms/a/events', bytes), 422, 'INVALID_VALUE', /has no name/)
    expectError(
      await send('POST', '/rooms/a/events?event=a&x=1', bytes),
      400,
      'INVALID_REQUEST',
      /no query parameter "x"/,
    )
    expectError(await send('POST', '/rooms/a/events?event=a&event=b', bytes), 400, 'INVALID_REQUEST', /given twice/)
    const text = { headers: { 'content-type': 'text/plain' }, body: 'hello' }
    expectError(await send('POST', '/rooms/a/events', text), 415, 'UNSUPPORTED_TYPE', /"text\/plain"; expected/)
    expectError(await send('PUT', '/rooms/a/events', { body: {} }), 405, 'METHOD_NOT_ALLOWED', /GET or HEAD or POST/)
  })
})

describe('GET of events', () => {
  it('reads a room that nobody used as empty, with a place to go on from', async () => {
    const { history, post } = await start()
    const empty = await history('', 'unused')
    expect(empty).toEqual({ epoch: expect.any(String), offset: 0, recovered: true, events: [] })
    await post({ event: 'a' }, 'unused')
    expect((await history(`?after=0&epoch=${empty.epoch}`, 'unused')).events).toHaveLength(1)
  })

  it('gives what was published after a place, in pages', async () => {
    const { history, post } = await start()
    await post(Array.from({ length: 25 }, (_, i) => ({ event: 'e', data: i })))
    const seen: number[] = []
    let { epoch } = await history()
    let offset = 0
    for (let pages = 0; pages < 3; pages++) {
      const page = await history(`?after=${offset}&epoch=${epoch}&limit=10`)
      expect(page.recovered).toBe(true)
      seen.push(...page.events.map(({ data }: { data: number }) => data))
      offset = page.offset
      epoch = page.epoch
    }
    expect(seen).toEqual(Array.from({ length: 25 }, (_, i) => i))
    expect(offset).toBe(25)
    expect(await history(`?after=25&epoch=${epoch}`)).toEqual({ epoch, offset: 25, recovered: true, events: [] })
  })

  it('without a place gives the last ones', async () => {
    const { history, post } = await start()
    await post(Array.from({ length: 5 }, (_, i) => ({ event: 'e', data: i })))
    const { offset, events, recovered } = await history('?limit=2')
    expect([offset, recovered, events.map(({ data }: { data: number }) => data)]).toEqual([5, false, [3, 4]])
    expect((await history()).recovered).toBe(true)
  })

  it('gives only the events that were named, and goes on behind the others', async () => {
    const { history, post } = await start()
    await post(['a', 'b', 'c', 'a', 'c'].map((event, data) => ({ event, data })))
    const { epoch } = await history()
    const page = await history(`?after=0&epoch=${epoch}&events=a,b&limit=2`)
    expect([page.offset, page.events.map(({ offset }: { offset: number }) => offset)]).toEqual([2, [1, 2]])
    const rest = await history(`?after=2&epoch=${epoch}&events=a,b`)
    expect([rest.offset, rest.events.map(({ offset }: { offset: number }) => offset)]).toEqual([5, [4]])
  })

  it('tells plainly when the history does not reach back, or belongs to another numbering', async () => {
    const { history, post } = await start({ eventHistoryCount: 3 })
    await post(Array.from({ length: 5 }, (_, i) => ({ event: 'e', data: i })))
    const { epoch } = await history()
    const behind = { epoch, offset: 5, recovered: false, events: [] }
    expect(await history(`?after=1&epoch=${epoch}`)).toEqual(behind)
    expect((await history(`?after=2&epoch=${epoch}`)).events).toHaveLength(3)
    expect(await history('?after=5&epoch=another')).toEqual(behind)
    expect(await history(`?after=6&epoch=${epoch}`)).toEqual(behind)
  })

  it('tells who sent an event of a client', async () => {
    const { server, history } = await start()
    await server.room('a').trigger('say', 1, { userId: 'ada' })
    expect((await history()).events[0]).toEqual({
      offset: 1,
      event: 'say',
      data: 1,
      at: expect.any(Number),
      userId: 'ada',
    })
  })

  it.each([
    ['after=-1', /\?after= is "-1"; expected a whole number from 0 on/],
    ['after=1.5', /\?after=/],
    ['after=', /\?after=/],
    ['after=99999999999999999', /\?after=/],
    ['limit=0', /\?limit= is "0"; expected a whole number from 1 on/],
    ['epoch=x', /\?epoch= is given without \?after=/],
    ['before=3', /no query parameter "before"/],
    ['after=%ff', /not valid percent-encoded/],
  ])('refuses ?%s', async (query, message) => {
    const { send } = await start()
    expectError(await send('GET', `/rooms/a/events?${query}`), 400, 'INVALID_REQUEST', message)
  })
})

describe('an event as JSON', () => {
  it.each([
    ['{\r\n  "a": [1,\n 2]\n}', { a: [1, 2] }],
    ['"a\\nb"', 'a\nb'],
    ['12345678901234567890', Number('12345678901234567890')],
    ['no JSON\n', 'no JSON\n'],
    ['', ''],
    ['{"a":', '{"a":'],
  ])('stands in one line, whatever its text is: %j', (body, data) => {
    const json = eventToJson({ offset: 1, event: 'e\n', body, at: 5, from: 'server' })
    expect(json).not.toMatch(/[\r\n]/)
    expect(JSON.parse(json)).toEqual({ offset: 1, event: 'e\n', data, at: 5 })
  })

  it('keeps the digits of a number', () => {
    const json = eventToJson({ offset: 1, event: 'e', body: '[12345678901234567890]', at: 5, from: 'server' })
    expect(json).toContain('"data":[12345678901234567890]')
  })
})

describe('a room that needs a signature', () => {
  it('is closed to whoever does not show the secret of its app', async () => {
    const { send, post } = await start({ apps: [APP] })
    for (const [method, target] of [
      ['POST', 'private-a/events'],
      ['GET', 'presence-a/events'],
      ['GET', 'private-a/presence'],
      ['GET', 'private-a'],
      ['DELETE', 'private-a'],
      ['GET', 'private%2Da/events'],
      ['GET', '%23server-to-user-7/events'],
    ] as const) {
      const body = method === 'POST' ? { event: 'a' } : undefined
      expectError(await send(method, `/rooms/${target}`, { body }), 403, 'FORBIDDEN', /./)
    }
    const headers = { authorization: `Bearer ${APP.secret}` }
    expect((await post({ event: 'a' }, 'private-a', { headers })).status).toBe(200)
    expect((await send('GET', '/rooms/private-a/events', { headers })).json.offset).toBe(1)
  })
})
