import { existsSync } from 'node:fs'
import { request as httpRequest } from 'node:http'
import { connect as tcpConnect } from 'node:net'
import { inspect } from 'node:util'
import type { Logger } from 'tutti/server'
import type { Plugin, ViteDevServer } from 'vite'

const ROOT = new URL('../../', import.meta.url)
const BUILT = new URL('dist/server/index.js', ROOT)
const BUILT_DEMO = new URL('dist/demoBackend/backend/index.js', ROOT)
const DOORS = /^\/(rooms\/|health$|ready$)/

const buildServer = async (): Promise<void> => {
  const script = new URL('scripts/build.mjs', ROOT).href
  const { build } = (await import(script)) as typeof import('../../scripts/build.mjs')
  await build({ stale: true, sizes: false })
}

/** What the demo's back end says, among Vite's own lines. */
const logOf = ({ config: { logger } }: ViteDevServer): Logger => {
  const line = (fields: object, message: string): string => `${message} ${inspect(fields, { breakLength: Infinity })}`
  return {
    debug: () => undefined,
    info: () => undefined,
    warn: (fields, message) => logger.warn(line(fields, message)),
    error: (fields, message) => logger.error(line(fields, message)),
  }
}

/**
 * One port for development: Vite's, with a Tutti server behind it. Vite keeps its own WebSocket; every other upgrade
 * is a room's.
 */
export const tuttiServer = (data: string): Plugin => ({
  name: 'demo:tutti-server',
  apply: 'serve',
  async configureServer(vite) {
    if (![BUILT, BUILT_DEMO].every((file) => existsSync(file))) await buildServer()
    // By the package's own names: what was built above.
    const { createServer } = await import('tutti/server')
    const { openDemoBackend } = await import('#demo')
    const backend = await openDemoBackend({ host: '127.0.0.1', log: logOf(vite) })
    const server = await createServer({ host: '127.0.0.1', port: 0, data, ...backend.parts })
    backend.attach(server)
    const { port } = server.address
    vite.httpServer?.once('close', () => {
      backend.close()
      void server.close()
    })

    vite.middlewares.use((request, response, next) => {
      const text = backend.files[(request.originalUrl ?? '').split('?')[0] ?? '']
      if (text === undefined) return next()
      response.setHeader('content-type', 'application/json')
      response.end(text)
    })

    vite.middlewares.use((request, response, next) => {
      if (!DOORS.test((request.originalUrl ?? '').split('?')[0] ?? '')) return next()
      const { method, headers } = request
      const path = request.originalUrl ?? '/'
      const forward = httpRequest({ host: '127.0.0.1', port, path, ...(method && { method }), headers }, (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers)
        answer.pipe(response)
      })
      forward.on('error', next)
      request.pipe(forward)
    })

    vite.httpServer?.on('upgrade', (request, socket, head) => {
      if (/\bvite-(hmr|ping)\b/.test(request.headers['sec-websocket-protocol'] ?? '')) return
      const { rawHeaders } = request
      const lines = [`${request.method} ${request.url} HTTP/1.1`]
      for (let i = 0; i < rawHeaders.length; i += 2) lines.push(`${rawHeaders[i]}: ${rawHeaders[i + 1]}`)
      const room = tcpConnect(port, '127.0.0.1', () => {
        room.write(`${lines.join('\r\n')}\r\n\r\n`)
        room.write(head)
        socket.pipe(room).pipe(socket)
      })
      // Either end going away takes the other along.
      room.on('error', () => socket.destroy())
      socket.on('error', () => room.destroy())
      socket.on('close', () => room.destroy())
    })
  },
})
