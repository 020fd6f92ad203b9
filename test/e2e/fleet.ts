/** The simulated street lamps of the demo: their command, and those that a server has started. */
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { isRunning } from './nodeProcess.ts'
import type { ServerProcess } from './serverProcess.ts'
import { until } from './until.ts'

export const FLEET = fileURLToPath(new URL('../../dist/demoBackend/fleet/main.js', import.meta.url))

/** The process id of the fleet that a server has started, by its log. */
export const fleetOf = async (server: ServerProcess): Promise<number> => {
  let pid: unknown
  await until('the fleet', () => {
    const line = server
      .stderr()
      .split('\n')
      .find((text) => text.includes('"fleet"'))
    pid = line && (JSON.parse(line) as { fleet: unknown }).fleet
    return typeof pid === 'number'
  })
  return pid as number
}

export const killFleet = async (server: ServerProcess): Promise<void> => {
  const pid = await fleetOf(server)
  process.kill(pid, 'SIGKILL')
  await until('the end of the fleet', () => !isRunning(pid))
}
