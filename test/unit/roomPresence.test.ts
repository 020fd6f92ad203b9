import { once } from 'node:events'
import { expect, test } from 'vitest'
import { type Entry, encodeAwarenessFrame, WireClient } from '../e2e/wireClient.ts'
import { startServer } from './testServer.ts'

const state = (name: string): string => JSON.stringify({ user: { name } })
const own = (client: WireClient, clock: number, name: string): Uint8Array =>
  encodeAwarenessFrame({ client: client.doc.clientID, clock, state: state(name) })
const entriesOf = (client: WireClient, id: number): Entry[] =>
  client.frames.flatMap((frame) => (frame.type === 'awareness' ? frame.entries : [])).filter((e) => e.client === id)

/** A stock client that shows itself, as y-websocket does when its socket opens. */
const joinShown = async (url: string, name: string, clock = 1): Promise<WireClient> => {
  const client = await WireClient.join(url)
  client.send(own(client, clock, name))
  await client.synced()
  return client
}

test('presence reaches the others, and a newcomer sees who is here', async () => {
  const { url } = await startServer()
  const a = await joinShown(`${url}/room`, 'Ada')
  const b = await joinShown(`${url}/room`, 'Bob')
  await a.until(() => b.doc.clientID !== 0 && a.presenceOf(b.doc.clientID) !== undefined, 'Bob')
  await b.until(() => b.presenceOf(a.doc.clientID) !== undefined, 'Ada')
  expect(a.presenceOf(b.doc.clientID)).toEqual({ user: { name: 'Bob' } })
})

test('the first own entry is answered to its session alone with null, so that it raises its clock', async () => {
  const { url } = await startServer()
  const a = await joinShown(`${url}/room`, 'Ada')
  const b = await joinShown(`${url}/room`, 'Bob', 7)
  const id = b.doc.clientID
  await b.until(() => entriesOf(b, id).some((entry) => entry.state === null), 'the null')
  expect(entriesOf(b, id)[0]).toEqual({ client: id, clock: 7, state: null })
  await a.until(() => a.presenceOf(id) !== undefined, 'Bob')
  expect(entriesOf(a, id)).toEqual([{ client: id, clock: 7, state: { user: { name: 'Bob' } } }])
})

test('a client that comes back is answered with the higher of its clock and the known one', async () => {
  const { url } = await startServer()
  const a = await joinShown(`${url}/room`, 'Ada')
  const b = await joinShown(`${url}/room`, 'Bob', 9)
  const id = b.doc.clientID
  await a.until(() => a.presenceOf(id) !== undefined, 'Bob')
  await b.close()
  await a.until(() => a.presenceOf(id) === null, 'that Bob left')
  const back = await WireClient.join(`${url}/room`)
  back.send(encodeAwarenessFrame({ client: id, clock: 3, state: state('Bob') }))
  await back.until(
    () => entriesOf(back, id).some((entry) => entry.clock === 9 && entry.state === null),
    'the null at 9',
  )
  back.send(encodeAwarenessFrame({ client: id, clock: 10, state: state('Bob') }))
  await a.until(() => a.presenceOf(id) !== null, 'Bob again')
})

test('a vanished client’s presence goes at once', async () => {
  const { url } = await startServer()
  const a = await joinShown(`${url}/room`, 'Ada')
  const b = await joinShown(`${url}/room`, 'Bob')
  await a.until(() => a.presenceOf(b.doc.clientID) !== undefined, 'Bob')
  b.ws.terminate()
  await a.until(() => a.presenceOf(b.doc.clientID) === null, 'that Bob left')
})

test('nobody speaks for another: changed, removed or echoed entries of a live client are dropped', async () => {
  const { url } = await startServer()
  const a = await joinShown(`${url}/room`, 'Ada')
  const b = await joinShown(`${url}/room`, 'Bob')
  const mallory = await joinShown(`${url}/room`, 'Mallory')
  const id = a.doc.clientID
  await b.until(() => b.presenceOf(id) !== undefined, 'Ada')
  mallory.send(encodeAwarenessFrame({ client: id, clock: 50, state: state('Eve') }))
  mallory.send(encodeAwarenessFrame({ client: id, clock: 1, state: 'null' }))
  mallory.send(encodeAwarenessFrame({ client: id, clock: 2, state: 'not json, not even parsed' }))
  await mallory.roundTrip()
  await b.roundTrip()
  expect(b.presenceOf(id)).toEqual({ user: { name: 'Ada' } })
  expect(mallory.closed).toBeUndefined()
})

test('an echo of a member that has left does not revive it', async () => {
  const { url } = await startServer()
  const a = await joinShown(`${url}/room`, 'Ada')
  const b = await joinShown(`${url}/room`, 'Bob', 5)
  const id = b.doc.clientID
  await a.until(() => a.presenceOf(id) !== undefined, 'Bob')
  await b.close()
  await a.until(() => a.presenceOf(id) === null, 'that Bob left')
  a.send(encodeAwarenessFrame({ client: id, clock: 5, state: state('Bob') }))
  await a.roundTrip()
  const c = await WireClient.join(`${url}/room`)
  await c.synced()
  await c.roundTrip()
  expect(c.presenceOf(id)).toBeUndefined()
})

test('a neighbour’s forwarded entry is shown until its own socket opens, which then owns it', async () => {
  const { url } = await startServer()
  const a = await joinShown(`${url}/room`, 'Ada')
  const tab = await joinShown(`${url}/room`, 'Tab')
  const neighbour = 4242
  tab.send(encodeAwarenessFrame({ client: neighbour, clock: 1, state: state('Neighbour') }))
  await a.until(() => a.presenceOf(neighbour) !== undefined, 'the forwarded entry')
  // The forwarder must not be told null: its view would lose a living member.
  expect(tab.presenceOf(neighbour)).not.toBeNull()
  const socket = await WireClient.join(`${url}/room`)
  socket.send(encodeAwarenessFrame({ client: neighbour, clock: 1, state: state('Neighbour') }))
  await socket.until(() => socket.presenceOf(neighbour) === null, 'the answer to its first own entry')
  socket.send(encodeAwarenessFrame({ client: neighbour, clock: 2, state: state('Itself') }))
  await a.until(() => JSON.stringify(a.presenceOf(neighbour)).includes('Itself'), 'its own entry')
  await tab.close()
  await a.until(() => a.presenceOf(tab.doc.clientID) === null, 'that the tab left')
  expect(a.presenceOf(neighbour)).toEqual({ user: { name: 'Itself' } })
})

test('a claimed client id stays with an owner that answers a ping', async () => {
  const { url } = await startServer()
  const a = await joinShown(`${url}/room`, 'Ada')
  const b = await joinShown(`${url}/room`, 'Bob')
  await b.until(() => b.presenceOf(a.doc.clientID) !== undefined, 'Ada')
  const pinged = once(a.ws, 'ping')
  const thief = await WireClient.join(`${url}/room`)
  thief.send(encodeAwarenessFrame({ client: a.doc.clientID, clock: 99, state: state('Thief') }))
  await pinged
  // Longer than an owner has to answer: it is to show that nothing comes of the claim.
  await new Promise((resolve) => setTimeout(resolve, 1200))
  await b.roundTrip()
  expect(b.presenceOf(a.doc.clientID)).toEqual({ user: { name: 'Ada' } })
  expect(a.closed).toBeUndefined()
  expect(thief.presenceOf(a.doc.clientID)).toEqual({ user: { name: 'Ada' } })
})

test('a claimant takes over from an owner that does not answer within a second', async () => {
  const { url } = await startServer()
  const gone = await joinShown(`${url}/room`, 'Ada')
  const b = await joinShown(`${url}/room`, 'Bob')
  const id = gone.doc.clientID
  await b.until(() => b.presenceOf(id) !== undefined, 'Ada')
  // Half-open: the socket reads nothing any more, so it answers no ping.
  gone.ws.pause()
  const back = await WireClient.join(`${url}/room`)
  back.send(encodeAwarenessFrame({ client: id, clock: 1, state: state('Ada') }))
  await back.until(() => back.presenceOf(id) === null, 'the answer to its first own entry')
  back.send(encodeAwarenessFrame({ client: id, clock: 2, state: state('Ada, back') }))
  await b.until(() => JSON.stringify(b.presenceOf(id)).includes('back'), 'Ada, back')
  expect(entriesOf(b, id).some((entry) => entry.state === null)).toBe(false)
})

test('a client that shows its resume secret takes over at once', async () => {
  const { url } = await startServer()
  const old = await WireClient.joinOptedIn(`${url}/room`)
  const id = old.doc.clientID
  old.send(encodeAwarenessFrame({ client: id, clock: 1, state: state('Ada') }))
  await old.until(() => entriesOf(old, id).length > 0, 'the answer to its first own entry')
  // The old session is alive and answers pings: without the secret it would keep the id.
  const back = await WireClient.joinOptedIn(`${url}/room`, { clientId: id })
  back.send(encodeAwarenessFrame({ client: id, clock: 2, state: state('Ada') }))
  await back.until(() => entriesOf(back, id).length > 0, 'the answer')
  await old.untilClosed()
  expect(back.closed).toBeUndefined()
})

test('a client id of a re-rolled Y.Doc is taken; ids beyond the limit are not shown', async () => {
  const { url } = await startServer({ maxAwarenessEntries: 2 })
  const a = await joinShown(`${url}/room`, 'Ada')
  const b = await joinShown(`${url}/room`, 'Bob')
  b.send(encodeAwarenessFrame({ client: 77, clock: 1, state: state('Bob again') }))
  await a.until(() => a.presenceOf(77) !== undefined, 'the second id')
  b.send(encodeAwarenessFrame({ client: 78, clock: 1, state: state('too many') }))
  await b.roundTrip()
  await a.roundTrip()
  expect(a.presenceOf(78)).toBeUndefined()
  expect(b.closed).toBeUndefined()
  await b.close()
  await a.until(() => a.presenceOf(77) === null, 'that both ids left')
})

test.each([
  ['a number', '5', 4409],
  ['broken JSON', '{"a":', 4409],
  ['an array', '[]', 4409],
  ['a state over the limit', JSON.stringify({ a: 'x'.repeat(300) }), 4413],
])('an own state that is %s is refused', async (_what, json, code) => {
  const { url } = await startServer({ maxAwarenessBytes: 256 })
  const a = await joinShown(`${url}/room`, 'Ada')
  const b = await joinShown(`${url}/room`, 'Bob')
  b.send(encodeAwarenessFrame({ client: b.doc.clientID, clock: 9, state: json }))
  await b.untilClosed()
  expect(b.closed?.code).toBe(code)
  await a.roundTrip()
  expect(a.closed).toBeUndefined()
})

test('a claim of somebody else’s id with what is no state is refused, and harms neither the owner nor the server', async () => {
  const { url } = await startServer()
  const a = await joinShown(`${url}/room`, 'Ada')
  const id = a.doc.clientID
  const b = await WireClient.join(`${url}/room`)
  b.send(encodeAwarenessFrame({ client: id, clock: 5, state: 'no JSON' }))
  await b.untilClosed()
  expect(b.closed).toMatchObject({ code: 4409, reason: expect.stringMatching(/not JSON/) })
  const c = await joinShown(`${url}/room`, 'Cid')
  await c.until(() => c.presenceOf(id) !== undefined, 'Ada')
  expect(a.closed).toBe(undefined)
})

test('however often a frame asks who is here, it is answered once', async () => {
  const { url } = await startServer()
  await joinShown(`${url}/room`, 'Ada')
  const b = await joinShown(`${url}/room`, 'Bob')
  const answers = (): number =>
    b.frames.filter((frame) => frame.type === 'awareness' && frame.entries.length === 2).length
  const before = answers()
  b.send(new Uint8Array(1000).fill(3))
  await b.until(() => answers() > before, 'the answer')
  await b.synced()
  expect(answers()).toBe(before + 1)
})
