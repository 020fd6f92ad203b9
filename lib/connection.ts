import { createDecoder, readVarUint, readVarUint8Array } from 'lib0/decoding'
import { uuidv4 } from 'lib0/random'
import type { Awareness } from 'y-protocols/awareness'
import { WebsocketProvider } from 'y-websocket'
import * as Y from 'yjs'
import { type BackoffOptions, createBackoff } from './backoff.ts'
import { ERRORS, type ErrorCode, TuttiError } from './errors.ts'
import {
  decodeServerTutti,
  encodeClientHello,
  encodePing,
  encodeSyncStep2,
  isDocumentFrame,
  isSyncStep2,
  MESSAGE_AWARENESS,
  MESSAGE_SYNC,
  MESSAGE_TUTTI,
  OPT_IN_PARAM,
  OPT_IN_VALUE,
  type ServerHello,
  SYNC_STEP_1,
} from './protocol.ts'
import { rethrow } from './rethrow.ts'
import { internals, type StoreHandle } from './store/internals.ts'
import { batch } from './store/reactive.ts'

/** A class with the interface of the browser's `WebSocket`, such as the one of the package `ws`. */
export type WebSocketClass = new (
  url: string | URL,
  protocols?: string | string[],
) => {
  send(data: Uint8Array<ArrayBuffer>): void
  close(code?: number, reason?: string): void
  readonly readyState: number
}

export interface KnownRoom {
  documentId?: string
  /** By this secret the server knows a client that comes back, and lets it take over what it left half-open. */
  resume?: string
}

export interface ConnectionOptions {
  store: StoreHandle
  /** `ws:` or `wss:`, without a query. */
  server: string
  params: Record<string, string>
  /** Room name as it stands in an address. */
  path: string
  awareness: Awareness
  /** What earlier connections of the same store to the same room learned; this one adds to it. */
  known: KnownRoom
  WebSocket: WebSocketClass
  tabs: boolean
  backoff: BackoffOptions | undefined
}

/** The wire between one store and one room: y-websocket's provider, and when it may connect. */
export interface Connection {
  /** Connects, or tries again at once while waiting to. */
  connect(): void
  /** Closes the socket and stays closed. */
  disconnect(): void
  /** Disconnects and releases everything. */
  destroy(): void
}

const PING_INTERVAL = 5_000
/** From the start of an attempt to the server's first message, in milliseconds. */
const ATTEMPT_LIMIT = 20_000
/** Between attempts to send what the server was too small for, in milliseconds. */
const RESEND_INTERVAL = 1_000

const HINTS: { readonly [code in ErrorCode]?: string } = {
  ROOM_GONE:
    'The copy on this device belongs to a document that is no longer there. Save what matters, call room.reset() to delete it, then make a new store.',
  TOO_LARGE: 'The change is kept on this device. Undo it or make it smaller, or raise the limit of the server.',
}

const errorOfClose = (close: number, reason: string): TuttiError | null => {
  const codes = Object.keys(ERRORS) as ErrorCode[]
  const permanent = close >= 4400 && close < 4500
  const transient = close === 1012 ? 1001 : close
  const code =
    codes.find((code) => (ERRORS[code] as { close?: number }).close === transient) ??
    (permanent ? 'PROTOCOL' : undefined)
  if (code === undefined) return null
  const hint = HINTS[code] ?? (permanent ? 'Call room.connect() to try again once the reason is gone.' : '')
  return new TuttiError(code, `The server closed the connection (${close}): ${reason || 'no reason given'}`, { hint })
}

/** Whether an awareness frame has an entry for this client. */
const mentions = (frame: Uint8Array, client: number): boolean => {
  const decoder = createDecoder(frame)
  readVarUint(decoder) // type
  readVarUint(decoder) // length
  for (let entries = readVarUint(decoder); entries > 0; entries--) {
    if (readVarUint(decoder) === client) return true
    readVarUint(decoder) // clock
    readVarUint8Array(decoder) // state
  }
  return false
}

const isHidden = (): boolean => typeof document !== 'undefined' && document.visibilityState === 'hidden'

export const openConnection = (options: ConnectionOptions): Connection => {
  const { store, awareness, known } = options
  const { doc } = store
  const { status, persistence, localChanges, report } = internals(store)
  const backoff = createBackoff(options.backoff)
  known.resume ??= uuidv4()
  const { resume } = known
  /** From the server's hello; a plain y-websocket server has none. */
  let maxMessageBytes = Number.POSITIVE_INFINITY

  /** The application wants a connection, and the server did not say no. */
  let wanted = false
  /** We close the socket ourselves, so its `connection-close` is no news. */
  let closing = false
  let retryTimer: ReturnType<typeof setTimeout> | undefined
  let attemptTimer: ReturnType<typeof setTimeout> | undefined
  let resendTimer: ReturnType<typeof setTimeout> | undefined
  let pingTimer: ReturnType<typeof setInterval> | undefined

  // What follows belongs to one socket and is set anew by `opened`.
  let socket: WebSocket | undefined
  let greeted = false
  /**
   * Every local change has left in a document frame. A sync step 2 makes it so; a change that could not leave ends it.
   * Until then no update may leave: it would build on something the server lacks, and its acknowledgement would be
   * taken for one of the changes before it.
   */
  let flowing = false
  let framesSent = 0
  /** `localChanges.total` when the last document frame left. */
  let changesSent = -1
  /** What each document frame covers, for acknowledgements to come. */
  let records: { frame: number; changes: number }[] = []
  /** State vector the server has at least; `undefined` until it was told. */
  let serverHas: Map<number, number> | undefined
  let resending = false
  let pingId = 0
  let pingSentAt: number | undefined

  /** Changes the status. An effect of the application that throws must not break y-websocket in the middle. */
  const publish = (change: () => void): void => {
    try {
      batch(change)
    } catch (error) {
      rethrow(error)
    }
  }

  /** The last error that is ours to take back: the store reports errors in the same place. */
  let complaint: TuttiError | undefined
  const complain = (error: TuttiError): void => {
    complaint = error
    report(error)
  }
  const forgive = (): void => {
    if (status.error.peek() === complaint) publish(() => (status.error.value = null))
  }

  /** Says whether a frame may go out now, and keeps the books of those that do. */
  const admit = (frame: Uint8Array): boolean => {
    // y-websocket sends back every remote presence change it receives; only our own entry is ours to tell.
    if (frame[0] === MESSAGE_AWARENESS) return mentions(frame, awareness.clientID)
    if (!isDocumentFrame(frame)) return true
    const isStep2 = isSyncStep2(frame)
    if (!flowing && !isStep2) return false
    if (frame.byteLength > maxMessageBytes) {
      flowing = false
      refuse(frame.byteLength)
      // The provider's step 2 carries text that was deleted and is kept for undo; ours does not.
      if (isStep2 && !resending) scheduleResend()
      return false
    }
    flowing = true
    framesSent++
    changesSent = localChanges.total
    // Without a hello no acknowledgement will ever come.
    if (greeted) records.push({ frame: framesSent, changes: changesSent })
    if (isStep2 && complaint?.code === 'TOO_LARGE') forgive()
    return true
  }

  const refuse = (bytes: number): void => {
    if (complaint?.code === 'TOO_LARGE' && status.error.peek() === complaint) return
    complain(
      new TuttiError('TOO_LARGE', `A message of ${bytes} bytes was not sent: the server takes ${maxMessageBytes}`, {
        hint: HINTS.TOO_LARGE ?? '',
      }),
    )
  }

  // The class lives here because y-websocket takes a constructor, and its sockets are this connection's.
  class Socket extends (options.WebSocket as typeof WebSocket) {
    constructor(url: string | URL, protocols?: string | string[]) {
      super(url, protocols)
      // Listeners run in the order they were added: these come before those of the provider.
      this.addEventListener('open', () => opened(this))
      this.addEventListener('message', () => heard(this), { once: true })
    }

    override send(data: Parameters<WebSocket['send']>[0]): void {
      if (!(data instanceof Uint8Array) || admit(data)) super.send(data)
    }
  }

  // lib0 never writes into a SharedArrayBuffer, which is what the wider type allows and WebSocket does not.
  const transmit = (frame: Uint8Array): void => socket?.send(frame as Uint8Array<ArrayBuffer>)

  const provider = new WebsocketProvider(options.server, options.path, doc, {
    connect: false,
    awareness,
    params: { ...options.params, [OPT_IN_PARAM]: OPT_IN_VALUE },
    WebSocketPolyfill: Socket,
    disableBc: !options.tabs,
    // Reconnecting is decided here: y-websocket's own backoff has no jitter. Its timer then finds nothing to do.
    shouldReconnect: () => false,
    maxBackoffTime: 0,
  })
  localChanges.remoteOrigin = provider

  const opened = (opening: WebSocket): void => {
    if (provider.ws !== opening) return
    socket = opening
    greeted = false
    flowing = false
    framesSent = 0
    changesSent = -1
    records = []
    serverHas = undefined
    // Peers and stock servers that saw this client leave know its present clock as the one of its absence.
    const meta = awareness.meta.get(awareness.clientID)
    if (meta !== undefined) meta.clock++
    const { documentId } = known
    transmit(
      encodeClientHello({ resume, clientId: awareness.clientID, ...(documentId !== undefined && { documentId }) }),
    )
  }

  const heard = (speaking: WebSocket): void => {
    if (provider.ws !== speaking) return
    clearTimeout(attemptTimer)
    publish(() => (status.connection.value = 'connected'))
    forgive()
  }

  /** Forgets what belonged to the socket that is no more. */
  const ended = (): void => {
    socket = undefined
    flowing = false
    greeted = false
    records = []
    serverHas = undefined
    pingSentAt = undefined
    clearTimeout(attemptTimer)
    clearTimeout(retryTimer)
    clearTimeout(resendTimer)
    clearInterval(pingTimer)
    resendTimer = undefined
    retryTimer = undefined
  }

  const close = (): void => {
    wanted = false
    closing = true
    provider.disconnect()
    closing = false
    ended()
  }

  const settle = (connection: 'disconnected' | 'denied' | 'reconnecting', retryAt: number | null = null): void =>
    publish(() => {
      status.connection.value = connection
      status.synced.value = false
      status.roundTrip.value = null
      status.retryAt.value = retryAt
    })

  const deny = (error: TuttiError): void => {
    close()
    settle('denied')
    complain(error)
  }

  const lost = (code: number, reason: string): void => {
    ended()
    const error = errorOfClose(code, reason)
    if (code >= 4400 && code < 4500 && error !== null) {
      deny(error)
      return
    }
    const wait = backoff.next()
    retryTimer = setTimeout(attempt, wait)
    settle('reconnecting', Date.now() + wait)
    if (error !== null) complain(error)
  }

  const attempt = (): void => {
    clearTimeout(retryTimer)
    retryTimer = undefined
    publish(() => (status.retryAt.value = null))
    clearTimeout(attemptTimer)
    attemptTimer = setTimeout(() => {
      closing = true
      provider.disconnect()
      closing = false
      lost(1006, '')
    }, ATTEMPT_LIMIT)
    // The provider greets the other tabs with the whole document at each `connect`; once is enough.
    provider.disableBc = !options.tabs || provider.bcconnected
    try {
      provider.connect()
    } catch (cause) {
      // The constructor of WebSocket refused: mixed content, a content security policy, an address it can't take.
      close()
      settle('disconnected')
      complain(new TuttiError('UNSUPPORTED', `WebSocket can't open ${provider.url}: ${String(cause)}`, { cause }))
    }
  }

  const greet = (hello: ServerHello): void => {
    known.documentId ??= hello.documentId
    if (known.documentId !== hello.documentId) {
      // Going on would merge two histories into one document.
      const message = 'The server holds another document under the name of this room'
      deny(new TuttiError('ROOM_GONE', message, { hint: HINTS.ROOM_GONE ?? '' }))
      return
    }
    persistence?.setDocumentId(hello.documentId)
    maxMessageBytes = hello.maxMessageBytes
    greeted = true
    ping()
    pingTimer = setInterval(ping, PING_INTERVAL)
  }

  const ping = (): void => {
    if (!greeted || pingSentAt !== undefined || isHidden()) return
    pingSentAt = performance.now()
    transmit(encodePing(++pingId))
  }

  const acknowledged = (frames: number): void => {
    const after = records.findIndex((record) => record.frame > frames)
    const covered = records.splice(0, after === -1 ? records.length : after).at(-1)
    if (covered !== undefined) localChanges.acknowledge(covered.changes)
  }

  provider.messageHandlers[MESSAGE_TUTTI] = (_encoder, decoder) => {
    const message = decodeServerTutti(decoder)
    switch (message?.type) {
      case 'hello':
        return greet(message.hello)
      case 'ack':
        return acknowledged(message.frames)
      case 'pong':
        if (message.id === pingId && pingSentAt !== undefined) {
          const roundTrip = Math.round((performance.now() - pingSentAt) * 10) / 10
          pingSentAt = undefined
          publish(() => (status.roundTrip.value = roundTrip))
        }
    }
  }

  const readSync = provider.messageHandlers[MESSAGE_SYNC]
  provider.messageHandlers[MESSAGE_SYNC] = (encoder, decoder, provider, fromServer, type) => {
    const { pos } = decoder
    if (fromServer && readVarUint(decoder) === SYNC_STEP_1) {
      serverHas = Y.decodeStateVector(readVarUint8Array(decoder))
    }
    decoder.pos = pos
    readSync?.(encoder, decoder, provider, fromServer, type)
  }

  localChanges.onChange = (before) => {
    if (socket === undefined || serverHas === undefined) return
    if (changesSent === localChanges.total) serverHas = before
    // An earlier change never left: the provider found the socket closing.
    else flowing = false
    if (!flowing) scheduleResend()
  }

  const scheduleResend = (): void => {
    resendTimer ??= setTimeout(resend, RESEND_INTERVAL)
  }

  /**
   * Tries a sync step 2 of our own with what did not leave: an undo may have made it small enough. A fresh document
   * drops what was deleted, which this one keeps while it can be undone.
   */
  const resend = (): void => {
    resendTimer = undefined
    if (flowing || serverHas === undefined) return
    const fresh = new Y.Doc({ gc: doc.gc })
    Y.applyUpdate(fresh, Y.encodeStateAsUpdate(doc))
    resending = true
    transmit(encodeSyncStep2(Y.encodeStateAsUpdate(fresh, Y.encodeStateVector(serverHas))))
    resending = false
    fresh.destroy()
  }

  provider.on('sync', (synced) => {
    if (synced) backoff.reset()
    publish(() => (status.synced.value = synced))
  })

  provider.on('status', ({ status }) => {
    if (status !== 'disconnected') return
    // The provider removed the others. Forgetting their clocks too, we see them at once when we return.
    for (const id of awareness.meta.keys()) if (id !== awareness.clientID) awareness.meta.delete(id)
  })

  // The last event of a close by the server or the network.
  provider.on('closed', ({ code, reason }) => lost(code, reason))
  // A close by us has no `closed`; neither has one by the provider's watchdog, which would reconnect by itself.
  provider.on('connection-close', (event) => {
    if (event !== null || closing) return
    provider.shouldConnect = false
    lost(1006, '')
  })

  /** Yjs gives a document a new client id when another client uses the same; its presence has to follow. */
  const followClientId = (): void => {
    if (awareness.clientID === doc.clientID) return
    const state = awareness.getLocalState()
    awareness.setLocalState(null)
    awareness.clientID = doc.clientID
    // Clock 0 would be ignored by peers.
    awareness.meta.set(doc.clientID, { clock: 0, lastUpdated: 0 })
    awareness.setLocalState(state)
  }
  doc.on('afterTransactionCleanup', followClientId)

  const online = (): void => {
    if (retryTimer !== undefined) attempt()
    else ping()
  }
  globalThis.addEventListener?.('online', online)

  return {
    connect: () => {
      if (wanted) {
        if (retryTimer !== undefined) attempt()
        return
      }
      wanted = true
      backoff.reset()
      publish(() => (status.connection.value = 'connecting'))
      forgive()
      if (persistence === undefined) return attempt()
      // With what is stored here the server sends only what is missing, and knows which document it is.
      const begin = (): void => {
        const stored = persistence.documentId()
        if (stored !== undefined) known.documentId ??= stored
        if (wanted && status.connection.peek() === 'connecting') attempt()
      }
      persistence.whenLoaded.then(begin, begin)
    },
    disconnect: () => {
      close()
      settle('disconnected')
    },
    destroy: () => {
      close()
      globalThis.removeEventListener?.('online', online)
      doc.off('afterTransactionCleanup', followClientId)
      localChanges.onChange = undefined
      localChanges.remoteOrigin = undefined
      provider.destroy()
      settle('disconnected')
    },
  }
}
