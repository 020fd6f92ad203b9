/** `npm run lamps`: simulated street lamps, as a process of their own. The only file here that reads `process`. */
import { parseArgs } from 'node:util'
import { addressOf, openGateway, type SocketClass } from './gateway.ts'

const HELP = `Usage: npm run lamps -- [options]

Simulates the street lamps of a Tutti demo: a gateway with 24 lamps for each room that someone is in. It takes levels
from the server over a binary WebSocket, /lamps, and confirms what each lamp shows.

  --url <url>    The server [ws://127.0.0.1:1234]
  --room <room>  Only the street of this room, the one in the address of the page [all]
  -h, --help     Print this.
`

const EXIT_FAILED = 1
const EXIT_USAGE = 2

interface Options {
  readonly url: string
  readonly room: string | undefined
}

/** A mistake of whoever wrote the command line. */
class UsageError extends Error {}

const readOptions = (args: readonly string[]): Options | 'help' => {
  const options = {
    url: { type: 'string', default: 'ws://127.0.0.1:1234' },
    room: { type: 'string' },
    help: { type: 'boolean', short: 'h' },
  } as const
  let given: { url: string; room?: string | undefined; help?: boolean | undefined }
  try {
    given = parseArgs({ args: [...args], options }).values
  } catch (error) {
    // Its first sentence says what is wrong with which option.
    throw new UsageError(error instanceof Error ? error.message.split('. ')[0] : String(error), { cause: error })
  }
  const { url, room, help } = given
  if (help) return 'help'
  // Of a page, too, whose address is copied from the browser.
  const address = URL.canParse(url) ? new URL(url.replace(/^http/, 'ws')) : undefined
  if (address === undefined || !/^wss?:$/.test(address.protocol)) {
    throw new UsageError(`--url is "${url}"; expected an address such as ws://127.0.0.1:1234`)
  }
  if (room === '') throw new UsageError('--room is empty; expected the name of a room')
  return { url: address.origin, room }
}

const complain = (text: string): void => void process.stderr.write(`lamps: ${text}\n`)

/** Node's own from version 22, else the one of the package ws; `undefined`: neither is there. */
const findWebSocket = async (): Promise<SocketClass | undefined> => {
  if ('WebSocket' in globalThis) return globalThis.WebSocket
  try {
    return (await import('ws')).WebSocket
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND') return undefined
    throw error
  }
}

const run = async ({ url, room }: Options): Promise<void> => {
  const WebSocket = await findWebSocket()
  if (WebSocket === undefined) {
    complain(
      `Node.js ${process.versions.node} has no WebSocket of its own, and the package ws is not installed. ` +
        'The street lamps need one of the two: take Node.js 22 or later, or npm install ws',
    )
    process.exit(EXIT_FAILED)
  }
  const close = openGateway({
    url,
    room,
    WebSocket,
    say: (line) => void process.stdout.write(`${line}\n`),
    fail: (reason) => {
      complain(reason)
      process.exitCode = EXIT_FAILED
    },
  })
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, close)
  process.stdout.write(`Street lamps for ${addressOf(url, room).href}\n`)
}

/**
 * Started by a server, it ends with it, however that ended: the channel between the two closes then. That may have been
 * while this file was still being loaded.
 */
const endWithParent = (): void => {
  if (process.send === undefined) return
  process.once('disconnect', () => process.exit(0))
  if (!process.connected) process.exit(0)
}

endWithParent()
try {
  const options = readOptions(process.argv.slice(2))
  if (options === 'help') process.stdout.write(HELP)
  else await run(options)
} catch (error) {
  if (!(error instanceof UsageError)) throw error
  complain(`${error.message}. See npm run lamps -- --help`)
  process.exitCode = EXIT_USAGE
}
