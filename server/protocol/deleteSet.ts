import * as decoding from 'lib0/decoding'
import * as encoding from 'lib0/encoding'
import { TuttiError } from '../../lib/errors.ts'

/**
 * Per client id the clocks that are deleted, as flat ranges `[clock, end, clock, end, …]`: sorted, disjoint, and apart
 * (neighbours are one range), `end` not included. Two numbers a range instead of an object keeps a room with a long
 * history small.
 */
export type DeleteSet = Map<number, number[]>

/** A run of deleted clocks, as Yjs reads it from an update. */
export interface DeletedRun {
  readonly clock: number
  readonly len: number
}

/** From this many runs on, one linear merge is cheaper than inserting each into the middle of an array. */
const BULK = 16

/** Adds `[clock, clock + len)`. At the end it costs a few comparisons, elsewhere a binary search and a splice. */
export const addRange = (deleteSet: DeleteSet, client: number, clock: number, len: number): void => {
  const end = clock + len
  const ranges = deleteSet.get(client)
  if (ranges === undefined) {
    deleteSet.set(client, [clock, end])
    return
  }
  const last = ranges.length - 2
  if (clock > ranges[last + 1]!) {
    ranges.push(clock, end)
    return
  }
  if (clock >= ranges[last]!) {
    if (end > ranges[last + 1]!) ranges[last + 1] = end
    return
  }
  // Ranges that touch or overlap the new one are those from the first that ends at `clock` or later
  // to the last that starts at `end` or earlier.
  const first = firstEndingAtOrAfter(ranges, clock)
  let after = first
  while (after < ranges.length && ranges[after]! <= end) after += 2
  if (after === first) {
    ranges.splice(first, 0, clock, end)
  } else if (after === first + 2) {
    if (clock < ranges[first]!) ranges[first] = clock
    if (end > ranges[first + 1]!) ranges[first + 1] = end
  } else {
    const from = Math.min(clock, ranges[first]!)
    const to = Math.max(end, ranges[after - 1]!)
    ranges.splice(first, after - first, from, to)
  }
}

/** Adds all runs of one client, in any order, overlapping or not; linear if there are many. */
export const addRuns = (deleteSet: DeleteSet, client: number, runs: readonly DeletedRun[]): void => {
  if (runs.length < BULK) {
    for (const run of runs) addRange(deleteSet, client, run.clock, run.len)
    return
  }
  const added = runs.every((run, i) => i === 0 || runs[i - 1]!.clock <= run.clock)
    ? runs
    : [...runs].sort((a, b) => a.clock - b.clock)
  const old = deleteSet.get(client) ?? []
  const merged: number[] = []
  let i = 0
  for (const { clock, len } of added) {
    while (i < old.length && old[i]! <= clock) {
      append(merged, old[i]!, old[i + 1]!)
      i += 2
    }
    append(merged, clock, clock + len)
  }
  for (; i < old.length; i += 2) append(merged, old[i]!, old[i + 1]!)
  deleteSet.set(client, merged)
}

/** Whether all of `[clock, clock + len)` is deleted. */
export const covers = (deleteSet: DeleteSet, client: number, clock: number, len: number): boolean => {
  const ranges = deleteSet.get(client)
  if (ranges === undefined) return false
  const i = firstEndingAtOrAfter(ranges, clock + len)
  return i < ranges.length && ranges[i]! <= clock
}

/** Writes a delete set as Yjs does: higher client ids first, absolute clocks. */
export const encodeDeleteSet = (deleteSet: DeleteSet): Uint8Array => {
  const encoder = encoding.createEncoder()
  encoding.writeVarUint(encoder, deleteSet.size)
  for (const client of [...deleteSet.keys()].sort((a, b) => b - a)) {
    const ranges = deleteSet.get(client)!
    encoding.writeVarUint(encoder, client)
    encoding.writeVarUint(encoder, ranges.length / 2)
    for (let i = 0; i < ranges.length; i += 2) {
      encoding.writeVarUint(encoder, ranges[i]!)
      encoding.writeVarUint(encoder, ranges[i + 1]! - ranges[i]!)
    }
  }
  return encoding.toUint8Array(encoder)
}

/**
 * Reads a Yjs delete set (V1).
 *
 * @throws TuttiError `PROTOCOL` if the bytes are not exactly one delete set.
 */
export const decodeDeleteSet = (bytes: Uint8Array): DeleteSet => {
  const deleteSet: DeleteSet = new Map()
  const decoder = decoding.createDecoder(bytes)
  try {
    for (let clients = decoding.readVarUint(decoder); clients > 0; clients--) {
      const client = decoding.readVarUint(decoder)
      const runs: DeletedRun[] = []
      for (let left = decoding.readVarUint(decoder); left > 0; left--) {
        const run = { clock: decoding.readVarUint(decoder), len: decoding.readVarUint(decoder) }
        if (run.len > 0) runs.push(run)
      }
      if (runs.length > 0) addRuns(deleteSet, client, runs)
    }
  } catch (cause) {
    throw new TuttiError('PROTOCOL', 'The delete set ends in the middle, or holds a number over 2^53.', { cause })
  }
  if (decoding.hasContent(decoder)) {
    throw new TuttiError('PROTOCOL', `The delete set is followed by ${bytes.length - decoder.pos} stray bytes.`)
  }
  return deleteSet
}

/** Adds a range that starts at or after the start of the last one. */
const append = (ranges: number[], clock: number, end: number): void => {
  const last = ranges.length - 1
  if (last < 0 || clock > ranges[last]!) ranges.push(clock, end)
  else if (end > ranges[last]!) ranges[last] = end
}

/** Index of the first range whose end is `clock` or later; the array's length if there is none. */
const firstEndingAtOrAfter = (ranges: readonly number[], clock: number): number => {
  let low = 0
  let high = ranges.length / 2
  while (low < high) {
    const middle = (low + high) >>> 1
    if (ranges[middle * 2 + 1]! < clock) low = middle + 1
    else high = middle
  }
  return low * 2
}
