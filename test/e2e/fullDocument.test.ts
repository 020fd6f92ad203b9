import { expect, onTestFinished, test } from 'vitest'
import { startServerProcess } from './serverProcess.ts'
import { until } from './until.ts'

test('a full document that was emptied takes content again, once it has been compacted', async () => {
  const server = await startServerProcess({ data: 'memory' }, '--max-document-bytes', '20000')
  onTestFinished(async () => void (await server.stop('SIGKILL')))
  const fill = async (key: string, value: string | null): Promise<[status: number, code: string | undefined]> => {
    const response = await fetch(`http://127.0.0.1:${server.port}/rooms/full/document`, {
      method: 'PATCH',
      headers: { 'content-type': 'application/merge-patch+json' },
      body: JSON.stringify({ values: { [key]: value } }),
    })
    const { code } = (await response.json()) as { code?: string }
    return [response.status, code]
  }
  const large = 'x'.repeat(15_000)
  expect(await fill('a', large)).toEqual([200, undefined])
  // Nothing was deleted yet: there is no room to be made.
  expect(await fill('b', large)).toEqual([413, 'TOO_LARGE'])
  expect(await fill('a', null)).toEqual([200, undefined])
  expect(await fill('b', large)).toEqual([503, 'TRY_LATER'])
  await until('the compaction', async () => {
    const [status, code] = await fill('b', large)
    if (status === 200) return true
    expect([status, code]).toEqual([503, 'TRY_LATER'])
    return false
  })
  expect(await fill('c', large)).toEqual([413, 'TOO_LARGE'])
})
