import * as encoding from 'lib0/encoding'
import * as Y from 'yjs'
import { TuttiError } from '../../lib/errors.ts'
import { addRuns, type DeleteSet, encodeDeleteSet } from './deleteSet.ts'
import { walkInOrder } from './order.ts'
import type { Struct } from './structs.ts'
import { readUpdate, UNLIMITED, type Update } from './update.ts'

/**
 * Largest stored segment and largest update in a frame, in bytes. y-websocket cuts a connection that completes no
 * frame for 30 s, so frames must be small enough for a slow link.
 */
export const SEGMENT_BYTES = 256 * 1024

/** Most bytes of a count in front of what it counts. */
const COUNT_BYTES = 5
/** Most bytes of a piece around its first struct: counts, client id and clock. */
const MAX_FRAME_BYTES = 3 * COUNT_BYTES + 2 * 8
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

/** A struct as encoded. */
interface Written {
  readonly id: Y.ID
  readonly length: number
  readonly body: Uint8Array
}

/**
 * Splits an update into updates of at most `maxBytes`, in an order in which each integrates completely after the ones
 * before it, wherever the whole does. Deletions come last. Texts and lists that are larger are cut, and grow together
 * again where they are read; a larger struct that cannot be cut (one value of a map) stands alone.
 *
 * @throws TuttiError `PROTOCOL` if the bytes are no update, or its structs wait for each other.
 */
export const splitUpdate = (bytes: Uint8Array, maxBytes: number): Uint8Array[] => {
  if (bytes.length <= maxBytes) return [bytes]
  const update = readUpdate(bytes, UNLIMITED)
  const pieces: Piece[] = [createPiece()]
  const room = (): number => maxBytes - pieces.at(-1)!.bytes

  for (const { id, length, body } of writeInOrder(update, maxBytes - MAX_FRAME_BYTES)) {
    if (costOf(pieces.at(-1)!, id, body.length) > room() && !isEmpty(pieces.at(-1)!)) pieces.push(createPiece())
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
  for (const [client, deleted] of update.deletions) addRuns(deleteSet, client, deleted)
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

/**
 * Encodes the structs one by one, in an order that integrates, cut where they are larger than `maxBytes` and can be.
 * All go into one buffer and are copied from there: how large a struct is shows by writing it.
 */
const writeInOrder = ({ structs, runs }: Update, maxBytes: number): Written[] => {
  const encoder = new Y.UpdateEncoderV1()
  const written: { id: Y.ID; length: number; start: number; end: number }[] = []
  const write = (struct: Struct): void => {
    const start = encoding.length(encoder.restEncoder)
    struct.write(encoder, 0)
    const end = encoding.length(encoder.restEncoder)
    const halves = end - start > maxBytes ? halve(struct) : undefined
    if (halves === undefined) written.push({ id: struct.id, length: struct.length, start, end })
    else for (const half of halves) write(half)
  }
  // What the document has at least, if the update fits it: of the update's own clients all before their last run.
  const states = new Map(runs.map(({ client, from }) => [client, from]))
  const stateOf = (client: number): number => states.get(client) ?? Number.POSITIVE_INFINITY
  if (!walkInOrder(structs, runs, stateOf, (index) => write(structs[index]!))) {
    throw new TuttiError('PROTOCOL', 'The update cannot be split: its structs wait for each other.')
  }
  const buffer = encoder.toUint8Array()
  return written.map(({ id, length, start, end }) => ({ id, length, body: buffer.subarray(start, end) }))
}

/**
 * Cuts a text or list in the middle, as Yjs does when someone writes there: the right half builds on the end of the
 * left. The struct itself is used up. `undefined` if it cannot be cut.
 */
const halve = (struct: Struct): [Y.Item, Y.Item] | undefined => {
  if (struct.constructor !== Y.Item) return undefined
  const { id, origin, rightOrigin, parent, parentSub, length, content } = struct as Y.Item
  let middle = length >>> 1
  if (content instanceof Y.ContentString) {
    // Between two surrogates a cut would make replacement characters of both.
    const code = content.str.charCodeAt(middle - 1)
    if (code >= 0xd800 && code <= 0xdbff) middle--
  } else if (!(content instanceof Y.ContentAny || content instanceof Y.ContentJSON)) {
    return undefined
  }
  if (middle === 0) return undefined
  const right = content.splice(middle)
  const beforeRight = Y.createID(id.client, id.clock + middle - 1)
  return [
    new Y.Item(id, null, origin, null, rightOrigin, parent, parentSub, content),
    new Y.Item(
      Y.createID(id.client, id.clock + middle),
      null,
      beforeRight,
      null,
      rightOrigin,
      parent,
      parentSub,
      right,
    ),
  ]
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
