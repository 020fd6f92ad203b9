import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { batch, computed, effect, isTracking, Signal, signal, untracked } from '../../lib/store/reactive.ts'

/** Errors of effects are thrown in tasks of their own; the tests run these tasks. */
const uncaught = (): unknown[] => {
  const errors: unknown[] = []
  for (;;) {
    try {
      vi.runAllTimers()
      return errors
    } catch (error) {
      errors.push(error)
    }
  }
}

beforeEach(() => {
  vi.useFakeTimers()
})

afterEach(() => {
  expect(uncaught()).toEqual([])
  vi.useRealTimers()
})

/** A signal that counts how often it gained its first reader and lost its last. */
class Watched extends Signal<number> {
  readonly log: string[] = []

  protected override watched(): void {
    this.log.push('watched')
  }

  protected override unwatched(): void {
    this.log.push('unwatched')
  }
}

describe('an effect', () => {
  test('runs at once and after every change of what it read', () => {
    const count = signal(1)
    const seen: number[] = []
    effect(() => {
      seen.push(count.value)
    })
    count.value = 2
    count.value = 2
    count.value = 3
    expect(seen).toEqual([1, 2, 3])
  })

  test('depends on what its last run read, and on nothing else', () => {
    const isFirst = signal(true)
    const first = new Watched(1)
    const second = new Watched(10)
    const seen: number[] = []
    effect(() => {
      seen.push(isFirst.value ? first.value : second.value)
    })
    second.value = 11
    isFirst.value = false
    first.value = 2
    second.value = 12
    isFirst.value = true
    expect(seen).toEqual([1, 11, 12, 2])
    expect(first.log).toEqual(['watched', 'unwatched', 'watched'])
    expect(second.log).toEqual(['watched', 'unwatched'])
  })

  test('does not run again for a change that was taken back before the batch ended', () => {
    const count = signal(1)
    const run = vi.fn(() => void count.value)
    effect(run)
    batch(() => {
      count.value = 2
      count.value = 1
    })
    expect(run).toHaveBeenCalledTimes(1)
  })

  test('cleans up before the next run and at the end, untracked', () => {
    const count = signal(0)
    const other = signal(0)
    const log: string[] = []
    const end = effect(() => {
      const now = count.value
      log.push(`run ${now}`)
      return () => log.push(`clean ${now} ${other.value}`)
    })
    count.value = 1
    other.value = 1
    end()
    end()
    count.value = 2
    expect(log).toEqual(['run 0', 'clean 0 0', 'run 1', 'clean 1 1'])
  })

  test('that another ends while it runs leaves it nothing of what its clean-up reads', () => {
    const other = new Watched(0)
    const end = effect(() => () => other.value)
    const run = vi.fn(() => end())
    effect(run)
    other.value = 1
    expect(run).toHaveBeenCalledTimes(1)
    expect(other.log).toEqual([])
  })

  test('can end itself while it runs, keeps no source and cleans up', () => {
    const before = new Watched(0)
    const after = new Watched(0)
    const log: string[] = []
    let end = (): void => undefined
    end = effect(() => {
      log.push(`run ${before.value}`)
      if (before.value === 1) end()
      void after.value
      return () => log.push('clean')
    })
    before.value = 1
    before.value = 2
    after.value = 1
    expect(log).toEqual(['run 0', 'clean', 'run 1', 'clean'])
    expect(before.log).toEqual(['watched', 'unwatched'])
    expect(after.log).toEqual(['watched', 'unwatched'])
  })

  test('is not run where an earlier one of the same batch ended it', () => {
    const count = signal(0)
    const seen: string[] = []
    let endSecond = (): void => undefined
    effect(() => {
      seen.push(`first ${count.value}`)
      if (count.value > 0) endSecond()
    })
    endSecond = effect(() => {
      seen.push(`second ${count.value}`)
    })
    count.value = 1
    expect(seen).toEqual(['first 0', 'second 0', 'first 1'])
  })

  test('runs again after it changed what it reads, until it changes nothing', () => {
    const count = signal(0)
    const seen: number[] = []
    effect(() => {
      seen.push(count.value)
      if (count.value < 3) count.value++
    })
    expect(seen).toEqual([0, 1, 2, 3])
  })

  test('sees what it wrote itself as known if it read it after that', () => {
    const count = signal(0)
    const run = vi.fn(() => {
      count.value = 5
      void count.value
    })
    effect(run)
    expect(run).toHaveBeenCalledTimes(1)
  })

  test('is stopped by an error of its own where it would change what it reads without end', () => {
    const count = signal(0)
    const other = vi.fn(() => void count.value)
    effect(other)
    effect(() => {
      count.value++
    })
    expect(uncaught()).toEqual([expect.objectContaining({ message: expect.stringContaining('depends on itself') })])
    const runs = other.mock.calls.length
    expect(runs).toBeLessThan(200)
    // Others go on, also later.
    const fresh = signal(0)
    const seen: number[] = []
    effect(() => {
      seen.push(fresh.value)
    })
    fresh.value = 1
    expect(seen).toEqual([0, 1])
  })

  test('within another is one of its own', () => {
    const outer = signal(0)
    const inner = signal(0)
    const log: string[] = []
    effect(() => {
      log.push(`outer ${outer.value}`)
      const end = effect(() => {
        log.push(`inner ${inner.value}`)
      })
      return end
    })
    inner.value = 1
    outer.value = 1
    inner.value = 2
    expect(log).toEqual(['outer 0', 'inner 0', 'inner 1', 'outer 1', 'inner 1', 'inner 2'])
  })

  test('runs in the order of subscription', () => {
    const count = signal(0)
    const log: number[] = []
    for (const number of [1, 2, 3]) {
      effect(() => {
        void count.value
        log.push(number)
      })
    }
    count.value = 1
    expect(log).toEqual([1, 2, 3, 1, 2, 3])
  })
})

describe('an error', () => {
  test('of the first run reaches the caller, and the effect is none', () => {
    const count = new Watched(0)
    expect(() =>
      effect(() => {
        void count.value
        throw new Error('first')
      }),
    ).toThrow('first')
    count.value = 1
    expect(count.log).toEqual(['watched', 'unwatched'])
  })

  test('of a later run stops neither the writer nor the others, and the effect stays', () => {
    const count = signal(0)
    const seen: number[] = []
    effect(() => {
      if (count.value === 1) throw new Error('later')
    })
    effect(() => {
      seen.push(count.value)
    })
    effect(() => {
      if (count.value === 1) throw new Error('last')
    })
    count.value = 1
    expect(seen).toEqual([0, 1])
    expect(uncaught()).toEqual([new Error('later'), new Error('last')])
    count.value = 0
    count.value = 1
    expect(uncaught()).toHaveLength(2)
  })

  test('of a clean-up is reported, and the effect runs again at the next change', () => {
    const count = signal(0)
    const seen: number[] = []
    effect(() => {
      seen.push(count.value)
      return () => {
        if (count.peek() === 1) throw new Error('clean')
      }
    })
    count.value = 1
    expect(uncaught()).toEqual([new Error('clean')])
    count.value = 2
    expect(seen).toEqual([0, 2])
  })

  test('in a batch reaches its caller after the effects ran', () => {
    const count = signal(0)
    const seen: number[] = []
    effect(() => {
      seen.push(count.value)
    })
    expect(() =>
      batch(() => {
        count.value = 1
        throw new Error('batch')
      }),
    ).toThrow('batch')
    expect(seen).toEqual([0, 1])
  })

  test('of a computed value is thrown by every reading, computed once, and gone when it computes again', () => {
    const count = signal(0)
    const compute = vi.fn(() => {
      if (count.value === 0) throw new Error('zero')
      return count.value
    })
    const value = computed(compute)
    expect(() => value.value).toThrow('zero')
    expect(() => value.peek()).toThrow('zero')
    expect(compute).toHaveBeenCalledTimes(1)
    const seen: unknown[] = []
    effect(() => {
      try {
        seen.push(value.value)
      } catch (error) {
        seen.push((error as Error).message)
      }
    })
    count.value = 1
    count.value = 0
    expect(seen).toEqual(['zero', 1, 'zero'])
  })

  test('leaves the reading computation as it was', () => {
    const count = signal(0)
    const seen: number[] = []
    effect(() => {
      expect(() =>
        untracked(() => {
          throw new Error('x')
        }),
      ).toThrow()
      expect(() =>
        effect(() => {
          throw new Error('y')
        }),
      ).toThrow()
      seen.push(count.value)
    })
    expect(isTracking()).toBe(false)
    count.value = 1
    expect(seen).toEqual([0, 1])
  })
})

describe('a computed value', () => {
  test('is computed when it is asked for, and again only after something it read has changed', () => {
    const a = signal(1)
    const unrelated = signal(1)
    const compute = vi.fn(() => a.value * 2)
    const double = computed(compute)
    expect(compute).not.toHaveBeenCalled()
    expect([double.value, double.value]).toEqual([2, 2])
    unrelated.value = 2
    expect(double.value).toBe(2)
    expect(compute).toHaveBeenCalledTimes(1)
    a.value = 2
    expect(compute).toHaveBeenCalledTimes(1)
    expect(double.value).toBe(4)
    expect(compute).toHaveBeenCalledTimes(2)
  })

  test('is known to its sources only while somebody follows it', () => {
    const a = new Watched(1)
    const inner = computed(() => a.value + 1)
    const outer = computed(() => inner.value + 1)
    expect(outer.value).toBe(3)
    expect(a.log).toEqual([])
    const ends = [outer.subscribe(() => undefined), outer.subscribe(() => undefined)]
    expect(a.log).toEqual(['watched'])
    ends[0]?.()
    expect(a.log).toEqual(['watched'])
    ends[1]?.()
    expect(a.log).toEqual(['watched', 'unwatched'])
    a.value = 5
    expect(outer.value).toBe(7)
  })

  test('that somebody followed and nobody follows any more misses no change', () => {
    const a = signal(1)
    const double = computed(() => a.value * 2)
    double.subscribe(() => undefined)()
    a.value = 2
    expect(double.value).toBe(4)
    const seen: number[] = []
    double.subscribe((value) => seen.push(value))
    a.value = 3
    expect(seen).toEqual([4, 6])
  })

  test('that comes out equal runs nothing behind it', () => {
    const count = signal(1)
    const isEven = computed(() => count.value % 2 === 0)
    const text = vi.fn(() => (isEven.value ? 'even' : 'odd'))
    const word = computed(text)
    const run = vi.fn(() => void word.value)
    effect(run)
    count.value = 3
    expect([text, run].map((each) => each.mock.calls.length)).toEqual([1, 1])
    count.value = 4
    expect([text, run].map((each) => each.mock.calls.length)).toEqual([2, 2])
  })

  test('that needs itself throws instead of going on for ever, directly and by others', () => {
    const self: { readonly value: number } = computed(() => self.value + 1)
    expect(() => self.value).toThrow('depends on itself')
    const a: { readonly value: number } = computed(() => b.value + 1)
    const b: { readonly value: number } = computed(() => a.value + 1)
    expect(() => a.value).toThrow('depends on itself')
    expect(() => effect(() => void b.value)).toThrow('depends on itself')
  })

  test('reads fresh values within a batch', () => {
    const a = signal(1)
    const double = computed(() => a.value * 2)
    double.subscribe(() => undefined)
    batch(() => {
      a.value = 2
      expect(double.value).toBe(4)
      a.value = 3
      expect(double.value).toBe(6)
    })
  })

  test('changes its sources with what it reads', () => {
    const which = signal(true)
    const a = new Watched(1)
    const b = new Watched(2)
    const seen: number[] = []
    computed(() => (which.value ? a.value : b.value)).subscribe((value) => seen.push(value))
    which.value = false
    a.value = 10
    b.value = 20
    expect(seen).toEqual([1, 2, 20])
    expect([a.log, b.log]).toEqual([['watched', 'unwatched'], ['watched']])
  })

  test('is not asked where an earlier source already decides', () => {
    // The guard keeps the second computation from running on what it was not made for.
    const items = signal<number[] | undefined>([1])
    const first = computed(() => items.value?.[0] as number)
    const has = computed(() => items.value !== undefined)
    const seen: unknown[] = []
    const strict = computed(() => {
      if (items.value === undefined) throw new Error('asked without items')
      return first.value
    })
    effect(() => {
      seen.push(has.value ? strict.value : 'none')
    })
    items.value = undefined
    items.value = [2]
    expect(seen).toEqual([1, 'none', 2])
  })
})

describe('no glitch', () => {
  test('two ways to one effect run it once, on values that belong together', () => {
    const a = signal(1)
    const double = computed(() => a.value * 2)
    const triple = computed(() => a.value * 3)
    const sum = computed(() => double.value + triple.value)
    const seen: string[] = []
    effect(() => {
      seen.push(`${a.value} ${double.value} ${triple.value} ${sum.value}`)
    })
    a.value = 2
    expect(seen).toEqual(['1 2 3 5', '2 4 6 10'])
  })

  test('a ladder of diamonds computes each step once', () => {
    const start = signal(0)
    let computations = 0
    let last: { readonly value: number } = start
    for (let step = 0; step < 60; step++) {
      const below = last
      const left = computed(() => {
        computations++
        return below.value + 1
      })
      const right = computed(() => {
        computations++
        return below.value + 1
      })
      last = computed(() => Math.max(left.value, right.value))
    }
    expect(last.value).toBe(60)
    expect(computations).toBe(120)
    const seen: number[] = []
    effect(() => {
      seen.push(last.value)
    })
    start.value = 1
    expect(seen).toEqual([60, 61])
    expect(computations).toBe(240)
  })

  test('random programs agree with computing everything anew', () => {
    const seed = 20_251
    let state = seed
    const random = (below: number): number => {
      state = (state * 48_271) % 0x7fffffff
      return state % below
    }
    for (let round = 0; round < 60; round++) {
      const signals = Array.from({ length: 4 }, () => signal(random(5)))
      const plain: (() => number)[] = signals.map((each) => () => each.peek())
      const live: { readonly value: number }[] = [...signals]
      for (let made = 0; made < 8; made++) {
        const [x, y, z] = [random(live.length), random(live.length), random(live.length)] as const
        const readPlain = (index: number): number => plain[index]?.() ?? 0
        const readLive = (index: number): number => live[index]?.value ?? 0
        // The condition makes the sources change from run to run.
        live.push(computed(() => (readLive(x) % 2 === 0 ? readLive(y) : readLive(z) + 1) % 7))
        plain.push(() => (readPlain(x) % 2 === 0 ? readPlain(y) : readPlain(z) + 1) % 7)
      }
      const shown = new Map<number, number>()
      const runs = new Map<number, number>()
      const ends = live.map((each, index) =>
        effect(() => {
          shown.set(index, each.value)
          runs.set(index, (runs.get(index) ?? 0) + 1)
        }),
      )
      const ended = new Set<number>()
      for (let change = 0; change < 20; change++) {
        const before = new Map(shown)
        runs.clear()
        batch(() => {
          for (let count = random(3); count >= 0; count--) {
            const target = signals[random(signals.length)] as Signal<number>
            target.value = random(5)
          }
        })
        plain.forEach((compute, index) => {
          if (ended.has(index)) return
          const value = compute()
          expect(shown.get(index), `seed ${seed}, round ${round}`).toBe(value)
          expect(runs.get(index) ?? 0, `seed ${seed}, round ${round}`).toBe(before.get(index) === value ? 0 : 1)
        })
        // One of them follows no longer, perhaps the only one that kept a computed value live.
        const index = random(ends.length)
        ends[index]?.()
        ended.add(index)
      }
      for (const end of ends) end()
    }
  })
})

describe('batch, untracked, peek and subscribe', () => {
  test('nested batches run effects once, when the outermost ends', () => {
    const a = signal(0)
    const b = signal(0)
    const seen: number[] = []
    effect(() => {
      seen.push(a.value + b.value)
    })
    const result = batch(() => {
      a.value = 1
      batch(() => {
        b.value = 1
      })
      expect(seen).toEqual([0])
      return 'result'
    })
    expect(seen).toEqual([0, 2])
    expect(result).toBe('result')
  })

  test('writes of one effect are one batch for the others', () => {
    const start = signal(0)
    const a = signal(0)
    const b = signal(0)
    const seen: string[] = []
    effect(() => {
      seen.push(`${a.value} ${b.value}`)
    })
    effect(() => {
      a.value = start.value
      b.value = start.value
    })
    start.value = 1
    expect(seen).toEqual(['0 0', '1 1'])
  })

  test('peek and untracked record nothing, within a computed value too', () => {
    const a = new Watched(1)
    const sum = computed(() => a.peek() + untracked(() => a.value))
    const run = vi.fn(() => void sum.value)
    effect(run)
    a.value = 2
    expect(run).toHaveBeenCalledTimes(1)
    expect(a.log).toEqual([])
  })

  test('subscribe gives the value now and after each change; what the listener reads does not count', () => {
    const a = signal(1)
    const other = signal(1)
    const seen: number[] = []
    const end = a.subscribe((value) => {
      seen.push(value + 0 * other.value)
    })
    other.value = 2
    a.value = 2
    end()
    a.value = 3
    expect(seen).toEqual([1, 2])
  })

  test('isTracking tells whether a read would be recorded', () => {
    const seen: boolean[] = [isTracking()]
    void computed(() => seen.push(isTracking())).value
    effect(() => {
      seen.push(isTracking(), untracked(isTracking))
    })
    seen.push(isTracking())
    expect(seen).toEqual([false, true, true, false, false])
  })
})

test('of 10,000 effects one change runs one, one batch runs each once, and all can end', () => {
  const count = 10_000
  const signals = Array.from({ length: count }, () => new Watched(0))
  const all = signal(0)
  let runs = 0
  const ends = signals.map((each) =>
    effect(() => {
      void each.value
      void all.value
      runs++
    }),
  )
  const runsOf = (change: () => void): number => {
    const before = runs
    change()
    return runs - before
  }
  expect(runs).toBe(count)
  const change = (each: Watched): void => {
    each.value++
  }
  expect(runsOf(() => signals.slice(5000, 5001).forEach(change))).toBe(1)
  expect(runsOf(() => batch(() => signals.forEach(change)))).toBe(count)
  expect(runsOf(() => all.value++)).toBe(count)
  for (const end of ends) end()
  expect(runsOf(() => all.value++)).toBe(0)
  expect(new Set(signals.map((each) => each.log.join()))).toEqual(new Set(['watched,unwatched']))
})

test('a chain of 500 computed values fits the stack', () => {
  const start = signal(0)
  let last: { readonly value: number } = start
  for (let step = 0; step < 500; step++) {
    const below = last
    last = computed(() => below.value + 1)
  }
  const seen: number[] = []
  effect(() => {
    seen.push(last.value)
  })
  start.value = 1
  expect(seen).toEqual([500, 501])
})
