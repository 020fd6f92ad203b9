import { expect, test } from 'vitest'
import * as Y from 'yjs'
import { encodeClientHello, encodePing, encodeSyncUpdate } from '../../lib/protocol.ts'
import { WireClient } from '../e2e/wireClient.ts'
import { startServer } from './testServer.ts'

const update = (change: (doc: Y.Doc) => void): Uint8Array => {
  const doc = new Y.Doc()
  change(doc)
  return Y.encodeStateAsUpdate(doc)
}

test.each<[string, Uint8Array | string, number]>([
  ['a text frame', 'hello', 4409],
  ['an empty frame', new Uint8Array(), 4409],
  ['an unknown message type', Uint8Array.of(77), 4409],
  ['an unknown sync message', Uint8Array.of(0, 9, 0), 4409],
  ['a cut frame', Uint8Array.of(0, 2, 50, 1), 4409],
  ['an update that can not be decoded', encodeSyncUpdate(Uint8Array.of(9, 9, 9)), 4409],
  ['a broken state vector', Uint8Array.of(0, 0, 2, 5, 1), 4409],
  ['a frame of ours from a client that did not opt in', encodePing(1), 4409],
  ['a hello from a client that did not opt in', encodeClientHello({ resume: 'r'.repeat(20), clientId: 1 }), 4409],
  ['a message over the limit', encodeSyncUpdate(update((doc) => doc.getText('t').insert(0, 'x'.repeat(3000)))), 4413],
])('%s is refused, and the others go on', async (_what, bytes, code) => {
  const { url } = await startServer({ maxMessageBytes: 2048 })
  const a = await WireClient.join(`${url}/room`)
  const b = await WireClient.join(`${url}/room`)
  await Promise.all([a.synced(), b.synced()])
  a.send(bytes)
  await a.untilClosed()
  expect(a.closed?.code).toBe(code)
  expect(a.closed?.reason).not.toBe('')
  b.edit((doc) => doc.getMap('m').set('k', 1))
  const c = await WireClient.join(`${url}/room`)
  await c.until(() => c.doc.getMap('m').get('k') === 1, 'the other’s change')
  expect(c.doc.getText('t').length).toBe(0)
  expect(b.closed).toBeUndefined()
})

test('a message over the payload cap cuts the socket', async () => {
  const { url } = await startServer({ maxMessageBytes: 2048, payloadFactor: 2 })
  const a = await WireClient.join(`${url}/room`)
  a.send(new Uint8Array(5000))
  await a.untilClosed()
  expect(a.closed?.code).toBe(1006)
})

test.each([
  ['', 'an empty name'],
  ['a//b', 'an empty segment'],
  ['a%00b', 'a control character'],
  ['%ff', 'no UTF-8'],
  ['a/..%2Fb', 'a parent segment'],
  ['x'.repeat(256), 'too long a name'],
])('the room name %j is refused with 4400 (%s)', async (name) => {
  const { url } = await startServer()
  const a = await WireClient.open(`${url}/${name}`)
  await a.untilClosed()
  expect(a.closed?.code).toBe(4400)
})

test('a name is one room however it is encoded', async () => {
  const { url } = await startServer()
  const a = await WireClient.join(`${url}/a%2Fb/%C3%BC`)
  const b = await WireClient.join(`${url}/a/b/ü`)
  await Promise.all([a.synced(), b.synced()])
  a.edit((doc) => doc.getMap('m').set('k', 1))
  await b.until(() => b.doc.getMap('m').get('k') === 1, 'k')
})

test('a document does not grow beyond its limit', async () => {
  const { url } = await startServer({ maxDocumentBytes: 1024 })
  const a = await WireClient.join(`${url}/room`)
  const b = await WireClient.join(`${url}/room`)
  await Promise.all([a.synced(), b.synced()])
  a.edit((doc) => doc.getText('t').insert(0, 'x'.repeat(900)))
  await b.until(() => b.doc.getText('t').length === 900, 'the text')
  a.edit((doc) => doc.getText('t').insert(0, 'y'.repeat(900)))
  await a.untilClosed()
  expect(a.closed?.code).toBe(4413)
  await b.roundTrip()
  expect(b.doc.getText('t').length).toBe(900)
})

test('one connection too many is closed with 1013', async () => {
  const { url } = await startServer({ maxConnections: 1 })
  const a = await WireClient.join(`${url}/room`)
  await a.synced()
  const b = await WireClient.open(`${url}/room`)
  await b.untilClosed()
  expect(b.closed?.code).toBe(1013)
  await a.close()
  const c = await WireClient.join(`${url}/room`)
  await c.synced()
})

test('each further refusal of an address comes later', async () => {
  const { url } = await startServer()
  const times: number[] = []
  for (let i = 0; i < 4; i++) {
    const started = performance.now()
    const a = await WireClient.open(`${url}/a//b`)
    await a.untilClosed()
    times.push(performance.now() - started)
  }
  // 0, 100, 200 and 400 ms by the rule: a lower bound holds on a slow machine too.
  expect(times[1]).toBeGreaterThan(90)
  expect(times[2]).toBeGreaterThan(190)
  expect(times[3]).toBeGreaterThan(390)
})

test('a frame of ours before the hello is refused', async () => {
  const { url } = await startServer()
  const a = await WireClient.open(`${url}/room?tutti=1`)
  a.send(encodePing(1))
  await a.untilClosed()
  expect(a.closed?.code).toBe(4409)
  expect(a.frames).toEqual([])
})

test('a stopping server closes with 1001', async () => {
  const { url, server } = await startServer()
  const a = await WireClient.join(`${url}/room`)
  await a.synced()
  await server.close()
  await a.untilClosed()
  expect(a.closed?.code).toBe(1001)
})

test('after a close the port is free at once', async () => {
  let { url, server } = await startServer()
  const { port } = server.address
  for (let round = 0; round < 5; round++) {
    const clients = await Promise.all(Array.from({ length: 20 }, () => WireClient.join(`${url}/room`)))
    await Promise.all(clients.map((client) => client.synced()))
    await server.close()
    ;({ url, server } = await startServer({ port }))
  }
})

test('a port that the system chose can be taken again, also with connections in TIME_WAIT', async () => {
  const { url, server } = await startServer()
  const { port } = server.address
  await (await fetch(`${server.url}/health`)).text()
  const a = await WireClient.join(`${url}/room`)
  await a.synced()
  await server.close()
  const again = await startServer({ port })
  expect(again.server.address.port).toBe(port)
})

test('a port in use and a host that is none are told apart', async () => {
  const { server } = await startServer()
  await expect(startServer({ port: server.address.port })).rejects.toMatchObject({ code: 'PORT_IN_USE' })
  for (const port of [0, 4321]) {
    await expect(startServer({ host: '999.1.1.1', port })).rejects.toMatchObject({ code: 'INVALID_OPTION' })
  }
})

test('a body that is announced too large is refused before it comes', async () => {
  const { server } = await startServer({ maxBodyBytes: 1024 })
  const { connect } = await import('node:net')
  const socket = connect(server.address.port, '127.0.0.1')
  socket.write('PATCH /rooms/a/document HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\n')
  const answer = await new Promise<string>((resolve) => socket.once('data', (data) => resolve(String(data))))
  socket.destroy()
  expect(answer).toMatch(/^HTTP\/1.1 413 /)
  expect(await (await fetch(`${server.url}/health`)).json()).toEqual({ status: 'ok' })
})

test('clients whose room is deleted hear of it at once, however many share an address', async () => {
  const { url, server } = await startServer()
  const clients = await Promise.all(Array.from({ length: 12 }, () => WireClient.join(`${url}/gone`)))
  await Promise.all(clients.map((client) => client.synced()))
  await server.room('gone').edit((doc) => doc.getMap('m').set('k', 1))
  expect((await fetch(`${server.url}/rooms/gone`, { method: 'DELETE' })).status).toBe(204)
  await Promise.all(clients.map((client) => client.untilClosed()))
  expect(new Set(clients.map(({ closed }) => closed?.code))).toEqual(new Set([4404]))
  // With the delays of refusals the last one would wait for half a minute.
}, 15_000)
