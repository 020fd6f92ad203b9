/**
 * The wire of door 1: y-websocket's frames, and the opt-in frames of Tutti's own client. Bytes in, data out; no I/O.
 *
 * One binary WebSocket frame is one message: `varUint type` and a body. y-websocket 3 reads only the first message of
 * a frame, so messages are never joined in one frame.
 */
import * as decoding from 'lib0/decoding'
import * as encoding from 'lib0/encoding'

/** Message types of y-websocket. */
export const MESSAGE_SYNC = 0
export const MESSAGE_AWARENESS = 1
export const MESSAGE_QUERY_AWARENESS = 3
/** Tutti's own type; at most 127, so that y-websocket's reply encoder stays at one byte and nothing is sent back. */
export const MESSAGE_TUTTI = 100

export const SYNC_STEP_1 = 0
export const SYNC_STEP_2 = 1
export const SYNC_UPDATE = 2

/** Sub-types behind `MESSAGE_TUTTI`. `CLIENT_HELLO` must be the first frame of a client that opted in. */
export const TUTTI_CLIENT_HELLO = 0
export const TUTTI_SERVER_HELLO = 1
export const TUTTI_ACK = 2
export const TUTTI_PING = 3
export const TUTTI_PONG = 4
/** Server: who made the update that comes next. `name, check sum of the update`. */
export const TUTTI_ORIGIN = 13
// 5 to 12, 14 and 15 are in eventProtocol.ts.

/** Query parameter (`?tutti=1`) by which a client opts in to frames of type `MESSAGE_TUTTI`. */
export const OPT_IN_PARAM = 'tutti'
export const OPT_IN_VALUE = '1'

/** Awareness for zero clients: legal, fires no event; keeps y-websocket's 30 s watchdog content. */
export const KEEPALIVE: Uint8Array = Uint8Array.of(MESSAGE_AWARENESS, 1, 0)
/** An update without content (`varUint 0` structs, `varUint 0` deletions). */
export const EMPTY_UPDATE: Uint8Array = Uint8Array.of(0, 0)

/** Room names: length in bytes of UTF-8. */
export const MAX_ROOM_NAME_BYTES = 255

export interface ClientHello {
  /** Random secret of this provider, kept over reconnects: whoever shows it again is the same client. */
  resume: string
  /** The Y.Doc's client id: the session's own presence entry. */
  clientId: number
  /** The document id this client last met in this room; a server without the room adopts it. */
  documentId?: string
}

export interface ServerHello {
  documentId: string
  /** Largest frame the server takes, in bytes; a client refuses locally what is larger. */
  maxMessageBytes: number
  /** Names this connection to others, such as `except` of an event. */
  sessionId?: string
  /** How long someone whose connection broke may take to come back without a leave and a join. */
  leaveGraceMs?: number
}

/** `MESSAGE_TUTTI` frames of the server. */
export type ServerTuttiMessage =
  | { type: 'hello'; hello: ServerHello }
  | { type: 'ack'; frames: number }
  | { type: 'pong'; id: number }
  | { type: 'origin'; origin: string; sum: number }

const frame = (write: (encoder: encoding.Encoder) => void): Uint8Array => {
  const encoder = encoding.createEncoder()
  write(encoder)
  return encoding.toUint8Array(encoder)
}

const encodeSync = (type: number, body: Uint8Array): Uint8Array =>
  frame((encoder) => {
    encoding.writeVarUint(encoder, MESSAGE_SYNC)
    encoding.writeVarUint(encoder, type)
    encoding.writeVarUint8Array(encoder, body)
  })

export const encodeSyncStep1 = (stateVector: Uint8Array): Uint8Array => encodeSync(SYNC_STEP_1, stateVector)
export const encodeSyncStep2 = (update: Uint8Array): Uint8Array => encodeSync(SYNC_STEP_2, update)
export const encodeSyncUpdate = (update: Uint8Array): Uint8Array => encodeSync(SYNC_UPDATE, update)

/** A frame of Tutti's own: its sub-type and what `write` writes. */
export const encodeTutti = (type: number, write: (encoder: encoding.Encoder) => void): Uint8Array =>
  frame((encoder) => {
    encoding.writeVarUint(encoder, MESSAGE_TUTTI)
    encoding.writeVarUint(encoder, type)
    write(encoder)
  })

export const encodeClientHello = (hello: ClientHello): Uint8Array =>
  encodeTutti(TUTTI_CLIENT_HELLO, (encoder) => encoding.writeVarString(encoder, JSON.stringify(hello)))
export const encodeServerHello = (hello: ServerHello): Uint8Array =>
  encodeTutti(TUTTI_SERVER_HELLO, (encoder) => encoding.writeVarString(encoder, JSON.stringify(hello)))
/** "Your first `frames` document frames (sync step 2 and update) of this connection are durable." */
export const encodeAck = (frames: number): Uint8Array =>
  encodeTutti(TUTTI_ACK, (encoder) => encoding.writeVarUint(encoder, frames))
export const encodePing = (id: number): Uint8Array =>
  encodeTutti(TUTTI_PING, (encoder) => encoding.writeVarUint(encoder, id))
export const encodePong = (id: number): Uint8Array =>
  encodeTutti(TUTTI_PONG, (encoder) => encoding.writeVarUint(encoder, id))

/** FNV-1a, 32 bits: tells an update from the one that comes in its place if a full socket skipped it. */
export const updateSum = (update: Uint8Array): number => {
  let sum = 0x811c9dc5
  for (const byte of update) sum = Math.imul(sum ^ byte, 0x01000193)
  return sum >>> 0
}

/** "The update in the next frame was made by a back end that calls itself `origin`." */
export const encodeOrigin = (origin: string, update: Uint8Array): Uint8Array =>
  encodeTutti(TUTTI_ORIGIN, (encoder) => {
    encoding.writeVarString(encoder, origin)
    encoding.writeVarUint(encoder, updateSum(update))
  })

const readHello = (decoder: decoding.Decoder): ServerHello => {
  const hello = JSON.parse(decoding.readVarString(decoder)) as ServerHello
  if (typeof hello.documentId === 'string' && typeof hello.maxMessageBytes === 'number') return hello
  throw new TypeError('no hello')
}

/**
 * Reads what follows `MESSAGE_TUTTI` in a frame of the server. An unknown sub-type is `undefined`: a newer server.
 * Throws for what is no frame.
 */
export const decodeServerTutti = (decoder: decoding.Decoder): ServerTuttiMessage | undefined => {
  switch (decoding.readVarUint(decoder)) {
    case TUTTI_SERVER_HELLO:
      return { type: 'hello', hello: readHello(decoder) }
    case TUTTI_ACK:
      return { type: 'ack', frames: decoding.readVarUint(decoder) }
    case TUTTI_PONG:
      return { type: 'pong', id: decoding.readVarUint(decoder) }
    case TUTTI_ORIGIN:
      return { type: 'origin', origin: decoding.readVarString(decoder), sum: decoding.readVarUint(decoder) }
    default:
      return undefined
  }
}

/** A frame that carries document content and is counted by acknowledgements: sync step 2 or update. */
export const isDocumentFrame = (bytes: Uint8Array): boolean =>
  bytes[0] === MESSAGE_SYNC && (bytes[1] === SYNC_STEP_2 || bytes[1] === SYNC_UPDATE)

/** A sync step 2: the answer to a step 1, which covers everything its sender had at that moment. */
export const isSyncStep2 = (bytes: Uint8Array): boolean => bytes[0] === MESSAGE_SYNC && bytes[1] === SYNC_STEP_2

/**
 * Says what is wrong with a decoded room name, or `undefined` if it is one: 1–255 bytes of UTF-8, no control
 * characters, no empty, `.` or `..` segment between slashes. One form for all doors.
 */
export const roomNameProblem = (name: string): string | undefined => {
  if (name === '') return 'it is empty'
  if (!isWellFormed(name)) return 'it holds half a surrogate pair'
  if (new TextEncoder().encode(name).byteLength > MAX_ROOM_NAME_BYTES) {
    return `it is longer than ${MAX_ROOM_NAME_BYTES} bytes of UTF-8`
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this looks for
  if (/[\u0000-\u001f\u007f-\u009f]/.test(name)) return 'it holds a control character'
  for (const segment of name.split('/')) {
    if (segment === '') return 'it has an empty segment (a leading, trailing or double slash)'
    if (segment === '.' || segment === '..') return `it has the segment "${segment}"`
  }
  return undefined
}

/** Characters of an event's name. */
export const MAX_EVENT_NAME_LENGTH = 200

/**
 * Says what is wrong with the name of an event, or `undefined` if it is one: 1–200 characters of any kind, but not the
 * names by which Pusher's protocol speaks of itself.
 * @param maxLength an app may have a limit of its own
 */
export const eventNameProblem = (name: unknown, maxLength = MAX_EVENT_NAME_LENGTH): string | undefined => {
  if (typeof name !== 'string') return 'it is no string'
  if (name === '') return 'it is empty'
  if (name.length > maxLength) return `it is longer than ${maxLength} characters`
  if (!isWellFormed(name)) return 'it holds half a surrogate pair'
  if (/^pusher(_internal)?:/.test(name)) return 'names that start with "pusher:" or "pusher_internal:" are kept'
  return undefined
}

/** A room name as it stands in an address: each segment percent-encoded, slashes kept. */
export const encodeRoomPath = (name: string): string => name.split('/').map(encodeURIComponent).join('/')

// `String.prototype.isWellFormed` is missing in Safari before 16.4. Not `encodeURIComponent` in a `try`: bundlers take
// it for free of effects and drop the call.
const isWellFormed = (text: string): boolean => !/\p{Surrogate}/u.test(text)
