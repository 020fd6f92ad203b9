/**
 * Events on the wire of door 1: frames behind `MESSAGE_TUTTI`. Bytes in, data out; no I/O.
 *
 * A client subscribes once it was greeted. The server answers with `SUBSCRIBED`, then what was missed, then what comes:
 * each offset of the room once and in order, as an `EVENT`, which is marked as skipped where it is not for this
 * connection. A client that meets a hole, or hears `MISSED`, asks again from what it has seen.
 */
import * as decoding from 'lib0/decoding'
import * as encoding from 'lib0/encoding'
import { encodeTutti } from './protocol.ts'

// A body that is not described otherwise is one text: the JSON of what the type of its name below has.
/** Client: events of a room, from now on or from the position that it has. Asking again is harmless. */
export const TUTTI_SUBSCRIBE = 5
/** Server: what a `TUTTI_SUBSCRIBE` led to; then what was missed, then what comes. */
export const TUTTI_SUBSCRIBED = 6
/**
 * Server: one event. `room, offset, flags (1 binary, 2 from a server, 4 user, 8 skipped)`; unless it is skipped, `name`,
 * with a user `their id`, and the data.
 */
export const TUTTI_EVENT = 7
/** Client: publishes an event. `id, room, flags (1 binary, 2 answer also if it was published), name`, and the data. */
export const TUTTI_TRIGGER = 8
/** Server: what a `TUTTI_TRIGGER` led to. */
export const TUTTI_TRIGGERED = 9
/** Client: no more events of this room. Not answered. `room`. */
export const TUTTI_UNSUBSCRIBE = 10
/** Server: somebody came or went, or tells something else. */
export const TUTTI_PERSON = 11
/** Server: a `TUTTI_SUBSCRIBE` is refused; the connection stays. */
export const TUTTI_REFUSED = 12
/** Server: events were skipped, since the socket was full; the client asks again for each of its subscriptions. */
export const TUTTI_MISSED = 14

/** Ids of earlier connections that a `TUTTI_SUBSCRIBE` may name. */
export const MAX_FORMER_SESSIONS = 16

/** `TUTTI_SUBSCRIBE`. */
export interface Subscribe {
  room: string
  /** The answer lists who is there. */
  wantsPeople: boolean
  /** What this client has seen; without it, events count from now on. */
  position?: {
    epoch: string
    offset: number
    /** `sessionId` of the connections since that offset: what one of them was excepted from is not sent. */
    former: readonly string[]
  }
}

/** `TUTTI_SUBSCRIBED`. */
export interface Subscribed {
  room: string
  epoch: string
  /** Position before what follows. */
  offset: number
  /** Position of the room now: what follows up to here was missed. */
  latest: number
  /** What was missed follows, all of it. */
  recovered: boolean
  people?: readonly WirePerson[]
}

export interface WirePerson {
  id: string
  info: unknown
}

/** `TUTTI_EVENT`. */
export interface WireEvent {
  room: string
  offset: number
  event: string
  /** Text: JSON, or any other text, which then stands for itself. */
  body: string | Uint8Array
  userId?: string | undefined
  from: 'peer' | 'server'
}

/** `TUTTI_EVENT` in the place of one that is not for this connection, which sent it or was excepted. */
export interface WireSkip {
  room: string
  offset: number
  event?: undefined
}

/** `TUTTI_TRIGGER`. */
export interface Trigger {
  /** Chosen by the client; the answer carries it. */
  id: number
  room: string
  event: string
  body: string | Uint8Array
  /** Answer also if it was published; a refusal is always answered. */
  ack: boolean
}

/** An error as it travels: see `TuttiError`. */
export interface WireError {
  code: string
  message: string
  hint: string
}

/** `TUTTI_TRIGGERED`. */
export interface Triggered {
  id: number
  /** Where it is published. */
  offset?: number
  error?: WireError
}

/**
 * `TUTTI_PERSON`. `present`: someone is there, which is no news of a join. So a client is told of its own presence, and
 * everyone of what someone tells anew.
 */
export interface PersonNews {
  news: 'left' | 'joined' | 'present'
  room: string
  person: WirePerson
}

/** `TUTTI_REFUSED`. */
export interface Refused {
  room: string
  error: WireError
}

/** Frames of the server about events. */
export type ServerEventMessage =
  | ({ type: 'event' } & (WireEvent | WireSkip))
  | ({ type: 'subscribed' } & Subscribed)
  | ({ type: 'triggered' } & Triggered)
  | ({ type: 'person' } & PersonNews)
  | ({ type: 'refused' } & Refused)
  | { type: 'missed' }

const IS_BINARY = 1
const FROM_SERVER = 2
const WITH_USER = 4
const IS_SKIPPED = 8
const WANTS_ACK = 2

const encodeJson = (type: number, value: object): Uint8Array =>
  encodeTutti(type, (encoder) => encoding.writeVarString(encoder, JSON.stringify(value)))

const withoutStack = ({ code, message, hint }: WireError): WireError => ({ code, message, hint })

export const encodeSubscribe = (request: Subscribe): Uint8Array => encodeJson(TUTTI_SUBSCRIBE, request)
export const encodeSubscribed = (answer: Subscribed): Uint8Array => encodeJson(TUTTI_SUBSCRIBED, answer)
export const encodeTriggered = (id: number, outcome: number | WireError): Uint8Array =>
  encodeJson(
    TUTTI_TRIGGERED,
    typeof outcome === 'number' ? { id, offset: outcome } : { id, error: withoutStack(outcome) },
  )
export const encodePerson = (news: PersonNews['news'], person: WirePerson, room: string): Uint8Array =>
  encodeJson(TUTTI_PERSON, { news, room, person })
export const encodeRefused = (room: string, error: WireError): Uint8Array =>
  encodeJson(TUTTI_REFUSED, { room, error: withoutStack(error) })
export const encodeMissed = (): Uint8Array => encodeJson(TUTTI_MISSED, {})
export const encodeUnsubscribe = (room: string): Uint8Array =>
  encodeTutti(TUTTI_UNSUBSCRIBE, (encoder) => encoding.writeVarString(encoder, room))

const writeBody = (encoder: encoding.Encoder, body: string | Uint8Array): void => {
  if (typeof body === 'string') encoding.writeVarString(encoder, body)
  else encoding.writeVarUint8Array(encoder, body)
}

/** A copy: a body outlives its frame. */
const readBody = (decoder: decoding.Decoder, flags: number): string | Uint8Array =>
  flags & IS_BINARY ? decoding.readVarUint8Array(decoder).slice() : decoding.readVarString(decoder)

/** What a body says. */
export const dataOf = (body: string | Uint8Array): unknown => {
  if (typeof body !== 'string') return body
  try {
    return JSON.parse(body)
  } catch {
    // Any other text stands for itself, as for Pusher's clients.
    return body
  }
}

export const encodeEvent = ({ room, offset, event, body, userId, from }: WireEvent): Uint8Array =>
  encodeTutti(TUTTI_EVENT, (encoder) => {
    const kind = (typeof body === 'string' ? 0 : IS_BINARY) | (from === 'server' ? FROM_SERVER : 0)
    encoding.writeVarString(encoder, room)
    encoding.writeVarUint(encoder, offset)
    encoding.writeVarUint(encoder, kind | (userId === undefined ? 0 : WITH_USER))
    encoding.writeVarString(encoder, event)
    if (userId !== undefined) encoding.writeVarString(encoder, userId)
    writeBody(encoder, body)
  })

export const encodeSkipped = (room: string, offset: number): Uint8Array =>
  encodeTutti(TUTTI_EVENT, (encoder) => {
    encoding.writeVarString(encoder, room)
    encoding.writeVarUint(encoder, offset)
    encoding.writeVarUint(encoder, IS_SKIPPED)
  })

const readEvent = (decoder: decoding.Decoder): WireEvent | WireSkip => {
  const room = decoding.readVarString(decoder)
  const offset = decoding.readVarUint(decoder)
  const flags = decoding.readVarUint(decoder)
  if (flags & IS_SKIPPED) return { room, offset }
  return {
    room,
    offset,
    event: decoding.readVarString(decoder),
    userId: flags & WITH_USER ? decoding.readVarString(decoder) : undefined,
    body: readBody(decoder, flags),
    from: flags & FROM_SERVER ? 'server' : 'peer',
  }
}

export const encodeTrigger = ({ id, room, event, body, ack }: Trigger): Uint8Array =>
  encodeTutti(TUTTI_TRIGGER, (encoder) => {
    encoding.writeVarUint(encoder, id)
    encoding.writeVarString(encoder, room)
    encoding.writeVarUint(encoder, (typeof body === 'string' ? 0 : IS_BINARY) | (ack ? WANTS_ACK : 0))
    encoding.writeVarString(encoder, event)
    writeBody(encoder, body)
  })

export const decodeTrigger = (decoder: decoding.Decoder): Trigger => {
  const id = decoding.readVarUint(decoder)
  const room = decoding.readVarString(decoder)
  const flags = decoding.readVarUint(decoder)
  const event = decoding.readVarString(decoder)
  return { id, room, event, body: readBody(decoder, flags), ack: (flags & WANTS_ACK) !== 0 }
}

const TYPES: Readonly<Record<number, ServerEventMessage['type']>> = {
  [TUTTI_SUBSCRIBED]: 'subscribed',
  [TUTTI_TRIGGERED]: 'triggered',
  [TUTTI_PERSON]: 'person',
  [TUTTI_REFUSED]: 'refused',
  [TUTTI_MISSED]: 'missed',
}

/** Reads what follows `MESSAGE_TUTTI`, if it is about events; else `undefined`. Throws for what is no frame. */
export const decodeServerEvent = (decoder: decoding.Decoder): ServerEventMessage | undefined => {
  const number = decoding.readVarUint(decoder)
  if (number === TUTTI_EVENT) return { type: 'event', ...readEvent(decoder) }
  const type = TYPES[number]
  return type && { ...JSON.parse(decoding.readVarString(decoder)), type }
}
