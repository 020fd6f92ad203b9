/** A server whose disk is full: it goes on, and nothing that it acknowledged is missing. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { type ServerProcess, startServerProcess } from './serverProcess.ts'

/** Most that one file may hold, in KiB: what stands for the end of the disk. */
const LIMIT = 3000
const CHANGES = 90

const documentOf = ({ port }: ServerProcess): string => `http://127.0.0.1:${port}/rooms/full/document`

const patch = async (server: ServerProcess, body: object): Promise<number> => {
  const { status } = await fetch(documentOf(server), {
    method: 'PATCH',
    headers: { 'content-type': 'application/merge-patch+json' },
    body: JSON.stringify(body),
  })
  return status
}

// Windows has no such limit.
test.skipIf(process.platform === 'win32')(
  'a full disk is told as 503, ends nothing, and loses nothing',
  async () => {
    const data = await mkdtemp(join(tmpdir(), 'tutti-full-'))
    onTestFinished(() => rm(data, { recursive: true, force: true }))
    const server = await startServerProcess({ data, fileLimit: LIMIT })
    onTestFinished(async () => void (await server.stop('SIGKILL')))
    const acknowledged: string[] = []
    const statuses = new Set<number>()
    for (let i = 0; i < CHANGES; i++) {
      const status = await patch(server, { [`key${i}`]: `${Math.random()}`.repeat(2500) })
      statuses.add(status)
      if (status === 200) acknowledged.push(`key${i}`)
    }
    expect([...statuses]).toEqual([200, 503])
    expect((await fetch(`http://127.0.0.1:${server.port}/health`)).status).toBe(200)
    const held = async (from: ServerProcess): Promise<string[]> => {
      const json = (await (await fetch(documentOf(from))).json()) as Record<string, string>
      return acknowledged.filter((key) => key in json)
    }
    expect(await held(server)).toEqual(acknowledged)
    expect(await server.stop()).toBe(0)
    const next = await startServerProcess({ data })
    onTestFinished(async () => void (await next.stop('SIGKILL')))
    expect(await held(next)).toEqual(acknowledged)
    expect(await patch(next, { more: 1 })).toBe(200)
  },
  60_000,
)
