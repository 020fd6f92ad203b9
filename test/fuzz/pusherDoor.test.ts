/** Nonsense at the Pusher door: whoever sends it is told what is wrong, everyone else goes on. */
import { expect, test } from 'vitest'
import { until } from '../e2e/until.ts'
import { APP, PusherClient, signed } from '../unit/pusherClient.ts'
import { startServer } from '../unit/testServer.ts'
import { anyValue, STRANGE_TEXTS, type Vocabulary } from './anyValue.ts'
import { createRandom, type Random, seeds } from './random.ts'

const CHANNELS = [
  'news',
  'private-a',
  'presence-a',
  'cache-a',
  'private-encrypted-a',
  'presence-cache-a',
  'private-cache-a',
]
const STRANGE = [...STRANGE_TEXTS, '#server-to-user-u1', 'presence-', 'private-', 'constructor']

const VOCABULARY: Vocabulary = {
  words: CHANNELS,
  fields: [...STRANGE, 'channel', 'auth', 'channel_data', 'user_id', 'user_info', 'id', 'recover', 'count'],
  longest: 12_000,
}

const userData = (random: Random, idName: string): string => {
  const id = random.chance(0.6) ? `u${random.between(1, 3)}` : anyValue(random, VOCABULARY)
  return random.chance(0.8)
    ? JSON.stringify({ [idName]: id, user_info: anyValue(random, VOCABULARY), watchlist: anyValue(random, VOCABULARY) })
    : String(JSON.stringify(anyValue(random, VOCABULARY)))
}

const subscribe = (client: PusherClient, random: Random): string => {
  const channel = random.chance(0.8) ? random.pick(CHANNELS) : random.pick(STRANGE)
  const data = random.chance(0.5) ? userData(random, 'user_id') : undefined
  const text = `${client.id}:${channel}${data === undefined ? '' : `:${data}`}`
  return JSON.stringify({
    event: 'pusher:subscribe',
    data: {
      channel,
      auth: random.chance(0.8) ? signed(text) : anyValue(random, VOCABULARY),
      channel_data: random.chance(0.95) ? data : anyValue(random, VOCABULARY),
      recover: random.chance(0.3)
        ? {
            epoch: random.pick(['', 'x']),
            offset: random.between(-1, 5),
            count: anyValue(random, VOCABULARY),
            socket_id: client.id,
          }
        : anyValue(random, VOCABULARY),
    },
  })
}

const message = (client: PusherClient, random: Random): string => {
  switch (random.between(0, 9)) {
    case 0:
    case 1:
    case 2:
      return subscribe(client, random)
    case 3:
      return JSON.stringify({ event: 'pusher:unsubscribe', data: { channel: random.pick(CHANNELS) } })
    case 4:
    case 5:
      return JSON.stringify({
        event: `client-${random.pick(['x', 'y', ...STRANGE])}`,
        channel: random.chance(0.9) ? random.pick(CHANNELS) : anyValue(random, VOCABULARY),
        data: anyValue(random, VOCABULARY),
      })
    case 6: {
      const text = userData(random, 'id')
      return JSON.stringify({
        event: 'pusher:signin',
        data: {
          auth: random.chance(0.8) ? signed(`${client.id}::user::${text}`) : anyValue(random, VOCABULARY),
          user_data: text,
        },
      })
    }
    case 7:
      return JSON.stringify({
        event: random.pick([
          'pusher:ping',
          'pusher:pong',
          'pusher:error',
          'pusher:subscribe',
          'pusher:unsubscribe',
          'pusher_internal:x',
          'pusher:cache_miss',
        ]),
        data: anyValue(random, VOCABULARY),
        channel: anyValue(random, VOCABULARY),
      })
    case 8:
      return JSON.stringify(anyValue(random, VOCABULARY)) ?? ''
    default: {
      // Cut off, or with a letter changed.
      const text = subscribe(client, random)
      const at = random.between(0, text.length)
      return random.chance(0.5)
        ? text.slice(0, at)
        : `${text.slice(0, at)}${random.pick(['"', '{', '\\', '0', ' '])}${text.slice(at + 1)}`
    }
  }
}

test.each(seeds(15))('nonsense harms nobody else (seed %i)', async (seed) => {
  const random = createRandom(seed)
  const failures: unknown[] = []
  const ignore = (): void => undefined
  const { url, server } = await startServer({
    leaveGraceSeconds: 0,
    apps: [{ ...APP, subscriptionCount: true, watchlist: true, limits: { maxClientEventsPerSecond: 50 } }],
    logger: {
      debug: ignore,
      info: ignore,
      warn: (fields, text) => failures.push([text, fields]),
      error: (fields, text) => failures.push([text, fields]),
    },
  })
  const bystander = await PusherClient.connect(url)
  await bystander.subscribe('presence-a', { channelData: { user_id: 'bystander' } })
  await bystander.subscribe('news')
  const attackers = await Promise.all([1, 2, 3].map(() => PusherClient.connect(url)))
  for (let step = 0; step < 300; step++) {
    const attacker = random.pick(attackers)
    if (random.chance(0.05)) attacker.socket.send(Uint8Array.of(1, 2, random.between(0, 255)))
    else attacker.sendText(message(attacker, random))
    if (random.chance(0.02)) {
      attackers.splice(attackers.indexOf(attacker), 1)
      if (random.chance(0.5)) attacker.socket.close(1000)
      else attacker.socket.terminate()
      attackers.push(await PusherClient.connect(url))
    }
    if (random.chance(0.05)) await server.room(random.pick(CHANNELS)).trigger('e', step)
  }
  for (const attacker of attackers) await attacker.settled()
  await server.room('news').trigger('last', 1)
  await bystander.find('last')
  await bystander.settled()
  expect([bystander.closed, ...attackers.map(({ closed }) => closed)].every((closed) => closed === undefined)).toBe(
    true,
  )
  expect(bystander.frames.filter(({ event }) => event === 'pusher:error')).toEqual([])
  expect(failures).toEqual([])

  // Nobody is left of them.
  for (const attacker of attackers) attacker.socket.close(1000)
  await until('the bystander to be alone', async () => {
    const members = await server.room('presence-a').members()
    return members.length === 1 && members[0]?.id === 'bystander'
  })
})
