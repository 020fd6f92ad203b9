import { expect, test } from 'vitest'
import { TokenBucket } from '../../server/room/tokenBucket.ts'

/** How many of many pass at a time. */
const passing = (bucket: TokenBucket, now: number): number => {
  let count = 0
  while (count < 1000 && bucket.take(now)) count++
  return count
}

test('a bucket lets through what comes in a second, and no more after a longer rest', () => {
  const bucket = new TokenBucket(10, 5000)
  expect([5000, 5099, 5100, 5350, 6350, 60_000].map((now) => passing(bucket, now))).toEqual([10, 0, 1, 2, 10, 10])
})

test('a bucket of another size lets through as many at once, and then what comes in a second', () => {
  const bucket = new TokenBucket(10, 0, 100)
  expect([0, 1000, 1500, 100_000].map((now) => passing(bucket, now))).toEqual([100, 10, 5, 100])
})
