import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import * as Y from 'yjs'
import { connectRaw, type RawClient } from './rawClient.ts'
import { type ServerProcess, startServerProcess } from './serverProcess.ts'
import { until } from './until.ts'

const MIB = 2 ** 20
const PAUSE_MS = 10_000
/** Each paused reader misses about 60 MiB: kept in memory for all of them, that would be 300 MiB. */
const PAUSED_READERS = 5
const UPDATE_BYTES = 64 * 1024
const UPDATES_PER_SECOND = 100
/** What the log, the worker that compacts it and garbage not yet collected may take on top, however long the pause. */
const MEMORY_BOUND = 120 * MIB
/** A reader that waits for the paused ones would be late by up to 10 s. */
const DELAY_BOUND_MS = 2000

let server: ServerProcess
let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tutti-slow-'))
  server = await startServerProcess({ data: folder })
})
afterAll(async () => {
  await server.stop()
  await rm(folder, { recursive: true, force: true })
})

const cleanups: (() => void)[] = []
afterAll(() => {
  for (const clean of cleanups) clean()
})

/** A client of the room that applies what it hears. */
const enter = async (room: string): Promise<{ doc: Y.Doc; client: RawClient; acknowledged: () => number }> => {
  const doc = new Y.Doc()
  let isSynced = false
  let frames = 0
  const client = connectRaw(server.url, room, {
    doc,
    onSynced: () => {
      isSynced = true
    },
    onAck: (count) => {
      frames = count
    },
  })
  cleanups.push(() => client.terminate())
  await until('a client to be synced', () => isSynced)
  return { doc, client, acknowledged: () => frames }
}

test('readers that stop reading for 10 s cost bounded memory, delay nobody, and then have everything', async () => {
  const room = 'slow'
  const writer = await enter(room)
  const quick = await enter(room)
  const slow = await Promise.all(Array.from({ length: PAUSED_READERS }, () => enter(room)))

  let worstDelay = 0
  let heard = 0
  quick.doc.getMap<number>('clock').observe((event) => {
    heard++
    worstDelay = Math.max(worstDelay, performance.now() - event.target.get('at')!)
  })

  let written = 0
  const bytes = writer.doc.getMap<Uint8Array>('bytes')
  const write = (): void => {
    written++
    writer.doc.transact(() => {
      // Over and over: the document stays small, its log does not.
      bytes.set(`key ${written % 8}`, new Uint8Array(UPDATE_BYTES).fill(written))
      writer.doc.getMap('clock').set('at', performance.now())
    })
  }
  /** Writes at an even pace and returns the most memory that the server held meanwhile. */
  const load = async (milliseconds: number): Promise<number> => {
    const began = performance.now()
    const before = written
    let most = 0
    for (;;) {
      const elapsed = performance.now() - began
      if (elapsed >= milliseconds) return most
      while (written - before < (elapsed / 1000) * UPDATES_PER_SECOND) write()
      most = Math.max(most, (await server.anonymousMemory()) ?? 0)
      await delay(5)
    }
  }

  const usual = await load(4000)
  for (const { client } of slow) client.socket.pause()
  const withPaused = await load(PAUSE_MS)
  expect(withPaused - usual).toBeLessThan(MEMORY_BOUND)
  // Else the pause proved nothing: the readers did miss far more than sockets of the system hold.
  expect(written * UPDATE_BYTES).toBeGreaterThan(50 * MIB)
  for (const { doc } of slow) expect(doc.getMap('clock').get('at')).not.toBe(writer.doc.getMap('clock').get('at'))

  for (const { client } of slow) client.socket.resume()
  await until(
    'the writer to be acknowledged and the quick reader to be up to date',
    () => quick.doc.getMap('clock').get('at') === writer.doc.getMap('clock').get('at'),
  )
  expect(heard).toBeGreaterThan(0)
  expect(worstDelay).toBeLessThan(DELAY_BOUND_MS)

  const vector = Y.encodeStateVector(writer.doc)
  await until(
    'the slow readers to have everything',
    () => slow.every(({ doc }) => Buffer.compare(Y.encodeStateVector(doc), vector) === 0),
    30_000,
  )
  for (const { doc } of slow) {
    expect(doc.store.pendingStructs).toBeNull()
    for (const [key, value] of bytes.entries()) {
      expect(Buffer.compare(doc.getMap<Uint8Array>('bytes').get(key)!, value)).toBe(0)
    }
  }
  // Still live, not only caught up.
  write()
  await until('the slow readers to hear what is new', () =>
    slow.every(({ doc }) => doc.getMap('clock').get('at') === writer.doc.getMap('clock').get('at')),
  )
  // Nobody had to come back for it: one connection did all of this.
  expect([quick, ...slow].map(({ client }) => client.socket.readyState)).toEqual(Array(PAUSED_READERS + 1).fill(1))
}, 120_000)
