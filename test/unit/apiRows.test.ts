import { expect, it } from 'vitest'
import * as Y from 'yjs'
import { WireClient } from '../e2e/wireClient.ts'
import { requestTo } from './roomRequest.ts'
import { startServer } from './testServer.ts'

const JSON_TYPE = 'application/json'

const start = async () => {
  const started = await startServer()
  return { ...started, request: requestTo(started.url) }
}

it('a row is written by its differences, and once', async () => {
  const { url, request } = await start()
  const put = (body: unknown) => request('a/document/notes/n1?text=text', { method: 'PUT', type: JSON_TYPE, body })
  expect((await put({ text: 'hi', x: 1 })).json).toEqual({ changed: true })
  const client = await WireClient.join(`${url}/a`)
  await client.synced()
  // The stored document came as an update, too.
  const before = client.frames.length
  const note = client.doc.getMap('notes').get('n1') as Y.Map<unknown>
  expect(note.get('text')).toBeInstanceOf(Y.Text)
  expect((await put({ text: 'hi', x: 1 })).json).toEqual({ changed: false })
  await put({ text: 'hi', x: 2 })
  await client.until(() => note.get('x') === 2, 'the field')
  const updates = client.frames.slice(before).filter(({ type }) => type === 'update')
  expect(updates).toHaveLength(1)
  expect((await request('a/document/notes/n1', { method: 'DELETE' })).json).toEqual({ changed: true })
  expect((await request('a/document/notes/n1', { method: 'DELETE' })).json).toEqual({ changed: false })
})

it.each([
  ['a/document/notes/n1', [1], 422],
  ['a/document/list/n1', { a: 1 }, 422],
  ['a/document//n1', { a: 1 }, 422],
  ['a/document/notes/', { a: 1 }, 422],
  ['a/document/notes', [{ title: 'no id' }], 422],
  ['a/document/notes', { n1: 5 }, 422],
  ['a/document/notes', '{', 400],
])('PUT %s of %j is refused', async (path, body, status) => {
  const { server, request } = await start()
  await server.room('a').edit((doc) => doc.getArray('list').push([1]))
  expect((await request(path, { method: 'PUT', type: JSON_TYPE, body })).status).toBe(status)
  expect((await request('a/document')).json).toEqual({ list: [1] })
})

it('an id that a number is too short for is refused by the words for that', async () => {
  const { request } = await start()
  const put = (type: string, body: string) => request('a/document/rows', { method: 'PUT', type, body })
  for (const answer of [
    await put('application/x-ndjson', '{"id":12345678901234567890}'),
    await put(JSON_TYPE, '[{"id":12345678901234567890}]'),
  ]) {
    expect([answer.status, answer.json]).toMatchObject([
      422,
      { message: expect.stringContaining('too large to be exact'), hint: 'Send it as a string.' },
    ])
  }
  expect((await put('application/x-ndjson', '{"id":1.5}')).json).toMatchObject({
    message: expect.stringContaining('is a number; expected a string or a whole number'),
  })
  expect((await put('application/x-ndjson', '{"id":"12345678901234567890"}')).status).toBe(200)
})

it('10,000 rows load while events of another room go on; the same again write nothing', async () => {
  const { server, url, request } = await start()
  const rows = Array.from({ length: 10_000 }, (_, i) => ({ id: i, title: `Row ${i}`, done: false, n: i }))
  const lines = rows.map((row) => JSON.stringify(row)).join('\n')
  const client = await WireClient.join(`${url}/a`)
  await client.synced()
  let isAnswered = false
  const loading = request('a/document/rows', { method: 'PUT', type: 'application/x-ndjson', body: lines })
  const answer = loading.finally(() => {
    isAnswered = true
  })
  const count = () => client.doc.getMap('rows').size
  await client.until(() => count() > 0, 'the first rows')
  const heard = new Promise((resolve) => server.room('b').on('event', resolve))
  await request('b/events', { method: 'POST', type: JSON_TYPE, body: { event: 'x' } })
  await heard
  expect([isAnswered, count() < 10_000]).toEqual([false, true])
  expect((await answer).json).toEqual({ changed: true, rows: 10_000, written: 10_000 })
  await client.until(() => count() === 10_000, 'all rows')
  const again = await request('a/document/rows', { method: 'PUT', type: JSON_TYPE, body: rows })
  expect([again.json, again.tag]).toEqual([{ changed: false, rows: 10_000, written: 0 }, (await answer).tag])
})

it('a list of as many elements is written by the stretches that differ, and objects in it stay', async () => {
  const { server, request } = await start()
  const put = (list: unknown) => request('a/document/rows/1', { method: 'PUT', type: JSON_TYPE, body: { list } })
  /** What a change did to the list, as its observers see it. */
  const deltaOf = async (list: unknown): Promise<unknown[]> => {
    const before = await server.room('a').read((doc) => Y.encodeStateAsUpdate(doc))
    const doc = new Y.Doc()
    Y.applyUpdate(doc, before as Uint8Array)
    const deltas: unknown[] = []
    const observed = (doc.getMap('rows').get('1') as Y.Map<Y.Array<unknown>>).get('list') as Y.Array<unknown>
    observed.observe(({ delta }) => deltas.push(...delta))
    expect((await put(list)).json).toEqual({ changed: true })
    Y.applyUpdate(doc, (await server.room('a').read((now) => Y.encodeStateAsUpdate(now))) as Uint8Array)
    expect(observed.toJSON()).toEqual(list)
    return deltas
  }
  await put([1, { a: 1 }, 2, 3, 4, 5])
  expect(await deltaOf([1, { a: 2 }, 2, 8, 9, 5])).toEqual([{ retain: 3 }, { insert: [8, 9] }, { delete: 2 }])
  const numbers = (factor: number) => Array.from({ length: 20_000 }, (_, i) => i * factor)
  await put(numbers(1))
  expect(await deltaOf(numbers(2))).toHaveLength(3)
  // Every other one: many stretches become one.
  expect(await deltaOf(numbers(2).map((n, i) => (i % 2 === 0 ? n : -n)))).toHaveLength(3)
})
