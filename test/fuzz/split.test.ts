import { describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { splitUpdate } from '../../server/protocol/split.ts'
import { hasGap, mergeUpdatesInBatches, readUpdate } from '../../server/protocol/update.ts'
import { compactUpdates } from '../../server/room/compact.ts'
import { createAuthor, hasPending, interleave, randomClientIds, readerOf, stateOf, writeTogether } from './author.ts'
import { createRandom, seeds } from './random.ts'

describe('random documents', () => {
  for (const seed of seeds(60)) {
    it(`come out of splitting and compaction as they went in (seed ${seed})`, () => {
      const random = createRandom(seed)
      const authors = randomClientIds(random, random.between(1, 6)).map((id) =>
        createAuthor(random, id, { gc: random.chance(0.5) }),
      )
      writeTogether(random, authors, random.between(5, 40))
      const base = readerOf(authors.map(({ doc }) => Y.encodeStateAsUpdate(doc)))
      writeTogether(random, authors, random.between(20, 120))
      const whole = mergeUpdatesInBatches(
        authors.map(({ doc }) =>
          Y.encodeStateAsUpdate(doc, random.chance(0.7) ? Y.encodeStateVector(base) : undefined),
        ),
      )
      const expected = readerOf([Y.encodeStateAsUpdate(base), whole])
      expect(hasPending(expected)).toBe(false)

      const maxBytes = random.pick([40, 150, 600, 3000])
      const pieces = splitUpdate(whole, maxBytes)
      const doc = readerOf([Y.encodeStateAsUpdate(base)])
      for (const piece of pieces) {
        const { structs, runs } = readUpdate(piece)
        expect(hasGap({ ...readUpdate(piece), structs, runs }, Y.decodeStateVector(Y.encodeStateVector(doc)))).toBe(
          false,
        )
        Y.applyUpdate(doc, piece)
        expect(hasPending(doc)).toBe(false)
        if (piece.length > maxBytes) expect(structs.length).toBe(1)
      }
      expect(stateOf(doc)).toBe(stateOf(expected))

      const log = [Y.encodeStateAsUpdate(base), ...pieces]
      const compacted = compactUpdates(log)
      expect(stateOf(readerOf(compacted.updates))).toBe(stateOf(doc))
      expect(compacted.stateVector).toEqual(Y.encodeStateVector(doc))

      // The raw edits in the order in which they came, and compacted twice, are the same document.
      const edits = interleave(random, authors)
      const all = readerOf([...edits, Y.encodeStateAsUpdate(expected)])
      expect(stateOf(readerOf(compactUpdates([...edits, whole, ...compacted.updates]).updates))).toBe(stateOf(all))
    })
  }
})
