import { describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { covers, type DeleteSet } from '../../server/protocol/deleteSet.ts'
import { encodeStateVector, type StateVector } from '../../server/protocol/stateVector.ts'
import { advance, blankRuns, hasGap, isKnown, mergeUpdatesInBatches, readUpdate } from '../../server/protocol/update.ts'
import {
  type Author,
  createAuthor,
  createReader,
  hasPending,
  interleave,
  randomClientIds,
  readerOf,
  stateOf,
  writeTogether,
} from './author.ts'
import { createRandom, type Random, seeds } from './random.ts'

/** What may arrive at a server: edits one by one, merged in any choice, diffs, full states; most with gaps. */
const anyUpdate = (random: Random, authors: readonly Author[], edits: readonly Uint8Array[]): Uint8Array => {
  const author = random.pick(authors)
  switch (random.between(0, 5)) {
    case 0:
      return Y.encodeStateAsUpdate(author.doc)
    case 1:
      return Y.encodeStateAsUpdate(author.doc, Y.encodeStateVector(random.pick(authors).doc))
    case 2: {
      const merged = Y.mergeUpdates(Array.from({ length: random.between(2, 6) }, () => random.pick(edits)))
      return random.chance(0.5) ? merged : Y.diffUpdate(merged, Y.encodeStateVector(random.pick(authors).doc))
    }
    case 3: {
      const from = random.between(0, edits.length - 1)
      return Y.mergeUpdates(edits.slice(from, from + random.between(1, 10)))
    }
    default:
      return random.pick(edits)
  }
}

const deleteSetOf = (doc: Y.Doc): DeleteSet => {
  const deleteSet: DeleteSet = new Map()
  advance(readUpdate(Y.encodeStateAsUpdate(doc)), new Map(), deleteSet)
  return deleteSet
}

const isSubset = (part: DeleteSet, whole: DeleteSet): boolean =>
  [...part].every(([client, ranges]) => {
    for (let i = 0; i < ranges.length; i += 2) {
      if (!covers(whole, client, ranges[i]!, ranges[i + 1]! - ranges[i]!)) return false
    }
    return true
  })

describe('honest updates', () => {
  for (const seed of seeds(25)) {
    it(`pass the gate, and the room knows of each what a Y.Doc makes of it (seed ${seed})`, () => {
      const random = createRandom(seed)
      const authors = randomClientIds(random, random.between(1, 5)).map((id) => createAuthor(random, id))
      writeTogether(random, authors, random.between(10, 80))
      const edits = interleave(random, authors)
      if (edits.length === 0) return

      const doc = createReader()
      const stateVector: StateVector = new Map()
      const deleteSet: DeleteSet = new Map()
      const log: Uint8Array[] = []
      for (let n = 0; n < 150; n++) {
        const bytes = n < edits.length && random.chance(0.6) ? edits[n]! : anyUpdate(random, authors, edits)
        const update = readUpdate(bytes)
        if (hasGap(update, stateVector)) {
          const copy = readerOf([Y.encodeStateAsUpdate(doc)])
          Y.applyUpdate(copy, bytes)
          expect(hasPending(copy)).toBe(true)
          continue
        }
        const known = isKnown(update, stateVector, deleteSet)
        const blank = blankRuns(update, stateVector)
        const before = Y.encodeStateAsUpdate(doc)
        Y.applyUpdate(doc, bytes)
        expect(hasPending(doc)).toBe(false)
        advance(update, stateVector, deleteSet)
        expect(encodeStateVector(stateVector)).toEqual(Y.encodeStateVector(doc))
        expect(isSubset(deleteSet, deleteSetOf(doc))).toBe(true)
        expect(isKnown(update, stateVector, deleteSet)).toBe(true)
        expect(blankRuns(update, stateVector)).toEqual([])
        if (known) {
          expect(Y.encodeStateAsUpdate(doc)).toEqual(before)
          expect(blank).toEqual([])
        } else {
          log.push(bytes)
        }
      }
      // All who read the log, however it was merged, end equal.
      const inOne = readerOf([mergeUpdatesInBatches(log)])
      expect(hasPending(inOne)).toBe(false)
      expect(stateOf(inOne)).toBe(stateOf(doc))
    })
  }
})
