/** What the Pusher door remembers of connections, so that another can go on in their place. */
import { afterEach, describe, expect, test, vi } from 'vitest'
import { Recoveries } from '../../server/pusher/recoveries.ts'
import { Skips } from '../../server/pusher/skips.ts'

describe('skips', () => {
  const never = (): number => 0

  test('shift what a count means', () => {
    const skips = new Skips(10)
    expect(skips.offsetAfter(3)).toBe(13)
    for (const offset of [11, 13, 14, 20]) skips.add(offset, never)
    // 12 was the first that came, then 15, 16, …
    expect([0, 1, 2, 3].map((count) => skips.offsetAfter(count))).toEqual([11, 14, 15, 16])
    expect(skips.offsetAfter(6)).toBe(20)
  })

  test('that nobody can ask for are folded, and mean the same for all that can be asked', () => {
    const whole = new Skips(0)
    const folding = new Skips(0)
    for (let offset = 1; offset <= 1000; offset += 2) {
      whole.add(offset, never)
      folding.add(offset, () => offset - 20)
    }
    for (let count = 495; count < 520; count++) expect(folding.offsetAfter(count)).toBe(whole.offsetAfter(count))
    expect(folding.offsetAfter(3)).toBeLessThan(980)
  })
})

describe('the memory of closed connections', () => {
  afterEach(() => {
    vi.useRealTimers()
  })

  const MAX_AGE_MS = 1000
  const skipping = (from: number, offset: number): Skips => {
    const skips = new Skips(from)
    skips.add(offset, () => 0)
    return skips
  }
  const positionOf = (recoveries: Recoveries, socketId: string, offset: number): number | undefined =>
    recoveries.resume({ epoch: 'e', offset, count: 1, socketId }, 'a')?.position.offset

  test('tells the subscriptions of one connection apart by where they began', () => {
    const recoveries = new Recoveries(MAX_AGE_MS, () => undefined)
    recoveries.remember('1.1', 'e', { skips: skipping(0, 2), former: [] })
    recoveries.remember('1.1', 'e', { skips: skipping(5, 6), former: [] })
    expect([0, 5, 3].map((from) => positionOf(recoveries, '1.1', from))).toEqual([2, 7, 4])
    expect(positionOf(recoveries, '2.2', 0)).toBe(1)
  })

  test('asks a connection that is open first', () => {
    const recoveries = new Recoveries(MAX_AGE_MS, (socketId, room) =>
      socketId === '1.1' && room === 'a' ? { skips: skipping(0, 2), former: ['0.0'] } : undefined,
    )
    const asked = { epoch: 'e', offset: 0, count: 1, socketId: '1.1' }
    expect(recoveries.resume(asked, 'a')).toEqual({ position: { epoch: 'e', offset: 2 }, former: ['1.1', '0.0'] })
    expect(recoveries.resume(asked, 'b')).toEqual({ position: { epoch: 'e', offset: 1 }, former: ['1.1'] })
  })

  test('goes back 16 connections in a row', () => {
    const recoveries = new Recoveries(MAX_AGE_MS, () => undefined)
    let former: readonly string[] = []
    for (let i = 0; i < 30; i++) {
      recoveries.remember(`1.${i}`, 'e', { skips: new Skips(0), former })
      former = recoveries.resume({ epoch: 'e', offset: 0, count: 0, socketId: `1.${i}` }, 'a')?.former ?? []
    }
    expect(former).toEqual(Array.from({ length: 16 }, (_, i) => `1.${29 - i}`))
  })

  test('recovers nothing that it can not tell while it had to forget some', () => {
    vi.useFakeTimers({ now: 1_000_000 })
    const recoveries = new Recoveries(MAX_AGE_MS, () => undefined)
    const skips = skipping(0, 2)
    for (let i = 0; i <= 100_000; i++) recoveries.remember(`1.${i}`, 'e', { skips, former: [] })
    expect(positionOf(recoveries, '1.0', 0)).toBeUndefined()
    expect(positionOf(recoveries, '1.1', 0)).toBe(2)
    vi.advanceTimersByTime(MAX_AGE_MS)
    expect(positionOf(recoveries, '1.0', 0)).toBe(1)
  })
})
