import * as encoding from 'lib0/encoding'
import * as Y from 'yjs'
import { TuttiError } from '../../lib/errors.ts'
import { addRuns, type DeleteSet, encodeDeleteSet } from './deleteSet.ts'
import { walkInOrder } from './order.ts'
import { readUpdate, UNLIMITED } from './update.ts'

/**
 * Largest stored segment and largest update in a frame, in bytes. y-websocket cuts a connection that completes no
 * frame for 30 s, so frames must be small enough for a slow link.
 */
export const SEGMENT_BYTES = 256 * 1024

/** Most bytes of a count in front of what it counts. */
const COUNT_BYTES = 5
/** Info byte of a Skip struct. */
const SKIP = 10

/** Part of a client's structs in one piece. */
interface Section {
  readonly client: number
  readonly clock: number
  readonly body: encoding.Encoder
  structs: number
  /** Clock that the next struct continues at. */
  next: number
}

interface Piece {
  readonly sections: Map<number, Section>
  readonly deletions: DeleteSet
  /** Length when encoded, or a little more. */
  bytes: number
}

/**
 * Splits an update into updates of at most `maxBytes`, in an order in which each integrates completely after the ones
 * before it, wherever the whole does. It is cut between structs: a single larger struct stands alone. Deletions come
 * last.
 *
 * @throws TuttiError `PROTOCOL` if the bytes are no update, or its structs wait for each other.
 */
export const splitUpdate = (bytes: Uint8Array, maxBytes: number): Uint8Array[] => {
  if (bytes.length <= maxBytes) return [bytes]
  const { structs, runs, deletions } = readUpdate(bytes, UNLIMITED)
  const pieces: Piece[] = [createPiece()]
  const room = (): number => maxBytes - pieces.at(-1)!.bytes

  // All structs are written into one buffer, in order, and copied from there: a struct's size is known by writing it.
  const encoder = new Y.UpdateEncoderV1()
  const order: number[] = []
  const ends: number[] = []
  // What the document has at least, if the update fits it: of the update's own clients all before their last run.
  const states = new Map(runs.map(({ client, from }) => [client, from]))
  const isOrdered = walkInOrder(
    structs,
    runs,
    (client) => states.get(client) ?? Number.POSITIVE_INFINITY,
    (index) => {
      structs[index]!.write(encoder, 0)
      order.push(index)
      ends.push(encoding.length(encoder.restEncoder))
    },
  )
  if (!isOrdered) throw new TuttiError('PROTOCOL', 'The update cannot be split: its structs wait for each other.')
  const written = encoder.toUint8Array()

  let start = 0
  for (const [i, index] of order.entries()) {
    const { id, length } = structs[index]!
    const body = written.subarray(start, ends[i])
    start = ends[i]!
    if (costOf(pieces.at(-1)!, id, body.length) > room() && pieces.at(-1)!.sections.size > 0) pieces.push(createPiece())
    const piece = pieces.at(-1)!
    piece.bytes += costOf(piece, id, body.length)
    let section = piece.sections.get(id.client)
    if (section === undefined) {
      section = { client: id.client, clock: id.clock, body: encoding.createEncoder(), structs: 0, next: id.clock }
      piece.sections.set(id.client, section)
    }
    if (section.next < id.clock) {
      encoding.writeUint8(section.body, SKIP)
      encoding.writeVarUint(section.body, id.clock - section.next)
      section.structs++
    }
    encoding.writeUint8Array(section.body, body)
    section.structs++
    section.next = id.clock + length
  }

  const deleteSet: DeleteSet = new Map()
  for (const [client, deleted] of deletions) addRuns(deleteSet, client, deleted)
  for (const [client, ranges] of deleteSet) {
    for (let i = 0; i < ranges.length; i += 2) {
      const clock = ranges[i]!
      const end = ranges[i + 1]!
      const cost = varUintBytes(clock) + varUintBytes(end - clock)
      const header = COUNT_BYTES + varUintBytes(client)
      if (cost + (pieces.at(-1)!.deletions.has(client) ? 0 : header) > room() && !isEmpty(pieces.at(-1)!)) {
        pieces.push(createPiece())
      }
      const piece = pieces.at(-1)!
      const taken = piece.deletions.get(client)
      piece.bytes += taken ? cost : cost + header
      if (taken) taken.push(clock, end)
      else piece.deletions.set(client, [clock, end])
    }
  }
  return pieces.map(encodePiece)
}

const createPiece = (): Piece => ({ sections: new Map(), deletions: new Map(), bytes: 2 * COUNT_BYTES })

const isEmpty = (piece: Piece): boolean => piece.sections.size === 0 && piece.deletions.size === 0

/** Bytes that a struct adds to a piece. */
const costOf = (piece: Piece, id: Y.ID, bodyBytes: number): number => {
  const section = piece.sections.get(id.client)
  if (section === undefined) return COUNT_BYTES + varUintBytes(id.client) + varUintBytes(id.clock) + bodyBytes
  return section.next < id.clock ? 1 + varUintBytes(id.clock - section.next) + bodyBytes : bodyBytes
}

const encodePiece = (piece: Piece): Uint8Array => {
  const encoder = encoding.createEncoder()
  encoding.writeVarUint(encoder, piece.sections.size)
  for (const section of [...piece.sections.values()].sort((a, b) => b.client - a.client)) {
    encoding.writeVarUint(encoder, section.structs)
    encoding.writeVarUint(encoder, section.client)
    encoding.writeVarUint(encoder, section.clock)
    encoding.writeBinaryEncoder(encoder, section.body)
  }
  encoding.writeUint8Array(encoder, encodeDeleteSet(piece.deletions))
  return encoding.toUint8Array(encoder)
}

const varUintBytes = (value: number): number => {
  let bytes = 1
  for (let rest = value; rest > 127; rest = Math.floor(rest / 128)) bytes++
  return bytes
}
