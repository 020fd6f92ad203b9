import { createDecoder, type Decoder, readVarUint, readVarUint8Array } from 'lib0/decoding'
import { uuidv4 } from 'lib0/random'
import type { Awareness } from 'y-protocols/awareness'
import { WebsocketProvider } from 'y-websocket'
import { type BackoffOptions, createBackoff } from './backoff.ts'
import { ERROR_OF_CLOSE, type ErrorCode, TuttiError } from './errors.ts'
import { createOutbox } from './outbox.ts'
import {
  decodeServerTutti,
  encodeClientHello,
  encodePing,
  isDocumentFrame,
  MESSAGE_AWARENESS,
  MESSAGE_SYNC,
  MESSAGE_TUTTI,
  OPT_IN_PARAM,
  OPT_IN_VALUE,
  type ServerHello,
  type ServerTuttiMessage,
  SYNC_STEP_1,
  SYNC_UPDATE,
  updateSum,
} from './protocol.ts'
import { callApart } from './rethrow.ts'
import type { Connection as ConnectionState } from './status.ts'
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

/** What else travels over the connection. */
export interface Passenger {
  /** The server's hello came. `transmit` returns whether the socket is open. */
  greeted(hello: ServerHello, transmit: (frame: Uint8Array) => boolean): void
  /** Takes what follows `MESSAGE_TUTTI` in a frame. Throws for what is no frame. */
  receive(decoder: Decoder): void
  ended(): void
}

export interface ConnectionOptions {
  store: StoreHandle
  /** `ws:` or `wss:`; its query goes along. */
  address: URL
  /** Room name as it stands in an address. */
  path: string
  awareness: Awareness
  events: Passenger
  /** A back end that calls itself so made a change, which has been taken in. */
  edited(origin: string): void
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
/** What a browser reports of a connection that broke. */
const CLOSE_ABNORMAL = 1006
const CLOSE_SERVICE_RESTART = 1012
const CLOSE_FORBIDDEN = 4403
const CLOSE_ROOM_GONE = 4404

const isPermanent = (close: number): boolean => close >= 4400 && close < 4500

/** What a close code says; `undefined` where it says no more than that the connection is gone. */
const errorOfClose = (close: number, reason: string): TuttiError | undefined => {
  // A refusal by a code without a close code of its own says the code first: `INVALID_VALUE: No titles today.`
  const [, said, message = reason] = (close === CLOSE_FORBIDDEN && /^([A-Z_]+): (.*)/s.exec(reason)) || []
  const known = close === CLOSE_SERVICE_RESTART ? 'GOING_AWAY' : (ERROR_OF_CLOSE as Record<number, ErrorCode>)[close]
  // The server has checked that it is one.
  const code = (said as ErrorCode | undefined) ?? known ?? (isPermanent(close) ? 'PROTOCOL' : undefined)
  return (
    code && new TuttiError(code, `the server closed the connection: ${message || close}`, { hint: hintOf(code, close) })
  )
}

const hintOf = (code: ErrorCode, close: number): string =>
  code === 'ROOM_GONE'
    ? 'The copy here belongs to another document. Save what matters, call room.reset(), then make a new store.'
    : isPermanent(close)
      ? 'Once the reason is gone, room.connect() tries again.'
      : 'The room connects again by itself.'

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

export const openConnection = (options: ConnectionOptions): Connection => {
  const { store, address, awareness, events, edited, known } = options
  const { doc } = store
  const inside = internals(store)
  const { status, localChanges, report } = inside
  const backoff = createBackoff(options.backoff)
  /** The application wants a connection, and the server did not say no. */
  let isWanted = false
  /** We close the socket ourselves, so its `connection-close` is no news. */
  let isClosing = false
  let retryTimer: ReturnType<typeof setTimeout> | undefined
  let attemptTimer: ReturnType<typeof setTimeout> | undefined
  /** Runs from the server's hello on. */
  let pingTimer: ReturnType<typeof setInterval> | undefined
  /** The socket that is open. */
  let socket: WebSocket | undefined
  let pingId = 0
  let pingSentAt: number | undefined
  /** Who made the update that comes next, if it is the one with this sum. */
  let announced: { readonly origin: string; readonly sum: number } | undefined

  /** The last error that is ours to take back: the store reports errors in the same place. */
  let complaint: TuttiError | undefined
  const complain = (error: TuttiError): void => {
    complaint = error
    report(error)
  }
  const forgive = (): void => {
    if (status.error.peek() === complaint) batch(() => (status.error.value = null))
  }
  const show = (connection: ConnectionState, retryAt: number | null = null): void =>
    batch(() => {
      status.connection.value = connection
      status.retryAt.value = retryAt
      if (connection === 'connected') return
      status.synced.value = false
      status.roundTrip.value = null
    })

  // lib0 never writes into a SharedArrayBuffer, which is what the wider type allows and WebSocket does not.
  const transmit = (frame: Uint8Array): void => socket?.send(frame as Uint8Array<ArrayBuffer>)

  const outbox = createOutbox({
    doc,
    changes: localChanges,
    transmit,
    onTooLarge: (error) => (error === null ? forgive() : complain(error)),
  })

  /** Whether a frame of the provider may go out now. */
  const admit = (frame: Uint8Array): boolean => {
    // y-websocket sends back every remote presence change it receives; only our own entry is ours to tell.
    if (frame[0] === MESSAGE_AWARENESS) return mentions(frame, awareness.clientID)
    return !isDocumentFrame(frame) || outbox.admit(frame)
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

  const provider = new WebsocketProvider(address.origin + address.pathname, options.path, doc, {
    connect: false,
    awareness,
    params: { ...Object.fromEntries(address.searchParams), [OPT_IN_PARAM]: OPT_IN_VALUE },
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
    // After the provider's listener: where the status says connected, the server's hello has been taken in.
    opening.addEventListener('message', () => provider.ws === opening && show('connected'), { once: true })
    outbox.reset()
    // Peers and stock servers that saw this client leave know its present clock as the one of its absence.
    const meta = awareness.meta.get(awareness.clientID)
    if (meta !== undefined) meta.clock++
    known.resume ??= uuidv4()
    transmit(encodeClientHello({ ...known, resume: known.resume, clientId: awareness.clientID }))
  }

  const heard = (speaking: WebSocket): void => {
    if (provider.ws !== speaking) return
    clearTimeout(attemptTimer)
    forgive()
  }

  /** Forgets what belonged to the socket that is no more. */
  const ended = (): void => {
    socket = undefined
    events.ended()
    pingSentAt = undefined
    announced = undefined
    outbox.reset()
    clearTimeout(attemptTimer)
    clearTimeout(retryTimer)
    clearInterval(pingTimer)
    retryTimer = undefined
    pingTimer = undefined
  }

  const closeSocket = (): void => {
    isClosing = true
    const state = awareness.getLocalState()
    // Before the provider tells the other tabs: a client in this very page would hand that back at once, and whoever
    // hears of its own end while it has a state announces itself anew.
    awareness.setLocalState(null)
    provider.disconnect()
    // For when it connects again.
    awareness.setLocalState(state)
    isClosing = false
    ended()
  }

  const stop = (connection: 'disconnected' | 'denied', error?: TuttiError): void => {
    isWanted = false
    closeSocket()
    show(connection)
    if (error !== undefined) complain(error)
  }

  const lost = (code: number, reason: string): void => {
    const error = errorOfClose(code, reason)
    if (isPermanent(code)) {
      stop('denied', error)
      return
    }
    ended()
    const wait = backoff.next()
    retryTimer = setTimeout(attempt, wait)
    show('reconnecting', Date.now() + wait)
    if (error !== undefined) complain(error)
  }

  const attempt = (): void => {
    clearTimeout(retryTimer)
    retryTimer = undefined
    show(status.connection.peek())
    clearTimeout(attemptTimer)
    attemptTimer = setTimeout(() => {
      closeSocket()
      lost(CLOSE_ABNORMAL, '')
    }, ATTEMPT_LIMIT)
    // The provider greets the other tabs with the whole document at each `connect`; once is enough.
    provider.disableBc = !options.tabs || provider.bcconnected
    try {
      provider.connect()
    } catch (cause) {
      // The constructor of WebSocket refused: mixed content, a content security policy, an address it can't take.
      stop('disconnected', new TuttiError('UNSUPPORTED', `WebSocket can't open ${provider.url}: ${cause}`, { cause }))
    }
  }

  const greet = (hello: ServerHello): void => {
    const { documentId, maxMessageBytes } = hello
    // A second hello on one connection: the room is still empty, and took the id of a client that had been here before.
    const isAgain = pingTimer !== undefined
    if (isAgain) known.documentId = documentId
    known.documentId ??= documentId
    if (known.documentId !== documentId) {
      // Going on would merge two histories into one document.
      lost(CLOSE_ROOM_GONE, 'the room holds another document')
      return
    }
    callApart(() => inside.persistence?.setDocumentId(documentId))
    if (isAgain) return
    outbox.greet(maxMessageBytes)
    ping()
    pingTimer = setInterval(ping, PING_INTERVAL)
    events.greeted(hello, (frame) => {
      const isOpen = socket?.readyState === 1
      if (isOpen) transmit(frame)
      return isOpen
    })
  }

  const ping = (): void => {
    if (pingSentAt !== undefined || globalThis.document?.visibilityState === 'hidden') return
    pingSentAt = performance.now()
    transmit(encodePing(++pingId))
  }

  /** What a frame of Tutti's own says, if it is not about events: those are taken at once. */
  const readTutti = (decoder: Decoder): ServerTuttiMessage | undefined => {
    const { pos } = decoder
    try {
      const message = decodeServerTutti(decoder)
      if (message !== undefined) return message
      decoder.pos = pos
      events.receive(decoder)
    } catch (cause) {
      complain(new TuttiError('PROTOCOL', 'the server sent a frame that is none', { cause }))
    }
    return undefined
  }

  provider.messageHandlers[MESSAGE_TUTTI] = (_encoder, decoder) => {
    const message = readTutti(decoder)
    switch (message?.type) {
      case 'hello':
        return greet(message.hello)
      case 'ack':
        return outbox.acknowledge(message.frames)
      case 'origin':
        announced = message
        return
      case 'pong': {
        if (message.id !== pingId || pingSentAt === undefined) return
        const roundTrip = Math.round((performance.now() - pingSentAt) * 10) / 10
        pingSentAt = undefined
        batch(() => (status.roundTrip.value = roundTrip))
      }
    }
  }

  const readSync = provider.messageHandlers[MESSAGE_SYNC]
  provider.messageHandlers[MESSAGE_SYNC] = (encoder, decoder, provider, fromServer, type) => {
    const { pos } = decoder
    const sync = fromServer ? readVarUint(decoder) : undefined
    if (sync === SYNC_STEP_1) outbox.ask(readVarUint8Array(decoder))
    let origin: string | undefined
    if (sync === SYNC_UPDATE && announced !== undefined) {
      if (updateSum(readVarUint8Array(decoder)) === announced.sum) origin = announced.origin
      announced = undefined
    }
    decoder.pos = pos
    readSync?.(encoder, decoder, provider, fromServer, type)
    if (origin !== undefined) edited(origin)
  }

  provider.on('sync', (synced) => {
    if (synced) backoff.reset()
    batch(() => (status.synced.value = synced))
  })

  provider.on('status', ({ status }) => {
    if (status !== 'disconnected') return
    // The provider removed the others. Forgetting their clocks too, we see them at once when we return. Not of those
    // who are still here: other tabs answered the removal at once.
    const { clientID, meta, states } = awareness
    for (const id of meta.keys()) if (id !== clientID && !states.has(id)) meta.delete(id)
  })

  // The last event of a close by the server or the network.
  provider.on('closed', ({ code, reason }) => lost(code, reason))
  // A close by us has no `closed`; neither has one by the provider's watchdog, which would reconnect by itself.
  provider.on('connection-close', (event) => {
    if (event !== null || isClosing) return
    provider.shouldConnect = false
    lost(CLOSE_ABNORMAL, '')
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

  /** Tries again now, if it is waiting to; else looks whether the connection still lives. */
  const hurry = (): void => {
    if (retryTimer !== undefined) attempt()
    else if (pingTimer !== undefined) ping()
  }
  globalThis.addEventListener?.('online', hurry)

  return {
    connect: () => {
      if (isWanted) {
        hurry()
        return
      }
      isWanted = true
      backoff.reset()
      show('connecting')
      forgive()
      // With what is stored here the server sends only what is missing, and knows which document it is.
      const begin = (): void => {
        const stored = inside.persistence?.documentId()
        if (stored !== undefined) known.documentId ??= stored
        if (isWanted && status.connection.peek() === 'connecting') attempt()
      }
      if (inside.isReady) begin()
      else store.whenReady().then(begin)
    },
    disconnect: () => stop('disconnected'),
    destroy: () => {
      stop('disconnected')
      globalThis.removeEventListener?.('online', hurry)
      doc.off('afterTransactionCleanup', followClientId)
      outbox.destroy()
      localChanges.remoteOrigin = undefined
      provider.destroy()
    },
  }
}
