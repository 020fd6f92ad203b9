// @ts-check
/**
 * Events to 1,000 members of a room, events published by signed requests, both per second of the server's CPU beside a
 * bare publisher in the same run; and the memory that the histories of 10,000 rooms take.
 */
import { createHash, createHmac } from 'node:crypto'
import { kibibytes, median, print, short, spread } from './figures.mjs'
import { openRawSocket } from './rawSocket.mjs'
import { requestOf, sendMany } from './requests.mjs'
import { startServer } from './serverProcess.mjs'

const ROUNDS = 5
const MEMBERS = 1000
const EVENTS = 1000
/** Events that are published in one turn of the event loop. */
const TOGETHER = 10
/** Requests before anything is measured, so that V8 has compiled what they run. */
const WARM_UP = 10_000
const PUBLISHES = 40_000
const CONNECTIONS = 64
const ROOMS = 10_000
const HISTORY_BYTES = 32 * 1024 * 1024
const APP = { id: '1', key: 'key', secret: 'secret' }
const OPTIONS = { port: 0, data: 'memory', logLevel: 'error', apps: [APP] }

const DATA = JSON.stringify({ text: 'hello to everyone in this room' })
const EVENT = JSON.stringify({ name: 'show-message', channel: 'room', data: DATA })

/** @param {string} path */
const signed = (path) => {
  const query = new URLSearchParams({
    auth_key: APP.key,
    auth_timestamp: String(Math.floor(Date.now() / 1000)),
    auth_version: '1.0',
    body_md5: createHash('md5').update(EVENT).digest('hex'),
  })
  const signature = createHmac('sha256', APP.secret).update(`POST\n${path}\n${query}`).digest('hex')
  return requestOf(`${path}?${query}&auth_signature=${signature}`, EVENT)
}

/**
 * @param {import('./serverProcess.mjs').ServerProcess} server
 * @param {string} path of the members' WebSockets
 * @param {string[]} hello what each of them sends
 * @param {Buffer} request
 */
const measureMembers = async (server, path, hello, request) => {
  await sendMany(server.port, request, WARM_UP, 1, TOGETHER)
  let delivered = 0
  let subscribed = 0
  /** @type {() => void} */
  let onChange = () => undefined
  const members = await Promise.all(
    Array.from({ length: MEMBERS }, async () => {
      const member = await openRawSocket(server.port, path, (message) => {
        if (message.includes('show-message')) delivered++
        else if (message.includes('subscription_succeeded')) subscribed++
        onChange()
      })
      if (hello.length > 0) member.sendText(hello)
      else subscribed++
      return member
    }),
  )
  /** @param {() => boolean} isSo @returns {Promise<void>} */
  const until = (isSo) =>
    new Promise((resolve) => {
      onChange = () => {
        if (isSo()) resolve()
      }
      onChange()
    })
  await until(() => subscribed === MEMBERS)
  const before = await server.cpu()
  await sendMany(server.port, request, EVENTS, 1, TOGETHER)
  await until(() => delivered === EVENTS * MEMBERS)
  const cpu = (await server.cpu()) - before
  for (const member of members) member.close()
  return delivered / cpu
}

/**
 * @param {import('./serverProcess.mjs').ServerProcess} server
 * @param {Buffer} request
 */
const measurePublishes = async (server, request) => {
  await sendMany(server.port, request, WARM_UP, CONNECTIONS)
  const before = await server.cpu()
  await sendMany(server.port, request, PUBLISHES, CONNECTIONS)
  return PUBLISHES / ((await server.cpu()) - before)
}

/** @type {Record<'tutti' | 'publisher', { members: number[], publishes: number[] }>} */
const figures = { tutti: { members: [], publishes: [] }, publisher: { members: [], publishes: [] } }
const subscribe = JSON.stringify({ event: 'pusher:subscribe', data: { channel: 'room' } })
for (let round = 0; round < ROUNDS; round++) {
  const tutti = await startServer('tutti', OPTIONS)
  const event = requestOf('/rooms/room/events', JSON.stringify({ event: 'show-message', data: JSON.parse(DATA) }))
  figures.tutti.members.push(await measureMembers(tutti, '/app/key?protocol=7', [subscribe], event))
  figures.tutti.publishes.push(await measurePublishes(tutti, signed('/apps/1/events')))
  await tutti.close()
  const bare = await startServer('publisher', { secret: APP.secret })
  figures.publisher.members.push(await measureMembers(bare, '/', [], requestOf('/publish', EVENT)))
  figures.publisher.publishes.push(await measurePublishes(bare, signed('/apps/1/events')))
  await bare.close()
}

/** @param {'members' | 'publishes'} what @param {string} title */
const report = (what, title) => {
  const [own, bare] = [figures.tutti[what], figures.publisher[what]]
  const share = Math.round((100 * median(own)) / median(bare))
  print(`${title}: ${spread(own, short)}, ${share} % of a bare publisher's ${spread(bare, short)} (at least 70 %)`)
}
report('members', `Events to ${MEMBERS} members, deliveries per server-CPU-second`)
report('publishes', 'Signed HTTP publishes per server-CPU-second')

const events = JSON.stringify(Array.from({ length: 20 }, () => ({ event: 'x', data: 'y'.repeat(200) })))

/**
 * Events in all rooms; how much the server's heap and its resident memory grew.
 * @param {number} eventHistoryBytes
 */
const measureHistories = async (eventHistoryBytes) => {
  const server = await startServer('tutti', { ...OPTIONS, eventHistoryBytes })
  await sendMany(server.port, requestOf('/rooms/warm/events', events), 2000, CONNECTIONS)
  const [heap, memory] = [await server.heap(), await server.memory()]
  for (let room = 0; room < ROOMS; room += 100) {
    const requests = Array.from({ length: 100 }, (_, index) => requestOf(`/rooms/r${room + index}/events`, events))
    await Promise.all(requests.map((request) => sendMany(server.port, request, 1, 1)))
  }
  const grown = { heap: (await server.heap()) - heap, memory: (await server.memory()) - memory }
  await server.close()
  return grown
}
// Rooms cost something without a history, too.
const rooms = await measureHistories(1)
const whole = await measureHistories(HISTORY_BYTES)
print(
  `Histories of ${ROOMS} rooms, 200,000 events in all: heap ${kibibytes(whole.heap - rooms.heap)} (at most eventHistoryBytes, ${kibibytes(HISTORY_BYTES)}), beside ${kibibytes(rooms.heap)} of the rooms themselves; RssAnon grew by ${kibibytes(whole.memory)}, without histories by ${kibibytes(rooms.memory)}`,
)
