/** Changes of back ends while the hook beforeChange is being asked: what they take for granted holds. */
import { describe, expect, test } from 'vitest'
import * as Y from 'yjs'
import { s } from '../../lib/index.ts'
import { type Hooks, TuttiError } from '../../server/index.ts'
import { MAX_QUESTIONS, MAX_WAITING } from '../../server/room/edits.ts'
import { createMemoryStorage } from '../../server/storage/memory.ts'
import { until } from '../e2e/until.ts'
import { WireClient } from '../e2e/wireClient.ts'
import { createGate } from './gate.ts'
import { BYTES, JSON_PATCH, MERGE, requestTo } from './roomRequest.ts'
import { startServer } from './testServer.ts'

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
const turns = async (count: number): Promise<void> => {
  for (let i = 0; i < count; i++) await turn()
}

const countOf = (doc: Y.Doc): number => (doc.getMap('m').get('count') as number | undefined) ?? 0
const addOne = (doc: Y.Doc): number => {
  const count = countOf(doc) + 1
  doc.getMap('m').set('count', count)
  return count
}

describe.each<[string, Hooks]>([
  ['without a hook', {}],
  ['with a hook that answers at once', { beforeChange: () => undefined }],
  ['with a hook that answers in the same turn', { beforeChange: async () => undefined }],
  ['with a hook that waits', { beforeChange: () => turns(3) }],
])('%s', (_what, hooks) => {
  test('of five JSON patches that test the same, one is made', async () => {
    const { url } = await startServer({ hooks })
    const ask = requestTo(url)
    await ask('c/document', { method: 'PATCH', type: MERGE, body: { stock: 10 } })
    const body = [
      { op: 'test', path: '/stock', value: 10 },
      { op: 'replace', path: '/stock', value: 9 },
    ]
    const buying = Array.from({ length: 5 }, () => ask('c/document', { method: 'PATCH', type: JSON_PATCH, body }))
    expect((await Promise.all(buying)).map(({ status }) => status).sort()).toEqual([200, 409, 409, 409, 409])
  })

  test('of five changes with the same If-Match, one is made; also where they bring an update', async () => {
    const { url } = await startServer({ hooks })
    const ask = requestTo(url)
    const { tag } = await ask('c/document', { method: 'PATCH', type: MERGE, body: { stock: 10 } })
    const headers = { 'if-match': tag }
    const asks = [1, 2, 3].map((i) =>
      ask('c/document', { method: 'PATCH', type: MERGE, headers, body: { [`k${i}`]: 1 } }),
    )
    const updates = [4, 5].map((i) => {
      const doc = new Y.Doc()
      doc.getMap('other').set('k', i)
      return ask('c/updates', { method: 'POST', type: BYTES, headers, body: Y.encodeStateAsUpdate(doc) })
    })
    const statuses = (await Promise.all([...asks, ...updates])).map(({ status }) => status)
    expect(statuses.sort()).toEqual([200, 412, 412, 412, 412])
  })

  test('thirty edits that add one add thirty, in order', async () => {
    const { server } = await startServer({ hooks })
    const room = server.room('d')
    const made = Array.from({ length: 30 }, (_, i) =>
      i % 2 === 0
        ? room.edit(addOne)
        : room.edit({ m: s.object({ count: s.number().default(0) }) }, ({ m }) => {
            m.count += 1
            return m.count
          }),
    )
    expect(await Promise.all(made)).toEqual(Array.from({ length: 30 }, (_, i) => i + 1))
    expect(await room.read(countOf)).toBe(30)
  })

  test('many rows come in whole, each counted once, while a peer types', async () => {
    const { url, server } = await startServer({ hooks })
    const peer = await WireClient.join(`${url}/rows`)
    await peer.synced()
    const rows = Object.fromEntries(Array.from({ length: 2000 }, (_, i) => [`r${i}`, { n: i }]))
    const asked = requestTo(url)('rows/document/products', { method: 'PUT', type: 'application/json', body: rows })
    for (let i = 0; i < 50; i++) {
      peer.edit((doc) => doc.getArray('typed').push([i]))
      await turn()
    }
    expect((await asked).json).toEqual({ changed: true, rows: 2000, written: 2000 })
    expect(await server.room('rows').read((doc) => doc.getMap('products').size)).toBe(2000)
  })
})

describe('while the hook is asked about a change of a back end', () => {
  test('the next ones are not worked out; those of other rooms are', async () => {
    const gates = [createGate(), createGate(), createGate()]
    const asked: unknown[] = []
    const { url, server } = await startServer({
      hooks: {
        beforeChange: ({ room, origin, caller }) => {
          if (room === 'other') return undefined
          asked.push(origin ?? caller?.door)
          return gates[asked.length - 1]?.promise
        },
      },
    })
    const room = server.room('a')
    const log: string[] = []
    const first = room.edit(addOne, { origin: 'first' }).then((count) => log.push(`first ${count}`))
    const second = room.edit(addOne, { origin: 'second' }).then((count) => log.push(`second ${count}`))
    await until('the question', () => asked.length === 1)
    const third = requestTo(url)('a/document', { method: 'PATCH', type: MERGE, body: { m: { count: 7 } } })
    expect(await server.room('other').edit(addOne)).toBe(1)
    expect(asked).toEqual(['first'])
    expect(await room.read(countOf)).toBeUndefined()
    for (const [i, gate] of gates.entries()) {
      gate.open()
      await until('the next question', () => asked.length === Math.min(i + 2, 3))
    }
    await Promise.all([first, second, third])
    expect(log).toEqual(['first 1', 'second 2'])
    expect(asked).toEqual(['first', 'second', 'http'])
    expect(await room.read(countOf)).toBe(7)
  })

  test('a refusal of one is no refusal of the next, which is worked out without it', async () => {
    const gate = createGate()
    const { server } = await startServer({
      hooks: {
        beforeChange: async ({ origin }) => {
          await gate.promise
          return origin !== 'bad'
        },
      },
    })
    const room = server.room('a')
    const bad = room.edit(addOne, { origin: 'bad' })
    const failing = room.edit(() => {
      throw new Error('mine')
    })
    const good = room.edit(addOne, { origin: 'good' })
    gate.open()
    await expect(bad).rejects.toMatchObject({ code: 'FORBIDDEN' })
    await expect(failing).rejects.toThrow('mine')
    expect(await good).toBe(1)
  })

  test('a peer’s change of the same thing has it worked out and asked about again', async () => {
    const gate = createGate()
    const questions: number[] = []
    const { url, server } = await startServer({
      hooks: {
        beforeChange: ({ from, update }) => {
          if (from === 'peer') return undefined
          questions.push(update.byteLength)
          return questions.length === 1 ? gate.promise : turn()
        },
      },
    })
    const peer = await WireClient.join(`${url}/a`)
    await peer.synced()
    const sum = server.room('a').edit(addOne)
    await until('the question', () => questions.length === 1)
    peer.edit((doc) => doc.getMap('m').set('count', 10))
    await until('the change of the peer', async () => (await server.room('a').read(countOf)) === 10)
    gate.open()
    expect(await sum).toBe(11)
    expect(questions).toHaveLength(2)
    await peer.until(() => countOf(peer.doc) === 11, 'the sum')
  })

  test('a peer’s change of something else does not: it comes out the same', async () => {
    const gate = createGate()
    let asked = 0
    const { url, server } = await startServer({
      hooks: {
        beforeChange: ({ from, origin }) => {
          if (from === 'peer' || origin !== 'asked') return undefined
          asked++
          return gate.promise
        },
      },
    })
    const room = server.room('a')
    await room.edit(addOne)
    const peer = await WireClient.join(`${url}/a`)
    await peer.synced()
    const sum = room.edit(addOne, { origin: 'asked' })
    await until('the question', () => asked === 1)
    peer.edit((doc) => doc.getArray('list').push(['other']))
    await until('the other change', async () => (await room.read((doc) => doc.getArray('list').length)) === 1)
    gate.open()
    expect(await sum).toBe(2)
    expect(asked).toBe(1)
    await peer.until(() => countOf(peer.doc) === 2, 'the sum')
    // Both went on from what they knew.
    expect(await room.edit(addOne)).toBe(3)
    expect(await room.read((doc) => [countOf(doc), doc.getArray('list').toArray()])).toEqual([3, ['other']])
  })

  test('If-Match and test hold against a peer who was faster', async () => {
    const gate = createGate()
    let asked = 0
    const { url } = await startServer({
      hooks: {
        beforeChange: ({ from, caller }) => {
          if (from === 'peer' || caller?.header('x-test') !== 'yes') return undefined
          asked++
          return gate.promise
        },
      },
    })
    const ask = requestTo(url)
    const { tag } = await ask('a/document', { method: 'PATCH', type: MERGE, body: { m: { stock: 3 } } })
    const peer = await WireClient.join(`${url}/a`)
    await peer.synced()
    const matched = ask('a/document', {
      method: 'PATCH',
      type: MERGE,
      headers: { 'if-match': tag, 'x-test': 'yes' },
      body: { m: { stock: 2 } },
    })
    await until('the question', () => asked === 1)
    const tested = ask('a/document', {
      method: 'PATCH',
      type: JSON_PATCH,
      headers: { 'x-test': 'yes' },
      body: [
        { op: 'test', path: '/m/stock', value: 3 },
        { op: 'replace', path: '/m/stock', value: 2 },
      ],
    })
    peer.edit((doc) => doc.getMap('m').set('stock', 1))
    await peer.roundTrip()
    gate.open()
    expect([(await matched).status, (await tested).status]).toEqual([412, 409])
    expect(asked).toBe(1)
    expect((await ask('a/document')).json).toEqual({ m: { stock: 1 } })
  })

  test('peers who change the same thing each time make it fail for now, after so many questions', async () => {
    let asked = 0
    const { url, server } = await startServer({
      hooks: {
        beforeChange: async ({ from }) => {
          if (from === 'peer') return
          asked++
          peer.edit((doc) => doc.getMap('m').set('count', asked * 100))
          await until('the change of the peer', async () => (await server.room('a').read(countOf)) === asked * 100)
        },
      },
    })
    const peer = await WireClient.join(`${url}/a`)
    await peer.synced()
    const error: unknown = await server
      .room('a')
      .edit(addOne)
      .catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(TuttiError)
    expect(error).toMatchObject({ code: 'TRY_LATER', hint: expect.stringContaining('Try again') })
    expect(asked).toBe(MAX_QUESTIONS)
    expect(await server.room('a').read(countOf)).toBe(MAX_QUESTIONS * 100)
  })

  test('more than a thousand that wait are refused for now', async () => {
    const gate = createGate()
    const { server } = await startServer({ hooks: { beforeChange: () => gate.promise } })
    const room = server.room('a')
    await room.members()
    const made = Array.from({ length: MAX_WAITING }, () => room.edit(addOne))
    await turns(3)
    await expect(room.edit(addOne)).rejects.toMatchObject({ code: 'TRY_LATER' })
    gate.open()
    expect((await Promise.all(made)).at(-1)).toBe(MAX_WAITING)
    expect(await room.edit(addOne)).toBe(MAX_WAITING + 1)
  })

  test('a server that stops takes that one in, and refuses those that wait', async () => {
    const gate = createGate()
    const storage = createMemoryStorage()
    let asked = 0
    const { server } = await startServer({
      storage: { ...storage, close: async () => undefined },
      hooks: {
        beforeChange: () => {
          asked++
          return gate.promise
        },
      },
    })
    const first = server.room('a').edit(addOne)
    const waiting = [server.room('a').edit(addOne), server.room('a').edit(addOne)].map((promise) =>
      promise.catch((error: unknown) => error),
    )
    await until('the question', () => asked === 1)
    const closed = server.close()
    await turns(20)
    gate.open()
    expect(await first).toBe(1)
    for (const error of await Promise.all(waiting)) expect(error).toMatchObject({ code: 'GOING_AWAY' })
    await closed
    expect(asked).toBe(1)
    expect(await storage.load('a')).toMatchObject({ segments: [expect.anything()] })
  })

  test('a room that is deleted meanwhile takes nothing in, and its next ones are not asked about', async () => {
    const gate = createGate()
    let asked = 0
    const { url, server } = await startServer({
      hooks: {
        beforeChange: ({ origin }) => {
          if (origin === 'first') return undefined
          asked++
          return gate.promise
        },
      },
    })
    await server.room('a').edit(addOne, { origin: 'first' })
    const made = [1, 2].map(() =>
      server
        .room('a')
        .edit(addOne)
        .catch((error: unknown) => error),
    )
    await until('the question', () => asked === 1)
    expect((await requestTo(url)('a', { method: 'DELETE' })).status).toBe(204)
    gate.open()
    for (const error of await Promise.all(made)) expect(error).toMatchObject({ code: 'ROOM_GONE' })
    expect(asked).toBe(1)
    expect(await server.room('a').edit(addOne)).toBe(1)
  })
})
