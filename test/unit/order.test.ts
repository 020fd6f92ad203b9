import { describe, expect, test } from 'vitest'
import { orderBetween } from '../../lib/index.ts'

/** Numbers from 0 to 1 (a Lehmer generator), from a seed so that a failure can be repeated. */
const random = (seed: number): (() => number) => {
  let value = seed
  return () => {
    value = (value * 48_271) % 0x7fffffff
    return value / 0x7fffffff
  }
}

describe('orderBetween', () => {
  test('gives keys that sort where they were asked for, in 5,000 insertions at random places', () => {
    const next = random(7)
    const keys: string[] = []
    for (let round = 0; round < 5_000; round++) {
      const index = Math.floor(next() * (keys.length + 1))
      keys.splice(index, 0, orderBetween(keys[index - 1], keys[index]))
    }
    for (let index = 1; index < keys.length; index++) expect(keys[index - 1]! < keys[index]!).toBe(true)
  })

  test.each([
    ['at the end', (keys: string[]) => keys.push(orderBetween(keys.at(-1), null)), 5],
    ['at the start', (keys: string[]) => keys.unshift(orderBetween(null, keys[0])), 5],
  ])('grows with the logarithm of the number of keys %s', (_where, add, longest) => {
    const keys: string[] = []
    for (let round = 0; round < 10_000; round++) add(keys)
    expect([...keys].sort()).toEqual(keys)
    expect(Math.max(...keys.map((key) => key.length))).toBeLessThanOrEqual(longest)
  })

  test('goes on at one place for ever', () => {
    let low = orderBetween()
    const high = orderBetween(low)
    for (let round = 0; round < 500; round++) {
      const key = orderBetween(low, high)
      expect(low < key && key < high).toBe(true)
      low = key
    }
    let top = high
    const bottom = orderBetween(null, high)
    for (let round = 0; round < 500; round++) {
      const key = orderBetween(bottom, top)
      expect(bottom < key && key < top).toBe(true)
      top = key
    }
  })

  test('gives a key right after two equal ones', () => {
    const key = orderBetween()
    expect(orderBetween(key, key) > key).toBe(true)
    expect(orderBetween(key, key) < orderBetween(key)).toBe(true)
  })

  test.each(['', ' ', 'foo bar', 'z1', 'a', 'b1', 'A0', '#'])('refuses %j, which is no key', (key) => {
    if (key === '') expect(orderBetween(key)).toBe(orderBetween())
    else expect(() => orderBetween(key)).toThrow('no order key')
  })
})
