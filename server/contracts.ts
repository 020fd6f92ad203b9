/** Types only: where storage, rooms, the HTTP doors and the network meet. Imports nothing that runs. */
import type * as Y from 'yjs'
import type { TuttiError } from '../lib/errors.ts'

/** A stored piece of a room's update log, as `Storage` lists it. */
export interface SegmentRef {
  /** Unique within the room, never reused, growing in the order of writing. */
  readonly id: number
  /** The sequence numbers it holds, both included. Segments of a room are disjoint and in order. */
  readonly firstSeq: number
  readonly lastSeq: number
  /** Length of the update in bytes. */
  readonly bytes: number
}

export interface Segment extends Omit<SegmentRef, 'bytes'> {
  /** A Yjs update (V1). */
  readonly update: Uint8Array
}

/** What the log up to `seq` adds up to; saves reading it on load. */
export interface Summary {
  readonly seq: number
  /** Encoded Yjs state vector. */
  readonly stateVector: Uint8Array
  /** Encoded Yjs delete set. */
  readonly deleteSet: Uint8Array
  /** Bytes of the segments right after the last compaction; 0 if there was none. */
  readonly compactedBytes: number
}

export interface StoredRoom {
  readonly documentId: string
  readonly segments: readonly SegmentRef[]
  readonly summary: Summary | undefined
}

/** One room's part of a commit: what is added and removed becomes visible together. */
export interface RoomChange {
  readonly room: string
  /** Stored when the room is created; equal ever after. */
  readonly documentId: string
  readonly add: readonly Segment[]
  /** Ids of segments that `add` replaces. */
  readonly remove?: readonly number[]
  readonly summary?: Summary
}

/**
 * Durable rooms. One acceptance suite (test/contract/storage.ts) runs against every implementation.
 * A storage serves one process at a time.
 */
export interface Storage {
  /** Reads what is known of a room; `undefined` if nothing was ever committed. */
  load(room: string): Promise<StoredRoom | undefined>
  /** The update of a segment, or `undefined` if it was removed meanwhile. The bytes belong to the caller. */
  read(room: string, id: number): Promise<Uint8Array | undefined>
  /**
   * Applies all changes or none. Resolves when they survive `kill -9` and a power cut (synced, not only committed);
   * rejects with `STORAGE_FAILED` if they do not.
   */
  commit(changes: readonly RoomChange[]): Promise<void>
  /** Forgets a room; a room not there is no error. Resolves when that is as durable as a commit. */
  delete(room: string): Promise<void>
  /**
   * Names of rooms that something was committed of, in the order of their UTF-8 bytes.
   * @param prefix what they start with
   * @param after names up to and with this one are left out; it need not be one of a room
   * @param limit as many at most
   */
  list(prefix: string, after: string, limit: number): Promise<string[]>
  /** Waits for running commits and releases everything. */
  close(): Promise<void>
}

export interface JournalEntry {
  /** 1 to 2^48 - 1. */
  readonly id: number
  readonly record: string
}

/**
 * Records that wait until something was done about them, over restarts. One acceptance suite (test/contract/journal.ts)
 * runs against every implementation. A journal serves one process at a time.
 */
export interface Journal {
  /** All that is in it, by id. */
  read(): Promise<JournalEntry[]>
  /**
   * Adds entries, whose ids are above those of all that are in it. What these promises tell, they tell in the order of
   * the calls: they resolve when the entries survive `kill -9`, and reject with `STORAGE_FAILED` if they do not.
   */
  append(entries: readonly JournalEntry[]): Promise<void>
  /** Removes entries, those too whose `append` is not done yet; an id that is not there is no error. */
  remove(ids: readonly number[]): Promise<void>
  /** Waits for what is under way and releases everything. */
  close(): Promise<void>
}

/** What compaction makes of a room's segments. */
export interface Compacted {
  /** Updates of at most `SEGMENT_BYTES` each (a single larger struct stands alone), in an order that integrates. */
  readonly updates: readonly Uint8Array[]
  readonly stateVector: Uint8Array
  readonly deleteSet: Uint8Array
}

/**
 * Loads the updates into a Y.Doc with gc, encodes it, and checks by loading the result that nothing was lost;
 * rejects if anything was. Runs off the event loop.
 */
export interface Compactor {
  compact(updates: readonly Uint8Array[]): Promise<Compacted>
  close(): Promise<void>
}

/** What a door wants of a WebSocket. Methods are safe after close: they do nothing. */
export interface Socket {
  /**
   * Names the connection to others: `<integer>.<integer>`, random, never reused while the server runs. Pusher's
   * `socket_id`, and what `except` of an event may name. Made when first asked for.
   */
  readonly id: string
  /** Remote address, as text. */
  readonly address: string
  /** Queues a frame: bytes as binary, a string as text. `false`: over the backpressure limit, it was NOT taken. */
  send(frame: Uint8Array | string): boolean
  /** Bytes waiting to be written. */
  buffered(): number
  subscribe(topic: string): void
  unsubscribe(topic: string): void
  ping(): void
  close(code: number, reason: string): void
  /** Cuts the connection without a close frame. */
  terminate(): void
}

/** Sends one frame to every subscribed socket of a topic, in order. */
export interface Publisher {
  /** @param except the `id` of a socket that does not get it; one that is not there is no error. */
  publish(topic: string, frame: Uint8Array | string, except?: string): void
}

/** The HTTP request that asked for a WebSocket. */
export interface Handshake {
  readonly address: string
  /** Raw path: percent-encoded, without the query. */
  readonly path: string
  /** Raw query without `?`. */
  readonly query: string
  /** Header by lower-case name; empty string if missing. Only those in `HANDSHAKE_HEADERS` of net are kept. */
  header(name: string): string
}

/** What a WebSocket is to the door it came through. Called by the network, one call at a time. */
export interface Connection {
  /** Takes one message. The bytes belong to the callee. */
  receive(bytes: Uint8Array, isBinary: boolean): void
  /** A published frame was skipped, since the socket is full. The socket must not be touched in this turn. */
  missed(): void
  /** The socket can take more. */
  drained(): void
  ponged(): void
  /** The connection is gone; the socket does nothing any more. `code` 1006: it broke. */
  left(code: number, reason: string): void
}

/** One kind of WebSocket that a server speaks. */
export interface Door {
  /** Takes a connection that was accepted. Throws what `refuse` takes. */
  open(socket: Socket, handshake: Handshake): Connection
  /** Ends a connection that this door, or the network for it, can't take, in the way its clients understand. */
  refuse(socket: Socket, error: TuttiError): void
  /** The close code and reason when the server stops. */
  readonly goingAway: { readonly code: number; readonly reason: string }
}

/** Who is on the other side: of a connection, or of one HTTP request. */
export interface Caller {
  /**
   * What it came in by: `room`, the WebSocket of a room; `pusher`, the Pusher protocol; `socket`, a WebSocket of the
   * application's own; `http`, a request to a room over HTTP.
   */
  readonly door: 'room' | 'pusher' | 'socket' | 'http'
  /** Names the connection to others, see `Socket.id`; an HTTP request has none. */
  readonly id: string | undefined
  /** Remote address, as text. */
  readonly address: string
  /** Raw path: percent-encoded, without the query. */
  readonly path: string
  /** Raw query without `?`. */
  readonly query: string
  /**
   * Header by lower-case name; empty string if missing. Of a WebSocket only those in `HANDSHAKE_HEADERS` of net, of a
   * request to Pusher's HTTP API none: its signature is in the query.
   */
  header(name: string): string
  /** The application's: what its hooks want to remember as long as the connection, or the request, lasts. */
  readonly state: Record<string, unknown>
}

/** Says who may use a room. */
export interface Admission {
  /**
   * Returns, or resolves, if the caller may.
   * @throws TuttiError `FORBIDDEN`, or what a hook refuses it with
   */
  admit(room: string, caller: Caller): void | Promise<void>
  /** A caller that was admitted and has a connection uses the room no more. Not needed when its connection ends. */
  left?(room: string, caller: Caller): void
}

/** Where a document change comes from. */
export interface ChangeSource {
  /** `peer`: a client's connection. `server`: a back end, in process or over HTTP. */
  readonly from: 'peer' | 'server'
  /** Who brought it, where it came over the network. */
  readonly caller: Caller | undefined
  /** What a back end calls itself, if it does. */
  readonly origin?: string | undefined
}

/** A document change that was taken in. */
export interface Change extends ChangeSource {
  /** What it brought to the document, as a Yjs update (V1). */
  readonly update: Uint8Array
}

/** Who hears of document changes, asked by every room. */
export interface ChangeWatch {
  /**
   * Asks whether a change may be taken in; returns, or resolves, if it may. `undefined`: nobody minds.
   * @throws TuttiError what it is refused with
   */
  readonly before: ((room: string, change: Change) => void | Promise<void>) | undefined
  /** Whether anybody listens to this room: if not, it tells nothing. */
  isHeard(room: string): boolean
  /** These changes have been sent to everyone in the room. */
  relayed(room: string, changes: readonly Change[]): void
  /** These changes survive a crash. */
  stored(room: string, changes: readonly Change[]): void
}

/** An event that is about to be published in a room. */
export interface NewEvent {
  /** Its name: 1–200 characters. */
  readonly event: string
  /**
   * Text, exactly what a Pusher client gets as `data`: JSON, or any other text, which then stands for itself. Or bytes,
   * which reach a Pusher client as base64 text.
   */
  readonly body: string | Uint8Array
  /** `id` of a connection that does not get it, neither now nor from the history. */
  readonly except?: string | undefined
  /** The user who sent it, as the receivers may know it. */
  readonly userId?: string | undefined
  /** `peer`: it came from a client's connection. `server`: from a back end. */
  readonly from: 'peer' | 'server'
  /** Who published it, where it came over the network and a hook may ask. */
  readonly caller?: Caller | undefined
}

/** An event with its place in the room. */
export interface RoomEvent extends Omit<NewEvent, 'caller'> {
  /** 1 for the first event of the epoch, then one more each. */
  readonly offset: number
  /** When it was published, in ms of `Date.now()`. */
  readonly at: number
}

/** A place in a room's events: everything up to and with `offset` has been seen. */
export interface Position {
  /** Random; another one means that the numbering began anew. */
  readonly epoch: string
  readonly offset: number
}

/** Someone who is in a room, however many connections they have there. */
export interface Person {
  /**
   * The user's id, or for someone who tells none, or one of more characters than `maxUserIdLength` of the room's app
   * (128 by default, and without an app), the Yjs client id, as text.
   */
  readonly id: string
  /**
   * What they tell of themselves besides the id; `null` if nothing. Plain JSON. Of someone with several connections, what
   * the longest-standing one that is here tells, and one that an app has signed before all others.
   */
  readonly info: unknown
}

export interface Logger {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

/** What is known of a back end's edit besides the edit. */
export interface EditOptions {
  /** Who asked for it over HTTP. */
  readonly caller?: Caller | undefined
  /** What the back end calls itself; shown to clients that listen for it. */
  readonly origin?: string | undefined
  /**
   * Called with the revision that is about to be changed, in the turn in which it is; more than once where a change is
   * worked out again. Throws what refuses the change.
   */
  readonly expect?: ((revision: string) => void) | undefined
}

/** What became of a back end's change. */
export interface Edited {
  /** The document is not as it was before. */
  readonly changed: boolean
  /** Of the document after it. */
  readonly revision: string
}

/** What a document was read as. */
export interface Viewed<R> {
  readonly revision: string
  /** `undefined` if the room has no content. */
  readonly result: R | undefined
}

/** Documents by room name, as the HTTP door and the back end see them. */
export interface Documents {
  /**
   * Calls `fn` with the room's current document and returns what it returns. The Y.Doc is shared: `fn` must not change
   * it or keep it. `undefined` if the room has no content.
   */
  read<R>(room: string, fn: (doc: Y.Doc) => R): Promise<R | undefined>
  /** The same, with the revision of what was read. Resolves once that is durable: no crash takes back what it tells. */
  view<R>(room: string, fn: (doc: Y.Doc) => R): Promise<Viewed<R>>
  /**
   * A short name of what the document holds now: visible ASCII without quotes, another one after every change,
   * `EMPTY_REVISION` while the room has no content.
   */
  revision(room: string): Promise<string>
  /**
   * Calls `fn` with the room's current document inside one Yjs transaction. Resolves after what it found or changed is
   * durable. If `fn` throws, or a hook refuses the change, nothing is kept and the promise rejects with that error.
   *
   * `fn` is called again, on the document as it is by then, if a hook was being asked while others changed it; so it
   * must not change anything but the document.
   * @throws TuttiError `TRY_LATER` if that happened too often, or too many changes wait for the hook
   */
  edit<R>(room: string, fn: (doc: Y.Doc) => R, options?: EditOptions): Promise<Edited & { readonly result: R }>
  /**
   * Takes a Yjs update (V1) in, which must not have a gap, as from a client. Resolves after it is durable.
   * @throws TuttiError `PROTOCOL`, `CONFLICT` for a gap, `TOO_LARGE`, what a hook refuses it with
   */
  apply(room: string, update: Uint8Array, options?: EditOptions): Promise<Edited>
}

/** An HTTP request after routing-independent checks: the body is whole and within its limit. */
export interface ApiRequest {
  /** Upper case. */
  readonly method: string
  /** Raw path: percent-encoded, without the query. */
  readonly path: string
  /** Raw query without `?`. */
  readonly query: string
  /** Remote address, as text; empty once the client is gone. */
  readonly address: string
  /** Header by lower-case name; empty string if missing. */
  header(name: string): string
  /** Whether there is such a header: one with anything but ASCII in it reads as empty, too. */
  hasHeader?(name: string): boolean
  /** May be a part of a larger pool: who keeps it for longer than the request takes copies it. */
  readonly body: Uint8Array
}

/** Where a streamed answer goes. Both methods do nothing once the client is gone. */
export interface Sink {
  /** Takes a chunk, which must not be empty, whole. `false`: the client does not keep up; wait for `drained`. */
  write(chunk: Uint8Array): boolean
  end(): void
}

/** Who writes a streamed answer. */
export interface StreamWriter {
  /** The sink takes more; write something, or the last of what waits is not sent. */
  drained(): void
  /** The client is gone, or the server is stopping. Called once, and not after `Sink.end`. */
  closed(): void
}

export interface ApiResponse {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  /** All of it, where there is no `stream`. */
  readonly body: Uint8Array | string
  /** Called once the head of the answer is written, to write the rest as it comes. */
  readonly stream?: (sink: Sink) => StreamWriter
}
