/** Work that goes one after the other, in the order in which it came; at once if nothing is before it. */

export interface Turns {
  /** Works that are under way or wait. */
  readonly count: number
  /** Does the work when all that was taken before is through, whatever became of it. */
  take<R>(work: () => Promise<R>): Promise<R>
}

export const createTurns = (): Turns => {
  let count = 0
  /** Resolves as the last one is through. */
  let last: Promise<void> | undefined

  const done = (): void => {
    count--
    if (count === 0) last = undefined
  }

  return {
    get count() {
      return count
    },
    take: (work) => {
      count++
      const now = last ? last.then(work) : work()
      last = now.then(done, done)
      return now
    },
  }
}
