/**
 * Brings a session up to date and then lets it hear the room live: stored segments untouched and paced by the socket,
 * then the tail. The same path serves a newcomer, a client that comes back and a slow reader that missed frames.
 */
import * as Y from 'yjs'
import { EMPTY_UPDATE, encodeSyncStep2, encodeSyncUpdate } from '../../lib/protocol.ts'
import { encodeAwareness } from '../protocol/awareness.ts'
import { encodeDeleteSet } from '../protocol/deleteSet.ts'
import { SEGMENT_BYTES, splitUpdate } from '../protocol/split.ts'
import { coversStateVector, decodeStateVector, type StateVector } from '../protocol/stateVector.ts'
import { mergeUpdatesInBatches } from '../protocol/update.ts'
import type { ReadSegment } from './hotDocuments.ts'
import type { LogPosition, RoomLog } from './log.ts'
import type { Presence } from './presence.ts'
import type { Session } from './session.ts'

/** A session is sent no more while this much waits in its socket, or half of what may wait for it at all. */
const HIGH_WATER_BYTES = 256 * 1024
/** A document of at most this many stored bytes is sent whole: cheaper than working out a difference. */
const SEND_WHOLE_BYTES = 64 * 1024
/**
 * So is a document of more than this: building its Y.Doc would hold up the event loop (70 ms a megabyte), where the
 * client only skips what it knows.
 */
const MAX_DIFFERENCE_BYTES = 2 * 1024 * 1024

export interface OutflowParts {
  readonly topic: string
  readonly log: RoomLog
  readonly presence: Presence<Session>
  readonly read: ReadSegment
  readonly limits: { readonly maxBackpressureBytes: number }
  withDocument<R>(fn: (doc: Y.Doc) => R): Promise<R>
  /** Relays what this turn brought so far. */
  flush(): void
  failed(session: Session, error: unknown): void
}

export interface Outflow {
  /** Answers a sync step 1. Resolves, where it does not answer at once, when the session's next frame may be read. */
  answer(session: Session, stateVector: Uint8Array): Promise<void> | undefined
  /** Sends again everything after `position`, since frames were skipped. */
  replay(session: Session, position: LogPosition): void
  /** Goes on sending; call when the socket has drained. */
  pump(session: Session): void
}

export const createOutflow = (parts: OutflowParts): Outflow => {
  const { topic, log, presence, read } = parts
  const highWater = Math.min(HIGH_WATER_BYTES, parts.limits.maxBackpressureBytes / 2)

  const start = (session: Session, first: Uint8Array[], position: LogPosition, answers: boolean): void => {
    session.reading = { first, position, answers }
    pump(session)
  }

  /** Deletions are not covered by state vectors: a client that has every struct may lack them. */
  const deletions = (): Uint8Array[] => {
    if (log.deleteSet.size === 0) return []
    const deleteSet = encodeDeleteSet(log.deleteSet)
    const update = new Uint8Array(deleteSet.byteLength + 1)
    update.set(deleteSet, 1)
    return [update]
  }

  const answerDifference = async (session: Session, encoded: Uint8Array): Promise<void> => {
    const { update, position } = await parts.withDocument((doc) => ({
      update: Y.encodeStateAsUpdate(doc, encoded),
      position: log.position,
    }))
    if (session.isEnded) return
    const first = update.byteLength > SEGMENT_BYTES ? splitUpdate(update, SEGMENT_BYTES) : [update]
    start(session, first, position, true)
  }

  const answer = (session: Session, encoded: Uint8Array): Promise<void> | undefined => {
    const stateVector: StateVector = decodeStateVector(encoded)
    if (coversStateVector(stateVector, log.stateVector)) {
      start(session, deletions(), log.position, true)
      return undefined
    }
    const isWorthIt = log.bytes > SEND_WHOLE_BYTES && log.bytes <= MAX_DIFFERENCE_BYTES
    if (stateVector.size > 0 && isWorthIt) return answerDifference(session, encoded)
    start(session, [], { seq: 0, generation: log.generation }, true)
    return undefined
  }

  const replay = (session: Session, position: LogPosition): void => {
    if (session.reading) return
    start(session, [], position, false)
  }

  /** The last step, in one turn of the loop: who is here, the tail, then live. Starts again if the socket is full. */
  const finish = (session: Session, seq: number, answers: boolean): void => {
    const { socket } = session
    // What this relays may fill the very socket.
    parts.flush()
    if (socket.buffered() > highWater) return
    const missedFrames = !answers
    const entries = missedFrames ? [...presence.gone(), ...presence.shown()] : [...presence.shown()]
    if (entries.length > 0 && !socket.send(encodeAwareness(entries))) return
    const tail = log.tailAfter(seq)
    const update = tail.length > 0 ? mergeUpdatesInBatches(tail) : EMPTY_UPDATE
    if (answers && !socket.send(encodeSyncStep2(update))) return
    if (!answers && tail.length > 0 && !socket.send(encodeSyncUpdate(update))) return
    session.reading = undefined
    session.isSubscribed = true
    socket.subscribe(topic)
  }

  /** Sends what there is until the socket is full, or the session is up to date and hears the room live. */
  const sendNext = async (session: Session): Promise<void> => {
    for (;;) {
      const { reading } = session
      if (session.isEnded || !reading || session.socket.buffered() > highWater) return
      const next = reading.first[0]
      if (next) {
        if (!session.socket.send(encodeSyncUpdate(next))) return
        reading.first.shift()
        continue
      }
      reading.position = log.resume(reading.position)
      const segment = log.segmentAfter(reading.position.seq)
      if (!segment) {
        finish(session, reading.position.seq, reading.answers)
        return
      }
      const update = await read(segment.id)
      // Removed meanwhile by a roll-up or compaction (its content stands elsewhere now), or another step 1 came.
      if (!update || session.isEnded || session.reading !== reading) continue
      if (!session.socket.send(encodeSyncUpdate(update))) return
      reading.position = { seq: segment.lastSeq, generation: reading.position.generation }
    }
  }

  const pumpOnce = async (session: Session): Promise<void> => {
    session.isPumping = true
    try {
      await sendNext(session)
    } catch (error) {
      parts.failed(session, error)
    }
  }

  const pump = (session: Session): void => {
    if (session.isPumping || !session.reading) return
    pumpOnce(session).finally(() => {
      session.isPumping = false
      // Another step 1 may have come, or the socket drained, between the last look and now.
      if (session.reading && !session.isEnded && session.socket.buffered() <= highWater) pump(session)
    })
  }

  return { answer, replay, pump }
}
