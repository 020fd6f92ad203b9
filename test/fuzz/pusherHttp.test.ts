/** Nonsense at Pusher's HTTP API: every request is answered by the documented status, in one line, and nobody else suffers. */
import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { until } from '../e2e/until.ts'
import { APP as CLIENT_APP, PusherClient } from '../unit/pusherClient.ts'
import { signatureOf } from '../unit/pusherHttpClient.ts'
import { startServer } from '../unit/testServer.ts'
import { anyFields, anyValue, STRANGE_TEXTS, type Vocabulary } from './anyValue.ts'
import { createRandom, type Random, seeds } from './random.ts'

/** Its secret is a text that no answer has any reason to contain. */
const APP = { ...CLIENT_APP, secret: 'unmentionable-4711' }
const REQUESTS = 150
const STATUSES = [200, 400, 401, 403, 404, 405, 413]

const CHANNELS = [
  'news',
  'private-a',
  'presence-a',
  'cache-a',
  'private-encrypted-a',
  '#server-to-user-u1',
  '.',
  '__proto__',
]
const FIELDS = [
  'name',
  'data',
  'channel',
  'channels',
  'socket_id',
  'info',
  'batch',
  '__proto__',
  'constructor',
  'toJSON',
]
const PARTS = [
  'events',
  'batch_events',
  'channels',
  'users',
  'terminate_connections',
  'u1',
  'presence-a',
  '%ff',
  '%',
  '%2F',
]

const VOCABULARY: Vocabulary = {
  words: [...CHANNELS, 'user_count', 'user_count,subscription_count', 'cache', ',', '1.2'],
  fields: FIELDS,
  longest: 6000,
}

/** An event that may well be one. */
const anyEvent = (random: Random, channel: 'channel' | 'channels'): object => ({
  name: random.chance(0.8) ? 'x' : anyValue(random, VOCABULARY),
  data: random.chance(0.7) ? '{}' : anyValue(random, VOCABULARY),
  [channel]: random.chance(0.7)
    ? channel === 'channel'
      ? random.pick(CHANNELS)
      : Array.from({ length: random.between(0, 3) }, () => random.pick(CHANNELS))
    : anyValue(random, VOCABULARY),
  ...(random.chance(0.3) ? anyFields(random, VOCABULARY) : {}),
})

const anyBody = (random: Random): string => {
  if (random.chance(0.1)) return random.pick(['', '{', 'null', '[]', '\u0000', '"x"', '{"batch":{}}'])
  if (random.chance(0.2)) return JSON.stringify(anyValue(random, VOCABULARY)) ?? ''
  const batch = () => Array.from({ length: random.between(0, 12) }, () => anyEvent(random, 'channel'))
  return JSON.stringify(random.chance(0.5) ? anyEvent(random, 'channels') : { batch: batch() })
}

const anyPath = (random: Random): string => {
  if (random.chance(0.6)) {
    const known = ['events', 'batch_events', 'channels', 'channels/presence-a', 'channels/presence-a/users']
    return `/apps/${APP.id}/${random.pick(known)}`
  }
  const parts = Array.from({ length: random.between(0, 4) }, () => random.pick(PARTS))
  return random.chance(0.2)
    ? `/users/${parts.join('/')}`
    : `/apps/${random.pick([APP.id, '', '9', '%'])}/${parts.join('/')}`
}

/** Signed rightly as a rule, so that what comes behind the signature is reached. */
const anyQuery = (random: Random, method: string, path: string, body: Uint8Array): string => {
  const parameters: Record<string, string> = {
    auth_key: random.chance(0.95) ? APP.key : random.pick(STRANGE_TEXTS),
    auth_timestamp: random.chance(0.95)
      ? String(Math.floor(Date.now() / 1000))
      : random.pick(['', 'x', '0', '-1', '1e9']),
    auth_version: random.chance(0.95) ? '1.0' : '2.0',
    body_md5: createHash('md5').update(body).digest('hex'),
  }
  if (random.chance(0.4)) parameters.info = random.pick(['user_count', 'subscription_count', 'cache', 'x', ','])
  if (random.chance(0.4)) parameters.filter_by_prefix = random.pick(['presence-', 'n', '', '#', '__proto__'])
  const signature = signatureOf(method, path, parameters, APP.secret)
  const query = Object.entries({ ...parameters, auth_signature: random.chance(0.95) ? signature : 'x' })
    .map(([name, value]) => `${name}=${encodeURIComponent(value.replaceAll('\ud800', 'x'))}`)
    .join('&')
  return random.chance(0.95) ? query : random.pick(['', '&', '=', '%', 'a=%ff', `${query}&&=`, query.toUpperCase()])
}

test.each(seeds(4))('seed %i', async (seed) => {
  const random = createRandom(seed)
  const { server, url } = await startServer({ apps: [APP] })
  const client = await PusherClient.connect(url)
  await client.subscribe('untouched')
  const counts = new Map<number, number>()
  for (let round = 0; round < REQUESTS; round++) {
    const path = anyPath(random)
    const fitting = path.includes('/channels') ? 'GET' : 'POST'
    const method = random.chance(0.9) ? fitting : random.pick(['GET', 'POST', 'PUT', 'DELETE', 'PATCH'])
    const body = method === 'GET' ? Buffer.alloc(0) : Buffer.from(anyBody(random))
    if (body.length > 0 && random.chance(0.05)) body[random.between(0, body.length - 1)] = random.between(0, 255)
    const query = anyQuery(random, method, path, body)
    const response = await fetch(`${server.url}${path}?${query}`, method === 'GET' ? {} : { method, body })
    const text = await response.text()
    const what = `${method} ${path}?${query} ${body}: ${response.status} ${text}`
    expect(STATUSES, what).toContain(response.status)
    expect(text, what).not.toContain(APP.secret)
    if (response.status === 200) expect(JSON.parse(text), what).toBeTypeOf('object')
    else expect(text.trimEnd(), what).toMatch(/^[^\n]+$/)
    counts.set(response.status, (counts.get(response.status) ?? 0) + 1)
  }
  // Else the chances above are wrong, and nothing behind the signature was reached.
  expect(counts.get(200)).toBeGreaterThan(REQUESTS / 20)
  expect(counts.get(400)).toBeGreaterThan(REQUESTS / 20)

  server.room('untouched').trigger('still', 1)
  await until('the bystander still hears', () => client.events('untouched').length === 1)
  expect(client.closed).toBeUndefined()
})
