import { expect, test } from 'vitest'
import * as Y from 'yjs'
import { encodeSyncStep2, encodeSyncUpdate } from '../../lib/protocol.ts'
import type { Storage } from '../../server/contracts.ts'
import { createMemoryStorage } from '../../server/storage/memory.ts'
import { type Frame, WireClient } from '../e2e/wireClient.ts'
import { startServer } from './testServer.ts'

const types = (frames: readonly Frame[]): string[] =>
  frames.map((frame) => (frame.type === 'tutti' ? (frame.message?.type ?? 'unknown') : frame.type))

test('a stock client gets step 1, step 2 and updates, and nothing else', async () => {
  const { url } = await startServer()
  const a = await WireClient.join(`${url}/room`)
  await a.synced()
  a.edit((doc) => doc.getMap('m').set('k', 1))
  await a.until(() => a.frames.some((frame) => frame.type === 'update'), 'its own update')
  expect(types(a.frames)).toEqual(['step1', 'step2', 'update'])
})

test('a client that opted in gets the hello first, and acknowledgements', async () => {
  const { url } = await startServer()
  const a = await WireClient.joinOptedIn(`${url}/room`)
  await a.until(() => a.acknowledged === 1, 'the acknowledgement of its empty step 2')
  a.edit((doc) => doc.getMap('m').set('k', 1))
  await a.until(() => a.acknowledged === 2, 'the acknowledgement of its update')
  expect(types(a.frames)).toEqual(['hello', 'step1', 'step2', 'ack', 'update', 'ack'])
})

test('several updates of one turn are relayed, and a newcomer gets them all', async () => {
  const { url } = await startServer()
  const a = await WireClient.join(`${url}/room`)
  const b = await WireClient.join(`${url}/room`)
  await Promise.all([a.synced(), b.synced()])
  for (let i = 0; i < 500; i++) a.edit((doc) => doc.getArray('list').push([i]))
  await b.until(() => b.doc.getArray('list').length === 500, '500 items')
  const c = await WireClient.join(`${url}/room`)
  await c.synced()
  expect(c.doc.getArray('list').toArray()).toEqual(a.doc.getArray('list').toArray())
})

test('an update with a gap waits for the sync step 2 it is asked for, and the acknowledgement with it', async () => {
  const { url } = await startServer()
  const a = await WireClient.joinOptedIn(`${url}/room`)
  await a.until(() => a.acknowledged === 1, 'the first acknowledgement')
  a.answersStep1 = false
  const missing = a.change((doc) => doc.getText('t').insert(0, 'a'))
  a.edit((doc) => doc.getText('t').insert(1, 'b'))
  a.edit((doc) => doc.getText('t').insert(2, 'c'))
  await a.until(() => a.frames.filter(({ type }) => type === 'step1').length === 2, 'a second step 1')
  await a.roundTrip()
  expect(a.frames.filter(({ type }) => type === 'step1')).toHaveLength(2)
  expect(a.acknowledged).toBe(1)
  a.send(encodeSyncStep2(missing))
  await a.until(() => a.acknowledged === 4, 'the acknowledgement of everything')
  const b = await WireClient.join(`${url}/room`)
  await b.synced()
  expect(b.doc.getText('t').toString()).toBe('abc')
})

test('of a step 2 that still has a gap, what integrates is stored and relayed; nobody is asked again', async () => {
  const { url } = await startServer()
  const other = new Y.Doc()
  other.getText('t').insert(0, 'x')
  const before = Y.encodeStateVector(other)
  other.getText('t').insert(1, 'y')
  const halfHeard = Y.encodeStateAsUpdate(other, before)

  const a = await WireClient.joinOptedIn(`${url}/room`)
  const b = await WireClient.join(`${url}/room`)
  await a.until(() => a.acknowledged === 1, 'the first acknowledgement')
  a.answersStep1 = false
  a.send(encodeSyncUpdate(halfHeard))
  await a.until(() => a.frames.filter(({ type }) => type === 'step1').length === 2, 'a second step 1')
  const own = a.change((doc) => doc.getMap('m').set('own', 1))
  a.send(encodeSyncStep2(Y.mergeUpdates([own, halfHeard])))
  await b.until(() => b.doc.getMap('m').get('own') === 1, 'the part that integrates')
  await a.roundTrip()
  expect(a.frames.filter(({ type }) => type === 'step1')).toHaveLength(2)
  expect(a.acknowledged).toBe(1)
  const c = await WireClient.join(`${url}/room`)
  await c.synced()
  expect(c.doc.toJSON()).toMatchObject({})
  expect(c.doc.store.pendingStructs).toBeNull()
  expect(c.doc.getMap('m').toJSON()).toEqual({ own: 1 })
  // The missing piece comes from its maker: from then on everything is whole.
  const d = await WireClient.join(`${url}/room`)
  d.send(encodeSyncUpdate(Y.encodeStateAsUpdate(other)))
  await c.until(() => c.doc.getText('t').toString() === 'xy', 'the whole text')
})

test('a GC run under the client id of another live session waits until that session was asked', async () => {
  const { url } = await startServer()
  const owner = await WireClient.joinOptedIn(`${url}/room`)
  await owner.until(() => owner.acknowledged === 1, 'the first acknowledgement')
  owner.send(
    (await import('../e2e/wireClient.ts')).encodeAwarenessFrame({ client: owner.doc.clientID, clock: 1, state: '{}' }),
  )
  // What the owner typed and the server has not got; a bystander claims it was all deleted.
  owner.change((doc) => doc.getText('t').insert(0, 'kept'))
  const id = owner.doc.clientID
  const gc = gcUpdate(id, 0, 4)
  const bystander = await WireClient.joinOptedIn(`${url}/room`, { resume: 'another-resume-secret' })
  await bystander.until(() => bystander.acknowledged === 1, 'the first acknowledgement')
  bystander.send(encodeSyncUpdate(gc))
  await bystander.until(() => bystander.acknowledged === 2, 'the acknowledgement of the run')
  const c = await WireClient.join(`${url}/room`)
  await c.synced()
  expect(c.doc.getText('t').toString()).toBe('kept')
})

/** An update with one GC struct. */
const gcUpdate = (client: number, clock: number, length: number): Uint8Array => {
  const encoder = new Y.UpdateEncoderV1()
  const { restEncoder } = encoder
  const write = (value: number): void => {
    let rest = value
    while (rest > 127) {
      restEncoder.cbuf[restEncoder.cpos++] = (rest % 128) | 128
      rest = Math.floor(rest / 128)
    }
    restEncoder.cbuf[restEncoder.cpos++] = rest
  }
  for (const value of [1, 1, client, clock, 0, length, 0]) write(value)
  return encoder.toUint8Array()
}

test('a duplicate is acknowledged only with the commit of the first copy', async () => {
  const { storage, hold, release } = heldStorage()
  const { url } = await startServer({ storage })
  const a = await WireClient.joinOptedIn(`${url}/room`)
  await a.until(() => a.acknowledged === 1, 'the first acknowledgement')
  hold()
  const update = a.change((doc) => doc.getMap('m').set('k', 1))
  a.send(encodeSyncUpdate(update))
  a.send(encodeSyncUpdate(update))
  await a.roundTrip()
  expect(a.acknowledged).toBe(1)
  release()
  await a.until(() => a.acknowledged === 3, 'both acknowledgements')
})

test('when a commit fails, sessions are closed with 1013 and the clients hand back the rest', async () => {
  const { storage, failNext } = heldStorage()
  const { url } = await startServer({ storage })
  const a = await WireClient.joinOptedIn(`${url}/room`)
  a.edit((doc) => doc.getMap('m').set('kept', 1))
  await a.until(() => a.acknowledged === 2, 'an acknowledgement')
  failNext()
  a.edit((doc) => doc.getMap('m').set('lost', 1))
  await a.untilClosed()
  expect(a.closed?.code).toBe(1013)
  expect(a.acknowledged).toBe(2)
  const b = await WireClient.join(`${url}/room`)
  await b.synced()
  expect(b.doc.getMap('m').toJSON()).toEqual({ kept: 1 })
  b.send(encodeSyncStep2(Y.encodeStateAsUpdate(a.doc)))
  await b.until(() => b.doc.getMap('m').get('lost') === 1, 'what was handed back')
})

test('a room whose stored log can not be read serves nobody', async () => {
  const memory = createMemoryStorage()
  const storage: Storage = { ...memory, load: () => Promise.reject(new Error('disk')) }
  const { url, server } = await startServer({ storage })
  const a = await WireClient.join(`${url}/room`)
  await a.untilClosed()
  expect(a.closed?.code).toBe(1013)
  expect(a.frames).toEqual([])
  await expect(server.room('room').edit((doc) => doc.getMap('m').set('k', 1))).rejects.toMatchObject({
    code: 'STORAGE_FAILED',
  })
})

test('a server without the room takes the document id of its client, another server refuses it', async () => {
  const { url } = await startServer()
  const a = await WireClient.joinOptedIn(`${url}/room`, { documentId: 'a-document' })
  await a.synced()
  expect(a.frames[0]).toMatchObject({ type: 'tutti', message: { type: 'hello', hello: { documentId: 'a-document' } } })
  a.edit((doc) => doc.getMap('m').set('k', 1))
  await a.until(() => a.acknowledged === 2, 'an acknowledgement')
  const b = await WireClient.joinOptedIn(`${url}/room`, { documentId: 'another', resume: 'another-resume-secret' })
  await b.untilClosed()
  expect(b.closed?.code).toBe(4404)
})

/** A memory storage whose commits can be held back or made to fail: for order and chance. */
const heldStorage = () => {
  const memory = createMemoryStorage()
  let gate = Promise.resolve()
  let open = (): void => undefined
  let fails = false
  const storage: Storage = {
    ...memory,
    commit: async (changes) => {
      await gate
      if (fails) {
        fails = false
        throw new Error('disk full')
      }
      await memory.commit(changes)
    },
  }
  return {
    storage,
    hold: () => {
      gate = new Promise((resolve) => {
        open = resolve
      })
    },
    release: () => open(),
    failNext: () => {
      fails = true
    },
  }
}
