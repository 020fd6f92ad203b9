/** The network side of a server: one uWebSockets.js app with all doors. */
import type uWS from 'uWebSockets.js'
import type { TuttiError } from '../../lib/errors.ts'
import type { ApiRequest, ApiResponse, Door, Publisher } from '../contracts.ts'
import { httpDoor } from './http.ts'
import { explain, freePort, inUse } from './port.ts'
import type { NetSocket, SocketsById } from './socket.ts'
import { createStreams } from './streams.ts'
import { type WebSocketParts, webSockets } from './websocket.ts'

export interface NetParts {
  readonly uws: typeof uWS
  readonly host: string
  readonly port: number
  readonly limits: WebSocketParts['limits'] & { readonly maxBodyBytes: number }
  /** The door that a WebSocket to this raw path and query comes in by. */
  doorOf(path: string, query: string): Door
  answer(request: ApiRequest): ApiResponse | Promise<ApiResponse>
  errorAnswer(error: TuttiError, path: string): ApiResponse
  readsHeaders(path: string): boolean
}

export interface Net {
  readonly publisher: Publisher
  /**
   * Starts to accept connections.
   * @returns the port.
   * @throws TuttiError `PORT_IN_USE`, `INVALID_OPTION` for a host that is no address of this machine.
   */
  listen(): Promise<number>
  /** Accepts no more connections. */
  stopListening(): void
  /** Closes every WebSocket as its door does, then everything else; resolves when the port is free again. */
  close(): Promise<void>
}

/** uWebSockets.js: fail if the port is taken, instead of sharing it with another process. */
const EXCLUSIVE_PORT = 1

/** A port that was free a moment ago may be taken by the time it is asked for. */
const FREE_PORT_ATTEMPTS = 5

/** Turns of the event loop until the port of a closed app can be listened on: 2 measured. */
const CLOSING_TURNS = 4

export const createNet = (parts: NetParts): Net => {
  const { uws } = parts
  const app = uws.App()
  const sockets = new Set<NetSocket>()
  const byId: SocketsById = new Map()
  const streams = createStreams()
  let listening: uWS.us_listen_socket | undefined
  let isClosing = false

  const publisher: Publisher = {
    publish: (topic, frame, except) => {
      const sender = except === undefined ? undefined : byId.get(except)
      if (sender?.publishToOthers(topic, frame)) return
      app.publish(topic, frame, typeof frame !== 'string')
    },
  }

  app.ws('/*', webSockets({ limits: parts.limits, sockets, byId, doorOf: parts.doorOf, isClosing: () => isClosing }))
  app.any(
    '/*',
    httpDoor({
      maxBodyBytes: parts.limits.maxBodyBytes,
      streams,
      maxStreams: parts.limits.maxConnections,
      answer: parts.answer,
      errorAnswer: parts.errorAnswer,
      readsHeaders: parts.readsHeaders,
    }),
  )

  const listenOn = (port: number): Promise<boolean> =>
    new Promise((resolve) => {
      app.listen(parts.host, port, EXCLUSIVE_PORT, (socket) => {
        if (!socket) {
          resolve(false)
          return
        }
        listening = socket
        resolve(true)
      })
    })

  const listen = async (): Promise<number> => {
    const { host, port } = parts
    if (port !== 0) {
      if (await listenOn(port)) return port
      await explain(host, port)
    }
    for (let attempt = 0; attempt < FREE_PORT_ATTEMPTS; attempt++) {
      const free = await freePort(host)
      if (await listenOn(free)) return free
    }
    throw inUse(host, port)
  }

  const stopListening = (): void => {
    isClosing = true
    if (listening) uws.us_listen_socket_close(listening)
    listening = undefined
  }

  const close = async (): Promise<void> => {
    stopListening()
    for (const socket of [...sockets]) socket.closeGoingAway()
    streams.close()
    app.close()
    // uWebSockets.js frees what it closed at the end of a loop turn, and what waited for that at the end of the next.
    for (let turn = 0; turn < CLOSING_TURNS; turn++) await new Promise((resolve) => setImmediate(resolve))
  }

  return { publisher, listen, stopListening, close }
}
