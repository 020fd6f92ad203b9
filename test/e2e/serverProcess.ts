/** The real command, built, as a process of its own: to be killed, measured and started again. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import process from 'node:process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

/** What `tutti` runs. */
export const COMMAND = fileURLToPath(new URL('../../dist/server/main.js', import.meta.url))

export interface ServerProcess {
  readonly port: number
  /** `ws://…`, without a room. */
  readonly url: string
  readonly pid: number
  /** What it wrote to stderr so far. */
  stderr(): string
  /** Resolves once the process has ended: with its exit code, or the name of the signal that ended it. */
  readonly ended: Promise<number | string>
  /** Sends a signal (SIGTERM unless told otherwise) and waits for the end. */
  stop(signal?: NodeJS.Signals): Promise<number | string>
  /**
   * Resident anonymous memory in bytes: what the process holds itself, without LMDB's mapping of its file. `undefined`
   * where there is no /proc.
   */
  anonymousMemory(): Promise<number | undefined>
}

/**
 * A port to start, kill and start a server on. Not port 0: uWebSockets.js sets SO_REUSEADDR only for a named port, so
 * connections of a killed server in TIME_WAIT would keep its successor out; and a port from the range of outgoing
 * connections could be taken by one, even by a client that calls itself while no server is there.
 */
export const freePort = async (): Promise<number> => {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 12_000)
    const probe = createServer()
    const isFree = await new Promise<boolean>((resolve) => {
      probe.once('error', () => resolve(false))
      probe.listen({ port, host: '127.0.0.1', exclusive: true }, () => resolve(true))
    })
    if (!isFree) continue
    probe.close()
    await once(probe, 'close')
    return port
  }
}

/** Starts the command and resolves once it accepts connections; rejects if it ends before, with what it said. */
export const startServerProcess = async (
  /** `fileLimit`: most that each file of the process may hold, in KiB. */
  flags: { readonly data: string; readonly port?: number; readonly fileLimit?: number },
  ...more: string[]
): Promise<ServerProcess> => {
  if (!existsSync(COMMAND)) throw new Error('The server is not built; run `npm run build` first.')
  const args = ['--host', '127.0.0.1', '--port', String(flags.port ?? 0), '--data', flags.data, ...more]
  const limited = ['-c', `ulimit -f ${flags.fileLimit}; exec "$0" "$@"`, process.execPath]
  const child = spawn(
    flags.fileLimit === undefined ? process.execPath : 'bash',
    [...(flags.fileLimit === undefined ? [] : limited), COMMAND, ...args],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  )
  const lastWish = () => child.kill('SIGKILL')
  process.on('exit', lastWish)
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  const ended = once(child, 'close').then(([code, signal]) => {
    process.off('exit', lastWish)
    return (code ?? signal) as number | string
  })
  const port = await firstPort(child, ended, () => stderr)
  return {
    port,
    url: `ws://127.0.0.1:${port}`,
    pid: child.pid!,
    stderr: () => stderr,
    ended,
    stop: (signal = 'SIGTERM') => {
      child.kill(signal)
      return ended
    },
    anonymousMemory: () => anonymousMemory(child.pid!),
  }
}

/** The port in the one line that the command prints. */
const firstPort = async (child: ChildProcess, ended: Promise<unknown>, stderr: () => string): Promise<number> => {
  const line = await Promise.race([
    once(createInterface(child.stdout!), 'line').then(([text]) => String(text)),
    ended.then((reason) => {
      throw new Error(`The server ended at its start (${reason}): ${stderr()}`)
    }),
  ])
  const port = /:(\d+)/.exec(line)?.[1]
  if (port === undefined) throw new Error(`No address in the server's first line: ${line}`)
  return Number(port)
}

const anonymousMemory = async (pid: number): Promise<number | undefined> => {
  if (!existsSync('/proc/self/status')) return undefined
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  const kibibytes = /^RssAnon:\s+(\d+) kB$/m.exec(status)?.[1]
  return kibibytes === undefined ? undefined : Number(kibibytes) * 1024
}
