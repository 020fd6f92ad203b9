import * as decoding from 'lib0/decoding'
import * as encoding from 'lib0/encoding'
import { TuttiError } from '../../lib/errors.ts'

/** Per client id the next clock: everything below it is known. A client that is not in the map has clock 0. */
export type StateVector = Map<number, number>

/**
 * Reads a Yjs state vector.
 *
 * @throws TuttiError `PROTOCOL` if the bytes are not exactly one state vector.
 */
export const decodeStateVector = (bytes: Uint8Array): StateVector => {
  const stateVector: StateVector = new Map()
  const decoder = decoding.createDecoder(bytes)
  try {
    for (let left = decoding.readVarUint(decoder); left > 0; left--) {
      stateVector.set(decoding.readVarUint(decoder), decoding.readVarUint(decoder))
    }
  } catch (cause) {
    throw new TuttiError('PROTOCOL', 'The state vector ends in the middle, or holds a number over 2^53.', { cause })
  }
  if (decoding.hasContent(decoder)) {
    throw new TuttiError('PROTOCOL', `The state vector is followed by ${bytes.length - decoder.pos} stray bytes.`)
  }
  return stateVector
}

/** Writes a state vector as Yjs does: higher client ids first, so that equal vectors are equal bytes. */
export const encodeStateVector = (stateVector: StateVector): Uint8Array => {
  const encoder = encoding.createEncoder()
  encoding.writeVarUint(encoder, stateVector.size)
  for (const client of [...stateVector.keys()].sort((a, b) => b - a)) {
    encoding.writeVarUint(encoder, client)
    encoding.writeVarUint(encoder, stateVector.get(client)!)
  }
  return encoding.toUint8Array(encoder)
}

/** Whether who knows `a` knows all that `b` counts. */
export const coversStateVector = (a: StateVector, b: StateVector): boolean => {
  for (const [client, clock] of b) {
    if (clock > (a.get(client) ?? 0)) return false
  }
  return true
}
