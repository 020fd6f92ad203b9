// @ts-check
/** `@y/websocket-server`, the reference to compare with: installed when first needed, outside the package's own tree. */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

export const REFERENCE = '@y/websocket-server 0.1.5'

const FOLDER = fileURLToPath(new URL('../../.bench/reference', import.meta.url))

const MANIFEST = {
  private: true,
  dependencies: { '@y/websocket-server': '0.1.5' },
  // Later prereleases of it want @y/y beside yjs: the server would then mix two copies of Yjs and apply nothing.
  overrides: { '@y/protocols': '1.0.6-1' },
}

const installed = () => join(FOLDER, 'node_modules', '@y', 'websocket-server')

/** Installs it if it is missing; its messages go to stderr. */
export const installReference = () => {
  if (existsSync(installed())) return
  mkdirSync(FOLDER, { recursive: true })
  writeFileSync(join(FOLDER, 'package.json'), `${JSON.stringify(MANIFEST, null, 2)}\n`)
  const { status } = spawnSync('npm', ['install', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: FOLDER,
    stdio: ['ignore', 2, 2],
    shell: process.platform === 'win32',
  })
  if (status !== 0) throw new Error(`Installing ${REFERENCE} failed; the bench compares with it.`)
}

/**
 * Starts the installed reference on a free port, as its own `server.js` does.
 * @returns {Promise<number>} the port
 */
export const serveReference = async () => {
  /** @param {string} path */
  const load = (path) => import(pathToFileURL(join(FOLDER, 'node_modules', path)).href)
  const [{ setupWSConnection }, ws, http] = await Promise.all([
    load('@y/websocket-server/src/utils.js'),
    load('ws/index.js'),
    import('node:http'),
  ])
  const sockets = new ws.default.Server({ noServer: true })
  sockets.on('connection', setupWSConnection)
  const server = http.createServer()
  server.on('upgrade', (request, socket, head) => {
    sockets.handleUpgrade(request, socket, head, (/** @type {unknown} */ accepted) => {
      sockets.emit('connection', accepted, request)
    })
  })
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      resolve(address !== null && typeof address === 'object' ? address.port : 0)
    })
  })
}
