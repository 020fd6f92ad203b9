/** WebSockets of every door: which door a connection is for, and what uWebSockets.js tells of it. */
import type uWS from 'uWebSockets.js'
import { TuttiError } from '../../lib/errors.ts'
import type { Door, Handshake } from '../contracts.ts'
import { type NativeSocket, NetSocket, type SocketFacts, type SocketsById } from './socket.ts'

export interface WebSocketParts {
  /** The door for a raw path and query. */
  doorOf(path: string, query: string): Door
  readonly sockets: Set<NetSocket>
  readonly byId: SocketsById
  readonly limits: {
    readonly maxMessageBytes: number
    readonly payloadFactor: number
    readonly maxBackpressureBytes: number
    readonly maxConnections: number
  }
  /** The server is stopping. */
  isClosing(): boolean
}

/** uWebSockets.js pings by itself so that a dead peer is noticed within this many seconds. */
const IDLE_TIMEOUT_S = 60

/** The headers of a handshake that are kept. */
export const HANDSHAKE_HEADERS = [
  'authorization',
  'cookie',
  'origin',
  'user-agent',
  'x-forwarded-for',
  'x-forwarded-proto',
]

const handshakeOf = (res: uWS.HttpResponse, req: uWS.HttpRequest): Handshake => {
  // The request is dead after the upgrade callback.
  const headers = new Map<string, string>()
  for (const name of HANDSHAKE_HEADERS) {
    const value = req.getHeader(name)
    if (value !== '') headers.set(name, value)
  }
  return {
    address: Buffer.from(res.getRemoteAddressAsText()).toString(),
    path: req.getUrl(),
    // Typed as a string, but undefined where there is no `?`.
    query: (req.getQuery() as string | undefined) ?? '',
    header: (name) => headers.get(name) ?? '',
  }
}

export const webSockets = (parts: WebSocketParts): uWS.WebSocketBehavior<SocketFacts> => {
  const { limits, sockets, byId } = parts

  const open = (native: NativeSocket): void => {
    const facts = native.getUserData()
    const { door, handshake } = facts
    if (!handshake) throw new Error('a connection opens once')
    facts.handshake = undefined
    const socket = new NetSocket(native, handshake.address, byId)
    facts.socket = socket
    sockets.add(socket)
    try {
      if (parts.isClosing()) throw new TuttiError('GOING_AWAY', 'The server is stopping.')
      if (sockets.size > limits.maxConnections) {
        throw new TuttiError('TRY_LATER', `The server has its ${limits.maxConnections} connections.`)
      }
      const connection = door.open(socket, handshake)
      facts.connection = connection
      if (facts.ended) connection.left(facts.ended.code, facts.ended.reason)
    } catch (error) {
      if (!(error instanceof TuttiError)) throw error
      door.refuse(socket, error)
    }
  }

  return {
    maxPayloadLength: limits.maxMessageBytes * limits.payloadFactor,
    maxBackpressure: limits.maxBackpressureBytes,
    closeOnBackpressureLimit: false,
    idleTimeout: IDLE_TIMEOUT_S,
    sendPingsAutomatically: true,
    upgrade: (res, req, context) => {
      // A refused upgrade would be retried for ever: accept, then close.
      const handshake = handshakeOf(res, req)
      const door = parts.doorOf(handshake.path, handshake.query)
      const facts: SocketFacts = { door, handshake, socket: undefined, connection: undefined, ended: undefined }
      // One of the offered sub-protocols has to be echoed, or clients that offered any break off.
      const protocol = req.getHeader('sec-websocket-protocol').split(',')[0]?.trim() ?? ''
      res.upgrade(
        facts,
        req.getHeader('sec-websocket-key'),
        protocol,
        req.getHeader('sec-websocket-extensions'),
        context,
      )
    },
    open,
    message: (native, message, isBinary) => {
      const { connection } = native.getUserData()
      // What comes while the server is stopping is not accepted: nothing would commit it.
      if (!connection || parts.isClosing()) return
      // uWebSockets.js takes its buffer back after this callback.
      connection.receive(new Uint8Array(message.slice(0)), isBinary)
    },
    dropped: (native) => native.getUserData().connection?.missed(),
    drain: (native) => native.getUserData().connection?.drained(),
    pong: (native) => native.getUserData().connection?.ponged(),
    close: (native, code, reason) => {
      const facts = native.getUserData()
      const { connection, socket } = facts
      if (socket) {
        socket.detach()
        sockets.delete(socket)
      }
      // Of one that broke uWebSockets.js says in its own words why.
      const ended = { code, reason: code === 1006 || reason.byteLength === 0 ? '' : Buffer.from(reason).toString() }
      if (connection) connection.left(ended.code, ended.reason)
      else facts.ended = ended
    },
  }
}
