import type { LampLevel } from '../lampFrames.ts'

export interface SimulatedLamps {
  /** A command came: each of these lamps is to show this. */
  command(levels: readonly LampLevel[]): void
  /** Ends without confirming what is under way. */
  stop(): void
}

/** Milliseconds that a lamp takes to reach a level. */
const SWITCH_TIME = 120

/**
 * Lamps that take their time: each shows a level a moment after it was told, the last one if it was told several.
 * @param confirm told what lamps show from now on, of several that changed together at once
 */
export const createLamps = (confirm: (levels: readonly LampLevel[]) => void): SimulatedLamps => {
  const switching = new Map<string, ReturnType<typeof setTimeout>>()
  let shown: LampLevel[] = []
  let turn: ReturnType<typeof setImmediate> | undefined

  const shows = (level: LampLevel): void => {
    shown.push(level)
    turn ??= setImmediate(() => {
      const together = shown
      turn = undefined
      shown = []
      confirm(together)
    })
  }

  return {
    command: (levels) => {
      for (const level of levels) {
        const lamp = `${level.street} ${level.lamp}`
        clearTimeout(switching.get(lamp))
        const timer = setTimeout(() => {
          switching.delete(lamp)
          shows(level)
        }, SWITCH_TIME)
        switching.set(lamp, timer)
      }
    },
    stop: () => {
      for (const timer of switching.values()) clearTimeout(timer)
      switching.clear()
      clearImmediate(turn)
      turn = undefined
      shown = []
    },
  }
}
