import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import * as Y from 'yjs'
import { type CreateServerOptions, createServer } from '../../dist/server/index.js'
import { createMemoryStorage } from '../../dist/server/storage/memory.js'
import { until } from './until.ts'
import { WireClient } from './wireClient.ts'

const undo: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step()
})

const start = async (options: CreateServerOptions) => {
  const server = await createServer({ port: 0, logLevel: 'silent', ...options })
  undo.push(() => server.close())
  return { server, url: server.url.replace('http', 'ws') }
}

const newFolder = async (): Promise<string> => {
  const folder = await mkdtemp(join(tmpdir(), 'tutti-'))
  undo.push(() => rm(folder, { recursive: true, force: true }))
  return folder
}

test('a large document reaches a newcomer in frames of at most 256 KB, also after a restart', async () => {
  const data = await newFolder()
  const first = await start({ data })
  const a = await WireClient.join(`${first.url}/room`)
  await a.synced()
  for (let part = 0; part < 12; part++) {
    a.edit((doc) => {
      for (let i = 0; i < 400; i++) doc.getMap('m').set(`${part}/${i}`, String(i).padEnd(1500, 'x'))
    })
  }
  await a.roundTrip()
  await first.server.close()

  const second = await start({ data })
  const b = await WireClient.join(`${second.url}/room`)
  await b.synced()
  expect(b.doc.getMap('m').size).toBe(4800)
  expect(b.doc.getMap('m').toJSON()).toEqual(a.doc.getMap('m').toJSON())
  const updates = b.frames.flatMap((frame) => ('update' in frame ? [frame] : []))
  expect(updates.length).toBeGreaterThan(20)
  for (const frame of updates) expect(frame.update.byteLength).toBeLessThanOrEqual(256 * 1024)
})

test('a client that comes back to a large document gets the difference only', async () => {
  const { url } = await start({ data: 'memory' })
  const a = await WireClient.join(`${url}/room`)
  await a.synced()
  a.edit((doc) => {
    for (let i = 0; i < 300; i++) doc.getMap('m').set(`${i}`, 'x'.repeat(1000))
  })
  const b = await WireClient.join(`${url}/room`)
  await b.synced()
  await b.close()
  a.edit((doc) => doc.getMap('m').set('new', 1))
  a.edit((doc) => doc.getMap('m').delete('7'))
  await a.roundTrip()
  const back = await WireClient.open(`${url}/room`)
  Y.applyUpdate(back.doc, Y.encodeStateAsUpdate(b.doc))
  back.sendStep1()
  await back.synced()
  expect(back.doc.getMap('m').get('new')).toBe(1)
  expect(back.doc.getMap('m').has('7')).toBe(false)
  const bytes = back.frames.reduce((sum, frame) => sum + ('update' in frame ? frame.update.byteLength : 0), 0)
  expect(bytes).toBeLessThan(2000)
})

test('a log that has grown by rewriting is compacted off the event loop; what is left is the document', async () => {
  const data = await newFolder()
  const first = await start({ data })
  const a = await WireClient.joinOptedIn(`${first.url}/room`)
  await a.synced()
  for (let i = 0; i < 400; i++) {
    a.edit((doc) => doc.getMap('m').set('k', `${i}`.padEnd(4000, 'x')))
    if (i % 20 === 0) await a.roundTrip()
  }
  a.edit((doc) => doc.getText('t').insert(0, 'kept'))
  await a.until(() => a.acknowledged === 402, 'the last acknowledgement')
  // 1.6 MB came. What a newcomer gets is what is stored.
  await until('the log to be compacted', async () => {
    const newcomer = await WireClient.join(`${first.url}/room`)
    await newcomer.synced()
    await newcomer.close()
    return newcomer.frames.reduce((sum, frame) => sum + ('update' in frame ? frame.update.byteLength : 0), 0) < 100_000
  })
  await first.server.close()

  const second = await start({ data })
  const b = await WireClient.join(`${second.url}/room`)
  await b.synced()
  expect(b.doc.getMap('m').get('k')).toBe('399'.padEnd(4000, 'x'))
  expect(b.doc.getText('t').toString()).toBe('kept')
})

test('an idle room is forgotten, and loaded again when someone comes', async () => {
  const memory = createMemoryStorage()
  let loads = 0
  const storage: typeof memory = {
    ...memory,
    load: (room) => {
      loads++
      return memory.load(room)
    },
  }
  const { server, url } = await start({ storage, roomIdleSeconds: 0 })
  const a = await WireClient.join(`${url}/room`)
  await a.synced()
  a.edit((doc) => doc.getMap('m').set('k', 1))
  await a.roundTrip()
  await a.close()
  expect(loads).toBe(1)
  await until('the room to be loaded again', async () => {
    const value = await server.room('room').read((doc) => doc.getMap('m').get('k'))
    expect(value).toBe(1)
    return loads > 1
  })
})

test('the back end edits by schema and by Y.Doc; clients see it, and a failing edit leaves nothing', async () => {
  const { server, url } = await start({ data: 'memory' })
  const { s } = await import('../../dist/lib/index.js')
  const schema = { title: s.string().default('none'), notes: s.record(s.object({ text: s.string() })) }
  const a = await WireClient.join(`${url}/board/42`)
  await a.synced()
  const room = server.room('board/42')
  const size = await room.edit(schema, (state) => {
    state.title = 'Sold'
    state.notes.set('n1', { text: 'Hello' })
    return state.notes.size
  })
  expect(size).toBe(1)
  await a.until(() => a.doc.getMap('').get('title') === 'Sold', 'the title')
  expect(a.doc.getMap('notes').toJSON()).toEqual({ n1: { text: 'Hello' } })

  const failing = room.edit(schema, (state) => {
    state.title = 'Half'
    throw new Error('on purpose')
  })
  await expect(failing).rejects.toThrow('on purpose')
  await expect(room.edit(schema, (state) => Object.assign(state, { title: 5 }))).rejects.toMatchObject({
    code: 'INVALID_VALUE',
  })
  await expect(room.edit(async (doc) => doc.getMap('').set('title', 'late'))).rejects.toMatchObject({
    code: 'INVALID_VALUE',
  })
  await room.edit((doc) => doc.getArray('list').push([1, 2]))
  await a.until(() => a.doc.getArray('list').length === 2, 'the list')
  expect(a.doc.getMap('').get('title')).toBe('Sold')
  expect(await server.room('unused').read(() => 1)).toBeUndefined()
  await expect(server.room('a//b').edit((doc) => doc.getMap('m').set('k', 1))).rejects.toMatchObject({
    code: 'INVALID_ROOM',
  })
})
