import * as Y from 'yjs'
import type { Compacted } from '../contracts.ts'
import { covers, type DeleteSet, encodeDeleteSet } from '../protocol/deleteSet.ts'
import { SEGMENT_BYTES, splitUpdate } from '../protocol/split.ts'
import { coversStateVector, encodeStateVector, type StateVector } from '../protocol/stateVector.ts'
import { advance, readUpdate, UNLIMITED } from '../protocol/update.ts'

/** What updates add up to. */
interface Sum {
  readonly stateVector: StateVector
  readonly deleteSet: DeleteSet
}

/**
 * Loads a room's updates into a Y.Doc with gc and encodes it anew: content that was deleted goes, state vector and
 * deletions stay. The result is loaded again and compared before it is returned; nobody else checks it before the old
 * generation is removed.
 *
 * @throws Error if the updates do not integrate completely, or the result is not the same document.
 */
export const compactUpdates = (updates: readonly Uint8Array[]): Compacted => {
  const log = sumOf(updates)
  const doc = load(updates)
  const encoded = Y.encodeStateAsUpdate(doc)
  doc.destroy()
  const result = sumOf([encoded])
  // Deletions that the log does not spell out (an overwritten key, a child of something deleted) may come on top.
  if (!sameStateVector(result.stateVector, log.stateVector) || !coversDeleteSet(result.deleteSet, log.deleteSet)) {
    throw new Error('Compaction refused: the document holds less than the updates it was made of.')
  }
  const pieces = splitUpdate(encoded, SEGMENT_BYTES)
  verify(pieces, encoded, result)
  return {
    updates: pieces,
    stateVector: encodeStateVector(result.stateVector),
    deleteSet: encodeDeleteSet(result.deleteSet),
  }
}

const createDocument = (): Y.Doc => {
  const doc = new Y.Doc({ gc: true })
  // Yjs removes superfluous format marks of nested texts after a remote change, as a change of its own. Here the
  // document must stay what the updates say.
  doc.on('afterTransaction', (transaction) => {
    transaction._needFormattingCleanup = false
  })
  return doc
}

/** In one transaction: many times faster than one for each update. */
const load = (updates: readonly Uint8Array[]): Y.Doc => {
  const doc = createDocument()
  doc.transact(() => {
    for (const update of updates) Y.applyUpdate(doc, update)
  })
  checkNothingPending(doc)
  return doc
}

const checkNothingPending = (doc: Y.Doc): void => {
  if (doc.store.pendingStructs !== null || doc.store.pendingDs !== null) {
    throw new Error('Compaction refused: the updates build on something that is not there.')
  }
}

/** As a newcomer does: one piece after the other. */
const verify = (pieces: readonly Uint8Array[], encoded: Uint8Array, expected: Sum): void => {
  const doc = createDocument()
  for (const piece of pieces) {
    Y.applyUpdate(doc, piece)
    checkNothingPending(doc)
  }
  const reencoded = Y.encodeStateAsUpdate(doc)
  doc.destroy()
  const actual = sumOf([reencoded])
  const isSame =
    sameStateVector(actual.stateVector, expected.stateVector) &&
    equalBytes(encodeDeleteSet(actual.deleteSet), encodeDeleteSet(expected.deleteSet)) &&
    (equalBytes(reencoded, encoded) || equalBytes(normalize(reencoded), normalize(encoded)))
  if (!isSame) throw new Error('Compaction refused: what was encoded loads as another document.')
}

/** Equal documents may differ in where deleted runs are cut, by the order they came in; loaded whole they do not. */
const normalize = (encoded: Uint8Array): Uint8Array => {
  const doc = load([encoded])
  const normalized = Y.encodeStateAsUpdate(doc)
  doc.destroy()
  return normalized
}

const sumOf = (updates: readonly Uint8Array[]): Sum => {
  const sum: Sum = { stateVector: new Map(), deleteSet: new Map() }
  for (const update of updates) advance(readUpdate(update, UNLIMITED), sum.stateVector, sum.deleteSet)
  return sum
}

const sameStateVector = (a: StateVector, b: StateVector): boolean => coversStateVector(a, b) && coversStateVector(b, a)

const coversDeleteSet = (whole: DeleteSet, part: DeleteSet): boolean => {
  for (const [client, ranges] of part) {
    for (let i = 0; i < ranges.length; i += 2) {
      if (!covers(whole, client, ranges[i]!, ranges[i + 1]! - ranges[i]!)) return false
    }
  }
  return true
}

const equalBytes = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0
