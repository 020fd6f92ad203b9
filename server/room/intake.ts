/**
 * Document frames of a session: what is taken into the log, what waits, what is refused.
 *
 *  known already      counted, acknowledged with the first copy
 *  complete           into the log
 *  with a gap         held; the session is asked (step 1) for what the server lacks. If its answer still has a gap, what
 *                     integrates is taken and the rest dropped; nobody is asked again
 *  blank runs of      (GC or deleted content under a client id that another live session owns, which could mute that
 *  another's id       client for ever) that session is asked first, and the frame waits for its answer, at most 5 s
 */
import * as Y from 'yjs'
import { TuttiError } from '../../lib/errors.ts'
import { encodeSyncStep1 } from '../../lib/protocol.ts'
import type { ChangeSource } from '../contracts.ts'
import { encodeStateVector } from '../protocol/stateVector.ts'
import { blankRuns, hasGap, isKnown, readUpdate, UNLIMITED, type Update, withoutKnown } from '../protocol/update.ts'
import { hasPending } from './hotDocuments.ts'
import type { RoomLog } from './log.ts'
import { MESSAGE_COST } from './messageCost.ts'
import type { Session } from './session.ts'

/** How long a frame waits for the owner of a client id to bring its own content. */
const OWNER_ANSWER_MS = 5000

export interface IntakeParts {
  readonly log: RoomLog
  readonly limits: { readonly maxDocumentBytes: number; readonly maxMessageBytes: number }
  ownerOf(client: number): Session | undefined
  /** Calls `fn` with the up-to-date document. */
  withDocument<R>(fn: (doc: Y.Doc) => R): Promise<R>
  /** Asks whether an update that is news may be taken in; throws or rejects if not. `undefined`: nobody minds. */
  readonly before: ((update: Uint8Array, by: Session) => Promise<void> | undefined) | undefined
  /** Makes room in the log if that can be. @returns whether that is under way. */
  makeRoom(): boolean
  /** The log has something new, up to `seq`. */
  changed(seq: number, update: Uint8Array, by: Session | ChangeSource): void
  /** A frame of this session may be acknowledged. */
  settled(session: Session): void
  /** Updates were dropped that could not be integrated. */
  dropped(session: Session, count: number): void
}

export interface Intake {
  /**
   * Takes one document frame. Resolves when the session's next frame may be looked at; `undefined`: at once.
   * Throws, or rejects with, `PROTOCOL` or `TOO_LARGE` when the frame is refused, or what `before` refuses it with.
   */
  receive(session: Session, bytes: Uint8Array, isStep2: boolean): Promise<void> | undefined
  /** Takes an update that the server made for a back end. Throws `PROTOCOL`, `CONFLICT` or `TOO_LARGE`. */
  acceptOwn(bytes: Uint8Array, source: ChangeSource): void
  /**
   * Reads an update that a back end passes on, as strictly as one of a client; sessions that it could mute speak first.
   * Rejects with `PROTOCOL`.
   */
  readPassedOn(bytes: Uint8Array): Promise<Update>
  /** Whether such an update changes the document. Throws `CONFLICT` if it has a gap. */
  isNews(update: Update): boolean
  /** Takes one that is news, or does nothing. Throws `CONFLICT` or `TOO_LARGE`. */
  acceptRead(update: Update, source: ChangeSource): void
  /** Sends a sync step 1, unless one is unanswered. */
  ask(session: Session): void
}

export const conflict = (): TuttiError =>
  new TuttiError('CONFLICT', 'The update builds on changes that the document here does not have.', {
    hint: 'Send those too: best all that is missing, as Y.encodeStateAsUpdate(doc) gives it.',
  })

export const createIntake = (parts: IntakeParts): Intake => {
  const { log, limits } = parts

  const ask = (session: Session): void => {
    if (session.isAsked) return
    // A full socket takes nothing; the room asks again when it has drained.
    session.isAsked = session.socket.send(encodeSyncStep1(encodeStateVector(log.stateVector)))
  }

  const accept = (update: Update, by: Session | ChangeSource): number => {
    if (log.bytes + update.bytes.byteLength > limits.maxDocumentBytes) {
      if (parts.makeRoom()) {
        throw new TuttiError('TRY_LATER', 'The document has no more room, and is being compacted.', {
          hint: 'Try again in a moment.',
        })
      }
      throw new TuttiError(
        'TOO_LARGE',
        `The document would grow beyond ${limits.maxDocumentBytes} bytes (it has ${log.bytes}).`,
        { hint: 'Move content to another room, or raise maxDocumentBytes on the server.' },
      )
    }
    const news = withoutKnown(update, log.stateVector, log.deleteSet)
    const seq = log.accept(news)
    parts.changed(seq, news.bytes, by)
    return seq
  }

  const isComplete = (update: Update): boolean => !hasGap(update, log.stateVector)
  const isOld = (update: Update): boolean => isKnown(update, log.stateVector, log.deleteSet)

  /** Takes an update that may be known already. `false`: it has a gap. */
  const takeIfComplete = (update: Update, by: Session): boolean => {
    if (isOld(update)) return true
    if (!isComplete(update)) return false
    accept(update, by)
    return true
  }

  const settle = (session: Session, frame: number | undefined, covers: boolean): void => {
    if (frame === undefined) return
    session.acks?.settle(frame, log.seq, covers)
    parts.settled(session)
  }

  /** Bounded by the size of one message; what is beyond comes back with the sync step 2. */
  const hold = (session: Session, update: Update): void => {
    session.heldBytes += update.bytes.byteLength + MESSAGE_COST
    if (session.heldBytes <= limits.maxMessageBytes) session.held.push(update)
  }

  /** After a sync step 2: what waited for it is complete now, or will never be. */
  const releaseHeld = (session: Session): void => {
    const { held } = session
    session.held = []
    session.heldBytes = 0
    const lost = held.filter((update) => !takeIfComplete(update, session)).length
    if (lost > 0) parts.dropped(session, lost)
  }

  /** Takes what integrates. @returns whether anything was left over. */
  const takePart = (update: Update, by: Session): Promise<boolean> =>
    parts.withDocument((doc) => {
      const taken: Uint8Array[] = []
      const collect = (bytes: Uint8Array): void => {
        taken.push(bytes)
      }
      doc.on('update', collect)
      try {
        Y.applyUpdate(doc, update.bytes)
      } catch (cause) {
        throw new TuttiError('PROTOCOL', 'The update can not be integrated into the document.', {
          cause,
          hint: 'It rewrites what is known. Drop the local copy and connect again.',
        })
      } finally {
        doc.off('update', collect)
      }
      const hasRest = hasPending(doc)
      doc.store.pendingStructs = null
      doc.store.pendingDs = null
      for (const bytes of taken) takeIfComplete(readUpdate(bytes, UNLIMITED), by)
      return hasRest
    })

  const foreignOwners = (session: Session | undefined, update: Update): Session[] => {
    const owners = new Set<Session>()
    for (const client of blankRuns(update, log.stateVector)) {
      const owner = parts.ownerOf(client)
      if (owner && owner !== session) owners.add(owner)
    }
    return [...owners]
  }

  const askOwners = async (owners: readonly Session[]): Promise<void> => {
    let timer: NodeJS.Timeout | undefined
    const answers = owners.map((owner) => new Promise<void>((resolve) => owner.onAnswer.push(resolve)))
    for (const owner of owners) ask(owner)
    const tooLate = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, OWNER_ANSWER_MS)
    })
    await Promise.race([Promise.all(answers), tooLate])
    clearTimeout(timer)
  }

  const receiveSlowly = async (
    session: Session,
    update: Update,
    frame: number | undefined,
    isStep2: boolean,
  ): Promise<void> => {
    const owners = foreignOwners(session, update)
    if (owners.length > 0) await askOwners(owners)
    const isWhole = takeIfComplete(update, session) || !(await takePart(update, session))
    if (!isWhole) {
      if (frame !== undefined) session.acks?.stall(frame)
      parts.dropped(session, 1)
    }
    if (isStep2) {
      releaseHeld(session)
      session.answered()
    }
    if (isWhole) settle(session, frame, isStep2)
  }

  const receive = (session: Session, bytes: Uint8Array, isStep2: boolean): Promise<void> | undefined => {
    const update = readUpdate(bytes)
    const frame = session.acks?.receive()
    const allowed = parts.before && !isOld(update) ? parts.before(update.bytes, session) : undefined
    // Also if the session has ended meanwhile: it sent this before.
    if (allowed) return allowed.then(() => take(session, update, frame, isStep2))
    return take(session, update, frame, isStep2)
  }

  const take = (
    session: Session,
    update: Update,
    frame: number | undefined,
    isStep2: boolean,
  ): Promise<void> | undefined => {
    const isNew = !isOld(update)
    if (isNew && !isStep2 && !isComplete(update)) {
      if (frame !== undefined) session.acks?.stall(frame)
      hold(session, update)
      ask(session)
      return undefined
    }
    if (isNew && (!isComplete(update) || foreignOwners(session, update).length > 0)) {
      return receiveSlowly(session, update, frame, isStep2)
    }
    if (isNew) accept(update, session)
    if (isStep2) {
      releaseHeld(session)
      session.answered()
    }
    settle(session, frame, isStep2)
    return undefined
  }

  const acceptRead = (update: Update, source: ChangeSource): void => {
    if (isNews(update)) accept(update, source)
  }

  const readPassedOn = async (bytes: Uint8Array): Promise<Update> => {
    const update = readUpdate(bytes)
    const owners = isOld(update) ? [] : foreignOwners(undefined, update)
    if (owners.length > 0) await askOwners(owners)
    return update
  }

  const isNews = (update: Update): boolean => {
    if (isOld(update)) return false
    if (isComplete(update)) return true
    throw conflict()
  }

  return {
    receive,
    acceptOwn: (bytes, source) => acceptRead(readUpdate(bytes, UNLIMITED), source),
    readPassedOn,
    isNews,
    acceptRead,
    ask,
  }
}
