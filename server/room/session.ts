/** One connection's membership of one room: what the room remembers of it. Behaviour is in `room.ts` and its parts. */
import type { Caller, Socket } from '../contracts.ts'
import type { Update } from '../protocol/update.ts'
import { Acks } from './acks.ts'
import type { EventSession } from './eventSession.ts'
import type { LogPosition } from './log.ts'

/** What is still to be sent before a session hears the room live. */
export interface Reading {
  /** Updates to send first. */
  readonly first: Uint8Array[]
  /** Then everything of the log after this. */
  position: LogPosition
  /** End with a sync step 2 (the answer to a step 1), not with an update. */
  readonly answers: boolean
}

export type SessionState = 'greeting' | 'open' | 'ended'

export class Session {
  readonly socket: Socket
  /** Counts acknowledgements; only for a client that opted in. */
  readonly acks: Acks | undefined
  /** `greeting`: opted in, and its hello has not come yet. */
  state: SessionState
  /** Shown again by a client that comes back: it takes its presence over at once. */
  resume: string | undefined
  /** The declared client id of its presence. */
  ownId: number | undefined
  /** All client ids it may speak for. */
  ids: number[] = []
  /** The next frame, if it is awareness with one entry, declares `ownId`. */
  expectsOwnEntry = false
  /** The first non-null own entry has been answered. */
  wasNudged = false
  /** All presence is about to be sent to it. */
  isShownAll = false
  /** A sync step 1 of ours is unanswered. */
  isAsked = false
  /** Called after its next sync step 2, or when it ends. */
  onAnswer: (() => void)[] = []
  /** Updates with a gap that wait for its sync step 2. */
  held: Update[] = []
  heldBytes = 0
  /** Frames that wait until an earlier one is done with. */
  queue: Uint8Array[] | undefined
  queuedBytes = 0
  reading: Reading | undefined
  isPumping = false
  isSubscribed = false
  /** Called once at its next pong. */
  onPong: (() => void)[] = []
  /** Its events, once there are any. */
  events: EventSession | undefined
  /** Who asks for other rooms over this connection. */
  readonly caller: Caller | undefined

  constructor(socket: Socket, optedIn: boolean, caller: Caller | undefined) {
    this.socket = socket
    this.caller = caller
    this.acks = optedIn ? new Acks() : undefined
    this.state = optedIn ? 'greeting' : 'open'
  }

  get isEnded(): boolean {
    return this.state === 'ended'
  }

  /** Calls everyone who waits for its answer. */
  answered(): void {
    this.isAsked = false
    const waiting = this.onAnswer
    this.onAnswer = []
    for (const call of waiting) call()
  }
}
