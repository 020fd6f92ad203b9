import { expect, test } from 'vitest'
import * as Y from 'yjs'
import type { RoomChange, Storage, StoredRoom } from '../../server/contracts.ts'
import { SEGMENT_BYTES } from '../../server/protocol/split.ts'
import { readUpdate } from '../../server/protocol/update.ts'
import { compactUpdates } from '../../server/room/compact.ts'
import { RoomLog } from '../../server/room/log.ts'
import { createMemoryStorage } from '../../server/storage/memory.ts'

const newLog = (stored?: StoredRoom): RoomLog => new RoomLog('room', 'document', stored)

/** A document, and a log that takes each of its updates. */
const author = (log: RoomLog) => {
  const doc = new Y.Doc()
  doc.on('update', (update: Uint8Array) => {
    log.accept(readUpdate(update))
  })
  return doc
}

const commit = async (log: RoomLog, storage = createMemoryStorage()): Promise<RoomChange | undefined> => {
  log.collect()
  const change = await log.nextChange((id) => storage.read('room', id))
  if (!change) return undefined
  await storage.commit([change])
  log.committed(change)
  return change
}

/** Many changes of one key, most of which are worth nothing any more. */
const overwrite = async (doc: Y.Doc, log: RoomLog, storage: Storage): Promise<void> => {
  for (let i = 0; i < 50; i++) {
    doc.getMap('m').set('k', 'v'.repeat(2000) + i)
    await commit(log, storage)
  }
}

/** Reads the segments; what it returns replaces them. */
const startCompaction = async (log: RoomLog, storage: Storage): Promise<() => Promise<void>> => {
  const replaced = log.startCompaction()
  const updates = await Promise.all(replaced.map(async ({ id }) => (await storage.read('room', id))!))
  return async () => {
    const compacted = compactUpdates(updates)
    const change = log.compactionChange(replaced, compacted.updates, compacted)!
    await storage.commit([change])
    log.compacted(change)
  }
}

test('the updates of one turn become one relayed update', () => {
  const log = newLog()
  const doc = author(log)
  doc.getText('t').insert(0, 'a')
  doc.getText('t').insert(1, 'b')
  doc.getText('t').insert(2, 'c')
  const { afterSeq, updates } = log.takeOutbox()
  expect(afterSeq).toBe(0)
  expect(updates).toHaveLength(1)
  const reader = new Y.Doc()
  Y.applyUpdate(reader, updates[0]!)
  expect(reader.getText('t').toString()).toBe('abc')
  expect(log.takeOutbox()).toEqual({ afterSeq: 3, updates: [] })
})

test('a lone update is relayed as the same bytes', () => {
  const log = newLog()
  const source = new Y.Doc()
  source.getMap('m').set('k', 1)
  const bytes = Y.encodeStateAsUpdate(source)
  log.accept(readUpdate(bytes))
  expect(log.takeOutbox().updates[0]).toBe(bytes)
})

test('a segment after a sequence number is found; the tail holds what is not durable', async () => {
  const log = newLog()
  const doc = author(log)
  doc.getMap('m').set('k', 1)
  await commit(log)
  doc.getMap('m').set('k', 2)
  await commit(log)
  doc.getMap('m').set('k', 3)
  log.collect()
  expect(log.segmentAfter(0)?.lastSeq).toBe(1)
  expect(log.segmentAfter(1)?.lastSeq).toBe(2)
  expect(log.segmentAfter(2)).toBeUndefined()
  expect(log.tailAfter(2)).toHaveLength(1)
  expect(log.tailAfter(3)).toHaveLength(0)
})

test('small segments are rolled up: a log of 1,000 commits has at most 64 of them', async () => {
  const storage = createMemoryStorage()
  const log = newLog()
  const doc = author(log)
  for (let i = 0; i < 1000; i++) {
    doc.getText('t').insert(i, 'x')
    await commit(log, storage)
  }
  expect(log.segments.length).toBeLessThanOrEqual(64)
  const stored = await storage.load('room')
  expect(stored?.segments).toEqual(log.segments)
  expect(stored?.segments.at(-1)?.lastSeq).toBe(1000)
  const reader = new Y.Doc()
  for (const { id } of log.segments) Y.applyUpdate(reader, (await storage.read('room', id))!)
  expect(reader.getText('t').length).toBe(1000)
})

test('what a summary and the segments after it add up to is what the log knew', async () => {
  const storage = createMemoryStorage()
  const log = newLog()
  const doc = author(log)
  for (let i = 0; i < 100; i++) {
    doc.getText('t').insert(i, 'x')
    if (i % 3 === 0) doc.getText('t').delete(0, 1)
    await commit(log, storage)
  }
  const stored = await storage.load('room')
  expect(stored?.summary).toBeDefined()
  const loaded = newLog(stored)
  for (const segment of loaded.segments) {
    if (segment.lastSeq > stored!.summary!.seq) loaded.count((await storage.read('room', segment.id))!)
  }
  expect(loaded.stateVector).toEqual(log.stateVector)
  expect(loaded.deleteSet).toEqual(log.deleteSet)
  expect(loaded.seq).toBe(log.seq)
})

test('no segment is larger than the limit, however large an update is', async () => {
  const storage = createMemoryStorage()
  const log = newLog()
  const doc = author(log)
  doc.transact(() => {
    for (let i = 0; i < 4000; i++) doc.getMap('m').set(`key ${i}`, 'v'.repeat(200))
  })
  await commit(log, storage)
  expect(log.segments.length).toBeGreaterThan(2)
  for (const { bytes } of log.segments) expect(bytes).toBeLessThanOrEqual(SEGMENT_BYTES)
})

test('compaction replaces the segments it read and leaves later ones; a reader in the middle starts again', async () => {
  const storage = createMemoryStorage()
  const log = newLog()
  const doc = author(log)
  await overwrite(doc, log, storage)
  expect(log.wantsCompaction(false)).toBe(true)
  const finishCompaction = await startCompaction(log, storage)
  for (let i = 0; i < 70; i++) {
    doc.getText('t').insert(0, 'y')
    await commit(log, storage)
  }
  const reader = log.resume({ seq: 10, generation: log.generation })
  await finishCompaction()
  expect(log.resume(reader).seq).toBe(0)
  expect(log.resume({ seq: 60, generation: 0 }).seq).toBe(60)
  expect(log.bytes).toBeLessThan(10_000)
  const fresh = new Y.Doc()
  for (const { id } of log.segments) Y.applyUpdate(fresh, (await storage.read('room', id))!)
  expect(fresh.getMap('m').get('k')).toBe(doc.getMap('m').get('k'))
  expect(fresh.getText('t').length).toBe(70)
  expect((await storage.load('room'))?.segments).toEqual(log.segments)
})

test('a room loaded after a compaction beside a tail gives new segments ids that were never used', async () => {
  const storage = createMemoryStorage()
  const log = newLog()
  const doc = author(log)
  await overwrite(doc, log, storage)
  const finishCompaction = await startCompaction(log, storage)
  doc.getText('t').insert(0, 'y')
  await commit(log, storage)
  await finishCompaction()
  const loaded = newLog(await storage.load('room'))
  const highest = Math.max(...loaded.segments.map(({ id }) => id))
  expect(loaded.segments.at(-1)!.id).toBeLessThan(highest)
  const other = new Y.Doc()
  other.getMap('m').set('other', 1)
  loaded.accept(readUpdate(Y.encodeStateAsUpdate(other)))
  expect((await commit(loaded, storage))!.add[0]!.id).toBeGreaterThan(highest)
})
