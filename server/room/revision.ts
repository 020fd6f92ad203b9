/** A short name of what a document holds at one moment. */
import { createHash } from 'node:crypto'
import type { StateVector } from '../protocol/stateVector.ts'
import type { RoomLog } from './log.ts'

/** The revision of a document that nothing was ever written to. */
export const EMPTY_REVISION = '0'

const DIGEST_LENGTH = 16

/**
 * Two sums over a state vector that do not depend on its order: cheaper than to sort and encode it, which every write
 * of a back end would pay for with each client that ever wrote.
 */
const sumOf = (stateVector: StateVector): string => {
  let sum = 0
  let mixed = 0
  for (const [client, clock] of stateVector) {
    let bits = Math.imul(client, 0x9e3779b1) ^ Math.imul(Math.floor(client / 2 ** 32), 0x85ebca6b)
    bits = Math.imul(bits ^ (bits >>> 15) ^ clock, 0xc2b2ae35) ^ Math.floor(clock / 2 ** 32)
    bits ^= bits >>> 13
    sum = (sum + bits) | 0
    mixed ^= Math.imul(bits, 0x27d4eb2f)
  }
  return `${sum}:${mixed}`
}

/**
 * Visible ASCII without quotes. Another one after every change; the same one after a restart or a compaction. Only as
 * unique as what it names is durable: after a crash the numbers of what was lost are given again.
 *
 * The sequence number alone would do, but for a room that was deleted and came back with the copy of a client: its
 * numbers begin anew under the old document id.
 */
export const revisionOf = ({ documentId, isEmpty, seq, stateVector }: RoomLog): string => {
  if (isEmpty) return EMPTY_REVISION
  const hash = createHash('sha256').update(`${documentId}:${sumOf(stateVector)}`)
  return `${hash.digest('base64url').slice(0, DIGEST_LENGTH)}-${seq}`
}
