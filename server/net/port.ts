/** What uWebSockets.js does not tell about ports: which one is free, and why one can't be had. */
import { once } from 'node:events'
import { createServer } from 'node:net'
import { TuttiError } from '../../lib/errors.ts'

const bind = async (host: string, port: number): Promise<number> => {
  const probe = createServer()
  probe.listen({ host, port, exclusive: true })
  await once(probe, 'listening')
  const address = probe.address()
  probe.close()
  await once(probe, 'close')
  return typeof address === 'object' && address !== null ? address.port : port
}

const reasonOf = (error: unknown): unknown => (error instanceof Error && 'code' in error ? error.code : error)

export const inUse = (host: string, port: number): TuttiError =>
  new TuttiError('PORT_IN_USE', `Can't listen on ${host}, port ${port}: it is in use.`, {
    hint: 'Stop the other process, or give another --port.',
  })

/** Throws why nobody can listen there. */
export const explain = async (host: string, port: number): Promise<never> => {
  try {
    await bind(host, port)
  } catch (error) {
    const reason = reasonOf(error)
    if (reason === 'EACCES') {
      throw new TuttiError('PORT_IN_USE', `Can't listen on ${host}, port ${port}: this user may not use it.`, {
        hint: 'Give a --port of 1024 or more.',
        cause: error,
      })
    }
    if (reason !== 'EADDRINUSE') {
      throw new TuttiError('INVALID_OPTION', `Can't listen on host ${JSON.stringify(host)}: ${reason}.`, {
        path: ['host'],
        hint: 'Give an address of this machine with --host, e.g. 127.0.0.1 or 0.0.0.0.',
        cause: error,
      })
    }
  }
  throw inUse(host, port)
}

/**
 * A free port. uWebSockets.js sets SO_REUSEADDR only for a port that is named: on one that the system chose for it, a
 * successor would be kept out for a minute by connections in TIME_WAIT.
 */
export const freePort = async (host: string): Promise<number> => {
  try {
    return await bind(host, 0)
  } catch {
    return explain(host, 0)
  }
}
