import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createApi } from '../../server/api/router.ts'
import { createStaticFiles, type StaticFiles } from '../../server/api/staticFiles.ts'
import type { ApiResponse } from '../../server/contracts.ts'
import { createEmptyParts } from './apiParts.ts'
import { createMemoryDocuments } from './memoryDocuments.ts'

const SCRIPT = `const text = ${JSON.stringify('Tutti '.repeat(500))}\n`
let parent: string
let folder: string
let files: StaticFiles

beforeAll(async () => {
  parent = await mkdtemp(join(tmpdir(), 'tutti-files-'))
  folder = join(parent, 'demo')
  await mkdir(join(folder, 'assets'), { recursive: true })
  await writeFile(join(parent, 'secret.txt'), 'secret')
  await writeFile(join(folder, 'index.html'), `<!doctype html><title>Tutti</title>${' '.repeat(500)}`)
  await writeFile(join(folder, 'assets', 'index-DkVt3x9a.js'), SCRIPT)
  await writeFile(join(folder, 'assets', 'font-B1c2d3e4.woff2'), Uint8Array.of(1, 2, 3))
  await writeFile(join(folder, 'tiny.css'), 'a{}')
  await writeFile(join(folder, 'a b.unknown'), 'x')
  files = await createStaticFiles(folder)
})

afterAll(() => rm(parent, { recursive: true }))

const get = (path: string, headers: Record<string, string> = {}): ApiResponse | undefined =>
  files.find(path)?.answer({ header: (name) => headers[name] ?? '' })

const textOf = (response: ApiResponse | undefined): string => Buffer.from(response?.body ?? '').toString()

describe('static files', () => {
  it('serve index.html at / and every file under its path', () => {
    expect(get('/')?.headers['content-type']).toBe('text/html; charset=utf-8')
    expect(textOf(get('/'))).toContain('<title>Tutti</title>')
    expect(get('/index.html')).toEqual(get('/'))
    expect(textOf(get('/assets/index-DkVt3x9a.js'))).toBe(SCRIPT)
    expect(get('/assets/font-B1c2d3e4.woff2')?.headers['content-type']).toBe('font/woff2')
    expect(get('/a%20b.unknown')?.headers['content-type']).toBe('application/octet-stream')
  })

  it('are found from a relative folder too', async () => {
    const found = await createStaticFiles(`./${relative(process.cwd(), folder)}/`)
    expect(found.find('/assets/index-DkVt3x9a.js')).toBeDefined()
  })

  it.each([
    ['/../secret.txt'],
    ['/%2e%2e/secret.txt'],
    ['/assets/..%2f..%2fsecret.txt'],
    ['/..%5csecret.txt'],
    ['//secret.txt'],
    ['/assets'],
    ['/assets/'],
    ['/%ff'],
    ['/index.html%00'],
    ['/missing.js'],
  ])('are not found under %s', (path) => {
    expect(files.find(path)).toBeUndefined()
  })

  it('are cached for ever under a hashed name and checked each time otherwise', () => {
    expect(get('/assets/index-DkVt3x9a.js')?.headers['cache-control']).toBe('public, max-age=31536000, immutable')
    expect(get('/')?.headers['cache-control']).toBe('no-cache')
    expect(get('/tiny.css')?.headers['cache-control']).toBe('no-cache')
  })

  it('are compressed for who takes it, where that makes them smaller', () => {
    const path = '/assets/index-DkVt3x9a.js'
    const packed = get(path, { 'accept-encoding': 'br, gzip' })
    expect(packed?.headers).toMatchObject({ 'content-encoding': 'gzip', vary: 'Accept-Encoding' })
    expect(packed?.body.length).toBeLessThan(200)
    expect(gunzipSync(packed?.body as Uint8Array).toString()).toBe(SCRIPT)
    for (const refused of ['', 'br', 'gzip;q=0', 'identity']) {
      expect(get(path, { 'accept-encoding': refused })?.headers['content-encoding']).toBeUndefined()
    }
    expect(get('/tiny.css', { 'accept-encoding': 'gzip' })?.headers['content-encoding']).toBeUndefined()
    expect(get('/assets/font-B1c2d3e4.woff2', { 'accept-encoding': '*' })?.headers['content-encoding']).toBeUndefined()
  })

  it('are answered 304 without a body to who has them', () => {
    const tag = get('/')!.headers.etag!
    const packedTag = get('/', { 'accept-encoding': 'gzip' })!.headers.etag!
    expect(packedTag).not.toBe(tag)
    for (const given of [tag, `W/${tag}`, `"other", ${tag}`, '*']) {
      const response = get('/', { 'if-none-match': given })
      expect(response).toMatchObject({ status: 304, body: '' })
      expect(response?.headers.etag).toBe(tag)
      expect(response?.headers['content-type']).toBeUndefined()
    }
    expect(get('/', { 'if-none-match': packedTag })?.status).toBe(200)
    expect(get('/', { 'if-none-match': packedTag, 'accept-encoding': 'gzip' })?.status).toBe(304)
  })

  it('are refused at the start where there is no page', async () => {
    await expect(createStaticFiles(join(folder, 'assets'))).rejects.toMatchObject({ code: 'INVALID_OPTION' })
    await expect(createStaticFiles(join(folder, 'none'))).rejects.toThrow(/not built/)
  })

  it('answer GET and HEAD only, and never stand before a room', async () => {
    const api = createApi({
      ...createEmptyParts(),
      documents: createMemoryDocuments(),
      log: { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined },
      ready: () => true,
      staticFiles: files,
    })
    const ask = async (method: string, path: string): Promise<ApiResponse> =>
      api({ method, path, query: '', address: '', header: () => '', body: new Uint8Array() })
    expect((await ask('GET', '/')).status).toBe(200)
    expect((await ask('HEAD', '/tiny.css')).status).toBe(200)
    expect(await ask('POST', '/')).toMatchObject({ status: 405, headers: { allow: 'GET, HEAD' } })
    expect((await ask('GET', '/none')).status).toBe(404)
    expect((await ask('GET', '/rooms/a/document')).body).toBe('{}\n')
  })
})
