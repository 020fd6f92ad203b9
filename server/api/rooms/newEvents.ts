/** The events in the body of a request, checked: nothing is published before all of them are known to be right. */
import { TuttiError } from '../../../lib/errors.ts'
import { eventNameProblem } from '../../../lib/protocol.ts'
import type { ApiRequest, NewEvent } from '../../contracts.ts'
import { jsonBodyOf } from '../../room/eventBody.ts'
import type { Json } from '../documentJson.ts'
import { checkBodyType, parseJsonBody } from '../jsonBody.ts'
import { JSON_TYPE } from '../jsonResponse.ts'
import { kindOf } from '../patchValue.ts'
import { queryOf } from '../query.ts'

/** Events of one request. */
export const MAX_EVENTS = 1000
/** Characters of the `id` of an event. */
const MAX_ID_LENGTH = 128

const BYTES_TYPE = 'application/octet-stream'

const EXAMPLE = '{"event": "message", "data": {"text": "hello"}}'
const FIELDS: readonly string[] = ['event', 'data', 'except', 'id']

/** An event that was asked for. */
export interface AskedEvent {
  readonly event: NewEvent
  /** What makes sending it again harmless. */
  readonly id: string | undefined
}

export interface AskedEvents {
  readonly events: readonly AskedEvent[]
  /** The body was an array, and so is the answer. */
  readonly isList: boolean
}

/** @param place what the texts of errors begin with: `The event`, `Event 3` */
const refuse = (place: string, problem: string, hint: string): never => {
  throw new TuttiError('INVALID_VALUE', `${place} ${problem}`, { hint })
}

const checkName = (place: string, name: unknown): string => {
  if (typeof name !== 'string')
    return refuse(place, `has a name that is ${kindOf(name)}; expected a string.`, `Send e.g. ${EXAMPLE}.`)
  const problem = eventNameProblem(name)
  return problem === undefined ? name : refuse(place, `has no valid name: ${problem}.`, 'Use 1–200 characters.')
}

const checkExcept = (place: string, except: unknown): string | undefined => {
  if (except === undefined || except === null) return undefined
  if (typeof except === 'string' && /^\d{1,20}\.\d{1,20}$/.test(except)) return except
  const hint = 'Give the socket_id of a Pusher client or the sessionId of a room, or leave it out.'
  return refuse(place, 'has an "except" that is not the id of a connection, e.g. "123.456".', hint)
}

const checkId = (place: string, id: unknown): string | undefined => {
  if (id === undefined || id === null) return undefined
  if (typeof id === 'string' && id.length > 0 && id.length <= MAX_ID_LENGTH) return id
  return refuse(
    place,
    `has an "id" that is not a string of 1–${MAX_ID_LENGTH} characters.`,
    'Use a random UUID, or leave it out.',
  )
}

const checkBody = (place: string, body: string | Uint8Array, maxBytes: number): string | Uint8Array => {
  const bytes = typeof body === 'string' ? Buffer.byteLength(body) : body.byteLength
  if (bytes <= maxBytes) return body
  throw new TuttiError('TOO_LARGE', `${place} has ${bytes} bytes of data; the limit is ${maxBytes}.`, {
    hint: 'Keep large things in the document, or raise maxEventBytes on the server.',
  })
}

const fromJson = (place: string, value: Json, maxBytes: number): AskedEvent => {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return refuse(place, `is ${kindOf(value)}; expected an object.`, `Send e.g. ${EXAMPLE}.`)
  }
  const fields = value as { readonly [name: string]: Json }
  const unknown = Object.keys(fields).find((name) => !FIELDS.includes(name))
  if (unknown !== undefined) {
    refuse(
      place,
      `has a field ${JSON.stringify(unknown.slice(0, 40))}; there are ${FIELDS.join(', ')}.`,
      'Put it into "data".',
    )
  }
  const event = checkName(place, fields.event)
  const except = checkExcept(place, fields.except)
  const id = checkId(place, fields.id)
  const body = checkBody(place, jsonBodyOf(fields.data), maxBytes)
  return { event: { event, body, except, from: 'server' }, id }
}

const fromBytes = (request: ApiRequest, maxBytes: number): AskedEvent => {
  const { event: name, except, id } = queryOf(request.query, ['event', 'except', 'id'])
  const place = 'The event'
  if (name === undefined) return refuse(place, 'has no name.', 'Write ?event=<name>; the body is its data.')
  const event = checkName(place, name)
  // A copy of its own: the event is kept for a while, the pool that a body may be part of need not be.
  const body = checkBody(place, new Uint8Array(request.body), maxBytes)
  return { event: { event, body, except: checkExcept(place, except), from: 'server' }, id: checkId(place, id) }
}

/**
 * Reads `{ event, data?, except?, id? }` or an array of them, or the bytes of one event that the query names.
 * @throws TuttiError `UNSUPPORTED_TYPE`, `INVALID_JSON`, `INVALID_VALUE`, `INVALID_REQUEST`, `TOO_LARGE`
 */
export const askedEvents = (request: ApiRequest, maxEventBytes: number): AskedEvents => {
  if (checkBodyType(request, [JSON_TYPE, BYTES_TYPE]) === BYTES_TYPE) {
    return { events: [fromBytes(request, maxEventBytes)], isList: false }
  }
  queryOf(request.query, [])
  const body = parseJsonBody(request.body, 'an event or an array of events', EXAMPLE)
  if (!Array.isArray(body)) return { events: [fromJson('The event', body, maxEventBytes)], isList: false }
  const list = body as readonly Json[]
  if (list.length > MAX_EVENTS) {
    throw new TuttiError('TOO_LARGE', `The request has ${list.length} events; the limit is ${MAX_EVENTS}.`, {
      hint: 'Send several requests.',
    })
  }
  return { events: list.map((value, i) => fromJson(`Event ${i}`, value, maxEventBytes)), isList: true }
}
