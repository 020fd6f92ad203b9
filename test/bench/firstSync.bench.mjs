// @ts-check
/**
 * A text written with 260,000 edits, each a transaction of its own; then the server is restarted, and a y-websocket
 * client with an empty document joins. Measured: from opening its WebSocket to its `sync` event, beside what
 * `Y.applyUpdate` alone takes for the same content.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { WebSocket } from 'ws'
import { WebsocketProvider } from 'y-websocket'
import * as Y from 'yjs'
import { encodeSyncStep1, encodeSyncUpdate } from '../../dist/lib/protocol.js'
import { kibibytes, median, milliseconds, print, spread } from './figures.mjs'
import { openRawSocket } from './rawSocket.mjs'
import { startServer } from './serverProcess.mjs'

const EDITS = 260_000
/** Edits whose updates go to the server as one. */
const BATCH = 100
const RESTARTS = 7
const TARGET_MS = 30
const SEED = 1
const ROOM = 'text'

/**
 * Random numbers in [0, 1), the same for the same seed (mulberry32).
 * @param {number} seed
 */
const random = (seed) => () => {
  seed = (seed + 0x6d2b79f5) | 0
  let value = Math.imul(seed ^ (seed >>> 15), 1 | seed)
  value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value
  return ((value ^ (value >>> 14)) >>> 0) / 2 ** 32
}

const LETTERS = 'eeeeetttttaaaaoooiiinnnssshhhrrrdddlllcuumwfgypbvk      .,\n'

/**
 * Writes as people do: runs of typing with now and then a few characters taken back, then the cursor goes elsewhere.
 * Seven edits of ten insert, three delete: the shares of the editing traces that Yjs is usually measured with.
 * @param {Y.Text} text
 * @param {number} edits
 * @param {() => number} next
 */
const write = (text, edits, next) => {
  /** @param {number} most */
  const upTo = (most) => Math.floor(next() * most)
  let cursor = 0
  let done = 0
  /** @param {number} count @param {() => void} edit */
  const repeat = (count, edit) => {
    for (let i = 0; i < count && done < edits; i++, done++) edit()
  }
  const type = () => {
    text.insert(cursor, /** @type {string} */ (LETTERS[upTo(LETTERS.length)]))
    cursor++
  }
  const takeBack = () => {
    if (cursor === 0) return type()
    cursor--
    text.delete(cursor, 1)
  }
  while (done < edits) {
    for (let runs = 1 + upTo(4); runs > 0; runs--) {
      repeat(1 + upTo(100), type)
      repeat(upTo(43), takeBack)
    }
    // Mostly near where the work is, sometimes anywhere.
    cursor = next() < 0.7 ? Math.min(text.length, Math.max(0, cursor + upTo(400) - 200)) : upTo(text.length + 1)
  }
}

/** The batches that reach the server, and what they add up to. */
const compose = () => {
  const doc = new Y.Doc()
  /** @type {Uint8Array[]} */
  const batches = []
  /** @type {Uint8Array[]} */
  let pending = []
  let updates = 0
  doc.on('update', (update) => {
    updates++
    pending.push(update)
    if (pending.length < BATCH) return
    batches.push(Y.mergeUpdates(pending))
    pending = []
  })
  write(doc.getText('body'), EDITS, random(SEED))
  if (pending.length > 0) batches.push(Y.mergeUpdates(pending))
  if (updates !== EDITS) throw new Error(`${updates} updates instead of ${EDITS}.`)
  const text = doc.getText('body').toString()
  const state = Y.encodeStateAsUpdate(doc)
  doc.destroy()
  return { batches, text, state }
}

/**
 * Sends the batches as a stock client would, and waits until the server has handed all of them to a reader.
 * @param {number} port
 * @param {readonly Uint8Array[]} batches
 * @param {string} text
 */
const upload = async (port, batches, text) => {
  const writer = await openRawSocket(port, `/${ROOM}`, () => undefined)
  writer.send([encodeSyncStep1(Uint8Array.of(0))])
  for (const batch of batches) writer.send([encodeSyncUpdate(batch)])
  const reader = await sync(port)
  const body = reader.doc.getText('body')
  await new Promise((resolve) => {
    const check = () => {
      if (body.length === text.length && body.toString() === text) resolve(undefined)
    }
    reader.doc.on('update', check)
    check()
  })
  reader.leave()
  writer.close()
}

/**
 * Joins with an empty document; resolves at the `sync` event.
 * @param {number} port
 */
const sync = async (port) => {
  const doc = new Y.Doc()
  const provider = new WebsocketProvider(`ws://127.0.0.1:${port}`, ROOM, doc, {
    connect: false,
    disableBc: true,
    WebSocketPolyfill: /** @type {any} */ (WebSocket),
  })
  let bytes = 0
  const started = performance.now()
  provider.connect()
  provider.ws?.addEventListener('message', (event) => {
    bytes += event.data.byteLength
  })
  await new Promise((resolve) => {
    provider.on('sync', (/** @type {boolean} */ synced) => {
      if (synced) resolve(undefined)
    })
  })
  const ms = performance.now() - started
  const leave = () => {
    provider.destroy()
    doc.destroy()
  }
  return { doc, ms, bytes, leave }
}

/** What a newcomer is sent stays equal for this many looks in a row: the server has compacted what it wants to. */
const QUIET_LOOKS = 4
const LOOK_MS = 500
const MOST_LOOKS = 40

/** @param {number} port */
const untilCompacted = async (port) => {
  let equal = 0
  let last = -1
  for (let look = 0; look < MOST_LOOKS && equal < QUIET_LOOKS; look++) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
    const { bytes, leave } = await sync(port)
    leave()
    equal = bytes === last ? equal + 1 : 0
    last = bytes
  }
}

/** @param {Uint8Array} update */
const apply = (update) => {
  const doc = new Y.Doc()
  const started = performance.now()
  Y.applyUpdate(doc, update)
  const ms = performance.now() - started
  doc.destroy()
  return ms
}

const { batches, text, state } = compose()
const data = mkdtempSync(join(tmpdir(), 'tutti-bench-'))
const options = { port: 0, data, logLevel: 'error' }

const first = await startServer('tutti', options)
await upload(first.port, batches, text)
await untilCompacted(first.port)
await first.close()

/** @type {number[]} */
const syncs = []
/** @type {number[]} */
const raws = []
let bytes = 0
for (let restart = 0; restart < RESTARTS; restart++) {
  raws.push(apply(state))
  const server = await startServer('tutti', options)
  const result = await sync(server.port)
  if (result.doc.getText('body').toString() !== text) throw new Error('The synced text is not the one written.')
  syncs.push(result.ms)
  bytes = result.bytes
  result.leave()
  await server.close()
}
rmSync(data, { recursive: true, force: true })

print(`${EDITS} edits: ${text.length} characters, ${kibibytes(state.length)} as one Yjs update; median of ${RESTARTS}:`)
print(
  `  first sync after a restart ${spread(syncs, milliseconds)}, ${kibibytes(bytes)} sent   target: at most ${TARGET_MS} ms`,
)
print(`  Y.applyUpdate alone        ${spread(raws, milliseconds)}`)
print(`  first sync / applyUpdate   ${(median(syncs) / median(raws)).toFixed(2)} ×`)
