/** The address by which Pusher clients connect: `/app/<key>?protocol=7&client=js&version=8.6.0`. */
import type { App } from '../apps.ts'
import { PUSHER_CLOSE } from '../protocol/closeCode.ts'
import { percentDecoded } from '../protocol/percentDecoded.ts'

const PREFIX = '/app/'
const PROTOCOLS = ['5', '6', '7']

/** The close code and reason that a connection is refused with. */
export interface HandshakeProblem {
  readonly code: number
  readonly reason: string
}

/** What stands behind `/app/`, decoded; `undefined` if the path is no such path. */
export const keyOf = (path: string): string | undefined =>
  path.startsWith(PREFIX) ? percentDecoded(path.slice(PREFIX.length)) : undefined

/** Only Pusher's clients tell a protocol: to anyone else the path may be that of a room. */
export const tellsProtocol = (query: string): boolean => new URLSearchParams(query).has('protocol')

/** Says why the protocol that a client tells can't be spoken with it, if it can't. */
export const protocolProblem = (query: string): HandshakeProblem | undefined => {
  const protocol = new URLSearchParams(query).get('protocol')
  const expected = `expected ${PROTOCOLS.join(', ')}.`
  if (protocol === null || protocol === '') {
    return { code: PUSHER_CLOSE.noProtocol, reason: `The protocol is missing in the query; ${expected}` }
  }
  if (!/^\d+$/.test(protocol)) return { code: PUSHER_CLOSE.version, reason: `The protocol is no number; ${expected}` }
  if (PROTOCOLS.includes(protocol)) return undefined
  return { code: PUSHER_CLOSE.unsupportedProtocol, reason: `Protocol ${protocol} is not supported; ${expected}` }
}

/** Why a path that names no app is refused. */
export const pathProblem = (key: string): HandshakeProblem =>
  key === '' || key.includes('/')
    ? { code: PUSHER_CLOSE.path, reason: 'There is nothing under this path; expected /app/<key>.' }
    : { code: PUSHER_CLOSE.noApp, reason: 'There is no app with this key.' }

/**
 * Why an app takes no connection, if it takes none.
 * @param connections that it has
 */
export const appProblem = ({ enabled, limits }: App, connections: number): HandshakeProblem | undefined => {
  if (!enabled) return { code: PUSHER_CLOSE.disabled, reason: 'The app is disabled.' }
  if (connections < limits.maxConnections) return undefined
  return { code: PUSHER_CLOSE.overQuota, reason: `The app has its ${limits.maxConnections} connections.` }
}
