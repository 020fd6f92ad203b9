/** Every room with lamps in its document is a street, as long as it is in memory: nobody else looks at them. */
import type { Hooks, Logger, Server, SocketEndpoints } from 'tutti/server'
import { createGateways } from './gateways.ts'
import type { Street } from './street.ts'

export interface Lamps {
  readonly sockets: SocketEndpoints
  readonly hooks: Hooks
  attach(server: Server): void
  close(): void
}

/** Numbers of streets, as two bytes hold them. */
const MAX_STREETS = 65_536

/** Channels that ask for a signature, in an app's prefix or without: `/lamps` asks for none, so they have no lamps. */
const SIGNED = /(^|\/)(private-|presence-|#)/

export const createLamps = (log: Logger): Lamps => {
  const streets = new Map<string, Street>()
  const taken = new Set<number>()
  const gateways = createGateways()
  let last = 0
  let isClosed = false
  let attach: (server: Server) => void = () => undefined
  // Rooms may come before `createServer` has returned, and the schema is loaded when the server already listens.
  const ready = new Promise<Server>((resolve) => {
    attach = resolve
  }).then(async (server) => ({ server, openStreet: (await import('./street.ts')).openStreet }))

  /** Not one given up just now, if there is another: what is still under way to a gateway may name it. */
  const freeNumber = (): number => {
    do last = (last + 1) % MAX_STREETS
    while (taken.has(last))
    taken.add(last)
    return last
  }

  const open = async (name: string): Promise<void> => {
    const { server, openStreet } = await ready
    if (isClosed || streets.has(name) || streets.size === MAX_STREETS || SIGNED.test(name)) return
    streets.set(name, openStreet({ number: freeNumber(), name, server, gateways, log }))
  }

  const close = (name: string): void => {
    const street = streets.get(name)
    if (!street) return
    streets.delete(name)
    taken.delete(street.number)
    street.close()
  }

  return {
    sockets: { '/lamps': gateways.endpoint },
    hooks: {
      roomCreated: ({ room }) => open(room),
      roomUnloaded: ({ room }) => close(room),
    },
    attach: (server) => attach(server),
    close: () => {
      isClosed = true
      for (const name of [...streets.keys()]) close(name)
    },
  }
}
