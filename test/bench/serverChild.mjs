// @ts-check
/** A server in a process of its own; `serverProcess.mjs` starts it and asks it for what it uses. */
import { readFileSync } from 'node:fs'
import process from 'node:process'

// Imports wait until the kind is known: each server has a Yjs of its own.
const [kind, options] = process.argv.slice(2)

/** @returns {Promise<{ port: number, close: () => Promise<void> }>} */
const serve = async () => {
  switch (kind) {
    case 'tutti': {
      const { createServer } = await import('../../dist/server/index.js')
      const { address, close } = await createServer(JSON.parse(options ?? '{}'))
      return { port: address.port, close }
    }
    case 'reference': {
      const { serveReference } = await import('./referenceServer.mjs')
      return { port: await serveReference(), close: async () => undefined }
    }
    case 'relay': {
      const { serveRelay } = await import('./relay.mjs')
      return { port: serveRelay(), close: async () => undefined }
    }
    case 'publisher': {
      const { servePublisher } = await import('./publisher.mjs')
      return { port: servePublisher(JSON.parse(options ?? '{}').secret), close: async () => undefined }
    }
    default:
      throw new Error(`There is no server "${kind}".`)
  }
}

/** Resident anonymous memory in bytes: what LMDB maps from its file does not count. */
const anonymousMemory = () => {
  const match = /^RssAnon:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))
  if (match === null) throw new Error('/proc/self/status has no RssAnon: this bench needs Linux.')
  return Number(match[1]) * 1024
}

const server = await serve()

process.on('message', async (/** @type {{ id: number, ask: string }} */ { id, ask }) => {
  switch (ask) {
    case 'cpu': {
      // Of every thread: workers and LMDB's writer count.
      const { user, system } = process.cpuUsage()
      process.send?.({ id, value: (user + system) / 1e6 })
      break
    }
    case 'memory':
      globalThis.gc?.()
      process.send?.({ id, value: anonymousMemory() })
      break
    case 'heap': {
      globalThis.gc?.()
      const { heapUsed, external } = process.memoryUsage()
      process.send?.({ id, value: heapUsed + external })
      break
    }
    case 'close':
      await server.close()
      process.send?.({ id, value: 0 }, () => process.exit(0))
      break
  }
})
// The bench is gone: a server without one has nothing to do.
process.on('disconnect', () => process.exit(0))
process.send?.({ port: server.port })
