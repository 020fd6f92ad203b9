import process from 'node:process'

/** Takes the place of the test runner where an error is to reach `uncaughtException`. */
export const catchUncaught = (): { thrown: unknown[]; restore: () => void } => {
  const thrown: unknown[] = []
  const before = process.listeners('uncaughtException')
  process.removeAllListeners('uncaughtException')
  process.on('uncaughtException', (error) => thrown.push(error))
  return {
    thrown,
    restore: () => {
      process.removeAllListeners('uncaughtException')
      for (const listener of before) process.on('uncaughtException', listener)
    },
  }
}
