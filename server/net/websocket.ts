/** Door 1: `ws://host/<room>`, the y-websocket wire. */
import type uWS from 'uWebSockets.js'
import { TuttiError } from '../../lib/errors.ts'
import { OPT_IN_PARAM, OPT_IN_VALUE } from '../../lib/protocol.ts'
import type { Socket } from '../contracts.ts'
import type { Room } from '../room/room.ts'
import { type NativeSocket, NetSocket, type SocketFacts } from './socket.ts'

export interface WebSocketDoorParts {
  openRoom(name: string): Room
  readonly sockets: Set<NetSocket>
  readonly limits: {
    readonly maxMessageBytes: number
    readonly payloadFactor: number
    readonly maxBackpressureBytes: number
    readonly maxConnections: number
    readonly maxRoomsPerConnection: number
  }
  /** The server is stopping. */
  isClosing(): boolean
  /** Ends a connection with the close code of an error; later, if its address was refused before. */
  refuse(socket: Socket, error: TuttiError): void
}

/** uWebSockets.js pings by itself so that a dead peer is noticed within this many seconds. */
const IDLE_TIMEOUT_S = 60

export const webSocketDoor = (parts: WebSocketDoorParts): uWS.WebSocketBehavior<SocketFacts> => {
  const { limits, sockets } = parts

  const join = (facts: SocketFacts, socket: NetSocket, name: string): void => {
    const joined = facts.session ? 1 : 0
    if (joined >= limits.maxRoomsPerConnection) {
      throw new TuttiError('RATE_LIMITED', `This connection has joined its ${joined} rooms.`, {
        hint: 'Open another connection, or raise maxRoomsPerConnection on the server.',
      })
    }
    facts.room = parts.openRoom(name)
    facts.session = facts.room.join(socket, facts.optedIn)
  }

  const open = (native: NativeSocket): void => {
    const facts = native.getUserData()
    const socket = new NetSocket(native, facts.address)
    facts.socket = socket
    sockets.add(socket)
    try {
      if (parts.isClosing()) throw new TuttiError('GOING_AWAY', 'The server is stopping.')
      if (sockets.size > limits.maxConnections) {
        throw new TuttiError('TRY_LATER', `The server has its ${limits.maxConnections} connections.`)
      }
      join(facts, socket, roomNameOf(facts.path))
    } catch (error) {
      if (!(error instanceof TuttiError)) throw error
      parts.refuse(socket, error)
    }
  }

  const message = (native: NativeSocket, data: ArrayBuffer, isBinary: boolean): void => {
    const { room, session } = native.getUserData()
    // What comes while the server is stopping is not accepted: nothing would commit it.
    if (!room || !session || parts.isClosing()) return
    if (!isBinary) {
      const error = new TuttiError('PROTOCOL', 'A text frame came; expected binary frames of the y-websocket protocol.')
      room.refuse(session, error)
      return
    }
    // uWebSockets.js takes its buffer back after this callback.
    room.receive(session, new Uint8Array(data.slice(0)))
  }

  return {
    maxPayloadLength: limits.maxMessageBytes * limits.payloadFactor,
    maxBackpressure: limits.maxBackpressureBytes,
    closeOnBackpressureLimit: false,
    idleTimeout: IDLE_TIMEOUT_S,
    sendPingsAutomatically: true,
    upgrade: (res, req, context) => {
      // A request is dead after this callback. A refused upgrade would be retried for ever: accept, then close.
      const facts: SocketFacts = {
        address: Buffer.from(res.getRemoteAddressAsText()).toString(),
        path: req.getUrl(),
        optedIn: req.getQuery(OPT_IN_PARAM) === OPT_IN_VALUE,
        socket: undefined,
        room: undefined,
        session: undefined,
      }
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
    message,
    dropped: (native) => {
      const { room, session } = native.getUserData()
      if (room && session) room.missed(session)
    },
    drain: (native) => {
      const { room, session } = native.getUserData()
      if (room && session) room.drained(session)
    },
    pong: (native) => {
      const { room, session } = native.getUserData()
      if (room && session) room.ponged(session)
    },
    close: (native) => {
      const { room, session, socket } = native.getUserData()
      if (socket) {
        socket.detach()
        sockets.delete(socket)
      }
      if (room && session) room.leave(session)
    },
  }
}

/**
 * The room a path names: percent-decoded UTF-8 without the leading slash.
 * @throws TuttiError `INVALID_ROOM` where it can't be decoded.
 */
const roomNameOf = (path: string): string => {
  try {
    return decodeURIComponent(path.slice(1))
  } catch (error) {
    throw new TuttiError('INVALID_ROOM', 'The path is not percent-encoded UTF-8.', {
      cause: error,
      hint: 'Encode each segment of the room name with encodeURIComponent.',
    })
  }
}
