import { afterEach } from 'vitest'
import { type CreateServerOptions, createServer, type Server } from '../../server/index.ts'

const closing: (() => Promise<void>)[] = []

/** A server on a free port that keeps nothing; closed after the test. */
export const startServer = async (options: CreateServerOptions = {}): Promise<{ server: Server; url: string }> => {
  const server = await createServer({ port: 0, data: 'memory', logLevel: 'silent', ...options })
  closing.push(() => server.close())
  return { server, url: server.url.replace('http', 'ws') }
}

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})
