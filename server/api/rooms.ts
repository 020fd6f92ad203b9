/** `/rooms/<room>/…`: rooms for back ends. */
import * as Y from 'yjs'
import { TuttiError } from '../../lib/errors.ts'
import { EMPTY_UPDATE, roomNameProblem } from '../../lib/protocol.ts'
import type { ApiRequest, ApiResponse, Documents } from '../contracts.ts'
import { documentToJson, type Json } from './documentJson.ts'
import { errorResponse } from './errorResponse.ts'
import { applyMergePatch } from './mergePatch.ts'
import { negotiateType, parseMediaType } from './negotiation.ts'

export const ROOMS_PREFIX = '/rooms/'

const JSON_TYPE = 'application/json'
const UPDATE_TYPE = 'application/octet-stream'
const PATCH_TYPE = 'application/merge-patch+json'

const badRoom = (problem: string): TuttiError =>
  new TuttiError('INVALID_ROOM', `The path names no room: ${problem}.`, {
    hint: 'Write /rooms/<room>/document with the room percent-encoded, 1 to 255 bytes of UTF-8.',
  })

const decodeRoom = (encoded: string): string => {
  let room: string
  try {
    room = decodeURIComponent(encoded)
  } catch (error) {
    if (!(error instanceof URIError)) throw error
    throw badRoom('its percent-encoding is not valid UTF-8')
  }
  const problem = roomNameProblem(room)
  if (problem !== undefined) throw badRoom(problem)
  return room
}

const decodeQuery = (encoded: string): string => {
  try {
    return decodeURIComponent(encoded.replaceAll('+', ' '))
  } catch (error) {
    if (!(error instanceof URIError)) throw error
    throw new TuttiError('INVALID_REQUEST', 'The query is not valid percent-encoded UTF-8.', {
      hint: 'Percent-encode the paths of ?text=.',
    })
  }
}

/**
 * The paths of `?text=a.b`, repeatable. The dots are taken before the percent-decoding: `%2E` is a dot within a key.
 */
const textPaths = (query: string): string[][] =>
  query
    .split('&')
    .filter((part) => part !== '')
    .map((part) => {
      const equals = part.indexOf('=')
      const name = decodeQuery(equals < 0 ? part : part.slice(0, equals))
      if (name !== 'text') {
        throw new TuttiError('INVALID_REQUEST', `There is no query parameter "${name}"; expected "text".`, {
          hint: 'Write ?text=<path> for a string that becomes a Y.Text, e.g. ?text=body&text=notes.n1.title.',
        })
      }
      return part
        .slice(equals < 0 ? part.length : equals + 1)
        .split('.')
        .map(decodeQuery)
    })

const parseBody = (body: Uint8Array): Json => {
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(body)
  } catch (cause) {
    throw new TuttiError('INVALID_JSON', 'The body is not valid UTF-8.', { hint: 'Send JSON encoded as UTF-8.', cause })
  }
  if (text.trim() === '') {
    throw new TuttiError('INVALID_JSON', 'The body is empty; expected a JSON object.', {
      hint: 'Send the changes, e.g. {"title": "New"}.',
    })
  }
  try {
    return JSON.parse(text) as Json
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause
    throw new TuttiError('INVALID_JSON', `The body is not JSON: ${cause.message}`, {
      hint: 'Send one JSON object, e.g. {"title": "New"}.',
      cause,
    })
  }
}

const checkContentType = (request: ApiRequest): ApiResponse | undefined => {
  const { type, charset } = parseMediaType(request.header('content-type'))
  const coding = request.header('content-encoding').trim().toLowerCase()
  const problem =
    type !== PATCH_TYPE
      ? `The content type is ${type === '' ? 'missing' : `"${type}"`}; expected ${PATCH_TYPE}.`
      : charset !== undefined && charset !== 'utf-8' && charset !== 'utf8'
        ? `The charset is "${charset}"; expected utf-8.`
        : coding !== '' && coding !== 'identity'
          ? `The content encoding is "${coding}"; expected none.`
          : undefined
  if (problem === undefined) return undefined
  const hint = `Send the header "Content-Type: ${PATCH_TYPE}" and the JSON as it is.`
  return errorResponse(new TuttiError('UNSUPPORTED_TYPE', problem, { hint }), { 'accept-patch': PATCH_TYPE })
}

const okHeaders = (contentType: string): Record<string, string> => ({
  'content-type': contentType,
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
  vary: 'Accept',
})

const jsonText = (value: unknown): string => {
  try {
    return `${JSON.stringify(value)}\n`
  } catch (cause) {
    // The only thing that fails on plain JSON: more characters than a string can have.
    if (!(cause instanceof RangeError)) throw cause
    throw new TuttiError('TOO_LARGE', 'The document is too large to be shown as JSON.', {
      hint: 'Read it as a Yjs update, with "Accept: application/octet-stream".',
      cause,
    })
  }
}

const readDocument = async (documents: Documents, room: string, request: ApiRequest): Promise<ApiResponse> => {
  const type = negotiateType(request.header('accept'), [JSON_TYPE, UPDATE_TYPE])
  const body =
    type === JSON_TYPE
      ? ((await documents.read(room, (doc) => jsonText(documentToJson(doc)))) ?? '{}\n')
      : ((await documents.read(room, (doc) => Y.encodeStateAsUpdate(doc))) ?? EMPTY_UPDATE)
  return { status: 200, headers: okHeaders(type), body }
}

const patchDocument = async (documents: Documents, room: string, request: ApiRequest): Promise<ApiResponse> => {
  const refusal = checkContentType(request)
  if (refusal !== undefined) return refusal
  const texts = textPaths(request.query)
  const patch = parseBody(request.body)
  const { changed } = await documents.edit(room, (doc) => applyMergePatch(doc, patch, { texts }))
  return { status: 200, headers: okHeaders(JSON_TYPE), body: jsonText({ changed }) }
}

type Answer = (documents: Documents, room: string, request: ApiRequest) => Promise<ApiResponse>

/** What a room has, by the last segment of the path, and what can be done with it. */
const RESOURCES: Readonly<Record<string, Readonly<Record<string, Answer>>>> = {
  document: { GET: readDocument, HEAD: readDocument, PATCH: patchDocument },
}

export interface RoomRoute {
  readonly methods: readonly string[]
  answer(request: ApiRequest): Promise<ApiResponse>
}

/**
 * The resource of a room that a path names; `undefined` if it names none. A room may stand in the path with its slashes
 * or with `%2F`.
 * @throws TuttiError `INVALID_ROOM` if what stands where a room should is no room name.
 */
export const matchRoom = (path: string, documents: Documents): RoomRoute | undefined => {
  if (!path.startsWith(ROOMS_PREFIX)) return undefined
  const rest = path.slice(ROOMS_PREFIX.length)
  const slash = rest.lastIndexOf('/')
  const name = rest.slice(slash + 1)
  if (slash < 0 || !Object.hasOwn(RESOURCES, name)) return undefined
  const methods = RESOURCES[name]!
  const room = decodeRoom(rest.slice(0, slash))
  return {
    methods: Object.keys(methods),
    answer: (request) => methods[request.method]!(documents, room, request),
  }
}
