// @ts-check
/**
 * The least that can publish events on uWebSockets.js: one topic that every WebSocket hears, `POST /publish`, and
 * `POST /signed`, which checks a Pusher signature first. No history, no numbers, no rooms, no limits.
 */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import { loadUws } from '../../dist/server/net/uws.js'

const TOPIC = 'all'

/** @param {string} secret @returns {number} the port */
export const servePublisher = (secret) => {
  const uws = loadUws()
  const app = uws.App()
  app.ws('/*', { open: (socket) => void socket.subscribe(TOPIC) })

  /** @param {Buffer} body */
  const publish = (body) => {
    const { name, data } = JSON.parse(body.toString())
    app.publish(TOPIC, JSON.stringify({ event: name, channel: 'room', data }), false)
  }

  /** @param {string} path @param {string} query @param {Buffer} body */
  const isSigned = (path, query, body) => {
    const parameters = new Map(new URLSearchParams(query))
    const signature = parameters.get('auth_signature') ?? ''
    parameters.delete('auth_signature')
    if (parameters.get('body_md5') !== createHash('md5').update(body).digest('hex')) return false
    const text = [...parameters.keys()].sort().map((name) => `${name}=${parameters.get(name)}`)
    const expected = createHmac('sha256', secret)
      .update(`POST\n${path}\n${text.join('&')}`)
      .digest('hex')
    return signature.length === expected.length && timingSafeEqual(Buffer.from(signature), Buffer.from(expected))
  }

  app.post('/*', (response, request) => {
    const path = request.getUrl()
    const query = request.getQuery()
    response.onAborted(() => undefined)
    response.onData((chunk) => {
      const body = Buffer.from(chunk)
      const mayPublish = path === '/publish' || isSigned(path, query, body)
      if (mayPublish) publish(body)
      response.cork(() => response.writeStatus(mayPublish ? '200 OK' : '401 Unauthorized').end('{}'))
    })
  })
  let port = 0
  app.listen('127.0.0.1', 0, (listening) => {
    if (listening) port = uws.us_socket_local_port(listening)
  })
  return port
}
