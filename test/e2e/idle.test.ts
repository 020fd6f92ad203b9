import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Awareness } from 'y-protocols/awareness'
import * as Y from 'yjs'
import { type ServerProcess, startServerProcess } from './serverProcess.ts'
import { MAJORS } from './stockClients.ts'
import { until } from './until.ts'

/** Twice the 30 s after which a provider gives a silent connection up, and its check every 3 s. */
const IDLE_MS = 70_000

let server: ServerProcess
let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tutti-idle-'))
  server = await startServerProcess({ data: folder })
})
afterAll(async () => {
  await server.stop()
  await rm(folder, { recursive: true, force: true })
})

const cases = MAJORS.flatMap((major) => [
  { major, hasAwareness: true },
  { major, hasAwareness: false },
])

test(
  'an idle client that is alone in its room stays connected for 70 s, with and without an awareness state',
  async () => {
    const clients = cases.map(({ major, hasAwareness }) => {
      const doc = new Y.Doc()
      const awareness = new Awareness(doc)
      if (!hasAwareness) awareness.setLocalState(null)
      const room = `idle/${major.version}/${hasAwareness}`
      const provider = major.open(server.url, room, doc, { awareness })
      const seen: string[] = []
      provider.on('status', ({ status }) => seen.push(status))
      return { room, doc, provider, seen }
    })
    try {
      await until('all to be synced', () => clients.every(({ provider }) => provider.synced))
      await delay(IDLE_MS)
      // A provider may say "connecting" before a listener can be there; a connection lost and found again shows anyway.
      const histories = clients.map(({ room, seen }) => [room, seen.filter((status) => status !== 'connecting')])
      expect(histories).toEqual(clients.map(({ room }) => [room, ['connected']]))
      expect(clients.every(({ provider }) => provider.wsconnected && provider.synced)).toBe(true)
    } finally {
      for (const { provider, doc } of clients) {
        provider.destroy()
        doc.destroy()
      }
    }
  },
  IDLE_MS + 30_000,
)
