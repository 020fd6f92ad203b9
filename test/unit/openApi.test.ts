import { readFileSync } from 'node:fs'
import { beforeAll, describe, expect, it } from 'vitest'
import { RESOURCES } from '../../server/api/rooms/resources.ts'
import { createServer, type Server } from '../../server/index.ts'
import { EventReader } from './eventSource.ts'
import {
  type DocumentedOperation,
  expectDocumented,
  type MediaType,
  openApi,
  openApiText,
  operations,
  type Parameter,
  problemsOf,
} from './openApi.ts'

/** The paths of the file for the patterns of the router. */
const PATH_OF: Readonly<Record<string, string>> = {
  'document/*': 'document/{root}',
  'document/*/*': 'document/{root}/{id}',
}

const FIXED: readonly (readonly [path: string, method: string])[] = [
  ['/rooms', 'GET'],
  ['/batch', 'POST'],
  ['/openapi.json', 'GET'],
  ['/health', 'GET'],
  ['/ready', 'GET'],
]

describe('the OpenAPI file', () => {
  it('has every route of the room door, and no other', () => {
    const routes = Object.entries(RESOURCES).flatMap(([pattern, methods]) => {
      const path = `/rooms/{room}${pattern === '' ? '' : `/${PATH_OF[pattern] ?? pattern}`}`
      expect('HEAD' in methods).toBe('GET' in methods)
      return Object.keys(methods)
        .filter((method) => method !== 'HEAD')
        .map((method) => `${method} ${path}`)
    })
    const all = [...routes, ...FIXED.map(([path, method]) => `${method} ${path}`)].sort()
    expect(operations.map(({ method, path }) => `${method} ${path}`).sort()).toEqual(all)
  })

  it('names each operation once, and each parameter of a path', () => {
    const ids = operations.map(({ operation }) => operation.operationId)
    expect(new Set(ids).size).toBe(ids.length)
    for (const { path, parameters } of operations) {
      const inPath = parameters.filter((parameter) => parameter.in === 'path').map(({ name }) => `{${name}}`)
      expect(path.match(/\{\w+\}/g) ?? []).toEqual(inPath)
    }
  })

  it('has the version of the package', () => {
    const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
    expect(openApi.info.version).toBe(version)
  })

  it('has schemas that refuse what they should', () => {
    const { schemas } = openApi.components
    expect(problemsOf(schemas.Error!, { code: 'X', message: '' })).not.toEqual([])
    expect(problemsOf(schemas.PublishedEvent!, { offset: 1, event: 'e', at: 1 })).not.toEqual([])
    expect(problemsOf(schemas.PublishedEvent!, { offset: 1, event: 'e', at: 1, data: 1, base64: '' })).not.toEqual([])
    expect(problemsOf(schemas.Position!, { epoch: 'x', offset: -1 })).not.toEqual([])
    for (const schema of Object.values(schemas)) expect(() => problemsOf(schema, null)).not.toThrow()
  })
})

/** The bodies of an operation that stand in the file. */
const bodiesOf = ({ operation }: DocumentedOperation) =>
  Object.entries(operation.requestBody?.content ?? {}).flatMap(([type, media]) =>
    examplesOf(media).map(([name, value]) => ({ type, schema: media.schema, name, value })),
  )

const examplesOf = ({ example, examples }: MediaType): [string, unknown][] =>
  examples ? Object.entries(examples).map(([name, { value }]) => [name, value]) : [['', example]]

const encoded = (type: string, value: unknown): string | Uint8Array => {
  if (type === 'application/octet-stream') return Buffer.from(String(value), 'latin1')
  return typeof value === 'string' ? value : JSON.stringify(value)
}

const exampleOf = (parameters: readonly Parameter[], place: Parameter['in'], type: string | undefined) =>
  parameters
    .filter((parameter) => parameter.in === place && parameter.example !== undefined)
    .filter(({ 'x-body': goesWith }) => goesWith === undefined || goesWith === type)

const targetOf = ({ path, parameters }: DocumentedOperation, type: string | undefined): string => {
  const filled = path.replaceAll(/\{(\w+)\}/g, (_, name: string) =>
    String(parameters.find((parameter) => parameter.in === 'path' && parameter.name === name)?.example),
  )
  const query = new URLSearchParams(
    exampleOf(parameters, 'query', type).flatMap(({ name, example }) =>
      (Array.isArray(example) ? example : [example]).map((value) => [name, String(value)]),
    ),
  )
  return query.size === 0 ? filled : `${filled}?${query}`
}

describe('the server keeps to the OpenAPI file:', () => {
  let server: Server
  beforeAll(async () => {
    server = await createServer({ port: 0, data: 'memory', logLevel: 'silent' })
    return () => server.close()
  })

  it('it serves it', async () => {
    expect(await (await fetch(`${server.url}/openapi.json`)).text()).toBe(openApiText)
  })

  const cases = operations.flatMap((documented) => {
    const bodies = bodiesOf(documented)
    const accepts = Object.keys(
      (documented.operation.responses['200'] as { content?: object } | undefined)?.content ?? { '*/*': {} },
    )
    const withBodies = bodies.length === 0 ? [undefined] : bodies
    return withBodies.flatMap((body) =>
      accepts.map((accept) => {
        const title = `${documented.method} ${documented.path} ${body ? `${body.type} ${body.name}` : ''} → ${accept}`
        return [title, { documented, body, accept }] as const
      }),
    )
  })

  it.each(cases)('%s', async (_, { documented, body, accept }) => {
    const { method, parameters } = documented
    if (body && body.type !== 'application/octet-stream') expect(problemsOf(body.schema, body.value)).toEqual([])
    const target = `${server.url}${targetOf(documented, body?.type)}`
    // Something to read.
    await server.room('board/42').trigger('message', { text: 'hello' })
    await server.room('board/42').trigger('message', Uint8Array.of(1, 2, 3), { userId: 'ada' })
    await server.room('board/42').edit((doc) => doc.getMap('').set('title', 'x'))
    const headers: Record<string, string> = { accept }
    for (const { name, example } of exampleOf(parameters, 'header', body?.type)) headers[name] = String(example)
    if (body) headers['content-type'] = body.type
    if (accept === 'text/event-stream') {
      const reader = await EventReader.open(target, headers)
      expect([reader.status, reader.headers['content-type']]).toEqual([200, accept])
      return
    }
    const response = await fetch(target, {
      method,
      headers,
      body: body ? (encoded(body.type, body.value) as BodyInit) : null,
    })
    const text = await response.text()
    expect(response.status, text).toBeLessThan(300)
    expectDocumented(documented, { status: response.status, type: response.headers.get('content-type'), text })
    if (method !== 'GET') return
    const head = await fetch(target, { method: 'HEAD', headers })
    expect([head.status, head.headers.get('content-type')]).toEqual([200, response.headers.get('content-type')])
  })

  it.each(
    operations
      .filter(({ operation }) => /^(rooms|events)$/.test(operation.tags[0]!))
      .map((documented) => [documented.operation.operationId, documented] as const),
  )('%s answers a wrong query as it says', async (_, documented) => {
    const { method } = documented
    const target = `${server.url}${targetOf(documented, undefined).split('?')[0]}?nonsense=1`
    const response = await fetch(target, {
      method,
      headers: { 'content-type': bodiesOf(documented)[0]?.type ?? 'text/plain' },
      ...(bodiesOf(documented).length > 0 && { body: '{}' }),
    })
    const text = await response.text()
    expect(response.status, text).toBe(400)
    expectDocumented(documented, { status: 400, type: response.headers.get('content-type'), text })
  })
})
