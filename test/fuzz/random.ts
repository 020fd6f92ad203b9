/** Seeded chance, so that a failing run can be repeated: the seed is in the name of the test that fails. */
export interface Random {
  /** A whole number from `min` to `max`, both included. */
  between(min: number, max: number): number
  chance(probability: number): boolean
  pick<T>(items: readonly T[]): T
}

/** Mulberry32. */
export const createRandom = (seed: number): Random => {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
  return {
    between: (min, max) => min + Math.floor(next() * (max - min + 1)),
    chance: (probability) => next() < probability,
    pick: (items) => {
      const item = items[Math.floor(next() * items.length)]
      if (item === undefined) throw new Error('nothing to pick from')
      return item
    },
  }
}

/**
 * Seeds of a run: always the same few, so that the suite does not fail by chance. `FUZZ_ROUNDS=5000` takes that many
 * fresh ones, `FUZZ_SEED=17` one alone.
 */
export const seeds = (rounds: number): number[] => {
  const { FUZZ_SEED, FUZZ_ROUNDS } = process.env
  if (FUZZ_SEED !== undefined) return [Number(FUZZ_SEED)]
  const first = FUZZ_ROUNDS === undefined ? 1 : Math.floor(Math.random() * 2 ** 31)
  return Array.from({ length: Number(FUZZ_ROUNDS ?? rounds) }, (_, i) => first + i)
}
