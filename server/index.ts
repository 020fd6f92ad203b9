/** The composition root: builds a server from its parts. */
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { readOpenApi } from './api/openApi.ts'
import { createApi, createErrorAnswer, readsHeaders } from './api/router.ts'
import { createStaticFiles, type StaticFiles } from './api/staticFiles.ts'
import { APP_LIMITS, type Apps, createApps } from './apps.ts'
import type { Journal, Logger, Person, Storage } from './contracts.ts'
import type { Hooks } from './hooks.ts'
import { createLog, guardLog } from './log.ts'
import { createNet } from './net/listen.ts'
import { loadUws } from './net/uws.ts'
import { MEMORY, type Options, parseOptions, type ServerOptions } from './options.ts'
import { createPusherDoor } from './pusher/door.ts'
import { createAdmission } from './room/admission.ts'
import { callerOf } from './room/caller.ts'
import { createChangeListeners } from './room/changeListeners.ts'
import { createChannels } from './room/channels.ts'
import { createCompactor } from './room/compaction.ts'
import { createRoomDoor } from './room/door.ts'
import { createEventSessions } from './room/eventSession.ts'
import { createRoomHandle, type RoomHandle } from './room/handle.ts'
import { checkHooks, HookCalls } from './room/hookCalls.ts'
import { HookedConnections } from './room/hookedConnections.ts'
import { createOrderedTrigger } from './room/orderedEvents.ts'
import { createRefusals } from './room/refusals.ts'
import { createRoomLifecycle } from './room/roomLifecycle.ts'
import { createRooms } from './room/rooms.ts'
import type { SocketEndpoints } from './sockets/endpoint.ts'
import { checkEndpoints, createEndpoints } from './sockets/endpoints.ts'
import { openLmdbStorage } from './storage/lmdb.ts'
import { openLmdbJournal } from './storage/lmdbJournal.ts'
import { createMemoryStorage } from './storage/memory.ts'
import { createMemoryJournal } from './storage/memoryJournal.ts'
import { openWebhooks, type Webhooks } from './webhooks/webhooks.ts'

export { ERRORS, type ErrorCode, TuttiError } from '../lib/errors.ts'
export type { Caller, Change, Journal, JournalEntry, Logger, Person, Position, Storage } from './contracts.ts'
export type {
  AfterChangeHook,
  BeforeChangeHook,
  BeforeEventHook,
  ConnectHook,
  DisconnectHook,
  EventReplacement,
  Hooks,
  JoinHook,
  LeaveHook,
  RoomCreatedHook,
  RoomHook,
} from './hooks.ts'
export type { Options, ServerOptions } from './options.ts'
export type { HeardEvent, RoomEditOptions, RoomHandle, RoomNews, TriggerOptions } from './room/handle.ts'
export type { OwnSocket, SocketEndpoint, SocketEndpoints } from './sockets/endpoint.ts'

export interface CreateServerOptions extends ServerOptions {
  /** Where the log goes; default JSON lines on stderr, from `logLevel` on. */
  readonly logger?: Logger
  /** Where rooms are kept, instead of the folder `data`. Closed with the server. */
  readonly storage?: Storage
  /**
   * Where events wait for webhooks. Default the folder `webhooks` of `data`; memory, which a restart loses, if `data` is
   * `memory` or a `storage` is given. Closed with the server.
   */
  readonly journal?: Journal
  /** Functions that are called, and may refuse, when something happens; see `Hooks`. */
  readonly hooks?: Hooks
  /**
   * WebSockets of the application's own by path, see `SocketEndpoint`; no room has the name of such a path.
   *
   *     createServer({ sockets: { '/echo': { message: (socket, message) => void socket.send(message) } } })
   */
  readonly sockets?: SocketEndpoints
  /** @internal What the demo's page reads besides what was built, by path. */
  readonly demoFiles?: Readonly<Record<string, string>>
}

export interface Server {
  /** Where it listens, e.g. `http://127.0.0.1:1234`. */
  readonly url: string
  readonly address: { readonly host: string; readonly port: number }
  /**
   * A room, with the back end as one of its peers: to read or change its document, to send and hear events.
   * @throws TuttiError `INVALID_ROOM`, when it is used.
   */
  room(name: string): RoomHandle
  /** Stops accepting, makes durable what was accepted, closes the connections with 1001. May be called again. */
  close(): Promise<void>
}

/** The room in a connection's path does not count among those that it may join besides. */
const OWN_ROOM = 1

const openStorage = async ({ data }: Options): Promise<Storage> =>
  data === MEMORY ? createMemoryStorage() : openLmdbStorage(data)

/** The webhooks of the apps; `undefined` if there are none, and then nothing is kept for them. */
const startWebhooks = async (
  apps: Apps,
  options: Options,
  log: Logger,
  given: Journal | undefined,
  isInMemory: boolean,
) => {
  const telling = apps.all.filter(({ enabled, webhooks }) => enabled && webhooks.length > 0)
  if (telling.length === 0) return undefined
  const journal = given ?? (isInMemory ? createMemoryJournal() : await openLmdbJournal(join(options.data, 'webhooks')))
  return openWebhooks({ apps: telling, journal, log, limits: options })
}

/** A journal that was given although there are no webhooks. */
const closeUnused = async (journal: Journal | undefined, log: Logger): Promise<void> => {
  try {
    await journal?.close()
  } catch (err) {
    log.error({ err }, 'the journal could not be closed')
  }
}

/** The demo as `npm run build` made it, beside this file in the package. */
const staticFilesOf = async (
  { demo }: Options,
  more: Readonly<Record<string, string>> | undefined,
): Promise<{ staticFiles: StaticFiles } | undefined> =>
  demo ? { staticFiles: await createStaticFiles(fileURLToPath(new URL('../demo', import.meta.url)), more) } : undefined

/**
 * Starts a server and resolves once it accepts connections.
 *
 *     const server = await createServer({ port: 1234, data: './tutti-data' })
 *     await server.room('board/42').edit((doc) => doc.getMap('').set('title', 'Sold'))
 *
 * @throws TuttiError `INVALID_OPTION`, `PORT_IN_USE`, `DATA_IN_USE`, `STORAGE_FAILED`.
 */
export const createServer = async (input: CreateServerOptions = {}): Promise<Server> => {
  const { logger: givenLogger, storage: givenStorage, journal, hooks, sockets = {}, demoFiles, ...listed } = input
  const options = parseOptions(listed)
  if (hooks !== undefined) checkHooks(hooks)
  checkEndpoints(sockets, options.maxMessageBytes)
  const ownLog = (): Logger => createLog({ level: options.logLevel })
  const logger = givenLogger ? guardLog(givenLogger, ownLog) : ownLog()
  const files = await staticFilesOf(options, demoFiles)
  const openApi = await readOpenApi()
  const apps = createApps(options.apps)
  // Before anything is opened that would have to be closed again.
  const uws = loadUws()
  const storage = givenStorage ?? (await openStorage(options))
  let webhooks: Webhooks | undefined
  try {
    webhooks = await startWebhooks(
      apps,
      options,
      logger,
      journal,
      givenStorage !== undefined || options.data === MEMORY,
    )
  } catch (error) {
    await storage.close()
    throw error
  }
  const compactor = createCompactor()
  let isReady = false

  const net = createNet({
    uws,
    host: options.host,
    port: options.port,
    limits: options,
    doorOf: (path, query) => endpointOf(path) ?? pusher.door(path, query) ?? roomDoor,
    answer: (request) => api(request),
    errorAnswer: createErrorAnswer(apps),
    readsHeaders,
  })
  const { publisher } = net
  const refusals = createRefusals()
  const calls = hooks && new HookCalls({ hooks, timeoutSeconds: options.hookTimeoutSeconds, log: logger })
  const hooked = calls && new HookedConnections(calls, options.maxRoomsPerConnection + OWN_ROOM)
  const admission = createAdmission({ apps, isOpen: options.open, calls, hooked })
  const changes = createChangeListeners(calls)
  const present = (name: string): Iterable<readonly [key: unknown, person: Person]> => rooms.find(name)?.people() ?? []
  const channels = createChannels({
    publisher,
    limits: options,
    ordered: calls && createOrderedTrigger({ calls, limitsOf: (room) => apps.ownerOf(room)?.limits ?? options }),
    present,
  })
  if (webhooks) channels.observe(webhooks.observer)
  const rooms = createRooms({
    storage,
    compactor,
    publisher,
    logger,
    limits: options,
    refuse: (socket, error, isInnocent) => roomDoor.refuse(socket, error, isInnocent),
    peopleOf: channels.peopleOf,
    maxUserIdLengthOf: (name) => (apps.ownerOf(name)?.limits ?? APP_LIMITS).maxUserIdLength,
    events: createEventSessions({ channels, limits: options, log: logger, admission }),
    changes,
    lifecycle: createRoomLifecycle(calls),
  })
  const roomDoor = createRoomDoor({ openRoom: rooms.open, refusals, limits: options, log: logger, admission, hooked })
  const pusher = createPusherDoor({ apps, channels, rooms, publisher, log: logger, limits: options, hooked })
  if (webhooks) pusher.observe(webhooks)
  const endpointOf = createEndpoints({ endpoints: sockets, publisher, refusals, limits: options, log: logger, hooked })
  const api = createApi({
    documents: rooms,
    rooms,
    channels,
    membersOf: (name) => room(name).members(),
    admission,
    isSocket: (name) => endpointOf(`/${encodeURIComponent(name)}`) !== undefined,
    limits: options,
    log: logger,
    openApi,
    pusher: {
      apps,
      channels,
      pusher,
      callerOf: hooks?.beforeEvent && ((request) => callerOf('http', request)),
      now: () => Date.now() / 1000,
    },
    ready: () => isReady,
    ...files,
  })

  const release = async (): Promise<void> => {
    // Changes about which a hook is being asked are taken in yet, or refused.
    await calls?.stop()
    // Hears no more before the connections are closed: clients of a server that restarts come back, and have not left.
    const webhooksClosed = webhooks ? webhooks.close() : closeUnused(journal, logger)
    // No more do those who are still connected, for the same reason.
    pusher.close()
    channels.hush()
    await rooms.close()
    refusals.flush()
    await net.close()
    channels.close()
    // What the ends of rooms and connections were told to.
    await calls?.settle()
    await webhooksClosed
    await storage.close()
  }

  let port: number
  try {
    port = await net.listen()
  } catch (error) {
    await release()
    throw error
  }
  isReady = true
  const { host } = options
  const url = `http://${host.includes(':') ? `[${host}]` : host}:${port}`
  logger.info({ url, data: givenStorage ? 'given' : options.data }, 'listening')

  let closing: Promise<void> | undefined
  const close = (): Promise<void> => {
    closing ??= (async () => {
      isReady = false
      net.stopListening()
      await release()
      logger.info({ url }, 'stopped')
    })()
    return closing
  }

  const handleParts = { documents: rooms, channels, changes, present, limits: options, log: logger }
  const room = (name: string): RoomHandle => createRoomHandle(name, handleParts)
  return { url, address: { host, port }, room, close }
}
