/** WebSocket messages of a room's sessions, each session's in order: while one takes its time, those behind it wait. */
import { TuttiError } from '../../lib/errors.ts'
import { type ClientFrame, decodeClientFrames } from '../protocol/frame.ts'
import { MESSAGE_COST } from './messageCost.ts'
import type { Session } from './session.ts'

/** Messages of one session that may wait: this many times the limit of one. */
const QUEUE_FACTOR = 4

export interface InboxParts {
  readonly limits: { readonly maxMessageBytes: number }
  /** Carries out a frame; the session's next one waits for the promise. Throws, or rejects with, why it is refused. */
  take(session: Session, frame: ClientFrame): Promise<void> | undefined
  failed(session: Session, error: unknown): void
}

export interface Inbox {
  /** Takes one message. The bytes belong to the inbox from now on. */
  receive(session: Session, bytes: Uint8Array): void
  /** What comes of this session waits until `release`. */
  hold(session: Session): void
  release(session: Session): void
}

export const createInbox = ({ limits, take, failed }: InboxParts): Inbox => {
  const { maxMessageBytes } = limits

  const enqueue = (session: Session, queue: Uint8Array[], bytes: Uint8Array): void => {
    session.queuedBytes += bytes.byteLength + MESSAGE_COST
    if (session.queuedBytes <= maxMessageBytes * QUEUE_FACTOR) {
      queue.push(bytes)
      return
    }
    failed(
      session,
      new TuttiError('TRY_LATER', 'More frames are waiting than the room can take in.', { hint: 'Connect again.' }),
    )
  }

  const takeAll = (session: Session, frames: readonly ClientFrame[]): void => {
    for (const [index, frame] of frames.entries()) {
      if (session.isEnded) return
      const busy = take(session, frame)
      if (!busy) continue
      hold(session)
      busy.then(
        () => goOn(session, frames.slice(index + 1)),
        (error: unknown) => failed(session, error),
      )
      return
    }
  }

  const attempt = (session: Session, run: () => void): void => {
    try {
      run()
    } catch (error) {
      failed(session, error)
    }
  }

  /** After a frame that took its time: the rest of its message, then what came meanwhile. */
  const goOn = (session: Session, rest: readonly ClientFrame[]): void => {
    if (session.isEnded) return
    const waiting = takeQueue(session)
    attempt(session, () => takeAll(session, rest))
    for (const bytes of waiting) receive(session, bytes)
  }

  const takeQueue = (session: Session): readonly Uint8Array[] => {
    const { queue = [] } = session
    session.queue = undefined
    session.queuedBytes = 0
    return queue
  }

  const receive = (session: Session, bytes: Uint8Array): void => {
    if (session.isEnded) return
    if (bytes.byteLength > maxMessageBytes) failed(session, tooLarge(bytes.byteLength, maxMessageBytes))
    else if (session.queue) enqueue(session, session.queue, bytes)
    else attempt(session, () => takeAll(session, decodeClientFrames(bytes)))
  }

  const hold = (session: Session): void => {
    session.queue = []
  }

  const release = (session: Session): void => {
    for (const bytes of takeQueue(session)) receive(session, bytes)
  }

  return { receive, hold, release }
}

const tooLarge = (bytes: number, limit: number): TuttiError =>
  new TuttiError('TOO_LARGE', `A message of ${bytes} bytes came; the limit is ${limit}.`, {
    hint: 'Send smaller updates, or raise maxMessageBytes on the server.',
  })
