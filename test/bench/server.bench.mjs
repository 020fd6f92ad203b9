// @ts-check
/**
 * 100 readers of one room, one writer with 64 updates in flight: deliveries per second of the server's CPU, beside the
 * reference server and a bare relay in the same run. A delivery is one update that one reader has; several updates may
 * come merged in one frame. Tutti stores them durably meanwhile, the others keep nothing.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { encodeSyncStep1, encodeSyncStep2 } from '../../dist/lib/protocol.js'
import { print, short, spread } from './figures.mjs'
import { openRawSocket } from './rawSocket.mjs'
import { installReference, REFERENCE } from './referenceServer.mjs'
import { startServer } from './serverProcess.mjs'
import { isWhole, readTyping, typedFrames } from './typing.mjs'

const READERS = 100
const IN_FLIGHT = 64
const WARM_UP_MS = 500
const MEASURED_MS = 2000
const ROUNDS = 3
const STALLED_MS = 10_000
/** More than any server here takes in one round; writing ends there. */
const MOST_UPDATES = 200_000

const EMPTY = Uint8Array.of(0, 0)
const ASK = encodeSyncStep1(Uint8Array.of(0))
const NOTHING = encodeSyncStep2(EMPTY)

const frames = typedFrames(MOST_UPDATES)

/**
 * @param {import('./serverProcess.mjs').ServerProcess} server
 * @param {string} room
 * @returns {Promise<number>} deliveries per CPU second
 */
const measure = async (server, room) => {
  /** @type {number[]} how many updates each reader has, without a gap */
  const positions = new Array(READERS).fill(0)
  /** @type {Buffer[]} */
  const first = []
  let sent = 0
  let confirmed = 0
  let writing = false
  /** @type {() => void} */
  let onConfirmed = () => undefined

  const writer = await openRawSocket(server.port, `/${room}`, (message) => {
    if (readTyping(message) === 'ask') writer.send([NOTHING])
  })
  writer.send([ASK])

  const write = () => {
    const end = writing ? Math.min(confirmed + IN_FLIGHT, frames.length) : sent
    if (end > sent) writer.send(frames.slice(sent, end))
    sent = end
  }

  // The same bytes come to every reader: they are read once.
  let lastFrame = Buffer.alloc(0)
  /** @type {ReturnType<typeof readTyping>} */
  let lastRead

  const readers = await Promise.all(
    Array.from({ length: READERS }, async (_, index) => {
      const reader = await openRawSocket(server.port, `/${room}`, (message) => {
        if (!message.equals(lastFrame)) {
          lastFrame = Buffer.from(message)
          lastRead = readTyping(lastFrame)
        }
        if (index === 0) first.push(lastFrame)
        if (lastRead === 'ask') reader.send([NOTHING])
        if (lastRead === undefined || lastRead === 'ask') return
        const position = /** @type {number} */ (positions[index])
        if (lastRead.from > position) throw new Error(`Reader ${index} missed updates ${position} to ${lastRead.from}.`)
        if (lastRead.to <= position) return
        positions[index] = lastRead.to
        if (position > confirmed) return
        const least = Math.min(...positions)
        if (least === confirmed) return
        confirmed = least
        write()
        onConfirmed()
      })
      reader.send([ASK])
      return reader
    }),
  )

  /** @param {() => boolean} done asked after every confirmation */
  const until = (done) =>
    new Promise((resolve, reject) => {
      let progress = confirmed
      const watch = setInterval(() => {
        if (confirmed === progress) reject(new Error(`${room}: no progress after ${confirmed} updates.`))
        progress = confirmed
      }, STALLED_MS)
      onConfirmed = () => {
        if (!done()) return
        clearInterval(watch)
        resolve(undefined)
      }
      onConfirmed()
    })

  writing = true
  write()
  let end = performance.now() + WARM_UP_MS
  await until(() => performance.now() >= end)
  const before = { cpu: await server.cpu(), confirmed }
  end = performance.now() + MEASURED_MS
  await until(() => performance.now() >= end || confirmed === frames.length)
  writing = false
  await until(() => confirmed === sent)
  const after = { cpu: await server.cpu(), confirmed }

  if (!isWhole(first, sent)) throw new Error(`${room}: what a reader got is not what was written.`)
  for (const socket of [writer, ...readers]) socket.close()
  return ((after.confirmed - before.confirmed) * READERS) / (after.cpu - before.cpu)
}

installReference()
const data = mkdtempSync(join(tmpdir(), 'tutti-bench-'))
const servers = {
  reference: await startServer('reference'),
  tutti: await startServer('tutti', { port: 0, data, logLevel: 'error' }),
  relay: await startServer('relay'),
}
const kinds = /** @type {(keyof typeof servers)[]} */ (Object.keys(servers))
/** @type {Record<keyof typeof servers, number[]>} */
const results = { reference: [], tutti: [], relay: [] }
for (let round = 0; round < ROUNDS; round++) {
  for (const kind of kinds) results[kind].push(await measure(servers[kind], `round-${round}`))
}
await servers.tutti.close()
for (const kind of /** @type {const} */ (['reference', 'relay'])) await servers[kind].kill()
rmSync(data, { recursive: true, force: true })

const ratios = results.tutti.map((value, round) => value / /** @type {number} */ (results.reference[round]))
const ofRelay = results.tutti.map((value, round) => (100 * value) / /** @type {number} */ (results.relay[round]))
print(
  `${READERS} readers, ${IN_FLIGHT} updates in flight; deliveries per CPU-second of the server, median of ${ROUNDS}:`,
)
print(`  tutti, storing durably     ${spread(results.tutti, short)}`)
print(`  ${REFERENCE}  ${spread(results.reference, short)}`)
print(`  bare uWS relay             ${spread(results.relay, short)}`)
print(`  tutti / reference          ${spread(ratios, (ratio) => `${ratio.toFixed(1)} ×`)}   target: at least 10 ×`)
print(`  tutti / bare relay         ${spread(ofRelay, (percent) => `${percent.toFixed(0)} %`)}`)
