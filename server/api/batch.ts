/** `POST /batch`: changes of many rooms in one request. Each has its own answer; one that fails does not stop others. */
import { TuttiError } from '../../lib/errors.ts'
import { roomNameProblem } from '../../lib/protocol.ts'
import type { ApiRequest, ApiResponse, Logger } from '../contracts.ts'
import { MAX_DEPTH, nestsWithin } from '../protocol/bounds.ts'
import type { Json } from './documentJson.ts'
import { failureResponse } from './errorResponse.ts'
import { checkBodyType, parseJsonBody } from './jsonBody.ts'
import { JSON_TYPE, okHeaders } from './jsonResponse.ts'
import { queryOf } from './query.ts'
import { isResource, RESOURCE_WORDS } from './rooms/path.ts'
import type { MatchRooms } from './rooms/routes.ts'
import { answerRoute } from './route.ts'
import { nextTurn } from './slices.ts'

/** Changes of one request. */
export const MAX_CHANGES = 1000
/** Rooms that are changed at a time: they share a commit to the disk. */
const ROOMS_AT_ONCE = 64

const METHODS: readonly string[] = ['POST', 'PUT', 'PATCH', 'DELETE']
const FIELDS: readonly string[] = ['room', 'method', 'resource', 'query', 'headers', 'body', 'base64']
/** Headers that a change may bring; those of the batch itself hold for each. */
const OWN_HEADERS: readonly string[] = ['content-type', 'if-match', 'if-none-match', 'x-tutti-origin']
/** Headers that speak of the batch and not of what is in it. */
const OUTER_HEADERS: readonly string[] = [
  'content-type',
  'content-length',
  'content-encoding',
  'accept',
  'idempotency-key',
]

const EXAMPLE = '[{"room": "board/42", "method": "POST", "resource": "events", "body": {"event": "sold"}}]'

const bad = (problem: string, hint: string): TuttiError => new TuttiError('INVALID_REQUEST', problem, { hint })

type Fields = { readonly [name: string]: Json }

const isFields = (value: Json): value is Fields => typeof value === 'object' && value !== null && !Array.isArray(value)

const textField = (fields: Fields, name: string, byDefault?: string): string => {
  const value = fields[name] ?? byDefault
  if (typeof value === 'string') return value
  throw bad(
    `"${name}" is ${value === undefined ? 'missing' : 'not a string'}.`,
    `A change is e.g. ${EXAMPLE.slice(1, -1)}.`,
  )
}

const headersOf = (fields: Fields): Map<string, string> => {
  const { headers = {} } = fields
  if (!isFields(headers)) throw bad('"headers" is not an object.', 'Give an object of strings, or leave it out.')
  return new Map(
    Object.entries(headers).map(([name, value]) => {
      const lower = name.toLowerCase()
      if (typeof value === 'string' && OWN_HEADERS.includes(lower)) return [lower, value]
      throw bad(`"headers" has ${JSON.stringify(name.slice(0, 40))}.`, `Use strings for ${OWN_HEADERS.join(', ')}.`)
    }),
  )
}

const bodyOf = ({ body, base64 }: Fields): Uint8Array => {
  if (base64 === undefined) {
    if (!nestsWithin(body, MAX_DEPTH)) throw bad(`"body" nests deeper than ${MAX_DEPTH}.`, 'Make it flatter.')
    return new TextEncoder().encode(body === undefined ? '' : JSON.stringify(body))
  }
  if (body === undefined && typeof base64 === 'string' && /^[A-Za-z0-9+/]*={0,2}$/.test(base64)) {
    return Buffer.from(base64, 'base64')
  }
  throw bad('"base64" is not Base64, or stands beside a "body".', 'Give JSON as "body", or bytes as "base64".')
}

const typeOf = (method: string, { base64 }: Fields): string => {
  if (base64 !== undefined) return 'application/octet-stream'
  return method === 'PATCH' ? 'application/merge-patch+json' : JSON_TYPE
}

/** The request that a change stands for. */
const requestOf = (change: Json, outer: ApiRequest): ApiRequest => {
  if (!isFields(change)) throw bad('The change is not an object.', `Send e.g. ${EXAMPLE}.`)
  const unknown = Object.keys(change).find((name) => !FIELDS.includes(name))
  if (unknown !== undefined) {
    throw bad(
      `There is no field ${JSON.stringify(unknown.slice(0, 40))} in a change.`,
      `The fields are ${FIELDS.join(', ')}.`,
    )
  }
  const room = textField(change, 'room')
  const problem = roomNameProblem(room)
  if (problem !== undefined) {
    throw new TuttiError('INVALID_ROOM', `"room" is no room: ${problem}.`, {
      hint: 'Give its name as it is, not encoded.',
    })
  }
  const method = textField(change, 'method')
  if (!METHODS.includes(method))
    throw bad(`"method" is ${JSON.stringify(method.slice(0, 40))}.`, `Use ${METHODS.join(', ')}.`)
  const resource = textField(change, 'resource', '')
  if (!isResource(resource)) {
    throw new TuttiError('NOT_FOUND', `A room has no ${JSON.stringify(resource.slice(0, 80))}.`, {
      hint: `"resource" is left out for the room itself, or begins with one of ${RESOURCE_WORDS}; encode the slashes of a root or an id as "%2F".`,
    })
  }
  const headers = headersOf(change)
  if (!headers.has('content-type')) headers.set('content-type', typeOf(method, change))
  return {
    method,
    path: `/rooms/${encodeURIComponent(room)}${resource === '' ? '' : `/${resource}`}`,
    query: textField(change, 'query', ''),
    address: outer.address,
    header: (name) => headers.get(name) ?? (OUTER_HEADERS.includes(name) ? '' : outer.header(name)),
    body: bodyOf(change),
  }
}

/** One answer as JSON: `{ status, etag?, body? }`. */
const resultOf = ({ status, headers, body }: ApiResponse): string => {
  const tag = headers.etag === undefined ? '' : `,"etag":${JSON.stringify(headers.etag)}`
  // Whatever a change is answered is JSON.
  const text = typeof body === 'string' ? body.trimEnd() : ''
  return `{"status":${status}${tag}${text === '' ? '' : `,"body":${text}`}}`
}

/** Calls `work` for each item, `limit` at a time. */
const forEachOf = async <T>(items: readonly T[], limit: number, work: (item: T) => Promise<void>): Promise<void> => {
  const rest = items[Symbol.iterator]()
  // All take from one iterator.
  const takeTurns = async (): Promise<void> => {
    for (const item of rest) await work(item)
  }
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, takeTurns))
}

/** @throws TuttiError `UNSUPPORTED_TYPE`, `INVALID_JSON`, `INVALID_REQUEST`, `TOO_LARGE` */
const changesOf = (request: ApiRequest): readonly Json[] => {
  checkBodyType(request, [JSON_TYPE])
  queryOf(request.query, [])
  const body = parseJsonBody(request.body, 'an array of changes', EXAMPLE)
  if (!Array.isArray(body)) throw bad('The body is not an array.', `Send e.g. ${EXAMPLE}.`)
  const changes = body as readonly Json[]
  if (changes.length <= MAX_CHANGES) return changes
  throw new TuttiError('TOO_LARGE', `The batch has ${changes.length} changes; the limit is ${MAX_CHANGES}.`, {
    hint: 'Send several batches.',
  })
}

/** Changes of one room are carried out in order, those of different rooms side by side. */
export const answerBatch = async (request: ApiRequest, match: MatchRooms, log: Logger): Promise<ApiResponse> => {
  const changes = changesOf(request)
  const results: string[] = []
  const byRoom = new Map<unknown, number[]>()
  for (const [index, change] of changes.entries()) {
    const room = isFields(change) ? change.room : undefined
    const indices = byRoom.get(room)
    if (indices) indices.push(index)
    else byRoom.set(room, [index])
  }

  const carryOut = async (index: number): Promise<void> => {
    try {
      const asked = requestOf(changes[index]!, request)
      results[index] = resultOf(await answerRoute(match(asked.path, asked.method), asked))
    } catch (error) {
      results[index] = resultOf(failureResponse(error, request, log))
    }
  }

  await forEachOf([...byRoom.values()], ROOMS_AT_ONCE, async (indices) => {
    for (const index of indices) {
      await carryOut(index)
      // Nobody else waits for a whole batch.
      await nextTurn()
    }
  })
  return { status: 200, headers: okHeaders(JSON_TYPE), body: `[${results.join(',')}]\n` }
}
