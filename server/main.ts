#!/usr/bin/env node
/** The command `tutti`. The only file that reads `process.env` and `process.argv` and calls `process.exit`. */
import { createRequire } from 'node:module'
import { TuttiError } from '../lib/errors.ts'
import { createServer, type Logger, type Server } from './index.ts'
import { createLog } from './log.ts'
import { type Command, commandFrom, helpText, type Options } from './options.ts'

const EXIT_FAILED = 1
const EXIT_USAGE = 2

/** A stop that takes longer than this (ms) is cut off: whoever sent the signal is about to send SIGKILL. */
const STOP_LIMIT = 4500

const SIGNALS = { SIGINT: 2, SIGTERM: 15 } as const

/** One line for a mistake of the caller, or for what stands in the way on this machine. */
const complain = (error: TuttiError): void => {
  process.stderr.write(`tutti: ${error.message}${error.hint === '' ? '' : ` ${error.hint}`}\n`)
}

const version = (): string => {
  // By the package's own name: the same from the sources and from dist/.
  const { version } = createRequire(import.meta.url)('tutti/package.json') as { version: string }
  return version
}

/** With the demo's own back end, which nothing else of the server knows. */
const createDemoServer = async (options: Options, log: Logger): Promise<Server> => {
  const { openDemoBackend } = await import('#demo')
  const backend = await openDemoBackend({ host: options.host, log })
  try {
    const server = await createServer({ ...options, logger: log, ...backend.parts, demoFiles: backend.files })
    backend.attach(server)
    const close = (): Promise<void> => {
      backend.close()
      return server.close()
    }
    return { ...server, close }
  } catch (error) {
    backend.close()
    throw error
  }
}

const serve = (options: Options): void => {
  const log = createLog({ level: options.logLevel })

  // After an error that nobody awaited, nothing is known of the state: better a restart, from what is durable.
  const die = (error: unknown): never => {
    log.fatal({ err: error }, 'unexpected error, exiting')
    process.exit(EXIT_FAILED)
  }
  process.on('uncaughtException', die)
  process.on('unhandledRejection', die)

  const starting = options.demo ? createDemoServer(options, log) : createServer({ ...options, logger: log })

  let stopping = false
  const stop = async (signal: keyof typeof SIGNALS): Promise<void> => {
    if (stopping) process.exit(128 + SIGNALS[signal])
    stopping = true
    log.info({ signal }, 'stopping')
    const cut = setTimeout(() => {
      log.error({ limit: STOP_LIMIT }, 'did not stop in time, exiting')
      process.exit(EXIT_FAILED)
    }, STOP_LIMIT)
    cut.unref()
    // A failed start is told below.
    const server = await starting.catch(() => undefined)
    if (server === undefined) return
    await server.close()
    process.exit(0)
  }
  for (const signal of Object.keys(SIGNALS) as (keyof typeof SIGNALS)[]) process.on(signal, () => void stop(signal))

  starting.then(
    (server) => {
      // The one line on stdout: scripts wait for it and read the address from it.
      if (!stopping) process.stdout.write(`Tutti listens on ${server.url}\n`)
    },
    (error: unknown) => {
      if (!(error instanceof TuttiError)) die(error)
      else {
        complain(error)
        process.exit(error.code === 'INVALID_OPTION' ? EXIT_USAGE : EXIT_FAILED)
      }
    },
  )
}

const run = (): void => {
  let command: Command
  try {
    command = commandFrom(process.argv.slice(2), process.env)
  } catch (error) {
    if (!(error instanceof TuttiError)) throw error
    complain(error)
    process.exit(EXIT_USAGE)
  }
  switch (command.name) {
    case 'help':
      process.stdout.write(helpText())
      break
    case 'version':
      process.stdout.write(`${version()}\n`)
      break
    case 'serve':
      serve(command.options)
      break
    default:
      command satisfies never
  }
}

run()
