// @ts-check
/**
 * npm runs a script through a shell, and not every shell passes a signal on (Debian's does not): stopped by its process
 * id, npm and the shell would be gone and what they started would go on, without anybody who knows of it. So whoever
 * is started by npm looks whether its shell is still there, and stops as by a signal when it is not.
 */
import process from 'node:process'

const LOOK_MS = 250

export const endWithNpm = () => {
  if (process.env.npm_lifecycle_event === undefined) return
  const shell = process.ppid
  setInterval(() => {
    if (process.ppid !== shell) process.kill(process.pid, 'SIGTERM')
  }, LOOK_MS).unref()
}
