import { expect, test } from 'vitest'
import { runCrashRounds } from './crashRounds.ts'

const seed = Number(process.env.CRASH_SEED ?? Math.floor(Math.random() * 2 ** 31))

test(`after each of 20 kills under load every acknowledged change is there and documents load (CRASH_SEED=${seed})`, async () => {
  const figures = await runCrashRounds({ rounds: 20, seed })
  expect(figures.rounds).toBe(20)
  // The rounds prove nothing if nothing was acknowledged, or if no kill met work under way.
  expect(figures.acknowledged).toBeGreaterThan(1000)
  expect(figures.unacknowledged).toBeGreaterThan(0)
}, 240_000)
