import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Logger } from 'tutti/server'

/** Characters kept of what it says, for the log of its end. */
const MAX_WORDS = 2000

/**
 * Starts simulated street lamps as a process of their own, which ends with this one, however that ends: the channel
 * that `fork` opens between the two closes then. Returns the function that ends it.
 */
export const startFleet = (url: string, log: Logger): (() => void) => {
  const path = fileURLToPath(new URL('../fleet/main.js', import.meta.url))
  let child: ChildProcess
  try {
    child = fork(path, ['--url', url], { execArgv: [], stdio: ['ignore', 'ignore', 'pipe', 'ipc'] })
  } catch (error) {
    log.warn({ err: error }, 'no simulated street lamps')
    return () => undefined
  }
  let words = ''
  let isWanted = true
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    words = (words + text).slice(-MAX_WORDS)
  })
  child.on('error', (error) => log.warn({ err: error }, 'no simulated street lamps'))
  child.on('close', (code, signal) => {
    // With the demo on a server without any WebSocket for them it is all that tells why no lamp answers.
    if (isWanted) log.warn({ code, signal, said: words.trim() }, 'the simulated street lamps ended')
  })
  child.on('spawn', () => log.info({ fleet: child.pid }, 'simulated street lamps'))
  // It keeps nothing alive.
  child.unref()
  child.channel?.unref()
  return () => {
    isWanted = false
    if (child.connected) child.disconnect()
  }
}
