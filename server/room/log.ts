/**
 * A room's update log in memory: what is known (state vector, delete set), which segments storage holds, and the tail
 * that is not durable yet. No Y.Doc, no I/O.
 *
 *     storage:  [1..640][641..700][701][702]      tail: [703][704..710]   turn: 711 712
 *                                        ^ durableSeq                                ^ seq
 *
 * The updates of one turn of the event loop are merged into one tail entry, which is relayed and later committed.
 */
import type { RoomChange, Segment, SegmentRef, StoredRoom, Summary } from '../contracts.ts'
import { type DeleteSet, decodeDeleteSet, encodeDeleteSet } from '../protocol/deleteSet.ts'
import { SEGMENT_BYTES, splitUpdate } from '../protocol/split.ts'
import { decodeStateVector, encodeStateVector, type StateVector } from '../protocol/stateVector.ts'
import { advance, mergeUpdatesInBatches, readUpdate, UNLIMITED, type Update } from '../protocol/update.ts'

/** How many small segments at the end of a log are rolled up into one. */
const ROLL_UP_COUNT = 64
/** A segment of at least this many bytes is left as it is by a roll-up. */
const ROLL_UP_BYTES = SEGMENT_BYTES / 2
/** A summary is written at the latest after this many bytes, so that loading a room reads no more than that. */
const SUMMARY_BYTES = 1024 * 1024
/** Documents below this many stored bytes are not worth a compaction. */
const COMPACT_MIN_BYTES = 32 * 1024
/** Stored bytes over bytes after the last compaction, from which on a live room is compacted. */
const COMPACT_RATIO = 2
/** The same for a room that nobody uses any more. */
const COMPACT_RATIO_IDLE = 1.2

interface TailEntry {
  readonly firstSeq: number
  readonly lastSeq: number
  readonly update: Uint8Array
}

/** A place in the log: everything up to `seq` has been seen, in the segments of `generation`. */
export interface LogPosition {
  readonly seq: number
  readonly generation: number
}

export class RoomLog {
  readonly room: string
  /** Changes only while the log is empty. */
  documentId: string
  readonly stateVector: StateVector
  readonly deleteSet: DeleteSet
  /** What storage holds, in order, without gaps from sequence number 1. */
  segments: SegmentRef[]
  /** The last sequence number given to an accepted update. */
  seq: number
  durableSeq: number
  /** Bytes of all segments, tail and turn. */
  bytes = 0
  /** Grows when compaction replaces segments: a reader in the middle of the old ones starts again. */
  generation = 0
  #compactedSeq = 0
  #compactedBytes: number
  /** Segments up to here are being compacted: a roll-up leaves them alone. */
  #compactingSeq = 0
  /** Up to where compaction was tried last. */
  #triedSeq = 0
  /** The last update that deleted something; what was stored before may have. */
  #deletingSeq: number
  #nextSegmentId: number
  /** Bytes accepted since the last summary. */
  #unsummarisedBytes = 0
  #tail: TailEntry[] = []
  #turn: Uint8Array[] = []
  /** Entries of the tail (or durable already) that have not been relayed. */
  #outbox: TailEntry[] = []

  constructor(room: string, documentId: string, stored: StoredRoom | undefined) {
    this.room = room
    this.documentId = documentId
    this.segments = [...(stored?.segments ?? [])]
    const last = this.segments.at(-1)
    this.seq = last?.lastSeq ?? 0
    this.durableSeq = this.seq
    this.#deletingSeq = this.seq
    // Not the last one's: compaction gives the oldest updates ids above those of the tail.
    this.#nextSegmentId = this.segments.reduce((highest, { id }) => Math.max(highest, id), 0) + 1
    this.#compactedBytes = stored?.summary?.compactedBytes ?? 0
    this.stateVector = stored?.summary ? decodeStateVector(stored.summary.stateVector) : new Map()
    this.deleteSet = stored?.summary ? decodeDeleteSet(stored.summary.deleteSet) : new Map()
    for (const segment of this.segments) this.bytes += segment.bytes
  }

  get isEmpty(): boolean {
    return this.seq === 0
  }

  /** Everything accepted so far is durable. */
  get isDurable(): boolean {
    return this.durableSeq === this.seq
  }

  get position(): LogPosition {
    return { seq: this.seq, generation: this.generation }
  }

  /** On load: counts a stored update into what is known, where the summary does not. */
  count(update: Uint8Array): void {
    this.#unsummarisedBytes += update.byteLength
    advance(readUpdate(update, UNLIMITED), this.stateVector, this.deleteSet)
  }

  /**
   * Takes an update that has no gap. The caller relays it by `takeOutbox`.
   * @returns its sequence number.
   */
  accept(update: Update): number {
    // Large ones are cut, so that a slow link sees a whole frame within y-websocket's 30 s watchdog.
    const pieces = update.bytes.byteLength > SEGMENT_BYTES ? splitUpdate(update.bytes, SEGMENT_BYTES) : [update.bytes]
    advance(update, this.stateVector, this.deleteSet)
    for (const piece of pieces) {
      this.seq++
      this.bytes += piece.byteLength
      this.#unsummarisedBytes += piece.byteLength
      this.#turn.push(piece)
    }
    if (update.deletions.size > 0) this.#deletingSeq = this.seq
    return this.seq
  }

  /** Merges what this turn of the event loop accepted into the tail. May be called at any time. */
  collect(): void {
    if (this.#turn.length === 0) return
    let seq = this.seq - this.#turn.length
    for (const group of groupBySize(this.#turn, SEGMENT_BYTES)) {
      const entry = { firstSeq: seq + 1, lastSeq: seq + group.length, update: mergeUpdatesInBatches(group) }
      this.#tail.push(entry)
      this.#outbox.push(entry)
      seq = entry.lastSeq
    }
    this.#turn = []
  }

  /** Collects, and returns what has not been relayed yet, in order, with the sequence number before it. */
  takeOutbox(): { readonly afterSeq: number; readonly updates: readonly Uint8Array[] } {
    this.collect()
    const updates = this.#outbox.map((entry) => entry.update)
    const afterSeq = (this.#outbox[0]?.firstSeq ?? this.seq + 1) - 1
    this.#outbox = []
    return { afterSeq, updates }
  }

  /** Where a reader of an earlier generation has to go on. */
  resume(position: LogPosition): LogPosition {
    if (position.generation === this.generation) return position
    const seq = position.seq < this.#compactedSeq ? 0 : position.seq
    return { seq, generation: this.generation }
  }

  /** The first segment that holds something after `seq`, or `undefined` if only the tail does. */
  segmentAfter(seq: number): SegmentRef | undefined {
    if (seq >= this.durableSeq) return undefined
    let low = 0
    let high = this.segments.length - 1
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.segments[middle]!.lastSeq > seq) high = middle
      else low = middle + 1
    }
    return this.segments[low]
  }

  /** Updates of the tail after `seq`; call `collect` first. */
  tailAfter(seq: number): Uint8Array[] {
    return this.#tail.filter((entry) => entry.lastSeq > seq).map((entry) => entry.update)
  }

  /**
   * What the next commit of this room stores; `undefined` if everything is durable. Call `collect` first. `read` gives
   * the update of a segment that is to be rolled up with the tail.
   */
  async nextChange(read: (id: number) => Promise<Uint8Array | undefined>): Promise<RoomChange | undefined> {
    if (this.#tail.length === 0) return undefined
    const tail = [...this.#tail]
    const small = this.#smallSegments()
    if (small.length < ROLL_UP_COUNT) {
      const change = { room: this.room, documentId: this.documentId, add: this.#pack(tail, this.durableSeq) }
      return this.#unsummarisedBytes < SUMMARY_BYTES ? change : { ...change, summary: this.#summarise() }
    }
    const summary = this.#summarise()
    const stored: TailEntry[] = []
    for (const { id, firstSeq, lastSeq } of small) {
      const update = await read(id)
      if (!update) throw new Error(`segment ${id} of room ${JSON.stringify(this.room)} is missing`)
      stored.push({ firstSeq, lastSeq, update })
    }
    const add = this.#pack([...stored, ...tail], small[0]!.firstSeq - 1)
    return { room: this.room, documentId: this.documentId, add, remove: small.map(({ id }) => id), summary }
  }

  /** Storage holds `change`. */
  committed(change: RoomChange): void {
    const removed = new Set(change.remove)
    const kept = this.segments.filter(({ id }) => !removed.has(id))
    const added = change.add.map(({ id, firstSeq, lastSeq, update }) => ({
      id,
      firstSeq,
      lastSeq,
      bytes: update.byteLength,
    }))
    this.segments = [...kept, ...added].sort((a, b) => a.firstSeq - b.firstSeq)
    this.durableSeq = this.segments.at(-1)?.lastSeq ?? 0
    this.#tail = this.#tail.filter((entry) => entry.lastSeq > this.durableSeq)
    this.#recount()
  }

  /** Whether compaction may make room in a log that has no more: what was deleted still takes its bytes. */
  get mayShrink(): boolean {
    return this.isCompacting || (this.#deletingSeq > this.#triedSeq && this.durableSeq > this.#triedSeq)
  }

  wantsCompaction(idle: boolean): boolean {
    if (this.bytes < COMPACT_MIN_BYTES) return false
    return this.bytes > this.#compactedBytes * (idle ? COMPACT_RATIO_IDLE : COMPACT_RATIO)
  }

  /** The segments to compact; ends with `compacted` or `compactionFailed`. */
  startCompaction(): readonly SegmentRef[] {
    this.#compactingSeq = this.durableSeq
    return [...this.segments]
  }

  get isCompacting(): boolean {
    return this.#compactingSeq > 0
  }

  /** The change that puts compacted updates in the place of `replaced`, or `undefined` if there is nothing to win. */
  compactionChange(
    replaced: readonly SegmentRef[],
    updates: readonly Uint8Array[],
    known: { stateVector: Uint8Array; deleteSet: Uint8Array },
  ): RoomChange | undefined {
    const lastSeq = replaced.at(-1)?.lastSeq ?? 0
    // Each piece needs a sequence number of its own; more pieces than numbers would mean that nothing got smaller.
    if (updates.length === 0 || updates.length > lastSeq) return undefined
    const add = updates.map((update, i): Segment => {
      const end = i === updates.length - 1 ? lastSeq : i + 1
      return { id: this.#nextSegmentId++, firstSeq: i + 1, lastSeq: end, update }
    })
    const compactedBytes = updates.reduce((sum, update) => sum + update.byteLength, 0)
    const summary: Summary = { seq: lastSeq, ...known, compactedBytes }
    const remove = replaced.map(({ id }) => id)
    return { room: this.room, documentId: this.documentId, add, remove, summary }
  }

  /** Storage holds `change`, made by `compactionChange`. */
  compacted(change: RoomChange): void {
    this.#compactedBytes = change.summary?.compactedBytes ?? 0
    this.#compactedSeq = change.summary?.seq ?? 0
    this.#tried()
    this.generation++
    this.committed(change)
  }

  /** Nothing came of a compaction: do not try again before the log has grown by the ratio once more. */
  compactionFailed(): void {
    this.#tried()
    this.#compactedBytes = this.bytes
  }

  #tried(): void {
    this.#triedSeq = this.#compactingSeq
    this.#compactingSeq = 0
  }

  #summarise(): Summary {
    this.#unsummarisedBytes = 0
    return {
      seq: this.seq,
      stateVector: encodeStateVector(this.stateVector),
      deleteSet: encodeDeleteSet(this.deleteSet),
      compactedBytes: this.#compactedBytes,
    }
  }

  /** The run of small segments at the end of the log. */
  #smallSegments(): SegmentRef[] {
    let from = this.segments.length
    while (from > 0) {
      const { bytes, lastSeq } = this.segments[from - 1]!
      if (bytes >= ROLL_UP_BYTES || lastSeq <= this.#compactingSeq) break
      from--
    }
    return this.segments.slice(from)
  }

  /** Merges entries into segments of at most `SEGMENT_BYTES`. */
  #pack(entries: readonly TailEntry[], afterSeq: number): Segment[] {
    let firstSeq = afterSeq + 1
    return groupBySize(entries, SEGMENT_BYTES, (entry) => entry.update).map((group) => {
      const { lastSeq } = group.at(-1)!
      const update = mergeUpdatesInBatches(group.map((entry) => entry.update))
      const segment: Segment = { id: this.#nextSegmentId++, firstSeq, lastSeq, update }
      firstSeq = lastSeq + 1
      return segment
    })
  }

  #recount(): void {
    this.bytes = 0
    for (const { bytes } of this.segments) this.bytes += bytes
    for (const { update } of this.#tail) this.bytes += update.byteLength
    for (const update of this.#turn) this.bytes += update.byteLength
  }
}

/** Cuts a list into runs whose updates have at most `maxBytes` together (a single larger one stands alone). */
function groupBySize(updates: readonly Uint8Array[], maxBytes: number): Uint8Array[][]
function groupBySize<T>(items: readonly T[], maxBytes: number, bytesOf: (item: T) => Uint8Array): T[][]
function groupBySize<T>(items: readonly T[], maxBytes: number, bytesOf?: (item: T) => Uint8Array): T[][] {
  const groups: T[][] = []
  let size = Number.POSITIVE_INFINITY
  for (const item of items) {
    const { byteLength } = bytesOf ? bytesOf(item) : (item as Uint8Array)
    if (size + byteLength > maxBytes) {
      groups.push([])
      size = 0
    }
    groups.at(-1)!.push(item)
    size += byteLength
  }
  return groups
}
