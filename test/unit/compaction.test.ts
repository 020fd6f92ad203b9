import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { afterEach, describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import type { Compacted, Compactor } from '../../server/contracts.ts'
import { decodeDeleteSet } from '../../server/protocol/deleteSet.ts'
import { SEGMENT_BYTES } from '../../server/protocol/split.ts'
import { advance, mergeUpdatesInBatches, readUpdate, UNLIMITED } from '../../server/protocol/update.ts'
import { compactUpdates } from '../../server/room/compact.ts'
import { readerOf, stateOf } from '../fuzz/author.ts'

// The thread runs built code; TypeScript sources it cannot run.
const built = new URL('../../dist/server/room/compaction.js', import.meta.url)

const logOf = (edit: (doc: Y.Doc) => void, clientId = 1): Uint8Array[] => {
  const updates: Uint8Array[] = []
  const doc = new Y.Doc()
  doc.clientID = clientId
  doc.on('update', (update: Uint8Array) => updates.push(update))
  edit(doc)
  return updates
}

const overwriting = (times: number): Uint8Array[] =>
  logOf((doc) => {
    for (let i = 0; i < times; i++) doc.getMap('m').set(`key ${i % 10}`, `value ${i}`)
  })

const bytesOf = (updates: readonly Uint8Array[]): number => updates.reduce((sum, { length }) => sum + length, 0)

describe('compaction', () => {
  it('makes a log small, and keeps the document, its state vector and its deletions', () => {
    const log = overwriting(2000)
    const compacted = compactUpdates(log)
    expect(bytesOf(compacted.updates)).toBeLessThan(bytesOf(log) / 5)
    const doc = readerOf(compacted.updates)
    expect(doc.getMap('m').toJSON()).toMatchObject({ 'key 0': 'value 1990', 'key 9': 'value 1999' })
    expect(compacted.stateVector).toEqual(Y.encodeStateVector(readerOf(log)))
    expect(decodeDeleteSet(compacted.deleteSet)).toEqual(new Map([[1, [0, 1990]]]))
    expect(stateOf(doc)).toBe(stateOf(readerOf(log)))
  })

  it('gives pieces of at most a segment, in an order that integrates', () => {
    const log = logOf((doc) => {
      for (let i = 0; i < 800; i++) doc.getArray('a').push([`${i} ${'x'.repeat(1000)}`])
    })
    const { updates } = compactUpdates(log)
    expect(updates.length).toBe(4)
    for (const update of updates) expect(update.length).toBeLessThanOrEqual(SEGMENT_BYTES)
    expect(readerOf(updates).getArray('a').length).toBe(800)
  })

  it('can be read on by a client that was offline meanwhile', () => {
    const log = logOf((doc) => {
      doc.getText('t').insert(0, 'one two three')
      doc.getText('t').delete(0, 4)
    })
    const offline = new Y.Doc()
    Y.applyUpdate(offline, log[0]!)
    offline.getText('t').insert(3, '!')
    const online = readerOf(compactUpdates(log).updates)
    Y.applyUpdate(online, Y.encodeStateAsUpdate(offline, Y.encodeStateVector(online)))
    expect(online.getText('t').toString()).toBe('!two three')
  })

  it('adds deletions that the log does not spell out: a key that two clients wrote at once', () => {
    const log = [...logOf((doc) => doc.getMap('m').set('k', 1), 1), ...logOf((doc) => doc.getMap('m').set('k', 2), 2)]
    const { deleteSet, updates } = compactUpdates(log)
    expect(decodeDeleteSet(deleteSet)).toEqual(new Map([[1, [0, 1]]]))
    expect(readerOf(updates).getMap('m').toJSON()).toEqual({ k: 2 })
  })

  it('removes no format mark that the updates have', () => {
    // Yjs drops superfluous marks of a nested text after a remote change; a compaction must not change the document.
    const base = logOf((doc) => {
      doc.getArray('a').push([new Y.Text('abc')])
      for (let i = 0; i < 300; i++) doc.getMap('filler').set(`${i}`, 'x'.repeat(1000))
    }, 9)
    // Two clients make the same range bold at once; one pair of marks is superfluous.
    const bold = (clientId: number): Uint8Array => {
      const doc = readerOf(base)
      doc.clientID = clientId
      const before = Y.encodeStateVector(doc)
      doc.getArray<Y.Text>('a').get(0).format(0, 3, { bold: true })
      return Y.encodeStateAsUpdate(doc, before)
    }
    const log = [...base, bold(1), bold(2)]
    const { updates, deleteSet } = compactUpdates(log)
    expect(updates.length).toBe(2)
    expect(decodeDeleteSet(deleteSet).size).toBe(0)
    expect(stateOf(readerOf(updates))).toBe(stateOf(readerOf(log)))
  })

  it('gives the empty document for no updates', () => {
    expect(compactUpdates([])).toEqual({
      updates: [Uint8Array.of(0, 0)],
      stateVector: Uint8Array.of(0),
      deleteSet: Uint8Array.of(0),
    })
  })

  it('takes runs longer than the gate lets in: neighbours join', () => {
    const run = (clock: number[]): Uint8Array => Uint8Array.of(1, 1, 5, ...clock, 0, 0x80, 0x80, 0x40, 0)
    const log = [run([0]), run([0x80, 0x80, 0x40])]
    const merged = mergeUpdatesInBatches(log)
    expect(() => readUpdate(merged)).toThrow(/longer than/)
    for (const updates of [log, [merged]]) {
      const { deleteSet } = compactUpdates(updates)
      expect(decodeDeleteSet(deleteSet)).toEqual(new Map([[5, [0, 2 ** 21]]]))
    }
  })

  it('refuses updates with a gap, and updates that are none', () => {
    const log = overwriting(5)
    expect(() => compactUpdates([log[0]!, log[2]!])).toThrow(/build on something that is not there/)
    const deletion = logOf((doc) => {
      doc.getText('t').insert(0, 'abc')
      doc.getText('t').delete(0, 1)
    })[1]!
    expect(() => compactUpdates([deletion])).toThrow(/build on something that is not there/)
    expect(() => compactUpdates([Uint8Array.of(1)])).toThrow(/cannot be decoded/)
  })
})

describe('the compactor', () => {
  let compactor: Compactor | undefined
  const folders: string[] = []

  const create = async (options: { idleMs?: number; script?: URL } = {}): Promise<Compactor> => {
    const module = (await import(built.href)) as typeof import('../../server/room/compaction.ts')
    compactor = module.createCompactor(options)
    return compactor
  }

  const script = (code: string): URL => {
    const folder = mkdtempSync(join(tmpdir(), 'tutti-compaction-'))
    folders.push(folder)
    writeFileSync(join(folder, 'thread.mjs'), code)
    return pathToFileURL(join(folder, 'thread.mjs'))
  }

  afterEach(async () => {
    await compactor?.close()
    compactor = undefined
    for (const folder of folders.splice(0)) rmSync(folder, { recursive: true })
  })

  it('does in a thread what compactUpdates does here', async () => {
    const { compact } = await create()
    const log = overwriting(500)
    expect(await compact(log)).toEqual(compactUpdates(log))
  })

  it('leaves the buffers it is given untouched, also slices of a shared one', async () => {
    const { compact } = await create()
    const shared = Buffer.concat(overwriting(20))
    const copy = Buffer.from(shared)
    const updates: Uint8Array[] = []
    let from = 0
    for (const { length } of overwriting(20)) {
      updates.push(shared.subarray(from, from + length))
      from += length
    }
    const { updates: compacted } = await compact(updates)
    expect(Buffer.compare(shared, copy)).toBe(0)
    expect(readerOf(compacted).getMap('m').size).toBe(10)
  })

  it('does several jobs one after the other, each answered with its own', async () => {
    const { compact } = await create()
    const logs = [30, 10, 20].map(overwriting)
    const results = await Promise.all(logs.map((log) => compact(log)))
    expect(results).toEqual(logs.map(compactUpdates))
  })

  it('rejects what cannot be compacted, and goes on with the next', async () => {
    const { compact } = await create()
    const log = overwriting(5)
    const results = await Promise.allSettled([compact(log.slice(1)), compact(log)])
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'fulfilled'])
    await expect(compact(log.slice(1))).rejects.toMatchObject({
      code: 'INTERNAL',
      message: expect.stringMatching(/build on something/),
    })
  })

  it('rejects the running job when the thread dies, and gives the next a new one', async () => {
    // Dies of the first update of one byte, by the way the byte says.
    const { compact } = await create({
      script: script(`
        import { parentPort } from 'node:worker_threads'
        import { compactUpdates } from ${JSON.stringify(new URL('./compact.js', built).href)}
        parentPort.on('message', ({ updates }) => {
          if (updates[0].length > 1) parentPort.postMessage({ type: 'done', compacted: compactUpdates(updates) })
          else if (updates[0][0] === 1) process.exit(3)
          else throw new TypeError('broken thread')
        })
      `),
    })
    const log = overwriting(10)
    const results = await Promise.allSettled([
      compact(log),
      compact([Uint8Array.of(1)]),
      compact(log),
      compact([Uint8Array.of(2)]),
      compact(log),
    ])
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'rejected', 'fulfilled'])
    const reasons = results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []))
    for (const reason of reasons) {
      expect(reason).toMatchObject({ code: 'INTERNAL', message: expect.stringMatching(/thread ended/) })
    }
    expect(reasons[0].cause.message).toMatch(/code 3/)
    expect(reasons[1].cause.message).toMatch(/broken thread/)
  })

  it('rejects when its thread cannot be started', async () => {
    const { compact } = await create({ script: new URL('file:///nowhere/thread.mjs') })
    await expect(compact(overwriting(2))).rejects.toMatchObject({ code: 'INTERNAL' })
    await expect(compact(overwriting(2))).rejects.toMatchObject({ code: 'INTERNAL' })
  })

  it('ends an idle thread, and starts another with the next job', async () => {
    // Each thread of this script answers with its own number.
    const { compact } = await create({
      idleMs: 20,
      script: script(`
        import { parentPort, threadId } from 'node:worker_threads'
        const bytes = Uint8Array.of(threadId)
        const answer = { type: 'done', compacted: { updates: [], stateVector: bytes, deleteSet: bytes } }
        parentPort.on('message', () => parentPort.postMessage(answer))
      `),
    })
    const threadOf = async (): Promise<number> => (await compact([])).stateVector[0]!
    const first = await threadOf()
    expect(await threadOf()).toBe(first)
    await expect
      .poll(
        async () => {
          await new Promise((resolve) => setTimeout(resolve, 60))
          return threadOf()
        },
        { timeout: 5000 },
      )
      .not.toBe(first)
  })

  it('rejects waiting jobs and later ones when it closes', async () => {
    const compactor = await create()
    const waiting = [compactor.compact(overwriting(2000)), compactor.compact(overwriting(5))]
    const settled = Promise.allSettled(waiting)
    await compactor.close()
    for (const result of await settled) {
      expect(result).toMatchObject({ status: 'rejected', reason: { code: 'GOING_AWAY' } })
    }
    await expect(compactor.compact([])).rejects.toMatchObject({ code: 'GOING_AWAY' })
    await compactor.close()
  })

  it('keeps a process alive while it works, and not longer', () => {
    const code = `
      import { createCompactor } from ${JSON.stringify(built.href)}
      const { updates } = await createCompactor().compact([Uint8Array.of(0, 0)])
      console.log(updates.length)
    `
    const child = spawnSync(process.execPath, ['--input-type=module', '--eval', code], {
      encoding: 'utf8',
      timeout: 15_000,
      cwd: fileURLToPath(new URL('../..', import.meta.url)),
    })
    expect(child.stderr).toBe('')
    expect(child.stdout).toBe('1\n')
    expect(child.status).toBe(0)
  })

  it('keeps the event loop free while it works', async () => {
    const { compact } = await create()
    const log = logOf((doc) => {
      for (let i = 0; i < 30_000; i++) doc.getMap('m').set(`key ${i}`, i)
    })
    const segments = [mergeUpdatesInBatches(log.slice(0, 15_000)), mergeUpdatesInBatches(log.slice(15_000))]
    let longest = 0
    let last = performance.now()
    const watch = setInterval(() => {
      longest = Math.max(longest, performance.now() - last)
      last = performance.now()
    }, 1)
    const start = performance.now()
    const compacted: Compacted = await compact(segments)
    const took = performance.now() - start
    clearInterval(watch)
    const sum = new Map<number, number>()
    for (const update of compacted.updates) advance(readUpdate(update, UNLIMITED), sum, new Map())
    expect(sum.get(1)).toBe(30_000)
    expect(longest).toBeLessThan(took / 2)
  })
})
