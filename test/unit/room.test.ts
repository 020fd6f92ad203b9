import { afterEach, expect, test } from 'vitest'
import * as Y from 'yjs'
import { encodeSyncUpdate } from '../../lib/protocol.ts'
import { createServer } from '../../server/index.ts'
import { encodeAwarenessFrame, WireClient } from '../e2e/wireClient.ts'

const closers: (() => Promise<void>)[] = []
const start = async () => {
  const server = await createServer({ port: 0, data: 'memory', logLevel: 'silent' })
  closers.push(() => server.close())
  return { server, url: `ws://127.0.0.1:${server.port}` }
}
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

test('two clients see each other’s changes', async () => {
  const { url } = await start()
  const a = await WireClient.join(`${url}/room`)
  const b = await WireClient.join(`${url}/room`)
  await a.synced()
  await b.synced()
  a.edit((doc) => doc.getMap('m').set('k', 1))
  await b.until(() => b.doc.getMap('m').get('k') === 1, 'k')
  const c = await WireClient.join(`${url}/room`)
  await c.until(() => c.doc.getMap('m').get('k') === 1, 'k')
})

test('acks', async () => {
  const { url } = await start()
  const a = await WireClient.joinOptedIn(`${url}/room`)
  await a.synced()
  a.edit((doc) => doc.getMap('m').set('k', 1))
  await a.until(() => a.acknowledged === 2, 'ack')
  console.log(a.frames)
  a.send('text')
  await a.untilClosed()
  console.log(a.closed)
})
