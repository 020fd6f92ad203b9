/** All rooms of a server: opened when someone comes, forgotten when idle. A cold room costs no memory. */
import type * as Y from 'yjs'
import { TuttiError } from '../../lib/errors.ts'
import type {
  ChangeWatch,
  Compactor,
  Documents,
  EditOptions,
  Logger,
  Publisher,
  Socket,
  Storage,
  StoredRoom,
} from '../contracts.ts'
import { createCommitter } from './committer.ts'
import { createCompactions } from './compactions.ts'
import type { EventSessions } from './eventSession.ts'
import { createHotDocuments } from './hotDocuments.ts'
import type { People } from './people.ts'
import { EMPTY_REVISION, revisionOf } from './revision.ts'
import { Room, type RoomLimits, type RoomParts } from './room.ts'
import type { RoomLifecycle } from './roomLifecycle.ts'
import { checkRoomName } from './roomName.ts'

/** How often rooms are looked at: idle ones are forgotten, silent ones kept alive. */
const SWEEP_MS = 1000
/**
 * A room that was silent this long gets a keep-alive frame. y-websocket closes after 30 s without a message, and looks
 * every 3 s; WebSocket pings do not count for it.
 */
const KEEPALIVE_MS = 15_000

export interface RoomsParts {
  readonly storage: Storage
  readonly compactor: Compactor
  readonly publisher: Publisher
  readonly logger: Logger
  readonly limits: RoomLimits & { readonly documentCacheBytes: number; readonly roomIdleSeconds: number }
  /** Ends a connection with the close code of an error. */
  /** `isInnocent`: what ends it is nothing that it did. */
  refuse(socket: Socket, error: TuttiError, isInnocent: boolean): void
  /** Where to tell of the people in a room, if anybody listens. */
  peopleOf(room: string): People | undefined
  /** Characters that a user's id may have in a room. */
  maxUserIdLengthOf(room: string): number
  readonly events: EventSessions
  readonly changes: ChangeWatch
  readonly lifecycle?: RoomLifecycle | undefined
}

/** What is known of a room without loading it. */
export interface RoomFacts {
  /** Something was committed of it. */
  readonly isStored: boolean
  /** WebSockets that joined it. */
  readonly connections: number
  /** Bytes of its document as an update log. */
  readonly bytes: number
  /** The number of its last update; 0 if it has no content. */
  readonly sequence: number
}

export interface DeleteOptions {
  /** Called with the revision of the document in the turn in which the room ends; what it throws, keeps the room. */
  readonly expect?: EditOptions['expect']
  /** Called in that turn, too. */
  readonly ended?: () => void
}

export interface Rooms extends Documents {
  /** The room of a name, loading if need be. Throws `INVALID_ROOM`, `GOING_AWAY`. */
  open(name: string): Room
  /** The room of a name, if it is loaded or loading. */
  find(name: string): Room | undefined
  /** Stored rooms, see `Storage.list`. */
  list(prefix: string, after: string, limit: number): Promise<string[]>
  /** Rooms that have connections, stored or not, in no order. */
  inUse(): Iterable<Room>
  /** Throws `INVALID_ROOM`. */
  describe(name: string): Promise<RoomFacts>
  /**
   * Ends the room's sessions with `ROOM_GONE` and forgets its document. Resolves when that is durable, with whether
   * there was such a room, stored or in use. Whoever opens a room of this name from now on finds an empty one. Throws
   * `INVALID_ROOM`, `GOING_AWAY`, `STORAGE_FAILED`, and what `expect` throws.
   */
  delete(name: string, options?: DeleteOptions): Promise<boolean>
  /** Makes durable what was accepted, and stops. Sockets are not touched. */
  close(): Promise<void>
}

export const createRooms = (parts: RoomsParts): Rooms => {
  const { storage, compactor, publisher, logger, limits } = parts
  const rooms = new Map<string, Room>()
  const idle = new Set<Room>()
  const hot = createHotDocuments(limits.documentCacheBytes, (log) =>
    logger.error({ room: log.room }, 'a document was changed outside edit, which is not stored; change it within edit'),
  )
  const committer = createCommitter(storage, logger)
  const compactions = createCompactions(storage, compactor, committer, logger)

  /** Deletions under way; they don't reject. */
  const deletions = new Map<string, Promise<void>>()
  /** What is stored of a room once it is not being deleted. */
  const load = async (name: string): Promise<StoredRoom | undefined> => {
    await deletions.get(name)
    return storage.load(name)
  }

  const roomParts: RoomParts = {
    storage: { load, read: (name, id) => storage.read(name, id) },
    publisher,
    hot,
    limits,
    log: logger,
    refuse: parts.refuse,
    peopleOf: parts.peopleOf,
    maxUserIdLengthOf: parts.maxUserIdLengthOf,
    events: parts.events,
    changes: parts.changes,
    loaded: (room, isNew) => parts.lifecycle?.created(room.name, isNew),
    commitSoon: committer.commitSoon,
    idleChanged: (room, isIdle) => {
      if (isIdle) idle.add(room)
      else idle.delete(room)
    },
    committed: (room) => {
      compactions.consider(room, false)
    },
    makeRoom: compactions.makeRoom,
    closed: (room) => {
      idle.delete(room)
      if (rooms.get(room.name) !== room) return
      rooms.delete(room.name)
      parts.lifecycle?.unloaded(room.name)
    },
  }

  let isClosed = false

  const check = (name: string): void => {
    if (isClosed) throw new TuttiError('GOING_AWAY', 'The server is stopping.', { hint: 'Try again in a moment.' })
    checkRoomName(name)
  }

  const open = (name: string): Room => {
    check(name)
    let room = rooms.get(name)
    if (!room) {
      room = new Room(name, roomParts)
      rooms.set(name, room)
      idle.add(room)
    }
    return room
  }

  const describe = async (name: string): Promise<RoomFacts> => {
    checkRoomName(name)
    const room = rooms.get(name)
    const connections = room?.connections ?? 0
    if (room?.log) {
      const { durableSeq, bytes, seq } = room.log
      return { isStored: durableSeq > 0, connections, bytes, sequence: seq }
    }
    const stored = await load(name)
    const { segments = [] } = stored ?? {}
    const bytes = segments.reduce((sum, segment) => sum + segment.bytes, 0)
    return { isStored: stored !== undefined, connections, bytes, sequence: segments.at(-1)?.lastSeq ?? 0 }
  }

  /** Has what is stored of a room loaded, so that its log is there at the end of the wait. */
  const loaded = async (name: string, isStored: boolean): Promise<void> => {
    while ((isStored || rooms.has(name)) && !rooms.get(name)?.log) await open(name).revision()
  }

  /** Whether a room that is known here is stored or in use; one that is being loaded is taken for it. */
  const isThere = ({ log, connections }: Room): boolean => log === undefined || log.seq > 0 || connections > 0

  const remove = async (name: string, { expect, ended }: DeleteOptions = {}): Promise<boolean> => {
    check(name)
    // One that is being loaded does not wait for that: it may take long.
    const isStored = !rooms.has(name) && (await load(name)) !== undefined
    if (expect) await loaded(name, isStored)
    check(name)
    const room = rooms.get(name)
    expect?.(room?.log ? revisionOf(room.log) : EMPTY_REVISION)
    const wasThere = isStored || (room !== undefined && isThere(room))
    const gone = new TuttiError('ROOM_GONE', 'The room was deleted.', {
      hint: 'A request that is sent again meets an empty room; a client drops its copy (room.reset()) and connects again.',
    })
    room?.fail(gone)
    ended?.()
    // After the commit or compaction that is under way: nothing may be written of it behind the deletion.
    const deletion = committer.exclusive(() => storage.delete(name))
    const settled = deletion.then(
      () => undefined,
      () => undefined, // whoever asked for it hears
    )
    deletions.set(name, settled)
    try {
      await deletion
    } finally {
      if (deletions.get(name) === settled) deletions.delete(name)
    }
    return wasThere
  }

  const unloadIdle = (now: number): void => {
    for (const room of idle) {
      if (now - room.idleSince < limits.roomIdleSeconds * 1000 || !room.isUnloadable) continue
      if (compactions.consider(room, true)) continue
      idle.delete(room)
      rooms.delete(room.name)
      if (room.log) hot.drop(room.log)
      parts.lifecycle?.unloaded(room.name)
    }
  }

  const keepAlive = (now: number): void => {
    for (const room of rooms.values()) {
      if (idle.has(room)) continue
      room.renewHosted(now)
      if (now - room.lastPublished >= KEEPALIVE_MS) room.keepAlive()
    }
  }

  const sweep = setInterval(() => {
    const now = Date.now()
    unloadIdle(now)
    keepAlive(now)
  }, SWEEP_MS)

  const close = async (): Promise<void> => {
    isClosed = true
    clearInterval(sweep)
    await committer.settle()
    await compactions.close()
    await compactor.close()
    hot.clear()
    for (const name of rooms.keys()) parts.lifecycle?.unloaded(name)
    rooms.clear()
    idle.clear()
  }

  return {
    open,
    find: (name) => rooms.get(name),
    list: (prefix, after, limit) => storage.list(prefix, after, limit),
    inUse: function* () {
      for (const room of rooms.values()) if (room.connections > 0) yield room
    },
    describe,
    delete: remove,
    close,
    read: async <R>(name: string, fn: (doc: Y.Doc) => R) => (await open(name).viewDocument(fn)).result,
    view: async <R>(name: string, fn: (doc: Y.Doc) => R) => open(name).viewDocument(fn),
    revision: async (name) => open(name).revision(),
    edit: async <R>(name: string, fn: (doc: Y.Doc) => R, options?: EditOptions) => open(name).editDocument(fn, options),
    apply: async (name, update, options) => open(name).applyUpdate(update, options),
  }
}
