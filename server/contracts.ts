/** Types only: where storage, rooms, the HTTP doors and the network meet. Imports nothing that runs. */
import type * as Y from 'yjs'

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
  /** Forgets a room; a room not there is no error. */
  delete(room: string): Promise<void>
  /** Waits for running commits and releases everything. */
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

/** What a session wants of a WebSocket. Methods are safe after close: they do nothing. */
export interface Socket {
  /** Remote address, as text. */
  readonly address: string
  /** Queues a binary frame. `false`: over the backpressure limit, the frame was NOT taken. */
  send(bytes: Uint8Array): boolean
  /** Bytes waiting to be written. */
  buffered(): number
  subscribe(topic: string): void
  unsubscribe(topic: string): void
  ping(): void
  close(code: number, reason: string): void
  /** Cuts the connection without a close frame. */
  terminate(): void
}

/** Sends one frame to every subscribed socket of a topic, in order, including the sender's. */
export interface Publisher {
  publish(topic: string, bytes: Uint8Array): void
}

export interface Logger {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

/** Documents by room name, as the HTTP door and the back end see them. */
export interface Documents {
  /**
   * Calls `fn` with the room's current document and returns what it returns. The Y.Doc is shared: `fn` must not change
   * it or keep it. `undefined` if the room has no content.
   */
  read<R>(room: string, fn: (doc: Y.Doc) => R): Promise<R | undefined>
  /**
   * Calls `fn` with the room's current document inside one Yjs transaction. Resolves after what it changed is durable.
   * If `fn` throws, nothing is kept and the promise rejects with its error.
   */
  edit<R>(room: string, fn: (doc: Y.Doc) => R): Promise<{ result: R; changed: boolean }>
}

/** An HTTP request after routing-independent checks: the body is whole and within its limit. */
export interface ApiRequest {
  /** Upper case. */
  readonly method: string
  /** Raw path: percent-encoded, without the query. */
  readonly path: string
  /** Raw query without `?`. */
  readonly query: string
  /** Header by lower-case name; empty string if missing. */
  header(name: string): string
  readonly body: Uint8Array
}

export interface ApiResponse {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array | string
}
