import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as encoding from 'lib0/encoding'
import { describe, expect, it, onTestFinished } from 'vitest'
import * as Y from 'yjs'
import { encodeClientHello } from '../../lib/protocol.ts'
import type { RoomChange, Storage } from '../../server/contracts.ts'
import { createServer } from '../../server/index.ts'
import { createMemoryStorage } from '../../server/storage/memory.ts'
import { encodeAwarenessFrame, WireClient } from '../e2e/wireClient.ts'
import { createGate, type Gate } from './gate.ts'
import { BYTES, JSON_PATCH, MERGE, requestTo } from './roomRequest.ts'
import { startServer } from './testServer.ts'

const start = async (options?: Parameters<typeof startServer>[0]) => {
  const started = await startServer(options)
  return { ...started, request: requestTo(started.url) }
}

/** A storage whose commits wait as long as a gate is closed. */
const createGatedStorage = (): Storage & { gate: Gate | undefined } => {
  const storage = createMemoryStorage()
  const gated: Storage & { gate: Gate | undefined } = {
    ...storage,
    gate: undefined,
    commit: async (changes: readonly RoomChange[]) => {
      await gated.gate?.promise
      await storage.commit(changes)
    },
  }
  return gated
}

const documentIdOf = (client: WireClient): string => {
  for (const frame of client.frames) {
    if (frame.type === 'tutti' && frame.message?.type === 'hello') return frame.message.hello.documentId
  }
  throw new Error('the server did not greet')
}

describe('a root', () => {
  it('keeps its type when a back end empties it, so that clients who declared it see what is written', async () => {
    const { url, request } = await start()
    const client = await WireClient.join(`${url}/a`)
    await client.synced()
    client.edit((doc) => doc.getArray('list').push([1, 2]))
    await client.until(() => client.frames.some(({ type }) => type === 'update'), 'its own update')
    const patch = (body: unknown, type = JSON_PATCH) => request('a/document', { method: 'PATCH', type, body })
    expect((await patch([{ op: 'remove', path: '/list' }])).json).toEqual({ changed: true })
    const refused = [
      await patch([{ op: 'add', path: '/list', value: { a: 1 } }]),
      await patch({ list: { a: 1 } }, MERGE),
      await patch({ list: 5 }, MERGE),
      await request('a/document/list/1', { method: 'PUT', type: 'application/json', body: { a: 1 } }),
      await request('a/document/list', { method: 'PUT', type: 'application/json', body: { 1: { a: 1 } } }),
    ]
    for (const { status, json } of refused) {
      expect([status, json]).toMatchObject([
        422,
        { code: 'INVALID_PATCH', hint: expect.stringMatching(/another name/) },
      ])
    }
    await client.until(() => client.doc.getArray('list').length === 0, 'the removal')
    client.edit((doc) => doc.getArray('list').push([7]))
    await client.until(() => client.frames.filter(({ type }) => type === 'update').length >= 3, 'its own update')
    expect((await request('a/document')).json).toEqual({ list: [7] })
  })
})

describe('a JSON patch over HTTP', () => {
  it('changes the document for everyone who has it open', async () => {
    const { url, request } = await start()
    const client = await WireClient.join(`${url}/a`)
    await client.synced()
    client.edit((doc) => doc.getArray('todos').push([new Y.Map([['text', 'Milk']])]))
    await client.until(() => client.frames.some(({ type }) => type === 'update'), 'its own update')
    const body = [
      { op: 'test', path: '/todos/0/text', value: 'Milk' },
      { op: 'add', path: '/todos/-', value: { text: 'Bread' } },
      { op: 'move', from: '/todos/1', path: '/todos/0' },
      { op: 'add', path: '/title', value: 'Shopping' },
    ]
    const answer = await request('a/document', { method: 'PATCH', type: JSON_PATCH, body })
    expect([answer.status, answer.json]).toEqual([200, { changed: true }])
    await client.until(() => client.doc.getMap('').get('title') === 'Shopping', 'the change')
    expect(client.doc.getArray('todos').toJSON()).toEqual([{ text: 'Bread' }, { text: 'Milk' }])
    expect((await request('a/document')).json).toEqual({
      todos: [{ text: 'Bread' }, { text: 'Milk' }],
      title: 'Shopping',
    })
  })

  it('changes nothing if one of its operations fails, also what came before it', async () => {
    const { url, request } = await start()
    const client = await WireClient.join(`${url}/a`)
    await client.synced()
    await request('a/document', { method: 'PATCH', type: MERGE, body: { list: [1, 2], title: 'T' } })
    await client.until(() => client.doc.getArray('list').length === 2, 'the list')
    const before = await request('a/document')
    const body = [
      { op: 'remove', path: '/list/0' },
      { op: 'replace', path: '/title', value: 'New' },
      { op: 'test', path: '/list/0', value: 1 },
    ]
    const answer = await request('a/document', { method: 'PATCH', type: JSON_PATCH, body })
    expect([answer.status, answer.json]).toEqual([
      409,
      {
        code: 'CONFLICT',
        message: 'Operation 2 (test): /list/0 is not what the test expects.',
        hint: 'Read the document, and decide anew.',
      },
    ])
    const after = await request('a/document')
    expect([after.json, after.tag]).toEqual([before.json, before.tag])
    // And later changes build on what is known to everyone.
    await request('a/document', { method: 'PATCH', type: JSON_PATCH, body: [{ op: 'add', path: '/list/-', value: 3 }] })
    await client.until(() => client.doc.getArray('list').length === 3, 'the next change')
    expect(client.doc.getArray('list').toJSON()).toEqual([1, 2, 3])
    expect(client.doc.getMap('').get('title')).toBe('T')
  })

  it.each([
    ['not JSON', 'not JSON', 400, 'INVALID_JSON'],
    ['an object', {}, 422, 'INVALID_PATCH'],
    ['an unknown operation', [{ op: 'merge', path: '' }], 422, 'INVALID_PATCH'],
    ['a place that is not there', [{ op: 'remove', path: '/x' }], 409, 'CONFLICT'],
    ['a test that fails', [{ op: 'test', path: '/x', value: 1 }], 409, 'CONFLICT'],
    ['too many operations', Array(10_001).fill({ op: 'test', path: '', value: {} }), 413, 'TOO_LARGE'],
  ])('is refused if it is %s', async (_what, body, status, code) => {
    const { request } = await start()
    const answer = await request('a/document', { method: 'PATCH', type: JSON_PATCH, body })
    expect([answer.status, answer.json]).toMatchObject([status, { code }])
    expect((await request('a/document')).json).toEqual({})
  })
})

describe('a document', () => {
  it('is read without a query', async () => {
    const { request } = await start()
    for (const accept of ['application/json', BYTES]) {
      const answer = await request('a/document?x=1', { headers: { accept } })
      expect([answer.status, answer.json]).toMatchObject([400, { code: 'INVALID_REQUEST' }])
    }
  })
})

describe('the tag of a document', () => {
  it('is another one after every change, by whomever, and only then', async () => {
    const { server, url, request } = await start()
    const tags: string[] = []
    const note = async (): Promise<void> => {
      const { tag } = await request('a/document')
      expect(tag).toMatch(/^"[\w-]+"$/)
      expect((await request('a/document')).tag).toBe(tag)
      tags.push(tag)
    }
    await note()
    const answer = await request('a/document', { method: 'PATCH', type: MERGE, body: { n: 1, list: [1, 2, 3] } })
    await note()
    expect(answer.tag).toBe(tags.at(-1))
    const again = await request('a/document', { method: 'PATCH', type: MERGE, body: { n: 1 } })
    expect([again.json, again.tag]).toEqual([{ changed: false }, tags.at(-1)])
    await server.room('a').edit((doc) => doc.getArray('list').delete(0, 1))
    await note()
    const client = await WireClient.join(`${url}/a`)
    await client.synced()
    const edit = async (change: (doc: Y.Doc) => void): Promise<void> => {
      const before = client.frames.length
      client.edit(change)
      await client.until(() => client.frames.slice(before).some(({ type }) => type === 'update'), 'its update')
      await note()
    }
    await edit((doc) => doc.getMap('').set('n', 2))
    await edit((doc) => doc.getArray('list').delete(0, 1))
    await request('a', { method: 'DELETE' })
    await note()
    expect(tags.at(-1)).toBe(tags[0])
    expect(new Set(tags).size).toBe(tags.length - 1)
  })

  it('tells the two representations apart', async () => {
    const { request } = await start()
    await request('a/document', { method: 'PATCH', type: MERGE, body: { n: 1 } })
    const json = await request('a/document')
    const update = await request('a/document', { headers: { accept: BYTES } })
    expect(update.tag).not.toBe(json.tag)
    const crossed = await request('a/document', { headers: { accept: BYTES, 'if-none-match': json.tag } })
    expect(crossed.status).toBe(200)
    const ownTag = await request('a/document', { headers: { accept: BYTES, 'if-none-match': update.tag } })
    expect([ownTag.status, ownTag.text]).toEqual([304, ''])
    // For a change it does not matter which of the two was read.
    const headers = { 'if-match': update.tag }
    expect((await request('a/document', { method: 'PATCH', type: MERGE, headers, body: { n: 2 } })).status).toBe(200)
  })

  it('saves the answer to who has it: 304', async () => {
    const { request } = await start()
    const { tag } = await request('a/document', { method: 'PATCH', type: MERGE, body: { n: 1 } })
    for (const value of [tag, `W/${tag}`, `"other", ${tag}`, '*']) {
      const answer = await request('a/document', { headers: { 'if-none-match': value } })
      expect([value, answer.status, answer.text, answer.tag]).toEqual([value, 304, '', tag])
    }
    expect((await request('a/document', { method: 'HEAD', headers: { 'if-none-match': tag } })).status).toBe(304)
    expect((await request('a/document', { headers: { 'if-none-match': '"other"' } })).json).toEqual({ n: 1 })
    expect((await request('a/document', { headers: { 'if-match': '"other"' } })).status).toBe(412)
    expect((await request('unused/document', { headers: { 'if-none-match': '*' } })).json).toEqual({})
  })

  it('survives a restart, and names nothing that a crash could take back', async () => {
    const data = await mkdtemp(join(tmpdir(), 'tutti-tags-'))
    onTestFinished(() => rm(data, { recursive: true }))
    const options = { port: 0, data, logLevel: 'silent' } as const
    const first = await createServer(options)
    const { tag } = await requestTo(first.url)('a/document', { method: 'PATCH', type: MERGE, body: { n: 1 } })
    await first.close()
    const second = await createServer(options)
    onTestFinished(() => second.close())
    expect((await requestTo(second.url)('a/document')).tag).toBe(tag)

    const storage = createGatedStorage()
    const { server, request } = await start({ storage })
    await server.room('a').edit((doc) => doc.getMap('m').set('k', 1))
    storage.gate = createGate()
    const order: string[] = []
    const edit = server.room('a').edit((doc) => doc.getMap('m').set('k', 2))
    const done = edit.then(() => order.push('stored'))
    const read = request('a/document').then(({ json }) => order.push(`read ${JSON.stringify(json)}`))
    // Nothing tells that a request is still waited for but that a later one is answered.
    await request('other/document')
    expect(order).toEqual([])
    storage.gate.open()
    await Promise.all([done, read])
    expect(order).toEqual(['stored', 'read {"m":{"k":2}}'])
  })

  it('is another one for a room that was deleted and came back with the copy of a client', async () => {
    const { url, request } = await start()
    const stale = await WireClient.joinOptedIn(`${url}/a`)
    await stale.until(() => stale.acknowledged === 1, 'its empty step 2')
    stale.edit((doc) => doc.getMap('m').set('k', 1))
    await stale.until(() => stale.acknowledged === 2, 'its update')
    const documentId = documentIdOf(stale)
    const body = (value: string) => [{ op: 'add', path: '/m/l', value }]
    await request('a/document', { method: 'PATCH', type: JSON_PATCH, body: body('old') })
    const { tag: old } = await request('a/document')
    await request('a', { method: 'DELETE' })
    // Its copy is as old as if it had been away: one change, under the document id of before.
    const back = await WireClient.open(`${url}/a?tutti=1`)
    back.change((doc) => Y.applyUpdate(doc, Y.encodeStateAsUpdate(stale.doc)))
    back.send(encodeClientHello({ resume: 'a-secret-of-this-client', clientId: back.doc.clientID, documentId }))
    await back.until(() => back.acknowledged >= 1, 'its copy')
    await request('a/document', { method: 'PATCH', type: JSON_PATCH, body: body('new') })
    expect((await request('a/document')).tag).not.toBe(old)
  })
})

describe('If-Match', () => {
  it('lets one of two through who read the same and change it', async () => {
    const { request } = await start()
    const { tag } = await request('a/document', { method: 'PATCH', type: MERGE, body: { stock: 5 } })
    const take = (stock: number) =>
      request('a/document', { method: 'PATCH', type: MERGE, headers: { 'if-match': tag }, body: { stock } })
    const answers = await Promise.all([4, 3, 2, 1, 0].map(take))
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 412, 412, 412, 412])
    const refused = answers.find(({ status }) => status === 412)!
    expect(refused.json).toEqual({
      code: 'PRECONDITION_FAILED',
      message: 'If-Match names another revision than the document has now.',
      hint: 'Read the document again, decide anew, and send the ETag that came with it.',
    })
    const won = answers.findIndex(({ status }) => status === 200)
    const after = await request('a/document')
    expect([after.json, after.tag]).toEqual([{ stock: 4 - won }, answers[won]!.tag])
  })

  it('holds for whatever changes a document', async () => {
    const { request } = await start()
    await request('a/document', { method: 'PATCH', type: MERGE, body: { notes: { n1: { x: 1 } } } })
    const update = Y.encodeStateAsUpdate(new Y.Doc())
    const json = 'application/json'
    const all: [string, Parameters<typeof request>[1]][] = [
      ['a/document', { method: 'PATCH', type: MERGE, body: { notes: null } }],
      ['a/document', { method: 'PATCH', type: JSON_PATCH, body: [{ op: 'remove', path: '/notes' }] }],
      ['a/updates', { method: 'POST', type: BYTES, body: update }],
      ['a/document/notes/n1', { method: 'PUT', type: json, body: { x: 2 } }],
      ['a/document/notes', { method: 'PUT', type: json, body: { n1: null } }],
      ['a/document/notes/n1', { method: 'DELETE' }],
    ]
    for (const [path, asked] of all) {
      const answer = await request(path, { ...asked, headers: { 'if-match': '"other"' } })
      expect([path, answer.status, answer.json]).toMatchObject([path, 412, { code: 'PRECONDITION_FAILED' }])
      const none = await request(path, { ...asked, headers: { 'if-none-match': '*' } })
      expect([path, none.status]).toEqual([path, 412])
    }
    expect((await request('a/document')).json).toEqual({ notes: { n1: { x: 1 } } })
    for (const [path, asked] of all) {
      const { tag } = await request('a/document')
      const answer = await request(path, { ...asked, headers: { 'if-match': `"other", ${tag}` } })
      expect([path, answer.status]).toEqual([path, asked?.type === JSON_PATCH ? 409 : 200])
    }
  })

  it('takes "*" for any content, of which an unused room has none', async () => {
    const { request } = await start()
    const put = (headers: Record<string, string>) =>
      request('a/document', { method: 'PATCH', type: MERGE, headers, body: { n: 1 } })
    expect((await put({ 'if-match': '*' })).status).toBe(412)
    expect((await put({ 'if-none-match': '*' })).status).toBe(200)
    expect((await put({ 'if-none-match': '*' })).status).toBe(412)
    expect((await put({ 'if-match': '*' })).status).toBe(200)
    const { tag } = await request('a/document')
    expect((await put({ 'if-match': `W/${tag}` })).status).toBe(412)
    expect((await put({ 'if-none-match': `W/${tag}` })).status).toBe(412)
  })

  it.each(['abc', '"a" "b"', '"a", b', 'w/"a"', '"'])('is refused as %j', async (value) => {
    const { request } = await start()
    const answer = await request('a/document', {
      method: 'PATCH',
      type: MERGE,
      headers: { 'if-match': value },
      body: { n: 1 },
    })
    expect([answer.status, answer.json]).toMatchObject([400, { code: 'INVALID_REQUEST' }])
    expect((answer.json as { message: string }).message).toMatch(/^If-Match is .*; expected entity tags or "\*"\.$/)
  })

  it('is asked again once a hook has allowed the change', async () => {
    const gate = createGate()
    const asked = createGate()
    let isFirst = true
    const { url, server, request } = await start({
      hooks: {
        beforeChange: async ({ caller }) => {
          if (!caller || !isFirst) return
          isFirst = false
          asked.open()
          await gate.promise
        },
      },
    })
    await server.room('a').edit((doc) => doc.getMap('').set('n', 1))
    const { tag } = await request('a/document')
    const headers = { 'if-match': tag }
    const slow = request('a/document', { method: 'PATCH', type: MERGE, headers, body: { n: 2 } })
    await asked.promise
    const peer = await WireClient.join(`${url}/a`)
    await peer.synced()
    peer.edit((doc) => doc.getMap('').set('n', 3))
    await peer.roundTrip()
    gate.open()
    expect((await slow).status).toBe(412)
    expect((await request('a/document')).json).toEqual({ n: 3 })
  })
})

describe('updates over HTTP', () => {
  const madeBy = (fn: (doc: Y.Doc) => void): Y.Doc => {
    const doc = new Y.Doc()
    fn(doc)
    return doc
  }

  it('are taken in as from a client, and are durable when that is answered', async () => {
    const storage = createGatedStorage()
    const { url, request } = await start({ storage })
    const client = await WireClient.join(`${url}/a`)
    await client.synced()
    const doc = madeBy((doc) => doc.getMap('m').set('k', 1))
    const post = (update: Uint8Array) => request('a/updates', { method: 'POST', type: BYTES, body: update })
    storage.gate = createGate()
    let isAnswered = false
    const first = post(Y.encodeStateAsUpdate(doc)).finally(() => {
      isAnswered = true
    })
    await client.until(() => client.doc.getMap('m').get('k') === 1, 'the change')
    expect(isAnswered).toBe(false)
    storage.gate.open()
    const { status, json, tag } = await first
    expect([status, json]).toEqual([200, { changed: true }])
    expect((await request('a/document')).tag).toBe(tag)
    expect((await post(Y.encodeStateAsUpdate(doc))).json).toEqual({ changed: false })
    expect((await post(Uint8Array.of(0, 0))).json).toEqual({ changed: false })
  })

  it('that build on what is missing are refused, and taken once it came', async () => {
    const { request } = await start()
    const doc = madeBy((doc) => doc.getMap('m').set('a', 1))
    const first = Y.encodeStateAsUpdate(doc)
    const before = Y.encodeStateVector(doc)
    doc.getMap('m').set('b', 2)
    const second = Y.encodeStateAsUpdate(doc, before)
    const post = (update: Uint8Array) => request('a/updates', { method: 'POST', type: BYTES, body: update })
    const refused = await post(second)
    expect([refused.status, refused.json]).toEqual([
      409,
      {
        code: 'CONFLICT',
        message: 'The update builds on changes that the document here does not have.',
        hint: 'Send those too: best all that is missing, as Y.encodeStateAsUpdate(doc) gives it.',
      },
    ])
    expect((await request('a/document')).json).toEqual({})
    await post(first)
    expect((await post(second)).json).toEqual({ changed: true })
    expect((await request('a/document')).json).toEqual({ m: { a: 1, b: 2 } })
  })

  it('that no reader could take are refused', async () => {
    const { request } = await start()
    const post = (body: Uint8Array) => request('a/updates', { method: 'POST', type: BYTES, body })
    // Nothing; the middle of an update; an item whose origin is itself (Yjs throws in every reader).
    const good = Y.encodeStateAsUpdate(madeBy((doc) => doc.getText('t').insert(0, 'hello')))
    const poison = Uint8Array.of(1, 1, 5, 0, 0x84, 5, 0, 1, 97, 0)
    for (const update of [new Uint8Array(), good.subarray(0, 9), poison, Uint8Array.of(...good, 0)]) {
      const answer = await post(update)
      expect([answer.status, answer.json]).toMatchObject([422, { code: 'PROTOCOL' }])
    }
    expect((await request('a/document')).json).toEqual({})
  })

  it('are refused with another content type, and by a hook', async () => {
    const { request } = await start({ hooks: { beforeChange: ({ origin }) => origin !== 'Bad' } })
    const body = Y.encodeStateAsUpdate(madeBy((doc) => doc.getMap('m').set('k', 1)))
    expect((await request('a/updates', { method: 'POST', type: 'application/json', body })).status).toBe(415)
    const headers = { 'x-tutti-origin': 'Bad' }
    expect((await request('a/updates', { method: 'POST', type: BYTES, headers, body })).status).toBe(403)
    expect((await request('a/document')).json).toEqual({})
    expect((await request('a/updates', { method: 'POST', type: BYTES, body })).json).toEqual({ changed: true })
    expect((await request('a/updates', { method: 'PUT', type: BYTES, body })).headers.get('allow')).toBe('POST')
  })

  it('cannot mute a client: its owner is heard first', async () => {
    const { url, request } = await start()
    const client = await WireClient.joinOptedIn(`${url}/a`)
    await client.until(() => client.acknowledged === 1, 'its empty step 2')
    client.send(encodeAwarenessFrame({ client: client.doc.clientID, clock: 1, state: '{}' }))
    await client.roundTrip()
    // It types while nobody hears; someone else tells of its clocks as deleted: one struct, a GC of four.
    const own = client.change((doc) => doc.getText('t').insert(0, 'mine'))
    const blank = encoding.createEncoder()
    for (const number of [1, 1, client.doc.clientID, 0, 0, 4, 0]) encoding.writeVarUint(blank, number)
    const posted = request('a/updates', { method: 'POST', type: BYTES, body: encoding.toUint8Array(blank) })
    expect(own.byteLength).toBeGreaterThan(0)
    expect((await posted).status).toBe(200)
    expect((await request('a/document')).json).toEqual({ t: 'mine' })
  })
})

describe('the path of a document', () => {
  it.each([
    ['GET', 'a/document/document', 'document of room a/document'],
    ['PATCH', 'a%2Fdocument/x/document', 'document of room a/document/x'],
    ['PUT', 'a/document/events/updates', 'row of room a'],
    ['PUT', 'a/document/document/document', 'row of room a'],
    ['PUT', 'document/document/notes/n1', 'row of room document'],
    ['POST', 'a%2Fdocument%2Fx/updates', 'updates of room a/document/x'],
    ['PUT', 'a/document/presence', 'rows of room a'],
    ['PUT', 'a%2Fdocument/document/notes/n1', 'row of room a/document'],
  ])('%s %s means the %s', async (method, path, meant) => {
    const { request } = await start()
    const answer = await request(path, { method, type: 'text/plain', body: method === 'GET' ? undefined : 'x' })
    // Each of them refuses text in words of its own, or shows an empty document.
    const taken = {
      'application/json.': 'row',
      'application/json, application/x-ndjson or application/jsonl.': 'rows',
      'application/merge-patch+json or application/json-patch+json.': 'document',
      'application/octet-stream.': 'updates',
    }
    const { message = '' } = (answer.json ?? {}) as { message?: string }
    const found = Object.entries(taken).find(([types]) => message.endsWith(`expected ${types}`))?.[1] ?? 'document'
    expect(found).toBe(meant.split(' ')[0])
  })

  it('never means the room itself where it could mean a row', async () => {
    const { server, request } = await start()
    await server.room('a/document/notes').edit((doc) => doc.getMap('').set('n', 1))
    const answer = await request('a/document/notes', { method: 'DELETE' })
    expect([answer.status, answer.headers.get('allow')]).toEqual([405, 'PUT'])
    expect((await request('a%2Fdocument%2Fnotes', { method: 'DELETE' })).status).toBe(204)
  })

  it.each([
    ['DELETE', 'shop/document/z/a/b', 'shop/document/z/a/b'],
    ['PUT', 'shop/document/z/a/b', 'shop/document/z/a/b'],
    ['PATCH', 'shop/document/x/document', 'shop/document/x'],
    ['POST', 'shop/document/x/updates', 'shop/document/x'],
    ['POST', 'shop/events/x/events', 'shop/events/x'],
    ['DELETE', 'shop/updates/1', 'shop/updates/1'],
    ['DELETE', 'shop/presence/1', 'shop/presence/1'],
  ])('%s %s is not taken for a change of the room %s', async (method, path, room) => {
    const { server, request } = await start()
    await server.room(room).edit((doc) => doc.getMap('').set('n', 1))
    const answer = await request(path, { method, type: 'application/json', body: '{}' })
    expect([answer.status, answer.json]).toMatchObject([404, { code: 'NOT_FOUND' }])
    const { message, hint } = answer.json as { message: string; hint: string }
    expect(message).toContain(JSON.stringify(room))
    expect(hint).toContain(`/rooms/${encodeURIComponent(room)}`)
    expect((await request(`${encodeURIComponent(room)}/document`)).json).toEqual({ n: 1 })
  })

  it('that names no resource says what it was read as, and what there is', async () => {
    const { request } = await start()
    const answer = await request('board/42/event', { method: 'POST', type: 'application/json', body: '{}' })
    expect(answer.status).toBe(405)
    expect(answer.json).toMatchObject({
      code: 'METHOD_NOT_ALLOWED',
      message: expect.stringContaining('the room "board/42/event" itself, as which the path was read'),
      hint: expect.stringContaining('document, updates, events, presence'),
    })
  })
})
