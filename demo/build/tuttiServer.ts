import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { request as httpRequest } from 'node:http'
import { connect as tcpConnect } from 'node:net'
import { fileURLToPath } from 'node:url'
import type { Plugin } from 'vite'

const ROOT = new URL('../../', import.meta.url)
const BUILT = new URL('dist/server/index.js', ROOT)
const DOORS = /^\/(rooms\/|health$|ready$)/

const buildServer = (): void => {
  const { status } = spawnSync('npx', ['tsc', '-p', 'tsconfig.build.json'], {
    cwd: fileURLToPath(ROOT),
    stdio: 'inherit',
  })
  if (status !== 0) throw new Error('tsc could not build the server')
}

/**
 * One port for development: Vite's, with a Tutti server behind it. Vite keeps its own WebSocket; every other upgrade
 * is a room's.
 */
export const tuttiServer = (data: string): Plugin => ({
  name: 'demo:tutti-server',
  apply: 'serve',
  async configureServer(vite) {
    if (!existsSync(BUILT)) buildServer()
    // By the package's own name: what was built above.
    const { createServer } = await import('tutti/server')
    const server = await createServer({ host: '127.0.0.1', port: 0, data })
    const { port } = server.address
    vite.httpServer?.once('close', () => void server.close())

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
