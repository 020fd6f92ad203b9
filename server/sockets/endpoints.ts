/** The doors of the application's own sockets, one for each path. */
import { ERRORS, TuttiError } from '../../lib/errors.ts'
import type { Connection, Door, Handshake, Logger, Publisher, Socket } from '../contracts.ts'
import { percentDecoded } from '../protocol/percentDecoded.ts'
import { callerOf } from '../room/caller.ts'
import { closeCodeOf, closeReasonOf, enter, refusalOf } from '../room/entrance.ts'
import type { HookedConnections } from '../room/hookedConnections.ts'
import type { Refusals } from '../room/refusals.ts'
import type { SocketEndpoint, SocketEndpoints } from './endpoint.ts'
import { EndpointConnection } from './endpointConnection.ts'

export interface EndpointsParts {
  readonly endpoints: SocketEndpoints
  readonly publisher: Publisher
  readonly refusals: Refusals
  readonly log: Logger
  readonly limits: { readonly maxMessageBytes: number }
  /** `undefined`: the server has no hooks. */
  readonly hooked: HookedConnections | undefined
}

/** The door that a raw path belongs to, if it is one of these. */
export type DoorOfPath = (path: string) => Door | undefined

const CALLBACKS = ['open', 'message', 'drain', 'missed', 'close'] as const

const wrong = (path: string, message: string, hint: string): TuttiError =>
  new TuttiError('INVALID_OPTION', message, { path: ['sockets', path], hint })

/** Paths that the server's other doors have, and those below which they have some. */
const TAKEN = new Set(['/app', '/apps', '/rooms', '/health', '/ready', '/metrics', '/batch', '/openapi.json'])
const TAKEN_BELOW = /^\/(apps?|rooms)\//

/** The path as it is compared with others. */
const checkPath = (path: string): string => {
  const plain = percentDecoded(path)
  if (!/^\/[^/?#][^?#]*$/.test(path) || plain === undefined) {
    throw wrong(path, `${JSON.stringify(path)} is no path of a socket.`, 'Write a path such as "/lamps".')
  }
  if (!TAKEN.has(plain) && !TAKEN_BELOW.test(plain)) return plain
  throw wrong(
    path,
    `The path ${JSON.stringify(path)} belongs to another door of the server.`,
    `Take another one than ${[...TAKEN].join(', ')}, and what is below /app, /apps and /rooms.`,
  )
}

const checkEndpoint = (path: string, endpoint: SocketEndpoint, most: number): void => {
  if (typeof endpoint !== 'object' || endpoint === null) {
    throw wrong(path, `The socket ${path} is no object.`, `Give any of: ${CALLBACKS.join(', ')}, maxMessageBytes.`)
  }
  for (const [name, value] of Object.entries(endpoint)) {
    if (name === 'maxMessageBytes') {
      if (value === undefined || (Number.isInteger(value) && value >= 1 && value <= most)) continue
      const expected = `a whole number from 1 to ${most}, the server's maxMessageBytes`
      throw wrong(
        path,
        `maxMessageBytes of the socket ${path} is ${String(value)}; expected ${expected}.`,
        'Change it.',
      )
    }
    const isKnown = (CALLBACKS as readonly string[]).includes(name)
    if (isKnown && (value === undefined || typeof value === 'function')) continue
    throw wrong(
      path,
      isKnown
        ? `${name} of the socket ${path} is of type ${typeof value}; expected a function.`
        : `A socket has no ${JSON.stringify(name)}.`,
      `There are: ${CALLBACKS.join(', ')}, maxMessageBytes.`,
    )
  }
}

/**
 * @param maxMessageBytes the server's own limit
 * @throws TuttiError `INVALID_OPTION` for what is no path, or a path that is taken, or no endpoint
 */
export const checkEndpoints = (endpoints: SocketEndpoints, maxMessageBytes: number): void => {
  if (typeof endpoints !== 'object' || endpoints === null || Array.isArray(endpoints)) {
    throw new TuttiError(
      'INVALID_OPTION',
      `Option sockets is ${Array.isArray(endpoints) ? 'an array' : String(endpoints)}; expected an object.`,
      {
        path: ['sockets'],
        hint: 'Give sockets by their paths: { "/lamps": { message: (socket, message) => … } }.',
      },
    )
  }
  const paths = new Map<string, string>()
  for (const [path, endpoint] of Object.entries(endpoints)) {
    const plain = checkPath(path)
    const other = paths.get(plain)
    if (other !== undefined) {
      throw wrong(path, `${JSON.stringify(path)} and ${JSON.stringify(other)} are one path.`, 'Give each path once.')
    }
    paths.set(plain, path)
    checkEndpoint(path, endpoint, maxMessageBytes)
  }
}

export const createEndpoints = (parts: EndpointsParts): DoorOfPath => {
  const { publisher, refusals, log, limits, hooked } = parts

  const doorOf = (path: string, endpoint: SocketEndpoint): Door => {
    const maxMessageBytes = endpoint.maxMessageBytes ?? limits.maxMessageBytes
    const connectionParts = { path, endpoint, maxMessageBytes, publisher, log }

    const refuse = (socket: Socket, error: TuttiError): void => {
      refusals.delay(socket.address, () => socket.close(closeCodeOf(error), closeReasonOf(error)))
    }

    const open = (socket: Socket, handshake: Handshake): Connection => {
      const take = (): Connection =>
        new EndpointConnection(connectionParts, socket, handshake, (error) => refuse(socket, error))
      if (!hooked) return take()
      const hooks = hooked.open(callerOf('socket', handshake, socket))
      return enter({
        hooked,
        hooks,
        maxBytes: maxMessageBytes,
        ask: () => hooks.connect(),
        open: take,
        refuse: (error) => refuse(socket, refusalOf(error, log, { path })),
      })
    }

    return { open, refuse, goingAway: { code: ERRORS.GOING_AWAY.close, reason: 'The server is stopping.' } }
  }

  const doors = new Map<string, Door>()
  for (const [path, endpoint] of Object.entries(parts.endpoints)) {
    doors.set(percentDecoded(path) ?? path, doorOf(path, endpoint))
  }
  if (doors.size === 0) return () => undefined
  return (path) => {
    const plain = percentDecoded(path)
    return plain === undefined ? undefined : doors.get(plain)
  }
}
