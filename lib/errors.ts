/** Every code an error of Tutti can carry. The table `ERRORS` says what each one means on the wire. */
export type ErrorCode = keyof typeof ERRORS

export interface WireMeaning {
  /** WebSocket close code the server uses, or the client reads as this error. */
  readonly close?: number
  /** HTTP status of the room door. */
  readonly status?: number
  /** The same call may succeed later without a change by the caller. */
  readonly retryable?: boolean
}

/**
 * The one list of errors. Close codes 4400–4499 are permanent: y-websocket 3.1 and Tutti's client stop reconnecting;
 * every other close code is retried.
 */
export const ERRORS = {
  // Store: thrown by a write or a read, before anything reaches Yjs.
  /** A key that the schema does not have. */
  UNKNOWN_KEY: { status: 422 },
  /** A value that the schema does not allow at this path. */
  INVALID_VALUE: { status: 422 },
  /** A value that contains itself. */
  CYCLE: { status: 422 },
  /** A write to a node that is not in the document: deleted from it, or never written. */
  DETACHED: {},
  /** A call on a store or room that was destroyed. */
  DESTROYED: {},
  /** A write while a component is rendering. */
  WRITE_IN_RENDER: {},
  /** The schema given to `createStore` is not one, or an option of it is wrong. */
  INVALID_SCHEMA: {},

  // Connection and protocol.
  /** A room name that breaks the rules of `parseRoomName`. */
  INVALID_ROOM: { close: 4400, status: 400 },
  UNAUTHENTICATED: { close: 4401, status: 401 },
  FORBIDDEN: { close: 4403, status: 403 },
  /** The server holds another document under this name than the one this client knew. */
  ROOM_GONE: { close: 4404, status: 404 },
  /** A frame or update that is malformed, or breaks a rule of the protocol. */
  PROTOCOL: { close: 4409, status: 422 },
  /** A message, document or request body over its limit. */
  TOO_LARGE: { close: 4413, status: 413 },
  /** A count or rate over its limit; the client must act before it may come back. */
  RATE_LIMITED: { close: 4429, status: 429 },
  /** The server is stopping or restarting. */
  GOING_AWAY: { close: 1001, status: 503, retryable: true },
  /** The server could not store or accept this now. */
  TRY_LATER: { close: 1013, status: 503, retryable: true },
  /** No answer within the time given. */
  TIMEOUT: { retryable: true },
  /** There is no connection to send this over; nothing was sent. */
  NOT_CONNECTED: { retryable: true },
  /** There is no WebSocket here, or the address is not one. */
  UNSUPPORTED: {},

  // HTTP room door.
  INVALID_JSON: { status: 400 },
  INVALID_REQUEST: { status: 400 },
  NOT_FOUND: { status: 404 },
  METHOD_NOT_ALLOWED: { status: 405 },
  UNSUPPORTED_TYPE: { status: 415 },
  /** A patch that is not an object, or names a place that cannot take it. */
  INVALID_PATCH: { status: 422 },
  /** A change that takes for granted what the document does not hold: a failed `test`, a place that is not there. */
  CONFLICT: { status: 409 },
  /** The document is not at the revision that `If-Match` or `If-None-Match` asks for. */
  PRECONDITION_FAILED: { status: 412 },
  /** An `Idempotency-Key` that stands for another request. */
  KEY_REUSED: { status: 422 },
  INTERNAL: { close: 1011, status: 500, retryable: true },

  // Server start and storage.
  INVALID_OPTION: {},
  PORT_IN_USE: {},
  DATA_IN_USE: {},
  STORAGE_FAILED: { close: 1013, status: 503, retryable: true },
} as const satisfies Record<string, WireMeaning>

/** Whether something is a code of the list: what an application throws need not have been checked by a compiler. */
export const isErrorCode = (code: unknown): code is ErrorCode => typeof code === 'string' && Object.hasOwn(ERRORS, code)

/** What a code means on the wire; one that is not in the list, the same as `INTERNAL`. */
export const meaningOf = (code: ErrorCode): WireMeaning => (isErrorCode(code) ? ERRORS[code] : ERRORS.INTERNAL)

// A browser gets these two extracts of the list, not the list; their types hold them to it.
type Retryable = { [C in ErrorCode]: (typeof ERRORS)[C] extends { retryable: true } ? C : never }[ErrorCode]
type ByClose = { [C in ErrorCode as (typeof ERRORS)[C] extends { close: infer N extends number } ? N : never]: C }

const RETRYABLE: readonly ErrorCode[] = [
  'GOING_AWAY',
  'TRY_LATER',
  'TIMEOUT',
  'NOT_CONNECTED',
  'INTERNAL',
  'STORAGE_FAILED',
] satisfies Retryable[]

/** The error that a client reads a close code as. */
export const ERROR_OF_CLOSE: Readonly<ByClose> = {
  1001: 'GOING_AWAY',
  1011: 'INTERNAL',
  1013: 'TRY_LATER',
  4400: 'INVALID_ROOM',
  4401: 'UNAUTHENTICATED',
  4403: 'FORBIDDEN',
  4404: 'ROOM_GONE',
  4409: 'PROTOCOL',
  4413: 'TOO_LARGE',
  4429: 'RATE_LIMITED',
}

export interface TuttiErrorOptions {
  /** Where: the keys from the root, e.g. `['todos', 3, 'due']`. */
  path?: readonly (string | number)[]
  /** One line that says what to do. */
  hint?: string | undefined
  cause?: unknown
  retryable?: boolean
}

/**
 * The only error class of Tutti. `code` is stable; `message` says what was wrong and what was expected; `hint` says
 * what to do.
 */
export class TuttiError extends Error {
  readonly code: ErrorCode
  readonly path: readonly (string | number)[]
  readonly hint: string
  readonly retryable: boolean

  constructor(
    code: ErrorCode,
    message: string,
    { path = [], hint = '', cause, retryable = RETRYABLE.includes(code) }: TuttiErrorOptions = {},
  ) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'TuttiError'
    this.code = code
    this.path = path
    this.hint = hint
    this.retryable = retryable
  }
}
