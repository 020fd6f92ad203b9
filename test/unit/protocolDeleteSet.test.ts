import { describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import {
  addRange,
  addRuns,
  covers,
  type DeleteSet,
  decodeDeleteSet,
  encodeDeleteSet,
} from '../../server/protocol/deleteSet.ts'
import { coversStateVector, decodeStateVector, encodeStateVector } from '../../server/protocol/stateVector.ts'
import { createRandom } from '../fuzz/random.ts'

const setOf = (...ranges: [clock: number, len: number][]): DeleteSet => {
  const deleteSet: DeleteSet = new Map()
  for (const [clock, len] of ranges) addRange(deleteSet, 1, clock, len)
  return deleteSet
}

describe('a delete set', () => {
  it('keeps ranges sorted and disjoint, and joins neighbours', () => {
    expect(setOf([0, 2], [5, 2]).get(1)).toEqual([0, 2, 5, 7])
    expect(setOf([5, 2], [0, 2]).get(1)).toEqual([0, 2, 5, 7])
    expect(setOf([0, 2], [2, 2]).get(1)).toEqual([0, 4])
    expect(setOf([2, 2], [0, 2]).get(1)).toEqual([0, 4])
    expect(setOf([0, 2], [4, 2], [2, 2]).get(1)).toEqual([0, 6])
    expect(setOf([0, 1], [2, 1], [4, 1], [8, 1], [1, 4]).get(1)).toEqual([0, 5, 8, 9])
    expect(setOf([0, 10], [2, 3]).get(1)).toEqual([0, 10])
    expect(setOf([2, 3], [6, 1], [0, 10]).get(1)).toEqual([0, 10])
    expect(setOf([4, 2], [8, 2], [3, 2]).get(1)).toEqual([3, 6, 8, 10])
  })

  it('covers what lies within one range, and nothing that reaches out of it', () => {
    const deleteSet = setOf([2, 3], [8, 2])
    expect(covers(deleteSet, 1, 2, 3)).toBe(true)
    expect(covers(deleteSet, 1, 3, 1)).toBe(true)
    expect(covers(deleteSet, 1, 8, 2)).toBe(true)
    expect(covers(deleteSet, 1, 1, 2)).toBe(false)
    expect(covers(deleteSet, 1, 4, 2)).toBe(false)
    expect(covers(deleteSet, 1, 5, 1)).toBe(false)
    expect(covers(deleteSet, 1, 4, 5)).toBe(false)
    expect(covers(deleteSet, 1, 9, 2)).toBe(false)
    expect(covers(deleteSet, 2, 2, 1)).toBe(false)
  })

  it('agrees with a plain set of clocks, range by range and in bulk', () => {
    for (let seed = 1; seed <= 60; seed++) {
      const random = createRandom(seed)
      const oneByOne: DeleteSet = new Map()
      const inBulk: DeleteSet = new Map()
      const clocks = new Set<number>()
      for (let round = 0; round < 4; round++) {
        const runs = Array.from({ length: random.between(1, 40) }, () => ({
          clock: random.between(0, 400),
          len: random.between(1, 6),
        }))
        addRuns(inBulk, 7, runs)
        for (const { clock, len } of runs) {
          addRange(oneByOne, 7, clock, len)
          for (let i = 0; i < len; i++) clocks.add(clock + i)
        }
        expect(inBulk).toEqual(oneByOne)
        for (let clock = 0; clock < 410; clock++) {
          expect(covers(inBulk, 7, clock, 1)).toBe(clocks.has(clock))
          expect(covers(inBulk, 7, clock, 3)).toBe([0, 1, 2].every((i) => clocks.has(clock + i)))
        }
      }
    }
  })

  it('takes 200,000 runs into the middle of as many within a second', () => {
    const deleteSet: DeleteSet = new Map()
    const runs = (offset: number) => Array.from({ length: 200_000 }, (_, i) => ({ clock: i * 8 + offset, len: 1 }))
    addRuns(deleteSet, 1, runs(0))
    const start = performance.now()
    addRuns(deleteSet, 1, runs(4))
    expect(performance.now() - start).toBeLessThan(1000)
    expect(deleteSet.get(1)?.length).toBe(800_000)
  })

  it('has the bytes Yjs writes, and reads what Yjs writes', () => {
    const doc = new Y.Doc()
    doc.clientID = 5
    doc.getText('t').insert(0, 'abcdefgh')
    doc.getText('t').delete(6, 1)
    doc.getText('t').delete(1, 2)
    const other = new Y.Doc()
    other.clientID = 2 ** 31
    Y.applyUpdate(other, Y.encodeStateAsUpdate(doc))
    other.getArray('a').push([1])
    other.getArray('a').delete(0)
    // A snapshot is a delete set and a state vector.
    const snapshot = Y.encodeSnapshot(Y.snapshot(other))
    const stateVector = Y.encodeStateVector(other)
    const bytes = snapshot.subarray(0, snapshot.length - stateVector.length)
    const deleteSet = decodeDeleteSet(bytes)
    expect(deleteSet).toEqual(
      new Map([
        [2 ** 31, [0, 1]],
        [5, [1, 3, 6, 7]],
      ]),
    )
    expect(encodeDeleteSet(deleteSet)).toEqual(bytes)
  })

  it('refuses bytes that are not exactly one', () => {
    const bytes = encodeDeleteSet(setOf([0, 2], [5, 2]))
    expect(() => decodeDeleteSet(bytes.subarray(0, -1))).toThrow(/ends in the middle/)
    expect(() => decodeDeleteSet(Uint8Array.of(...bytes, 0))).toThrow(/1 stray/)
  })
})

describe('a state vector', () => {
  const stateVector = new Map([
    [3, 700],
    [2 ** 32 - 1, 1],
    [40, 2 ** 40],
  ])

  it('has the bytes Yjs writes, and reads what Yjs writes', () => {
    expect(encodeStateVector(stateVector)).toEqual(Y.encodeStateVector(stateVector))
    expect(decodeStateVector(Y.encodeStateVector(stateVector))).toEqual(stateVector)
  })

  it('covers another if no client of that one is ahead', () => {
    expect(coversStateVector(stateVector, new Map([[3, 700]]))).toBe(true)
    expect(coversStateVector(stateVector, new Map([[3, 701]]))).toBe(false)
    expect(coversStateVector(stateVector, new Map([[4, 1]]))).toBe(false)
    expect(coversStateVector(stateVector, new Map([[4, 0]]))).toBe(true)
    expect(coversStateVector(new Map(), new Map())).toBe(true)
  })

  it('refuses bytes that are not exactly one', () => {
    const bytes = encodeStateVector(stateVector)
    expect(() => decodeStateVector(new Uint8Array())).toThrow(/ends in the middle/)
    expect(() => decodeStateVector(bytes.subarray(0, -1))).toThrow(/ends in the middle/)
    expect(() => decodeStateVector(Uint8Array.of(...bytes, 7))).toThrow(/1 stray/)
    expect(() => decodeStateVector(Uint8Array.of(1, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1, 1))).toThrow(
      /over 2\^53/,
    )
  })
})
