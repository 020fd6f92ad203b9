import { once } from 'node:events'
import { request } from 'node:http'
import { connect } from 'node:net'
import { describe, expect, it } from 'vitest'
import { EventReader } from '../unit/eventSource.ts'
import { createMemoryLog } from '../unit/memoryLog.ts'
import { expectDocumented, type Given, openApi, operations, problemsOf } from '../unit/openApi.ts'
import { APP } from '../unit/pusherClient.ts'
import { startServer } from '../unit/testServer.ts'
import { createRandom, type Random, seeds } from './random.ts'

interface Asked {
  readonly method: string
  readonly target: string
  readonly headers: Record<string, string>
  readonly body: Buffer | undefined
}

const METHODS = ['GET', 'GET', 'POST', 'POST', 'POST', 'PATCH', 'PUT', 'DELETE', 'HEAD', 'OPTIONS', 'TRACE', 'PROPFIND']
const ROOMS = [
  'a',
  'b',
  'a/b',
  'private-a',
  'presence-x',
  '%23a',
  '%2e%2e',
  '..',
  '',
  'x'.repeat(300),
  '%ff',
  '%',
  '%00',
]
const WORDS = [
  'events',
  'document',
  'presence',
  'updates',
  'nothing',
  'document/rows',
  'document/rows/7',
  '',
  'toString',
]
const TYPES = [
  'application/json',
  'application/json',
  'application/json; charset=latin1',
  'application/merge-patch+json',
  'application/json-patch+json',
  'application/octet-stream',
  'application/x-ndjson',
  'text/plain',
  'multipart/form-data; boundary=x',
  ';;;=',
  'x'.repeat(500),
]
const PARAMETERS = [
  'after',
  'epoch',
  'limit',
  'events',
  'event',
  'except',
  'id',
  'text',
  'prefix',
  'nonsense',
  '',
  '%ff',
]
const VALUES = [
  '0',
  '1',
  '-1',
  '1e9',
  '99999999999999999999',
  'a',
  'a.b',
  '',
  '%00',
  '%ff',
  '1.2',
  '%F0%9F%98%80',
  'a,b',
]
const NAMES = ['event', 'data', 'except', 'id', 'room', 'method', 'resource', 'body', 'base64', 'headers', 'query']
const KEYS = [
  ...NAMES,
  'op',
  'path',
  'from',
  'value',
  '__proto__',
  'constructor',
  '',
  'a.b',
  '\ud800',
  '\u0000',
  'title',
]
const TEXTS = [
  'e',
  '',
  'pusher:ping',
  '\ud800',
  '\u0000',
  'x'.repeat(201),
  'POST',
  'events',
  'a//b',
  '/a/-',
  'add',
  '😀',
  '1.2',
]

const randomJson = (random: Random, depth: number): unknown => {
  switch (depth <= 0 ? random.between(0, 3) : random.between(0, 6)) {
    case 0:
      return random.pick([0, -0, 1, 1.5, -1e300, 2 ** 53, 1e21])
    case 1:
      return random.pick([true, false, null])
    case 2:
    case 3:
      return random.pick(TEXTS)
    case 4:
      return Array.from({ length: random.pick([0, 1, 2, 3, 20]) }, () => randomJson(random, depth - 1))
    default:
      return Object.fromEntries(
        Array.from({ length: random.between(0, 4) }, () => [random.pick(KEYS), randomJson(random, depth - 1)]),
      )
  }
}

/** Something that looks like what the door takes. */
const plausible = (random: Random): unknown => {
  const event = { event: random.pick(TEXTS), data: randomJson(random, 2), ...(random.chance(0.2) && { id: 'i' }) }
  switch (random.between(0, 4)) {
    case 0:
      return event
    case 1:
      return Array.from({ length: random.between(0, 5) }, () => (random.chance(0.9) ? event : randomJson(random, 1)))
    case 2:
      return Array.from({ length: random.between(0, 5) }, () => ({
        room: random.pick(['a', 'b', 'private-a', '..', 5]),
        method: random.pick(['POST', 'PATCH', 'PUT', 'DELETE', 'GET', 1]),
        resource: random.pick(['events', 'document', 'updates', '', '../x', 'document/r/1', '%', null]),
        body: random.chance(0.5) ? event : randomJson(random, 2),
        ...(random.chance(0.2) && { base64: random.pick(['AAA=', '?', 3]) }),
        ...(random.chance(0.2) && { headers: randomJson(random, 1) }),
      }))
    case 3:
      return Array.from({ length: random.between(0, 5) }, () => ({
        op: random.pick(['add', 'remove', 'replace', 'move', 'copy', 'test', 'x']),
        path: random.pick(['', '/a', '/a/0', '/a/-', '/a/b/c', 'a', '/~2', '/__proto__']),
        from: random.pick(['/a', '/b', '', 5]),
        value: randomJson(random, 2),
      }))
    default:
      return randomJson(random, 4)
  }
}

const bodyOf = (random: Random): Buffer => {
  if (random.chance(0.03)) return Buffer.from('['.repeat(50_000))
  if (random.chance(0.03)) return Buffer.from(`{"a":${'['.repeat(5000)}${']'.repeat(5000)}}`)
  if (random.chance(0.03)) return Buffer.alloc(random.between(60_000, 80_000), 'x')
  if (random.chance(0.1))
    return Buffer.from(Array.from({ length: random.between(0, 40) }, () => random.between(0, 255)))
  const text = Buffer.from(JSON.stringify(plausible(random)) ?? '')
  if (random.chance(0.1)) return text.subarray(0, random.between(0, text.length))
  if (random.chance(0.1) && text.length > 0) text[random.between(0, text.length - 1)] = random.between(0, 255)
  return text
}

const targetOf = (random: Random): string => {
  const path = random.pick([
    () => `/rooms/${random.pick(ROOMS)}/${random.pick(WORDS)}`,
    () => `/rooms/${random.pick(ROOMS)}/${random.pick(WORDS)}`,
    () => `/rooms/${random.pick(ROOMS)}`,
    () =>
      random.pick(['/rooms', '/batch', '/batch', '/openapi.json', '/', '//', '/rooms//', '/ROOMS', '/health/', '/*']),
  ])()
  if (random.chance(0.6)) return path
  const pairs = Array.from({ length: random.between(1, 3) }, () =>
    random.chance(0.9) ? `${random.pick(PARAMETERS)}=${random.pick(VALUES)}` : random.pick(['&&', '=', '%', 'a']),
  )
  return `${path}?${pairs.join('&')}`
}

const headersOf = (random: Random): Record<string, string> => {
  const headers: Record<string, string> = {}
  const add = (name: string, probability: number, values: readonly string[]): void => {
    if (random.chance(probability)) headers[name] = random.pick(values)
  }
  add('content-type', 0.85, TYPES)
  add('accept', 0.3, ['text/event-stream', 'application/octet-stream', '*/*', ';q=', 'text/html', ','.repeat(200)])
  add('last-event-id', 0.1, ['x', '.', 'a.1', '.'.repeat(99)])
  add('if-match', 0.1, ['*', '"x"', 'W/"x"', '"', ',', 'x'.repeat(2000)])
  add('if-none-match', 0.1, ['*', '"x"', ','])
  add('idempotency-key', 0.1, ['k', 'with space', 'x'.repeat(300)])
  add('x-tutti-origin', 0.1, ['billing', '%ff', '%', 'x'.repeat(100)])
  add('authorization', 0.2, [`Bearer ${APP.secret}`, 'Bearer', 'Basic xyz', 'Bearer wrong'])
  add('content-encoding', 0.05, ['gzip', 'identity', 'x'])
  return headers
}

const ask = (base: string, { method, target, headers, body }: Asked): Promise<Given> =>
  new Promise((resolve, reject) => {
    const { hostname, port } = new URL(base)
    // Node gives the body of a DELETE no length by itself.
    const all = body ? { ...headers, 'content-length': body.byteLength } : headers
    const sent = request({ hostname, port, method, path: target, headers: all, agent: false }, (response) => {
      const type = response.headers['content-type'] ?? null
      const status = response.statusCode ?? 0
      // It would never end.
      if (type === 'text/event-stream') {
        response.destroy()
        resolve({ status, type, text: '' })
        return
      }
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('end', () => resolve({ status, type, text: Buffer.concat(chunks).toString() }))
      response.on('error', reject)
    })
    sent.on('error', reject)
    sent.end(body)
  })

const templates = operations.map((documented) => ({
  documented,
  fits: new RegExp(`^${documented.path.replace('{room}', '.*').replaceAll(/\{\w+\}/g, '[^/]*')}$`),
}))

/** Fails unless the answer is one that the OpenAPI file has, or says that there is no such thing. */
const check = ({ method, target }: Asked, given: Given): void => {
  expect(given.status, `${method} ${target} ${given.text}`).toBeLessThan(500)
  if (method === 'HEAD') {
    expect(given.text).toBe('')
    return
  }
  const path = target.split('?')[0]!
  // A body that is too large is refused before anybody looks at the path.
  const isNoAnswer = [400, 404, 405, 413].includes(given.status)
  if (isNoAnswer) {
    expect(problemsOf(openApi.components.schemas.Error!, JSON.parse(given.text))).toEqual([])
    return
  }
  const fitting = templates.filter(({ documented, fits }) => documented.method === method && fits.test(path))
  const problems = fitting.flatMap(({ documented }) => {
    try {
      expectDocumented(documented, given)
      return []
    } catch (error) {
      return [error]
    }
  })
  if (problems.length === fitting.length) throw problems[0] ?? new Error(`${method} ${target} → ${given.status}`)
}

/** A room beside what happens, which must not notice it. */
const createBystander = async (base: string) => {
  const reader = await EventReader.open(`${base}/rooms/bystander/events`)
  const send = async (method: string, word: string, type: string, body: unknown) => {
    const text = Buffer.from(JSON.stringify(body))
    return ask(base, { method, target: `/rooms/bystander/${word}`, headers: { 'content-type': type }, body: text })
  }
  let count = 0
  return {
    expectWell: async (): Promise<void> => {
      count++
      await send('PATCH', 'document', 'application/merge-patch+json', { count })
      await send('POST', 'events', 'application/json', { event: 'e', data: count })
      const { text } = await ask(base, {
        method: 'GET',
        target: '/rooms/bystander/document',
        headers: {},
        body: undefined,
      })
      expect(JSON.parse(text)).toEqual({ count })
      await expect
        .poll(() => reader.data().map(({ data }) => data))
        .toEqual(Array.from({ length: count }, (_, i) => i + 1))
    },
  }
}

describe('the room door', () => {
  it.each(seeds(12))('answers whatever it is asked by a documented code, and others go on (seed %i)', async (seed) => {
    const random = createRandom(seed)
    const logger = createMemoryLog()
    const { server } = await startServer({ apps: [APP], maxEventBytes: 2048, maxBodyBytes: 65_536, logger })
    const bystander = await createBystander(server.url)
    for (let round = 0; round < 6; round++) {
      const asked = Array.from({ length: 25 }, (): Asked => {
        const method = random.pick(METHODS)
        const hasBody = !['GET', 'HEAD', 'TRACE', 'OPTIONS'].includes(method)
        return {
          method,
          target: targetOf(random),
          headers: headersOf(random),
          body: hasBody && random.chance(0.95) ? bodyOf(random) : undefined,
        }
      })
      await Promise.all(
        asked.map(async (one) => {
          check(one, await ask(server.url, one))
        }),
      )
      await bystander.expectWell()
    }
    expect(logger.entries.filter(({ level }) => level === 'error')).toEqual([])
  })

  it.each(seeds(6))('survives what is no HTTP, or stops halfway (seed %i)', async (seed) => {
    const random = createRandom(seed)
    const { server } = await startServer()
    const { hostname, port } = new URL(server.url)
    const bystander = await createBystander(server.url)
    const lines = [
      'GET /rooms/a/events HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n',
      'POST /rooms/a/events HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 14\r\n\r\n{"event": "a"}',
      'POST /batch HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n[]\r\n0\r\n\r\n',
      'PATCH /rooms/a/document HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\n{"a": ',
      'DELETE /rooms/a HTTP/1.1\r\nHost: x\r\n\r\n',
    ]
    for (let i = 0; i < 40; i++) {
      const bytes = Buffer.from(random.pick(lines) + (random.chance(0.2) ? random.pick(lines) : ''))
      for (let flips = random.between(0, 3); flips > 0; flips--)
        bytes[random.between(0, bytes.length - 1)] = random.between(0, 255)
      const socket = connect(Number(port), hostname)
      socket.on('error', () => socket.destroy())
      await once(socket, 'connect')
      socket.write(bytes.subarray(0, random.chance(0.5) ? bytes.length : random.between(1, bytes.length)))
      await new Promise((resolve) => setImmediate(resolve))
      if (random.chance(0.5)) socket.end()
      else socket.destroy()
    }
    await bystander.expectWell()
  })
})
