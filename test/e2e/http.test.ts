/** The HTTP doors over real sockets, beside an unmodified y-websocket client in the same room. */
import { mkdtemp, rm } from 'node:fs/promises'
import { request as httpRequest } from 'node:http'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer, type Server } from 'tutti/server'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { WebsocketProvider } from 'y-websocket'
import * as Y from 'yjs'
import { until } from './until.ts'

const MAX_BODY = 64 * 1024

let folder: string
let server: Server
const cleanups: (() => void)[] = []

const start = (data: string): Promise<Server> =>
  createServer({ port: 0, data, logLevel: 'silent', maxBodyBytes: MAX_BODY })

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tutti-http-'))
})

afterAll(() => rm(folder, { recursive: true }))

beforeEach(async () => {
  server = await start('memory')
})

afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) cleanup()
  await server.close()
})

const get = (path: string, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(`${server.url}${path}`, { headers })

const patch = (path: string, body: unknown): Promise<Response> =>
  fetch(`${server.url}${path}`, {
    method: 'PATCH',
    headers: { 'content-type': 'application/merge-patch+json' },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  })

/** Sends the path as it is; `fetch` would tidy it up. */
const rawGet = (path: string): Promise<{ status: number; body: string }> =>
  new Promise((resolve, reject) => {
    const { hostname, port } = new URL(server.url)
    httpRequest({ hostname, port, path }, (response) => {
      let body = ''
      response.setEncoding('utf8').on('data', (text: string) => {
        body += text
      })
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body }))
    })
      .on('error', reject)
      .end()
  })

const openClient = async (room: string): Promise<Y.Doc> => {
  const doc = new Y.Doc()
  const provider = new WebsocketProvider(server.url.replace(/^http/, 'ws'), room, doc, {
    // ws implements the part of the DOM's WebSocket that providers use.
    WebSocketPolyfill: WebSocket as unknown as typeof globalThis.WebSocket,
    disableBc: true,
  })
  cleanups.push(() => {
    provider.destroy()
    doc.destroy()
  })
  await until('the client to sync', () => provider.synced)
  return doc
}

describe('the document of a room over HTTP', () => {
  it('is {} in an unused room', async () => {
    const response = await get('/rooms/new/document')
    expect(response.status).toBe(200)
    expect(response.headers.get('content-type')).toBe('application/json')
    expect(await response.json()).toEqual({})
    const update = await get('/rooms/new/document', { accept: 'application/octet-stream' })
    expect(new Uint8Array(await update.arrayBuffer())).toEqual(Uint8Array.of(0, 0))
  })

  it('shows what a client wrote, and a client sees what a patch wrote', async () => {
    const doc = await openClient('board/42')
    doc.getMap('notes').set('n1', new Y.Map([['text', 'from the client']]))
    await until('the note to arrive', async () => (await (await get('/rooms/board/42/document')).text()) !== '{}\n')
    expect(await (await get('/rooms/board%2F42/document')).json()).toEqual({
      notes: { n1: { text: 'from the client' } },
    })

    const response = await patch('/rooms/board/42/document', { notes: { n1: { x: 7 }, n2: { text: 'pushed' } } })
    expect([response.status, await response.json()]).toEqual([200, { changed: true }])
    await until('the push to arrive', () => doc.getMap('notes').has('n2'))
    expect(doc.getMap('notes').toJSON()).toEqual({ n1: { text: 'from the client', x: 7 }, n2: { text: 'pushed' } })
  })

  it('sends clients nothing for a patch that changes nothing', async () => {
    await patch('/rooms/a/document', { n: 1 })
    const doc = await openClient('a')
    let updates = 0
    doc.on('update', () => updates++)
    expect(await (await patch('/rooms/a/document', { n: 1 })).json()).toEqual({ changed: false })
    // What comes after shows that nothing came before.
    await patch('/rooms/a/document', { n: 2 })
    await until('the second patch', () => doc.getMap('').get('n') === 2)
    expect(updates).toBe(1)
  })

  it('changes only the differing middle of a text that others are typing in', async () => {
    await patch('/rooms/a/document?text=body', { body: 'The quick brown fox 😀' })
    const doc = await openClient('a')
    const text = doc.getText('body')
    const cursor = Y.createRelativePositionFromTypeIndex(text, 16)
    await patch('/rooms/a/document', { body: 'The slow brown fox 😀' })
    await until('the new text', () => text.toString() === 'The slow brown fox 😀')
    expect(Y.createAbsolutePositionFromRelativePosition(cursor, doc)?.index).toBe(15)
    expect(await (await get('/rooms/a/document')).json()).toEqual({ body: 'The slow brown fox 😀' })
    await patch('/rooms/a/document', { body: 'The slow brown fox 😁' })
    await until('the other face', () => text.toString() === 'The slow brown fox 😁')
  })

  it('is the same for an edit in process', async () => {
    await server.room('a').edit((doc) => doc.getArray('list').push([1, { a: true }]))
    expect(await (await get('/rooms/a/document')).json()).toEqual({ list: [1, { a: true }] })
    await patch('/rooms/a/document', { list: [1, { a: true }, 2] })
    expect(await server.room('a').read((doc) => doc.getArray('list').toJSON())).toEqual([1, { a: true }, 2])
  })

  it('takes patches sent at once', async () => {
    const responses = await Promise.all(
      Array.from({ length: 50 }, (_, index) => patch('/rooms/a/document', { map: { [`k${index}`]: index } })),
    )
    expect(responses.map(({ status }) => status)).toEqual(Array(50).fill(200))
    const { map } = (await (await get('/rooms/a/document')).json()) as { map: object }
    expect(Object.keys(map)).toHaveLength(50)
  })

  it('keeps nothing of a refused patch', async () => {
    const doc = await openClient('a')
    doc.getXmlFragment('xml').insert(0, [new Y.XmlElement('p')])
    await until('the XML to arrive', async () => (await (await get('/rooms/a/document')).text()) !== '{}\n')
    const response = await patch('/rooms/a/document', { title: 'T', xml: 'x' })
    expect([response.status, await response.json()]).toEqual([
      422,
      {
        code: 'INVALID_PATCH',
        message: '"xml" is XML, which a patch cannot change.',
        hint: 'Remove it with null, or change it as a Yjs document.',
      },
    ])
    expect(await (await get('/rooms/a/document')).json()).toEqual({ xml: '<p></p>' })
  })

  it('is there again after a restart, once the patch was answered', async () => {
    const data = join(folder, 'restart')
    const first = await start(data)
    await fetch(`${first.url}/rooms/a%20b/document`, {
      method: 'PATCH',
      headers: { 'content-type': 'application/merge-patch+json' },
      body: '{"title": "kept"}',
    })
    await first.close()
    const second = await start(data)
    try {
      expect(await (await fetch(`${second.url}/rooms/a%20b/document`)).json()).toEqual({ title: 'kept' })
      expect(await (await fetch(`${second.url}/rooms/other/document`)).json()).toEqual({})
    } finally {
      await second.close()
    }
  })
})

describe('an HTTP request', () => {
  it('by HEAD is answered with the length and no body', async () => {
    await patch('/rooms/a/document', { n: 1 })
    const response = await fetch(`${server.url}/rooms/a/document`, { method: 'HEAD' })
    expect([response.status, response.headers.get('content-length'), await response.text()]).toEqual([200, '8', ''])
  })

  it.each([
    ['PATCH', '/rooms/a/document', '{', 400, 'INVALID_JSON'],
    ['PATCH', '/rooms/a/document', '[]', 422, 'INVALID_PATCH'],
    ['PATCH', '/rooms/a/document', '{"__proto__": {}}', 422, 'INVALID_PATCH'],
    ['PATCH', '/rooms/a/document?texts=a', '{}', 400, 'INVALID_REQUEST'],
    ['PATCH', '/rooms/%ff/document', '{}', 400, 'INVALID_ROOM'],
    ['PATCH', '/elsewhere', '{}', 404, 'NOT_FOUND'],
    ['PATCH', '/rooms/a/elsewhere', '{}', 405, 'METHOD_NOT_ALLOWED'],
    ['PUT', '/rooms/a/document', '{}', 405, 'METHOD_NOT_ALLOWED'],
    ['DELETE', '/health', undefined, 405, 'METHOD_NOT_ALLOWED'],
    ['GET', '/', undefined, 404, 'NOT_FOUND'],
  ])('%s %s with %s is answered %i %s', async (method, path, body, status, code) => {
    const response = await fetch(`${server.url}${path}`, {
      method,
      headers: { 'content-type': 'application/merge-patch+json' },
      ...(body === undefined ? {} : { body }),
    })
    const answer = (await response.json()) as Record<string, unknown>
    expect([response.status, answer.code, Object.keys(answer)]).toEqual([status, code, ['code', 'message', 'hint']])
    expect(response.headers.has('allow')).toBe(status === 405)
  })

  it('with the wrong content type is answered 415 with the right one', async () => {
    const response = await fetch(`${server.url}/rooms/a/document`, { method: 'PATCH', body: '{}' })
    expect([response.status, response.headers.get('accept-patch')]).toEqual([
      415,
      'application/merge-patch+json, application/json-patch+json',
    ])
    expect(await response.json()).toMatchObject({ code: 'UNSUPPORTED_TYPE' })
  })

  it('with a raw path is not tidied up into another room', async () => {
    await patch('/rooms/b/document', { n: 1 })
    for (const path of ['/rooms/a/../b/document', '/rooms/./b/document', '/rooms//b/document']) {
      const { status, body } = await rawGet(path)
      expect([path, status, (JSON.parse(body) as { code: string }).code]).toEqual([path, 400, 'INVALID_ROOM'])
    }
    expect((await rawGet('/rooms/b/document?')).status).toBe(200)
  })

  it('with too large a body is answered 413, with or without a length', async () => {
    const large = JSON.stringify({ text: 'x'.repeat(MAX_BODY) })
    const response = await patch('/rooms/a/document', large)
    expect([response.status, await response.json()]).toMatchObject([413, { code: 'TOO_LARGE' }])

    // Node's fetch wants `duplex` for a body without a length; the DOM's types don't know it yet.
    const streamed: RequestInit & { duplex: 'half' } = {
      method: 'PATCH',
      headers: { 'content-type': 'application/merge-patch+json' },
      body: new Blob([large]).stream(),
      duplex: 'half',
    }
    expect((await fetch(`${server.url}/rooms/a/document`, streamed)).status).toBe(413)
    expect(await (await get('/rooms/a/document')).json()).toEqual({})
    expect((await patch('/rooms/a/document', { text: 'x'.repeat(MAX_BODY - 100) })).status).toBe(200)
  })

  it('with a body in chunks is read whole', async () => {
    const streamed: RequestInit & { duplex: 'half' } = {
      method: 'PATCH',
      headers: { 'content-type': 'application/merge-patch+json' },
      body: new Blob(['{"a": "', 'ü'.repeat(10_000), '"}']).stream(),
      duplex: 'half',
    }
    expect(await (await fetch(`${server.url}/rooms/a/document`, streamed)).json()).toEqual({ changed: true })
    expect(await (await get('/rooms/a/document')).json()).toEqual({ a: 'ü'.repeat(10_000) })
  })

  it('that is nested without end is refused, and the server goes on', async () => {
    const response = await patch('/rooms/a/document', `{"a":${'['.repeat(30_000)}${']'.repeat(30_000)}}`)
    expect([response.status, await response.json()]).toMatchObject([422, { code: 'INVALID_PATCH' }])
    expect((await get('/health')).status).toBe(200)
  })

  it('that is given up midway leaves the server well', async () => {
    const { hostname, port } = new URL(server.url)
    for (const part of [
      'PATCH /rooms/a/document HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{"a"',
      'GET /rooms/',
    ]) {
      await new Promise<void>((resolve, reject) => {
        const socket = connect(Number(port), hostname, () => socket.write(part, () => socket.destroy()))
        socket.once('close', () => resolve()).once('error', reject)
      })
    }
    expect(await (await get('/rooms/a/document')).json()).toEqual({})
  })

  it('to /health and /ready is answered while the server takes connections', async () => {
    expect(await (await get('/health')).json()).toEqual({ status: 'ok' })
    expect(await (await get('/ready')).json()).toEqual({ status: 'ready' })
    await server.close()
    await expect(get('/ready')).rejects.toThrow()
  })
})
