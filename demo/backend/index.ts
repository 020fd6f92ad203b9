/** The demo's back end: the server's endpoints of its street lamps, and an application that pushes. */
import type { CreateServerOptions, Logger, Server } from 'tutti/server'
import { type Application, startApplication } from './application.ts'
import { startFleet } from './fleetProcess.ts'
import { createLamps } from './lamps.ts'

export interface DemoBackend {
  /** For `createServer`. */
  readonly parts: Pick<CreateServerOptions, 'sockets' | 'hooks'>
  /** Files of the page that are not built, by path. */
  readonly files: Readonly<Record<string, string>>
  /** Call with the server made of `parts`. */
  attach(server: Server): void
  close(): void
}

export interface DemoBackendOptions {
  readonly host: string
  readonly log: Logger
}

/** Where this machine reaches a server that listens on every interface. */
const reachable = (url: string): string => {
  const address = new URL(url)
  if (address.hostname === '0.0.0.0') address.hostname = '127.0.0.1'
  if (address.hostname === '[::]') address.hostname = '[::1]'
  return address.origin
}

export const openDemoBackend = async ({ host, log }: DemoBackendOptions): Promise<DemoBackend> => {
  const lamps = createLamps(log)
  let url = ''
  let endFleet = (): void => undefined
  let isClosed = false
  let application: Application | undefined
  try {
    const failed = (error: unknown): void => log.warn({ err: error }, 'the application of the demo failed')
    application = await startApplication(host, () => url, failed)
  } catch (error) {
    // The page says that it does not answer; the server itself may still have its address.
    log.warn({ err: error }, 'no application for the demo')
  }
  return {
    parts: { sockets: lamps.sockets, hooks: lamps.hooks },
    files: { '/application.json': JSON.stringify({ port: application?.port ?? null }) },
    attach: (server) => {
      url = reachable(server.url)
      lamps.attach(server)
      // After the server's line on stdout.
      setImmediate(() => {
        if (!isClosed) endFleet = startFleet(url.replace(/^http/, 'ws'), log)
      })
    },
    close: () => {
      isClosed = true
      endFleet()
      lamps.close()
      application?.close()
    },
  }
}
