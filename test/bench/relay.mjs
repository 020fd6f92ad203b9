// @ts-check
/**
 * The least a server can do on uWebSockets.js: no storage, no check, no presence. It merges the updates of one loop turn
 * and publishes them as one frame. What a real server reaches of its figure is what all the rest costs.
 */
import * as Y from 'yjs'
import {
  encodeSyncStep2,
  encodeSyncUpdate,
  isDocumentFrame,
  MESSAGE_SYNC,
  SYNC_STEP_1,
} from '../../dist/lib/protocol.js'
import { loadUws } from '../../dist/server/net/uws.js'

/** @returns {number} the port */
export const serveRelay = () => {
  const uws = loadUws()
  /** @type {Map<string, Uint8Array[]>} */
  const turn = new Map()
  const app = uws.App()

  const flush = () => {
    for (const [room, updates] of turn) app.publish(room, encodeSyncUpdate(Y.mergeUpdates(updates)), true)
    turn.clear()
  }

  app.ws('/*', {
    maxPayloadLength: 16 * 1024 * 1024,
    upgrade: (response, request, context) => {
      response.upgrade(
        { room: request.getUrl() },
        request.getHeader('sec-websocket-key'),
        request.getHeader('sec-websocket-protocol'),
        request.getHeader('sec-websocket-extensions'),
        context,
      )
    },
    open: (socket) => {
      socket.subscribe(/** @type {{ room: string }} */ (socket.getUserData()).room)
    },
    message: (socket, message) => {
      const bytes = new Uint8Array(message)
      if (bytes[0] === MESSAGE_SYNC && bytes[1] === SYNC_STEP_1) {
        socket.send(encodeSyncStep2(Uint8Array.of(0, 0)), true)
      } else if (isDocumentFrame(bytes)) {
        const { room } = /** @type {{ room: string }} */ (socket.getUserData())
        if (turn.size === 0) setImmediate(flush)
        const updates = turn.get(room) ?? []
        turn.set(room, updates)
        updates.push(readUpdate(bytes))
      }
    },
  })
  let port = 0
  app.listen('127.0.0.1', 0, (listening) => {
    if (listening) port = uws.us_socket_local_port(listening)
  })
  return port
}

/**
 * The update in a sync frame, copied: uWebSockets.js takes its buffer back.
 * @param {Uint8Array} frame
 */
const readUpdate = (frame) => {
  let at = 2
  while (/** @type {number} */ (frame[at]) >= 0x80) at++
  return frame.slice(at + 1)
}
