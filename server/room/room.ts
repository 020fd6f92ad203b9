/**
 * A room: its log, its presence and its sessions. Frames come in by `receive`; what they change leaves by `publish` at
 * the end of the same turn of the event loop, and is handed to the committer.
 *
 *     loading --> open --> closed
 *
 * Nobody is served while it is loading: frames wait. A room that could not commit closes its sessions and is forgotten;
 * the next one to join loads it from storage again.
 */
import type * as Y from 'yjs'
import { TuttiError } from '../../lib/errors.ts'
import {
  type ClientHello,
  encodeAck,
  encodeOrigin,
  encodePong,
  encodeServerHello,
  encodeSyncUpdate,
  KEEPALIVE,
} from '../../lib/protocol.ts'
import type {
  Caller,
  ChangeSource,
  ChangeWatch,
  Edited,
  EditOptions,
  Logger,
  Person,
  Publisher,
  RoomChange,
  Socket,
  Storage,
  Viewed,
} from '../contracts.ts'
import { encodeAwareness } from '../protocol/awareness.ts'
import type { ClientFrame } from '../protocol/frame.ts'
import type { Acks } from './acks.ts'
import { createEdits, type Edits } from './edits.ts'
import type { EventSession, EventSessions } from './eventSession.ts'
import { Hosted } from './hosted.ts'
import type { HotDocuments } from './hotDocuments.ts'
import { createInbox, type Inbox } from './inbox.ts'
import { createIntake, type Intake } from './intake.ts'
import { type LogPosition, RoomLog } from './log.ts'
import { createMembers, type Members } from './members.ts'
import { createOutflow, type Outflow } from './outflow.ts'
import { PendingChanges } from './pendingChanges.ts'
import type { People } from './people.ts'
import { personOf } from './person.ts'
import { Presence } from './presence.ts'
import { revisionOf } from './revision.ts'
import { Session } from './session.ts'

export interface RoomLimits {
  readonly maxMessageBytes: number
  readonly maxDocumentBytes: number
  readonly maxAwarenessEntries: number
  readonly maxAwarenessBytes: number
  readonly maxBackpressureBytes: number
  readonly leaveGraceSeconds: number
}

/** What a room needs of its surroundings. */
export interface RoomParts {
  readonly storage: Pick<Storage, 'load' | 'read'>
  readonly publisher: Publisher
  readonly hot: HotDocuments
  readonly log: Logger
  readonly limits: RoomLimits
  /** The room is open. `isNew`: nothing was ever stored of it. */
  loaded(room: Room, isNew: boolean): void
  /** Has the room committed soon. */
  commitSoon(room: Room): void
  /** Ends a connection with the close code of an error. */
  refuse(socket: Socket, error: TuttiError, isInnocent: boolean): void
  /** The room has no session any more, or has one again. */
  idleChanged(room: Room, isIdle: boolean): void
  /** Something of the room became durable. */
  committed(room: Room): void
  /** The room's log is full. @returns whether it is being made smaller. */
  makeRoom(room: Room): boolean
  /** Where to tell of the people in the room, if anybody listens. */
  peopleOf(name: string): People | undefined
  /** Characters that a user's id may have in the room. */
  maxUserIdLengthOf(name: string): number
  readonly events: EventSessions
  readonly changes: ChangeWatch
  /** The room is closed and must not be handed out again. */
  closed(room: Room): void
}

interface Waiter {
  readonly seq: number
  resolve(): void
  reject(error: unknown): void
}

/** Everything that exists once the stored log has been read. */
interface Loaded {
  readonly log: RoomLog
  readonly intake: Intake
  readonly outflow: Outflow
  readonly edits: Edits
}

type State =
  | { readonly phase: 'loading' }
  | ({ readonly phase: 'open' } & Loaded)
  | { readonly phase: 'closed'; readonly error: TuttiError }

export class Room {
  readonly name: string
  readonly #parts: RoomParts
  #state: State = { phase: 'loading' }
  readonly #loading: Promise<void>
  readonly #sessions = new Set<Session>()
  readonly #presence: Presence<Session>
  readonly #maxUserIdLength: number
  readonly #members: Members
  readonly #unacknowledged = new Set<Session>()
  /** Once somebody listened. */
  #pendingChanges: PendingChanges | undefined
  #waiters: Waiter[] = []
  /** Uses by the back end that keep it loaded. */
  #holds = 0
  readonly #hosted: Hosted
  readonly #inbox: Inbox
  #flushScheduled = false
  /** Where a session that misses frames of this loop turn has to go on; see `#relay`. */
  #turnStart: LogPosition = { seq: 0, generation: 0 }
  #turnIsMarked = false
  /** When something was last sent to everyone, in ms of `Date.now()`. */
  lastPublished = 0
  /** When it became idle, in ms of `Date.now()`. */
  idleSince = Date.now()

  constructor(name: string, parts: RoomParts) {
    this.name = name
    this.#parts = parts
    this.#maxUserIdLength = parts.maxUserIdLengthOf(name)
    this.#presence = new Presence({
      shown: (client, state, session) => {
        const person = personOf(client, state, this.#maxUserIdLength)
        if (parts.peopleOf(name)?.enter(client, person, { by: session.socket })) session.events?.entered(person)
      },
      hidden: (client, hasBroken) => parts.peopleOf(name)?.exit(client, hasBroken),
    })
    this.#hosted = new Hosted(this.#presence)
    this.#inbox = createInbox({
      limits: parts.limits,
      take: (session, frame) => this.#take(session, frame),
      failed: (session, error) => this.#failedFor(session, error),
    })
    this.#members = createMembers({
      presence: this.#presence,
      limits: parts.limits,
      changed: () => this.#scheduleFlush(),
      end: (session, reason) => this.#end(session, reason),
      failed: (session, error) => this.#failedFor(session, error),
    })
    this.#loading = this.#load()
  }

  /** Connections that joined it. */
  get connections(): number {
    return this.#sessions.size
  }

  get #isClosed(): boolean {
    return this.#state.phase === 'closed'
  }

  get isIdle(): boolean {
    return this.#sessions.size === 0 && this.#holds === 0 && this.#hosted.isEmpty
  }

  /** Nothing would be lost if it were forgotten now. */
  get isUnloadable(): boolean {
    return this.isIdle && this.#state.phase === 'open' && this.#state.log.isDurable && !this.#state.log.isCompacting
  }

  // --- Sessions -------------------------------------------------------------------------------------------------

  /**
   * @param optedIn the client takes Tutti's own frames; nothing is sent to it before its hello.
   * @param caller who may ask for other rooms' events over this connection
   */
  join(socket: Socket, optedIn: boolean, caller?: Caller): Session {
    const session = new Session(socket, optedIn, caller)
    this.#sessions.add(session)
    this.#parts.idleChanged(this, false)
    if (this.#state.phase === 'loading') this.#inbox.hold(session)
    if (this.#state.phase === 'closed') this.#refuse(session, this.#state.error)
    if (this.#state.phase === 'open' && !optedIn) this.#state.intake.ask(session)
    return session
  }

  /** Takes one WebSocket message. The bytes belong to the room from now on. */
  receive(session: Session, bytes: Uint8Array): void {
    this.#inbox.receive(session, bytes)
  }

  /** The socket refused text, or sent something else that no frame can be. */
  refuse(session: Session, error: TuttiError): void {
    this.#refuse(session, error)
  }

  /** The people here, each under what stands for their connection. */
  *people(): Generator<readonly [client: number, person: Person]> {
    for (const { client, state } of this.#presence.shown()) {
      yield [client, personOf(client, JSON.parse(state) as object, this.#maxUserIdLength)]
    }
  }

  /** The session's connection is gone. `hasBroken`: it did not say good-bye. */
  leave(session: Session, hasBroken = false): void {
    if (session.isEnded) return
    session.state = 'ended'
    this.#sessions.delete(session)
    this.#unacknowledged.delete(session)
    this.#presence.release(session, session.ids, hasBroken)
    session.events?.close(hasBroken)
    if (this.#presence.hasChanges) this.#scheduleFlush()
    session.answered()
    if (this.isIdle) this.#becameIdle()
  }

  drained(session: Session): void {
    session.events?.drained()
    if (this.#state.phase !== 'open') return
    // What a full socket did not take is sent again.
    if (session.acks?.isRefused) this.#sendAck(session, session.acks)
    if (session.held.length > 0) this.#state.intake.ask(session)
    this.#state.outflow.pump(session)
  }

  ponged(session: Session): void {
    const waiting = session.onPong
    session.onPong = []
    for (const call of waiting) call()
  }

  /** A frame for everyone was skipped for this session, since its socket is full. Nothing is touched in this turn. */
  missed(session: Session): void {
    session.events?.missed()
    if (!session.isSubscribed || session.isEnded) return
    session.isSubscribed = false
    const position = this.#turnStart
    // Unsubscribing inside the `dropped` callback of uWebSockets.js can end the process (SIGBUS).
    setImmediate(() => {
      if (session.isEnded || this.#state.phase !== 'open') return
      // It may have caught up by itself since.
      session.isSubscribed = false
      session.socket.unsubscribe(this.name)
      this.#state.outflow.replay(session, position)
    })
  }

  /** Sends everyone a frame that means nothing, so that y-websocket's watchdog is content. */
  keepAlive(): void {
    this.#publish(KEEPALIVE)
  }

  /**
   * Shows someone in awareness who is here by another door; the room stays loaded meanwhile. They are not told of to
   * the room's people: that is up to their door.
   * @param closed called if the room is closed before that ends; it shows nobody any more
   * @returns the function that ends it
   * @throws TuttiError what the room was closed with
   */
  host(state: object, closed: () => void): () => void {
    if (this.#state.phase === 'closed') throw this.#state.error
    const hide = this.#hosted.show(state, closed)
    this.#parts.idleChanged(this, false)
    this.#scheduleFlush()
    return () => {
      if (!hide()) return
      this.#scheduleFlush()
      if (this.isIdle) this.#becameIdle()
    }
  }

  /** Shows the hosted again if it is time and there is someone to see them. */
  renewHosted(now: number): void {
    if (this.#sessions.size > 0 && this.#hosted.renew(now)) this.#scheduleFlush()
  }

  // --- The back end ---------------------------------------------------------------------------------------------

  /** See `Documents.view`. */
  async viewDocument<R>(fn: (doc: Y.Doc) => R): Promise<Viewed<R>> {
    return this.#held(async () => (await this.#open()).edits.view(fn))
  }

  /** See `Documents.revision`. */
  async revision(): Promise<string> {
    return this.#held(async () => revisionOf((await this.#open()).log))
  }

  /** See `Documents.edit`. */
  async editDocument<R>(fn: (doc: Y.Doc) => R, options: EditOptions = {}): Promise<Edited & { readonly result: R }> {
    return this.#held(async () => (await this.#open()).edits.edit(fn, options))
  }

  /** See `Documents.apply`. */
  async applyUpdate(update: Uint8Array, options: EditOptions = {}): Promise<Edited> {
    return this.#held(async () => (await this.#open()).edits.apply(update, options))
  }

  // --- Committing -----------------------------------------------------------------------------------------------

  /** What is to be stored now; `undefined` if nothing is. */
  async nextChange(): Promise<RoomChange | undefined> {
    if (this.#state.phase !== 'open') return undefined
    this.#flush()
    return this.#state.log.nextChange((id) => this.#readSegment(id))
  }

  committed(change: RoomChange): void {
    if (this.#state.phase !== 'open') return
    const { log } = this.#state
    log.committed(change)
    const done = this.#waiters.filter((waiter) => waiter.seq <= log.durableSeq)
    this.#waiters = this.#waiters.filter((waiter) => waiter.seq > log.durableSeq)
    for (const waiter of done) waiter.resolve()
    for (const session of [...this.#unacknowledged]) this.#acknowledge(session)
    this.#pendingChanges?.stored(log.durableSeq)
    this.#parts.committed(this)
  }

  /** The log, where compaction may work on it. */
  get log(): RoomLog | undefined {
    return this.#state.phase === 'open' ? this.#state.log : undefined
  }

  /** Ends every session and forgets what is not durable: clients hand it back when they have connected again. */
  fail(error: TuttiError): void {
    if (this.#state.phase === 'closed') return
    if (this.#state.phase === 'open') this.#parts.hot.drop(this.#state.log)
    this.#state = { phase: 'closed', error }
    this.#parts.closed(this)
    // It is the fault of none of them.
    for (const session of [...this.#sessions]) this.#refuse(session, error, true)
    for (const waiter of this.#waiters) waiter.reject(error)
    this.#waiters = []
    this.#hosted.close()
  }

  // --- Inside ---------------------------------------------------------------------------------------------------

  async #load(): Promise<void> {
    try {
      const stored = await this.#parts.storage.load(this.name)
      const log = new RoomLog(this.name, stored?.documentId ?? crypto.randomUUID(), stored)
      const summarised = stored?.summary?.seq ?? 0
      for (const segment of log.segments) {
        if (segment.lastSeq <= summarised) continue
        const update = await this.#readSegment(segment.id)
        if (!update) throw new Error(`segment ${segment.id} of room ${JSON.stringify(this.name)} is missing`)
        log.count(update)
      }
      // It may have been deleted meanwhile.
      if (this.#isClosed) return
      this.#opened(log)
      this.#parts.loaded(this, stored === undefined)
    } catch (error) {
      if (this.#isClosed) return
      this.#parts.log.error({ room: this.name, err: error }, 'room can not be loaded')
      const isKnown = error instanceof TuttiError
      this.fail(isKnown ? error : storageFailed(`Room ${JSON.stringify(this.name)} can not be read.`, error))
    }
  }

  #opened(log: RoomLog): void {
    const { changes, hot, limits } = this.#parts
    const read = (id: number): Promise<Uint8Array | undefined> => this.#readSegment(id)
    const withDocument = <R>(fn: (doc: Y.Doc) => R): Promise<R> => hot.use(log, read, fn)
    const intake = createIntake({
      log,
      limits,
      ownerOf: (client) => this.#presence.ownerOf(client),
      withDocument,
      before: changes.before && ((update, by) => this.#ask(update, sourceOf(by))),
      makeRoom: () => this.#parts.makeRoom(this),
      changed: (seq, update, by) => this.#changed(seq, update, by),
      settled: (session) => this.#settled(session),
      dropped: (session, count) =>
        this.#parts.log.warn({ room: this.name, count, address: session.socket.address }, 'updates with a gap dropped'),
    })
    const outflow = createOutflow({
      topic: this.name,
      log,
      presence: this.#presence,
      read,
      limits,
      withDocument,
      flush: () => this.#flush(),
      failed: (session, error) => this.#failedFor(session, error),
    })
    const edits = createEdits({
      log,
      intake,
      withDocument,
      setDocumentAside: () => hot.setAside(log),
      ask: changes.before && ((update, source) => this.#ask(update, source)),
      relay: (origin) => {
        // Its topic may be another room's of the same name by now.
        if (!this.#isClosed) this.#relay(log, origin)
      },
      durable: (seq) => this.#durable(seq),
    })
    this.#state = { phase: 'open', log, intake, outflow, edits }
    for (const session of [...this.#sessions]) {
      if (!session.acks) intake.ask(session)
      this.#inbox.release(session)
    }
  }

  async #open(): Promise<Loaded> {
    await this.#loading
    if (this.#state.phase === 'open') return this.#state
    if (this.#state.phase === 'closed') throw this.#state.error
    throw new Error('a room that has been loaded is open or closed')
  }

  /** Asks whether an update may be taken in: when the promise resolves, or at once. Throws or rejects if not. */
  #ask(update: Uint8Array, source: ChangeSource): Promise<void> | undefined {
    if (this.#state.phase === 'closed') throw this.#state.error
    const answer = this.#parts.changes.before?.(this.name, { update, ...source })
    if (!answer) return undefined
    return this.#held(async () => {
      await answer
      if (this.#state.phase === 'closed') throw this.#state.error
    })
  }

  async #held<R>(fn: () => Promise<R>): Promise<R> {
    this.#holds++
    this.#parts.idleChanged(this, false)
    try {
      return await fn()
    } finally {
      this.#holds--
      if (this.isIdle) this.#becameIdle()
    }
  }

  #becameIdle(): void {
    if (this.#state.phase === 'closed') return
    this.idleSince = Date.now()
    this.#parts.idleChanged(this, true)
  }

  async #readSegment(id: number): Promise<Uint8Array | undefined> {
    const update = await this.#parts.storage.read(this.name, id)
    // Nobody is to look again and again for what was deleted.
    if (!update && this.#state.phase === 'closed') throw this.#state.error
    // Storage may have removed it before this process hears that its commit is done. A reader looks again: not without
    // letting the event loop go on, or it would never hear.
    if (!update) await new Promise((resolve) => setImmediate(resolve))
    return update
  }

  #durable(seq: number): Promise<void> {
    if (this.#state.phase === 'closed') return Promise.reject(this.#state.error)
    if (this.#state.phase === 'open' && this.#state.log.durableSeq >= seq) return Promise.resolve()
    return new Promise((resolve, reject) => {
      this.#waiters.push({ seq, resolve, reject })
    })
  }

  #take(session: Session, frame: ClientFrame): Promise<void> | undefined {
    if (this.#state.phase !== 'open') return undefined
    const { intake, outflow } = this.#state
    if (session.state === 'greeting') {
      if (frame.type !== 'hello') {
        throw new TuttiError('PROTOCOL', `The first frame must be the hello, not ${frame.type}.`, {
          hint: 'Leave out the opt-in parameter, or send the hello first.',
        })
      }
      this.#greet(session, frame.hello)
      return undefined
    }
    switch (frame.type) {
      case 'step1': {
        // Stock clients send step 1 and their own awareness entry together when the socket opens.
        if (session.ownId === undefined) session.expectsOwnEntry = true
        return outflow.answer(session, frame.stateVector)
      }
      case 'step2':
      case 'update':
        session.expectsOwnEntry = false
        return intake.receive(session, frame.update, frame.type === 'step2')
      case 'awareness':
        this.#members.receive(session, frame.entries)
        return undefined
      case 'queryAwareness':
        this.#showAll(session)
        return undefined
      case 'ping':
        if (!session.acks) throw notOptedIn(frame.type)
        session.socket.send(encodePong(frame.id))
        return undefined
      case 'subscribe':
        this.#eventsOf(session, frame.type).subscribe(frame.request)
        return undefined
      case 'unsubscribe':
        this.#eventsOf(session, frame.type).unsubscribe(frame.room)
        return undefined
      case 'trigger':
        this.#eventsOf(session, frame.type).trigger(frame.trigger, this.#parts.peopleOf(this.name)?.idOf(session.ownId))
        return undefined
      case 'hello':
        throw session.acks
          ? new TuttiError('PROTOCOL', 'A second hello came.', { hint: 'Send the hello once, as the first frame.' })
          : notOptedIn(frame.type)
      default:
        return frame satisfies never
    }
  }

  /** Once a turn, and not to who does not read: a question takes a byte, the answer may take megabytes. */
  #showAll(session: Session): void {
    if (session.isShownAll) return
    session.isShownAll = true
    setImmediate(() => {
      session.isShownAll = false
      if (session.isEnded || session.socket.buffered() > this.#parts.limits.maxBackpressureBytes / 2) return
      session.socket.send(encodeAwareness([...this.#presence.shown()]))
    })
  }

  #eventsOf(session: Session, type: string): EventSession {
    if (!session.acks) throw notOptedIn(type)
    session.events ??= this.#parts.events.open(session.socket, this.name, session.caller)
    return session.events
  }

  #greet(session: Session, hello: ClientHello): void {
    if (this.#state.phase !== 'open') return
    const { intake, log } = this.#state
    session.state = 'open'
    session.resume = hello.resume
    if (hello.documentId !== undefined && hello.documentId !== log.documentId)
      this.#adopt(session, log, hello.documentId)
    this.#welcome(session, log)
    this.#members.declare(session, hello.clientId)
    intake.ask(session)
  }

  /** A server without the room takes the id of its client's copy; with the room, the two must not be mixed. */
  #adopt(session: Session, log: RoomLog, documentId: string): void {
    if (!log.isEmpty) {
      throw new TuttiError('ROOM_GONE', 'The server holds another document under this name.', {
        hint: 'Drop the local copy (room.reset()) and connect again.',
      })
    }
    log.documentId = documentId
    for (const other of this.#sessions) {
      if (other !== session && other.acks && other.state === 'open') this.#welcome(other, log)
    }
  }

  #welcome(session: Session, log: RoomLog): void {
    const { maxMessageBytes, leaveGraceSeconds } = this.#parts.limits
    const { documentId } = log
    const sessionId = session.socket.id
    const leaveGraceMs = leaveGraceSeconds * 1000
    session.socket.send(encodeServerHello({ documentId, maxMessageBytes, sessionId, leaveGraceMs }))
  }

  #changed(seq: number, update: Uint8Array, by: Session | ChangeSource): void {
    this.#scheduleFlush()
    this.#parts.commitSoon(this)
    if (!this.#parts.changes.isHeard(this.name)) return
    this.#pendingChanges ??= new PendingChanges(this.name, this.#parts.changes)
    this.#pendingChanges.add(seq, update, by instanceof Session ? sourceOf(by) : by)
  }

  /** Sends, at the end of this turn of the event loop, what it brought. */
  #scheduleFlush(): void {
    if (this.#flushScheduled) return
    this.#flushScheduled = true
    setImmediate(() => this.#flush())
  }

  #flush(): void {
    this.#flushScheduled = false
    if (this.#state.phase === 'open') this.#relay(this.#state.log)
    this.#pendingChanges?.relayed()
    if (this.#presence.hasChanges) this.#publish(encodeAwareness(this.#presence.takeChanges()))
  }

  #relay(log: RoomLog, origin?: string): void {
    const { afterSeq, updates } = log.takeOutbox()
    if (updates.length === 0) return
    // uWebSockets.js may report a skipped frame as late as the end of this loop turn: the mark stays until the next
    // turn is over, however often something is relayed in between. Too early a mark only sends more than needed.
    if (!this.#turnIsMarked) {
      this.#turnIsMarked = true
      this.#turnStart = { seq: afterSeq, generation: log.generation }
      setImmediate(() => {
        setImmediate(() => {
          this.#turnIsMarked = false
        })
      })
    }
    for (const update of updates) {
      if (origin !== undefined) this.#tellOrigin(origin, update)
      this.#publish(encodeSyncUpdate(update))
    }
  }

  /** Tells those who opted in who made the update that comes next. Whoever is behind, and gets it later, is not told. */
  #tellOrigin(origin: string, update: Uint8Array): void {
    const frame = encodeOrigin(origin, update)
    for (const { acks, isSubscribed, socket } of this.#sessions) if (acks && isSubscribed) socket.send(frame)
  }

  #publish(frame: Uint8Array): void {
    this.lastPublished = Date.now()
    this.#parts.publisher.publish(this.name, frame)
  }

  #settled(session: Session): void {
    if (!session.acks?.hasPending) return
    this.#unacknowledged.add(session)
    this.#acknowledge(session)
  }

  #acknowledge(session: Session): void {
    if (this.#state.phase !== 'open' || !session.acks) return
    const hasGrown = session.acks.advance(this.#state.log.durableSeq)
    if (!session.acks.hasPending) this.#unacknowledged.delete(session)
    if (hasGrown) this.#sendAck(session, session.acks)
  }

  #sendAck(session: Session, acks: Acks): void {
    acks.isRefused = !session.socket.send(encodeAck(acks.acknowledged))
  }

  #failedFor(session: Session, error: unknown): void {
    if (session.isEnded) return
    if (error instanceof TuttiError) {
      this.#refuse(session, error)
      return
    }
    this.#parts.log.error({ room: this.name, err: error }, 'frame failed')
    this.#refuse(session, new TuttiError('INTERNAL', 'The server failed on this frame.', { cause: error }))
  }

  #refuse(session: Session, error: TuttiError, isInnocent = false): void {
    if (session.isSubscribed) session.socket.unsubscribe(this.name)
    this.leave(session)
    this.#parts.refuse(session.socket, error, isInnocent)
  }

  /** Ends a session that another one replaces. */
  #end(session: Session, reason: string): void {
    this.leave(session, true)
    this.#parts.log.debug({ room: this.name, address: session.socket.address }, reason)
    session.socket.terminate()
  }
}

const sourceOf = ({ caller }: Session): ChangeSource => ({ from: 'peer', caller })

const notOptedIn = (type: string): TuttiError =>
  new TuttiError('PROTOCOL', `A ${type} frame came from a client that did not opt in.`, {
    hint: 'Connect with ?tutti=1.',
  })

const storageFailed = (message: string, cause: unknown): TuttiError =>
  new TuttiError('STORAGE_FAILED', message, { cause, hint: 'The server log has the cause; try again later.' })
