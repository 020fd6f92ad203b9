import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { TuttiError } from '../../lib/errors.ts'
import type { ApiRequest, ApiResponse } from '../contracts.ts'
import { percentDecoded } from '../protocol/percentDecoded.ts'
import { acceptsGzip } from './negotiation.ts'

const compress = promisify(gzip)

/** What a built page consists of; anything else is sent as bytes for saving. */
const CONTENT_TYPES: Readonly<Record<string, string>> = {
  css: 'text/css; charset=utf-8',
  html: 'text/html; charset=utf-8',
  ico: 'image/x-icon',
  jpg: 'image/jpeg',
  js: 'text/javascript; charset=utf-8',
  json: 'application/json',
  map: 'application/json',
  mjs: 'text/javascript; charset=utf-8',
  png: 'image/png',
  svg: 'image/svg+xml',
  txt: 'text/plain; charset=utf-8',
  wasm: 'application/wasm',
  webmanifest: 'application/manifest+json',
  webp: 'image/webp',
  woff2: 'font/woff2',
}

const COMPRESSIBLE = /^(text\/|application\/(json|manifest\+json|wasm)|image\/(svg|x-icon))/

/** `assets/index-DkVt3x9a.js`: the name changes with the content. */
const HASHED_NAME = /\/assets\/.+-[\w-]{8,}\.\w+$/

export interface StaticFile {
  /** Answers `GET` and `HEAD`. */
  answer(request: Pick<ApiRequest, 'header'>): ApiResponse
}

export interface StaticFiles {
  /** The file under a raw path, `index.html` for a folder; `undefined` if there is none. */
  find(path: string): StaticFile | undefined
}

interface Variant {
  readonly body: Uint8Array
  readonly headers: Readonly<Record<string, string>>
}

const isUnchanged = (ifNoneMatch: string, tag: string): boolean =>
  ifNoneMatch.split(',').some((candidate) => {
    const bare = candidate.trim().replace(/^W\//, '')
    return bare === '*' || bare === tag
  })

const createFile = async (path: string, body: Uint8Array): Promise<StaticFile> => {
  const type = CONTENT_TYPES[/\.(\w+)$/.exec(path)?.[1]?.toLowerCase() ?? ''] ?? 'application/octet-stream'
  const hash = createHash('sha256').update(body).digest('base64url').slice(0, 22)
  const isCompressible = COMPRESSIBLE.test(type)
  const common = {
    'content-type': type,
    'cache-control': HASHED_NAME.test(path) ? 'public, max-age=31536000, immutable' : 'no-cache',
    'x-content-type-options': 'nosniff',
    // The room stands in the address of the page.
    'referrer-policy': 'same-origin',
    ...(isCompressible ? { vary: 'Accept-Encoding' } : {}),
  }
  const plain: Variant = { body, headers: { ...common, etag: `"${hash}"` } }
  let packed: Variant | undefined
  if (isCompressible) {
    const small = await compress(body, { level: 9 })
    // A tag names bytes, so each variant has its own.
    const headers = { ...common, etag: `"${hash}-gzip"`, 'content-encoding': 'gzip' }
    if (small.byteLength < body.byteLength) packed = { body: small, headers }
  }
  return {
    answer: (request) => {
      const { body, headers } = packed !== undefined && acceptsGzip(request.header('accept-encoding')) ? packed : plain
      if (!isUnchanged(request.header('if-none-match'), headers.etag!)) return { status: 200, headers, body }
      const { 'content-type': _type, 'content-encoding': _coding, ...kept } = headers
      return { status: 304, headers: kept, body: '' }
    },
  }
}

/**
 * Serves the files of a folder from memory: read and compressed once, so that a path can only name what was found then,
 * and a request never touches the disk. For a built page of some hundred kilobytes; a new build needs a new start.
 * @param more texts besides, by path
 * @throws TuttiError `INVALID_OPTION` if the folder has no `index.html`.
 */
export const createStaticFiles = async (
  folder: string,
  more: Readonly<Record<string, string>> = {},
): Promise<StaticFiles> => {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  })
  const files = new Map<string, StaticFile>()
  await Promise.all(
    entries
      .filter((entry) => entry.isFile())
      .map(async (entry) => {
        const file = join(entry.parentPath, entry.name)
        const path = `/${relative(folder, file).replaceAll('\\', '/')}`
        files.set(path, await createFile(path, await readFile(file)))
      }),
  )
  for (const [path, text] of Object.entries(more)) files.set(path, await createFile(path, Buffer.from(text)))
  if (!files.has('/index.html')) {
    throw new TuttiError('INVALID_OPTION', `The demo page is not built: ${folder} has no index.html.`, {
      path: ['demo'],
      hint: 'Run npm run build, or start without the demo.',
    })
  }
  return {
    find: (path) => {
      const decoded = percentDecoded(path)
      return decoded === undefined ? undefined : files.get(decoded.endsWith('/') ? `${decoded}index.html` : decoded)
    },
  }
}
