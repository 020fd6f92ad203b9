import { describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { type ErrorCode, TuttiError } from '../../lib/errors.ts'
import { encodeRoomPath } from '../../lib/protocol.ts'
import { createApi } from '../../server/api/router.ts'
import type { ApiResponse, Documents, Logger } from '../../server/contracts.ts'
import { createEmptyParts } from './apiParts.ts'
import { createFailingDocuments, createMemoryDocuments } from './memoryDocuments.ts'

interface Logged {
  readonly level: string
  readonly fields: object
  readonly message: string
}

const createApiFixture = (documents: Documents = createMemoryDocuments()) => {
  const logged: Logged[] = []
  const note = (level: string) => (fields: object, message: string) => logged.push({ level, fields, message })
  const log: Logger = { debug: note('debug'), info: note('info'), warn: note('warn'), error: note('error') }
  let ready = true
  const api = createApi({ ...createEmptyParts(), documents, log, ready: () => ready })
  return {
    logged,
    stop: () => {
      ready = false
    },
    /** `target` is a path with its query. */
    request: async (
      method: string,
      target: string,
      { headers = {}, body = '' }: { headers?: Record<string, string>; body?: string | Uint8Array } = {},
    ): Promise<ApiResponse> => {
      const [path = '', query = ''] = target.split('?', 2)
      return api({
        method,
        path,
        query,
        address: '127.0.0.1',
        header: (name) => headers[name] ?? '',
        body: typeof body === 'string' ? new TextEncoder().encode(body) : body,
      })
    },
  }
}

const MERGE_PATCH = { headers: { 'content-type': 'application/merge-patch+json' } }

const jsonOf = (response: ApiResponse): unknown => {
  expect(response.headers['content-type']).toBe('application/json')
  expect(typeof response.body).toBe('string')
  return JSON.parse(response.body as string)
}

const expectError = (response: ApiResponse, status: number, code: ErrorCode, message: string | RegExp): void => {
  const body = jsonOf(response) as { code: string; message: string; hint: string }
  expect(Object.keys(body)).toEqual(['code', 'message', 'hint'])
  expect([response.status, body.code]).toEqual([status, code])
  if (typeof message === 'string') expect(body.message).toBe(message)
  else expect(body.message).toMatch(message)
  expect(body.hint).not.toBe('')
}

describe('GET of a document', () => {
  it('answers JSON', async () => {
    const documents = createMemoryDocuments()
    const { request } = createApiFixture(documents)
    await documents.edit('board/42', (doc) => doc.getMap('notes').set('n1', 'hi'))
    const response = await request('GET', '/rooms/board/42/document')
    expect(response.status).toBe(200)
    expect(jsonOf(response)).toEqual({ notes: { n1: 'hi' } })
    expect(response.headers).toMatchObject({ 'cache-control': 'no-store', vary: 'Accept' })
  })

  it('reads an unused room as {} or the empty update, and does not create it', async () => {
    const documents = createMemoryDocuments()
    const { request } = createApiFixture(documents)
    expect(jsonOf(await request('GET', '/rooms/new/document'))).toEqual({})
    const update = await request('GET', '/rooms/new/document', { headers: { accept: 'application/octet-stream' } })
    expect(update).toMatchObject({ status: 200, headers: { 'content-type': 'application/octet-stream' } })
    expect(update.body).toEqual(Uint8Array.of(0, 0))
    expect(documents.rooms.size).toBe(0)
  })

  it('answers the Yjs update when asked for bytes', async () => {
    const documents = createMemoryDocuments()
    const { request } = createApiFixture(documents)
    await documents.edit('a', (doc) => doc.getText('body').insert(0, 'hello'))
    const { body } = await request('GET', '/rooms/a/document', { headers: { accept: 'application/octet-stream' } })
    const doc = new Y.Doc()
    Y.applyUpdate(doc, body as Uint8Array)
    expect(doc.getText('body').toString()).toBe('hello')
  })

  it.each([
    ['', 'application/json'],
    ['*/*', 'application/json'],
    ['application/*', 'application/json'],
    ['text/html, */*;q=0.1', 'application/json'],
    ['text/html', 'application/json'],
    ['Application/Octet-Stream', 'application/octet-stream'],
    ['application/octet-stream, */*', 'application/octet-stream'],
    ['application/octet-stream;q=0.5, application/json', 'application/json'],
    ['application/octet-stream, application/json;q=0.9', 'application/octet-stream'],
    ['application/json, application/octet-stream', 'application/json'],
    ['application/octet-stream;q=0, */*', 'application/json'],
    ['application/json;q=0, */*', 'application/octet-stream'],
    ['application/octet-stream;q=0', 'application/json'],
    ['application/octet-stream;q=high', 'application/octet-stream'],
  ])('for "Accept: %s" answers %s', async (accept, type) => {
    const { request } = createApiFixture()
    const response = await request('GET', '/rooms/a/document', { headers: { accept } })
    expect(response.headers['content-type']).toBe(type)
  })

  it('answers HEAD as GET', async () => {
    const { request } = createApiFixture()
    expect(await request('HEAD', '/rooms/a/document')).toEqual(await request('GET', '/rooms/a/document'))
  })
})

describe('PATCH of a document', () => {
  it('changes it and says whether anything changed', async () => {
    const { request } = createApiFixture()
    const patch = { ...MERGE_PATCH, body: '{"notes": {"n1": {"text": "hi"}}, "title": "T"}' }
    expect(jsonOf(await request('PATCH', '/rooms/a/document', patch))).toEqual({ changed: true })
    expect(jsonOf(await request('PATCH', '/rooms/a/document', patch))).toEqual({ changed: false })
    expect(jsonOf(await request('GET', '/rooms/a/document'))).toEqual({ notes: { n1: { text: 'hi' } }, title: 'T' })
  })

  it('does not create a room by a patch that changes nothing', async () => {
    const documents = createMemoryDocuments()
    const { request } = createApiFixture(documents)
    expect(jsonOf(await request('PATCH', '/rooms/a/document', { ...MERGE_PATCH, body: '{"a": null}' }))).toEqual({
      changed: false,
    })
    expect(documents.rooms.size).toBe(0)
  })

  it('makes texts of the paths in ?text', async () => {
    const documents = createMemoryDocuments()
    const { request } = createApiFixture(documents)
    const body = '{"body": "b", "notes": {"n 1": {"a.b": "t"}}}'
    const response = await request('PATCH', '/rooms/a/document?text=body&text=notes.n+1.a%2Eb', {
      ...MERGE_PATCH,
      body,
    })
    expect(response.status).toBe(200)
    const doc = documents.rooms.get('a')!
    expect(doc.getText('body').toString()).toBe('b')
    const note = doc.getMap('notes').get('n 1') as Y.Map<unknown>
    expect(note.get('a.b')).toBeInstanceOf(Y.Text)
  })

  it.each([
    ['application/merge-patch+json'],
    ['Application/Merge-Patch+JSON'],
    ['application/merge-patch+json; charset=utf-8'],
    ['application/merge-patch+json;charset="UTF-8"'],
  ])('takes the content type %s', async (type) => {
    const { request } = createApiFixture()
    const response = await request('PATCH', '/rooms/a/document', { headers: { 'content-type': type }, body: '{}' })
    expect(response.status).toBe(200)
  })

  it.each([
    ['', 'The content type is missing; expected application/merge-patch+json or application/json-patch+json.'],
    ['application/json', /^The content type is "application\/json"; expected application\/merge-patch\+json or /],
    ['application/json-patch', /expected application\/merge-patch\+json or application\/json-patch\+json\.$/],
    ['application/merge-patch+json; charset=latin1', 'The charset is "latin1"; expected utf-8.'],
  ])('refuses the content type "%s"', async (type, message) => {
    const { request } = createApiFixture()
    const response = await request('PATCH', '/rooms/a/document', { headers: { 'content-type': type }, body: '{}' })
    expectError(response, 415, 'UNSUPPORTED_TYPE', message)
    expect(response.headers['accept-patch']).toBe('application/merge-patch+json, application/json-patch+json')
  })

  it('refuses a compressed body', async () => {
    const { request } = createApiFixture()
    const headers = { ...MERGE_PATCH.headers, 'content-encoding': 'gzip' }
    const response = await request('PATCH', '/rooms/a/document', { headers, body: '{}' })
    expectError(response, 415, 'UNSUPPORTED_TYPE', 'The content encoding is "gzip"; expected none.')
  })

  it.each([
    ['', 'The body is empty; expected a JSON object.'],
    [' \n', 'The body is empty; expected a JSON object.'],
    ['{"a": 1', /^The body is not JSON: /],
    ['{"a": tru}', /^The body is not JSON: /],
    ['{} {}', /^The body is not JSON: /],
    [Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x7d), 'The body is not valid UTF-8.'],
  ])('refuses the body %j', async (body, message) => {
    const { request } = createApiFixture()
    expectError(await request('PATCH', '/rooms/a/document', { ...MERGE_PATCH, body }), 400, 'INVALID_JSON', message)
  })

  it('says where JSON is broken', async () => {
    const { request } = createApiFixture()
    const response = await request('PATCH', '/rooms/a/document', { ...MERGE_PATCH, body: '{"a": 1,, "b": 2}' })
    expectError(response, 400, 'INVALID_JSON', /position 8/)
  })

  it.each([
    ['[]', 'The patch is an array; expected an object.'],
    ['"x"', 'The patch is a string; expected an object.'],
    ['null', 'The patch is null; expected an object.'],
    ['{"__proto__": {"a": 1}}', '"__proto__" is no key that a document can have.'],
    [`${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`, 'The patch is nested deeper than 200 levels.'],
    [`{"a":${'['.repeat(100_000)}${']'.repeat(100_000)}}`, 'The patch is nested deeper than 200 levels.'],
  ])('refuses the patch %.40s', async (body, message) => {
    const { request, logged } = createApiFixture()
    expectError(await request('PATCH', '/rooms/a/document', { ...MERGE_PATCH, body }), 422, 'INVALID_PATCH', message)
    expect(logged).toEqual([])
  })

  it.each([
    ['txt=body', 'There is no query parameter "txt"; expected "text".'],
    ['text=a&x', 'There is no query parameter "x"; expected "text".'],
    ['text=%ff', 'The query is not valid percent-encoded UTF-8.'],
  ])('refuses the query ?%s', async (query, message) => {
    const { request } = createApiFixture()
    const response = await request('PATCH', `/rooms/a/document?${query}`, { ...MERGE_PATCH, body: '{}' })
    expectError(response, 400, 'INVALID_REQUEST', message)
  })
})

describe('the path', () => {
  it.each([
    ['/rooms/a/b/document', 'a/b'],
    ['/rooms/a%2Fb/document', 'a/b'],
    ['/rooms/document/document', 'document'],
    ['/rooms/a%2Fdocument/document', 'a/document'],
    ['/rooms/caf%C3%A9%20%F0%9F%98%80/document', 'café 😀'],
    ['/rooms/100%25/document', '100%'],
    ['/rooms/a+b/document', 'a+b'],
    [`/rooms/${'x'.repeat(255)}/document`, 'x'.repeat(255)],
    [`/rooms/${encodeRoomPath('a b/ü?#')}/document`, 'a b/ü?#'],
  ])('%s names the room %s', async (path, room) => {
    const documents = createMemoryDocuments()
    const { request } = createApiFixture(documents)
    await request('PATCH', path, { ...MERGE_PATCH, body: '{"a": 1}' })
    expect([...documents.rooms.keys()]).toEqual([room])
    expect(jsonOf(await request('GET', path))).toEqual({ a: 1 })
  })

  it.each([
    ['/rooms//document', /it is empty/],
    ['/rooms/a//b/document', /empty segment/],
    ['/rooms/a%2F%2Fb/document', /empty segment/],
    ['/rooms/../document', /segment "\.\."/],
    ['/rooms/a/%2E%2E/b/document', /segment "\.\."/],
    ['/rooms/./document', /segment "\."/],
    ['/rooms/%ff/document', /not valid UTF-8/],
    ['/rooms/%/document', /not valid UTF-8/],
    ['/rooms/a%00b/document', /control character/],
    [`/rooms/${'x'.repeat(256)}/document`, /longer than 255 bytes/],
  ])('%s is refused', async (path, message) => {
    const { request } = createApiFixture()
    expectError(await request('GET', path), 400, 'INVALID_ROOM', message)
  })

  it.each([['/'], ['/Rooms/a/document'], ['/batch/'], ['/toString'], ['/healthy'], ['//rooms/a/document']])(
    '%s is unknown',
    async (path) => {
      const { request } = createApiFixture()
      expectError(await request('GET', path), 404, 'NOT_FOUND', 'There is nothing under this path.')
    },
  )

  it.each([
    ['POST', '/rooms/a/document', 'GET, HEAD, PATCH'],
    ['PUT', '/rooms/a/document', 'GET, HEAD, PATCH'],
    ['DELETE', '/rooms/a/document', 'GET, HEAD, PATCH'],
    ['OPTIONS', '/rooms/a/document', 'GET, HEAD, PATCH'],
    ['TOSTRING', '/rooms/a/document', 'GET, HEAD, PATCH'],
    ['POST', '/health', 'GET, HEAD'],
    ['PATCH', '/ready', 'GET, HEAD'],
  ])('%s %s is answered 405 with what is allowed', async (method, path, allow) => {
    const { request } = createApiFixture()
    const response = await request(method, path)
    expectError(
      response,
      405,
      'METHOD_NOT_ALLOWED',
      `The method ${method} is not known here; expected ${allow.replaceAll(', ', ' or ')}.`,
    )
    expect(response.headers.allow).toBe(allow)
  })

  it('has no CORS headers', async () => {
    const { request } = createApiFixture()
    const response = await request('GET', '/rooms/a/document', { headers: { origin: 'https://elsewhere.example' } })
    expect(Object.keys(response.headers).filter((name) => name.startsWith('access-control'))).toEqual([])
  })
})

describe('health and ready', () => {
  it('say that the process is up, and whether it takes connections', async () => {
    const { request, stop } = createApiFixture()
    expect(jsonOf(await request('GET', '/health'))).toEqual({ status: 'ok' })
    expect(jsonOf(await request('GET', '/ready'))).toEqual({ status: 'ready' })
    stop()
    expect((await request('GET', '/health')).status).toBe(200)
    const response = await request('GET', '/ready')
    expect(response.status).toBe(503)
    expect(jsonOf(response)).toEqual({ status: 'stopping' })
  })
})

describe('a request that fails in here', () => {
  it('is logged and told without details', async () => {
    const secret = new Error('ENOSPC: /srv/secret')
    const { request, logged } = createApiFixture(createFailingDocuments(secret))
    const response = await request('GET', '/rooms/a/document')
    expectError(response, 500, 'INTERNAL', 'The server failed to answer this request.')
    expect(response.body).not.toContain('secret')
    expect(logged).toEqual([
      { level: 'error', fields: { err: secret, method: 'GET', path: '/rooms/a/document' }, message: 'request failed' },
    ])
  })

  it('is one to try again if the storage failed', async () => {
    const { request, logged } = createApiFixture(
      createFailingDocuments(new TuttiError('STORAGE_FAILED', 'ENOSPC: /srv/secret')),
    )
    const response = await request('PATCH', '/rooms/a/document', { ...MERGE_PATCH, body: '{"a": 1}' })
    expectError(response, 503, 'STORAGE_FAILED', 'The server could not read or store the document.')
    expect(response.headers['retry-after']).toBe('1')
    expect(logged).toHaveLength(1)
  })

  it.each([
    ['TOO_LARGE', 413],
    ['TRY_LATER', 503],
    ['GOING_AWAY', 503],
    ['RATE_LIMITED', 429],
  ] as const)('tells %s as %i, which is no failure', async (code, status) => {
    const { request, logged } = createApiFixture(
      createFailingDocuments(new TuttiError(code, 'Said so.', { hint: 'Do this.' })),
    )
    const response = await request('PATCH', '/rooms/a/document', { ...MERGE_PATCH, body: '{"a": 1}' })
    expectError(response, status, code, 'Said so.')
    expect(logged).toEqual([])
  })

  it('hides an error whose code means nothing to a caller', async () => {
    const { request, logged } = createApiFixture(
      createFailingDocuments(new TuttiError('DESTROYED', 'The room is gone.')),
    )
    expectError(await request('GET', '/rooms/a/document'), 500, 'INTERNAL', 'The server failed to answer this request.')
    expect(logged).toHaveLength(1)
  })
})
