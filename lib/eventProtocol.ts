/**
 * Events on the wire of door 1: frames behind `MESSAGE_TUTTI`. Bytes in, data out; no I/O.
 *
 * A client subscribes once it was greeted. The server answers with `SUBSCRIBED`, then what was missed, then what comes:
 * each offset of the room once and in order, as an `EVENT` or, where it is not for this connection, as `SKIPPED`. A
 * client that meets a hole, or hears `MISSED`, asks again from what it has seen.
 */
import * as decoding from 'lib0/decoding'
import * as encoding from 'lib0/encoding'
import { encodeTutti } from './protocol.ts'

/** Client: events of a room, from now on or from the position that it has. Asking again is harmless. */
export const TUTTI_SUBSCRIBE = 5
/** Server: what a `TUTTI_SUBSCRIBE` led to; then what was missed, then what comes. */
export const TUTTI_SUBSCRIBED = 6
/** Server: one event. Offsets of a room come without a hole, each as an event or as `TUTTI_SKIPPED`. */
export const TUTTI_EVENT = 7
/** Client: publishes an event. */
export const TUTTI_TRIGGER = 8
/** Server: what a `TUTTI_TRIGGER` led to. */
export const TUTTI_TRIGGERED = 9
/** Client: no more events of this room. Not answered. */
export const TUTTI_UNSUBSCRIBE = 10
/** Server: somebody came or went. */
export const TUTTI_PERSON = 11
/** Server: a `TUTTI_SUBSCRIBE` is refused; the connection stays. */
export const TUTTI_REFUSED = 12
/** Server: the event with this offset is not for this connection, which sent it or was excepted. */
export const TUTTI_SKIPPED = 14
/** Server: events were skipped, since the socket was full; the client asks again for each of its subscriptions. */
export const TUTTI_MISSED = 15

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

/** Frames of the server about events. */
export type ServerEventMessage =
  | ({ type: 'subscribed' } & Subscribed)
  | ({ type: 'event' } & WireEvent)
  | { type: 'skipped'; room: string; offset: number }
  | { type: 'triggered'; id: number; offset: number }
  | { type: 'triggered'; id: number; error: WireError }
  | { type: 'person'; news: PersonNews; room: string; person: WirePerson }
  | { type: 'refused'; room: string; error: WireError }
  | { type: 'missed' }

/** `present`: the client's own presence, which it is not told of as a join. The order is that of the wire. */
export const PERSON_NEWS = ['left', 'joined', 'present'] as const
export type PersonNews = (typeof PERSON_NEWS)[number]

const WITH_POSITION = 1
const WANTS_PEOPLE = 2
const IS_BINARY = 1
const FROM_SERVER = 2
const WITH_USER = 4
const WANTS_ACK = 2

/** `room, flags (1 position, 2 people)`; with a position `epoch, offset, number of former sessions, each of them`. */
export const encodeSubscribe = ({ room, wantsPeople, position }: Subscribe): Uint8Array =>
  encodeTutti(TUTTI_SUBSCRIBE, (encoder) => {
    encoding.writeVarString(encoder, room)
    encoding.writeVarUint(encoder, (position ? WITH_POSITION : 0) | (wantsPeople ? WANTS_PEOPLE : 0))
    if (!position) return
    encoding.writeVarString(encoder, position.epoch)
    encoding.writeVarUint(encoder, position.offset)
    encoding.writeVarUint(encoder, position.former.length)
    for (const id of position.former) encoding.writeVarString(encoder, id)
  })

export const decodeSubscribe = (decoder: decoding.Decoder): Subscribe => {
  const room = decoding.readVarString(decoder)
  const flags = decoding.readVarUint(decoder)
  const wantsPeople = (flags & WANTS_PEOPLE) !== 0
  if ((flags & WITH_POSITION) === 0) return { room, wantsPeople }
  const epoch = decoding.readVarString(decoder)
  const offset = decoding.readVarUint(decoder)
  const former: string[] = []
  // One too many is enough to tell that there are too many.
  let count = Math.min(decoding.readVarUint(decoder), MAX_FORMER_SESSIONS + 1)
  for (; count > 0; count--) former.push(decoding.readVarString(decoder))
  return { room, wantsPeople, position: { epoch, offset, former } }
}

/** `room, epoch, offset, latest, recovered (0 or 1), JSON of the people` or, where nobody asked for them, an empty text. */
export const encodeSubscribed = ({ room, epoch, offset, latest, recovered, people }: Subscribed): Uint8Array =>
  encodeTutti(TUTTI_SUBSCRIBED, (encoder) => {
    encoding.writeVarString(encoder, room)
    encoding.writeVarString(encoder, epoch)
    encoding.writeVarUint(encoder, offset)
    encoding.writeVarUint(encoder, latest)
    encoding.writeVarUint(encoder, recovered ? 1 : 0)
    encoding.writeVarString(encoder, people ? JSON.stringify(people) : '')
  })

const writeBody = (encoder: encoding.Encoder, body: string | Uint8Array): void => {
  if (typeof body === 'string') encoding.writeVarString(encoder, body)
  else encoding.writeVarUint8Array(encoder, body)
}

/** A copy: a body outlives its frame. */
const readBody = (decoder: decoding.Decoder, flags: number): string | Uint8Array =>
  flags & IS_BINARY ? decoding.readVarUint8Array(decoder).slice() : decoding.readVarString(decoder)

/** `room, offset, flags (1 binary, 2 from a server, 4 user), event`, with a user `their id`, `body`. */
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

const readEvent = (decoder: decoding.Decoder): WireEvent => {
  const room = decoding.readVarString(decoder)
  const offset = decoding.readVarUint(decoder)
  const flags = decoding.readVarUint(decoder)
  return {
    room,
    offset,
    event: decoding.readVarString(decoder),
    userId: flags & WITH_USER ? decoding.readVarString(decoder) : undefined,
    body: readBody(decoder, flags),
    from: flags & FROM_SERVER ? 'server' : 'peer',
  }
}

/** `room, offset`. */
export const encodeSkipped = (room: string, offset: number): Uint8Array =>
  encodeTutti(TUTTI_SKIPPED, (encoder) => {
    encoding.writeVarString(encoder, room)
    encoding.writeVarUint(encoder, offset)
  })

/** `id, room, flags (1 binary, 2 answer also if it was published), event, body`. */
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

const writeError = (encoder: encoding.Encoder, { code, message, hint }: WireError): void => {
  for (const text of [code, message, hint]) encoding.writeVarString(encoder, text)
}

const readError = (decoder: decoding.Decoder): WireError => ({
  code: decoding.readVarString(decoder),
  message: decoding.readVarString(decoder),
  hint: decoding.readVarString(decoder),
})

/** `id, 0, offset` or `id, 1, code, message, hint`. */
export const encodeTriggered = (id: number, outcome: number | WireError): Uint8Array =>
  encodeTutti(TUTTI_TRIGGERED, (encoder) => {
    encoding.writeVarUint(encoder, id)
    encoding.writeVarUint(encoder, typeof outcome === 'number' ? 0 : 1)
    if (typeof outcome === 'number') encoding.writeVarUint(encoder, outcome)
    else writeError(encoder, outcome)
  })

/** `room`. */
export const encodeUnsubscribe = (room: string): Uint8Array =>
  encodeTutti(TUTTI_UNSUBSCRIBE, (encoder) => encoding.writeVarString(encoder, room))

/** `place in PERSON_NEWS, room, JSON of the person`. */
export const encodePerson = (news: PersonNews, person: WirePerson, room: string): Uint8Array =>
  encodeTutti(TUTTI_PERSON, (encoder) => {
    encoding.writeVarUint(encoder, PERSON_NEWS.indexOf(news))
    encoding.writeVarString(encoder, room)
    encoding.writeVarString(encoder, JSON.stringify({ id: person.id, info: person.info }))
  })

/** `room, code, message, hint`. */
export const encodeRefused = (room: string, error: WireError): Uint8Array =>
  encodeTutti(TUTTI_REFUSED, (encoder) => {
    encoding.writeVarString(encoder, room)
    writeError(encoder, error)
  })

export const encodeMissed = (): Uint8Array => encodeTutti(TUTTI_MISSED, () => undefined)

/** Reads what follows `MESSAGE_TUTTI`, if it is about events; else `undefined`. Throws for what is no frame. */
export const decodeServerEvent = (decoder: decoding.Decoder): ServerEventMessage | undefined => {
  switch (decoding.readVarUint(decoder)) {
    case TUTTI_SUBSCRIBED: {
      const room = decoding.readVarString(decoder)
      const epoch = decoding.readVarString(decoder)
      const offset = decoding.readVarUint(decoder)
      const latest = decoding.readVarUint(decoder)
      const recovered = decoding.readVarUint(decoder) !== 0
      const people = decoding.readVarString(decoder)
      const subscribed = { room, epoch, offset, latest, recovered }
      return { type: 'subscribed', ...subscribed, ...(people && { people: JSON.parse(people) as WirePerson[] }) }
    }
    case TUTTI_EVENT:
      return { type: 'event', ...readEvent(decoder) }
    case TUTTI_SKIPPED:
      return { type: 'skipped', room: decoding.readVarString(decoder), offset: decoding.readVarUint(decoder) }
    case TUTTI_TRIGGERED: {
      const id = decoding.readVarUint(decoder)
      return decoding.readVarUint(decoder) === 0
        ? { type: 'triggered', id, offset: decoding.readVarUint(decoder) }
        : { type: 'triggered', id, error: readError(decoder) }
    }
    case TUTTI_PERSON: {
      const news = PERSON_NEWS[decoding.readVarUint(decoder)]
      const room = decoding.readVarString(decoder)
      const person = JSON.parse(decoding.readVarString(decoder)) as WirePerson
      return news && { type: 'person', news, room, person }
    }
    case TUTTI_REFUSED:
      return { type: 'refused', room: decoding.readVarString(decoder), error: readError(decoder) }
    case TUTTI_MISSED:
      return { type: 'missed' }
    default:
      return undefined
  }
}
