// @ts-check
/**
 * What an idle connection costs: resident anonymous memory of the server (RssAnon: what LMDB maps from its file does
 * not count) for 10,000 y-websocket connections in 1,000 rooms, each synced and with a presence entry.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as encoding from 'lib0/encoding'
import { encodeSyncStep1, encodeSyncStep2, MESSAGE_AWARENESS } from '../../dist/lib/protocol.js'
import { kibibytes, print } from './figures.mjs'
import { openRawSocket } from './rawSocket.mjs'
import { installReference, REFERENCE } from './referenceServer.mjs'
import { startServer } from './serverProcess.mjs'
import { readTyping } from './typing.mjs'

const CONNECTIONS = 10_000
const ROOMS = 1_000
/**
 * Connections in rooms of their own before the count begins. With the first of them V8's young generation grows to its
 * fixed size (48 MiB in Node 20) and stays there: a cost of the process, told apart from that of a connection.
 */
const WARM_UP = 5_000
/** Keeps that size small, as README advises where memory is short. In MiB of one of its three spaces. */
const SMALL = '--max-semi-space-size=4'
const AT_ONCE = 100
const TARGET = 4096
/** Readings this far apart that differ by less than `SETTLED` of their value count as at rest. */
const APART_MS = 1000
const SETTLED = 0.005
const MOST_READINGS = 20

const ASK = encodeSyncStep1(Uint8Array.of(0))
const NOTHING = encodeSyncStep2(Uint8Array.of(0, 0))

/**
 * The presence entry of one client, as y-websocket sends it.
 * @param {number} clientId
 */
const presence = (clientId) => {
  const entry = encoding.createEncoder()
  encoding.writeVarUint(entry, 1)
  encoding.writeVarUint(entry, clientId)
  encoding.writeVarUint(entry, 1)
  encoding.writeVarString(entry, JSON.stringify({ user: { name: `Person ${clientId}`, color: '#30bced' } }))
  const frame = encoding.createEncoder()
  encoding.writeVarUint(frame, MESSAGE_AWARENESS)
  encoding.writeVarUint8Array(frame, encoding.toUint8Array(entry))
  return encoding.toUint8Array(frame)
}

/**
 * Joins a room as a stock client does; resolves once the server has answered its sync step 1.
 * @param {number} port
 * @param {string} room
 * @param {number} clientId
 * @param {(reason: string) => void} ended
 * @returns {Promise<void>}
 */
const joinRoom = async (port, room, clientId, ended) => {
  /** @type {() => void} */
  let synced = () => undefined
  const whenSynced = new Promise((resolve) => {
    synced = () => resolve(undefined)
  })
  const socket = await openRawSocket(
    port,
    `/${room}`,
    (message) => {
      if (readTyping(message) === 'ask') socket.send([NOTHING])
      // Sync step 2.
      else if (message[0] === 0 && message[1] === 1) synced()
    },
    ended,
  )
  socket.send([ASK, presence(clientId)])
  await whenSynced
}

/**
 * Joins ten connections to each room.
 * @param {number} port
 * @param {string} prefix of the rooms' names
 * @param {number} count
 * @param {(reason: string) => void} ended
 */
const joinMany = async (port, prefix, count, ended) => {
  const rooms = (count * ROOMS) / CONNECTIONS
  for (let at = 0; at < count; at += AT_ONCE) {
    const batch = Array.from({ length: Math.min(AT_ONCE, count - at) }, (_, index) => at + index)
    await Promise.all(batch.map((index) => joinRoom(port, `${prefix}-${index % rooms}`, 1_000_000 + index, ended)))
  }
}

/**
 * Memory once it no longer changes.
 * @param {import('./serverProcess.mjs').ServerProcess} server
 */
const memoryAtRest = async (server) => {
  let last = await server.memory()
  for (let reading = 0; reading < MOST_READINGS; reading++) {
    await new Promise((resolve) => setTimeout(resolve, APART_MS))
    const next = await server.memory()
    if (Math.abs(next - last) < last * SETTLED) return next
    last = next
  }
  return last
}

/**
 * @param {'tutti' | 'reference'} kind
 * @param {object} [options]
 * @param {readonly string[]} [nodeOptions]
 */
const measure = async (kind, options, nodeOptions) => {
  const server = await startServer(kind, options, nodeOptions)
  let measured = false
  /** @param {string} reason */
  const ended = (reason) => {
    if (!measured) throw new Error(`${kind}: a connection ended: ${reason}`)
  }
  const empty = await memoryAtRest(server)
  await joinMany(server.port, 'before', WARM_UP, ended)
  const before = await memoryAtRest(server)
  await joinMany(server.port, 'counted', CONNECTIONS, ended)
  const after = await memoryAtRest(server)
  measured = true
  await server.kill()
  return { each: (after - before) / CONNECTIONS, all: (after - empty) / (CONNECTIONS + WARM_UP), after }
}

/** @param {number} bytes */
const mebibytes = (bytes) => `${(bytes / 1024 / 1024).toFixed(0)} MiB`

installReference()
const folder = mkdtempSync(join(tmpdir(), 'tutti-bench-'))
const options = { port: 0, logLevel: 'error' }
const tutti = await measure('tutti', { ...options, data: join(folder, 'a') })
const small = await measure('tutti', { ...options, data: join(folder, 'b') }, [SMALL])
const reference = await measure('reference')
rmSync(folder, { recursive: true, force: true })

/** @param {Awaited<ReturnType<typeof measure>>} result */
const row = ({ each, all, after }) =>
  `${kibibytes(each)}   (${kibibytes(all)} with what the process itself grew by; whole server ${mebibytes(after)})`

print(`${CONNECTIONS} idle connections in ${ROOMS} rooms; resident anonymous memory per connection:`)
print(`  tutti                      ${row(tutti)}   target: at most ${kibibytes(TARGET)}`)
print(`  with ${SMALL}`)
print(`                             ${row(small)}`)
print(`  ${REFERENCE}  ${row(reference)}`)
print(`  tutti / reference          ${(tutti.each / reference.each).toFixed(2)} ×`)
// The client sides of the connections still hold their sockets.
process.exit(0)
