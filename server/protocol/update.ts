/**
 * Yjs updates (V1) without a Y.Doc: the gate every update passes before it is stored or relayed, and the questions a
 * room asks about an update given only its state vector and delete set.
 *
 * Why a gate: a log server stores and relays bytes as they came. An update that Yjs cannot integrate makes every
 * reader of the log throw, and whatever was merged behind it is lost for all of them.
 */
import type * as decoding from 'lib0/decoding'
import * as encoding from 'lib0/encoding'
import * as Y from 'yjs'
import { TuttiError } from '../../lib/errors.ts'
import { EMPTY_UPDATE } from '../../lib/protocol.ts'
import { MAX_CLOCK, MAX_DEPTH, nestsWithin } from './bounds.ts'
import { addRange, addRuns, covers, type DeletedRun, type DeleteSet, encodeDeleteSet } from './deleteSet.ts'
import { walkInOrder } from './order.ts'
import type { StateVector } from './stateVector.ts'
import type { Run, Struct } from './structs.ts'

export type { Run, Struct }

export interface UpdateLimits {
  /** Longest GC or Deleted struct, in clocks. Default 2^20. */
  maxRun?: number
  /** Most structs, skips included; a struct of two bytes costs about 100 bytes of memory. Default 2^20. */
  maxStructs?: number
  /** Most subdocuments; each costs a whole Y.Doc already when it is read. Default 10,000. */
  maxSubdocuments?: number
}

/** For updates that this server made or already took: stored ones may hold longer runs, merged from shorter ones. */
export const UNLIMITED: Required<UpdateLimits> = {
  maxRun: Number.POSITIVE_INFINITY,
  maxStructs: Number.POSITIVE_INFINITY,
  maxSubdocuments: Number.POSITIVE_INFINITY,
}

/** An update that passed the gate. */
export interface Update {
  readonly bytes: Uint8Array
  /** As decoded by Yjs: higher client ids first, per client in the order of clocks. */
  readonly structs: readonly Struct[]
  /** Higher client ids first; a client has several only where Skip structs stand between. */
  readonly runs: readonly Run[]
  /** GC and Deleted structs, flat: `[client, clock, end, …]`. */
  readonly blanks: readonly number[]
  /** Per client the highest clock that structs of other clients build on. */
  readonly needs: ReadonlyMap<number, number> | undefined
  /** Deletions, as decoded by Yjs: per client, usually sorted and disjoint. */
  readonly deletions: ReadonlyMap<number, readonly DeletedRun[]>
}

const MAX_RUN = 2 ** 20
const MAX_STRUCTS = 2 ** 20
const MAX_SUBDOCUMENTS = 10_000

/** `mergeUpdates` is superlinear in the number of its inputs. */
const MERGE_BATCH = 64

const REF_JSON = 2
const REF_EMBED = 5
const REF_FORMAT = 6
const REF_ANY = 8
const REF_DOC = 9

const NONE: readonly number[] = []

const ignore = (): void => undefined

const refuse = (reason: string, cause?: unknown): TuttiError =>
  new TuttiError('PROTOCOL', `The update is refused: ${reason}.`, {
    hint: 'Send updates as Yjs 13 encodes them (V1), unchanged.',
    cause,
  })

/** What the running decode may use. Yjs makes the decoder itself, so its limits and the decoder pass by here. */
const gate = { maxStructs: MAX_STRUCTS, maxSubdocuments: MAX_SUBDOCUMENTS, decoder: undefined as Gate | undefined }

/** Yjs' own reader with a look at the places that `decodeUpdate` does not report. */
class Gate extends Y.UpdateDecoderV1 {
  private previousClient = Number.POSITIVE_INFINITY
  private structs = 0
  private subdocuments = 0
  private isDocument = false

  constructor(decoder: decoding.Decoder) {
    super(decoder)
    gate.decoder = this
  }

  // Called once per client section. A second section of a client replaces the first in `applyUpdate`, but not in
  // `mergeUpdates`; a section with a higher id than the one before is lost by `mergeUpdates`, which relies on the order.
  override readClient(): number {
    const client = super.readClient()
    if (client > Number.MAX_SAFE_INTEGER) throw refuse(`client id ${client} is over 2^53`)
    if (client === this.previousClient) throw refuse(`it has two sections of client ${client}`)
    if (client > this.previousClient) {
      throw refuse(
        `the section of client ${client} stands after the one of ${this.previousClient}; higher ids go first`,
      )
    }
    this.previousClient = client
    return client
  }

  override readInfo(): number {
    if (++this.structs > gate.maxStructs) throw refuse(`it has more than ${gate.maxStructs} structs`)
    const byte = super.readInfo()
    this.isDocument = (byte & 31) === REF_DOC
    if (this.isDocument && ++this.subdocuments > gate.maxSubdocuments) {
      throw refuse(`it has more than ${gate.maxSubdocuments} subdocuments`)
    }
    return byte
  }

  // The options of a subdocument may hold another guid, which would win: not a string, and nobody can encode the
  // document any more; undefined, and every reader makes up its own.
  override readAny(): unknown {
    const value: unknown = super.readAny()
    if (this.isDocument && typeof value === 'object' && value !== null && 'guid' in value) {
      throw refuse('the options of a subdocument hold a guid')
    }
    return value
  }
}

/**
 * The gate. Takes every update that a Yjs client makes, and refuses what would make a reader throw, read something
 * else than another reader, or lose what is merged with it.
 *
 * @throws TuttiError `PROTOCOL` with the reason.
 */
export const readUpdate = (bytes: Uint8Array, limits: UpdateLimits = {}): Update => {
  const { structs, ds } = decode(bytes, limits)
  const maxRun = limits.maxRun ?? MAX_RUN
  const runs: Run[] = []
  let blanks = NONE as number[]
  let needs: Map<number, number> | undefined

  let i = 0
  while (i < structs.length) {
    const first = structs[i]!
    const client = first.id.client
    const start = i
    const from = first.id.clock
    let to = from
    for (; i < structs.length; i++) {
      const struct = structs[i]!
      if (struct.id.client !== client || struct.constructor === Y.Skip) break
      const length = struct.length
      // Written so that NaN does not pass either.
      if (!(length > 0)) throw refuse(`the struct at ${client}:${to} has no length`)
      if (struct.constructor === Y.GC) {
        if (length > maxRun) throw refuse(`the deleted run at ${client}:${to} is longer than ${maxRun}`)
        if (blanks === NONE) blanks = []
        blanks.push(client, to, to + length)
      } else {
        const item = struct as Y.Item
        const { origin, rightOrigin } = item
        const parent = item.parent instanceof Y.ID ? item.parent : null
        if (origin !== null) needs = need(needs, client, to, origin)
        if (rightOrigin !== null) needs = need(needs, client, to, rightOrigin)
        if (parent !== null) needs = need(needs, client, to, parent)
        if (item.content.constructor === Y.ContentDeleted) {
          if (length > maxRun) throw refuse(`the deleted run at ${client}:${to} is longer than ${maxRun}`)
          if (blanks === NONE) blanks = []
          blanks.push(client, to, to + length)
        } else if (item.content.constructor !== Y.ContentString) {
          checkContent(item)
        }
      }
      to += length
      if (!(to <= MAX_CLOCK)) throw refuse(`clock ${to} of client ${client} is absurd`)
    }
    if (i > start) runs.push({ client, from, to, start, end: i })
    for (; i < structs.length && structs[i]!.constructor === Y.Skip; i++) {
      const { id, length } = structs[i]!
      if (!(length > 0)) throw refuse(`the skip at ${id.client}:${id.clock} has no length`)
      if (!(id.clock + length <= MAX_CLOCK)) throw refuse(`clock ${id.clock + length} of client ${id.client} is absurd`)
    }
  }

  for (const [client, deletions] of ds.clients) {
    if (client > Number.MAX_SAFE_INTEGER) throw refuse(`client id ${client} is over 2^53`)
    for (const { clock, len } of deletions) {
      if (!(len > 0)) throw refuse(`the deletion at ${client}:${clock} has no length`)
      if (!(clock + len <= MAX_CLOCK)) throw refuse(`the deletion at ${client}:${clock} ends at an absurd clock`)
    }
  }
  return { bytes, structs, runs, blanks, needs, deletions: ds.clients }
}

/** Whether a document with this state vector and delete set would not change by the update. */
export const isKnown = (update: Update, stateVector: StateVector, deleteSet: DeleteSet): boolean => {
  for (const run of update.runs) {
    if (run.to > (stateVector.get(run.client) ?? 0)) return false
  }
  for (const [client, deletions] of update.deletions) {
    for (const { clock, len } of deletions) {
      if (!covers(deleteSet, client, clock, len)) return false
    }
  }
  return true
}

/**
 * Whether the update would not integrate completely in a document with this state vector: Yjs would keep a part of it
 * pending, in every reader.
 */
export const hasGap = (update: Update, stateVector: StateVector): boolean => {
  const { runs, needs } = update
  let client = -1
  let state = 0
  for (const run of runs) {
    if (run.client !== client) {
      client = run.client
      state = stateVector.get(client) ?? 0
    }
    if (run.from > state) return true
    if (run.to > state) state = run.to
  }
  if (needs !== undefined) {
    let internal = false
    for (const [other, clock] of needs) {
      if (clock < (stateVector.get(other) ?? 0)) continue
      if (clock >= endOf(runs, other)) return true
      internal = true
    }
    // The update itself provides what it builds on: complete unless two clients wait for each other.
    if (internal && !walkInOrder(update.structs, runs, (id) => stateVector.get(id) ?? 0, ignore)) return true
  }
  for (const [other, deletions] of update.deletions) {
    const known = Math.max(stateVector.get(other) ?? 0, endOf(runs, other))
    for (const { clock, len } of deletions) {
      if (clock + len > known) return true
    }
  }
  return false
}

/** Clients for which the update holds GC or Deleted structs that a document with this state vector does not have yet. */
export const blankRuns = (update: Update, stateVector: StateVector): number[] => {
  const clients: number[] = []
  const { blanks } = update
  for (let i = 0; i < blanks.length; i += 3) {
    const client = blanks[i]!
    if (blanks[i + 2]! > (stateVector.get(client) ?? 0) && clients.at(-1) !== client) clients.push(client)
  }
  return clients
}

/** Moves both to what they are after the update. Only for an update without a gap. */
export const advance = (update: Update, stateVector: StateVector, deleteSet: DeleteSet): void => {
  const { blanks } = update
  for (let i = 0; i < blanks.length; i += 3) {
    const client = blanks[i]!
    // What the document already has stays as it is: a blank struct over known content is passed over by Yjs.
    const clock = Math.max(blanks[i + 1]!, stateVector.get(client) ?? 0)
    if (clock < blanks[i + 2]!) addRange(deleteSet, client, clock, blanks[i + 2]! - clock)
  }
  for (const run of update.runs) {
    if (run.to > (stateVector.get(run.client) ?? 0)) stateVector.set(run.client, run.to)
  }
  for (const [client, deletions] of update.deletions) addRuns(deleteSet, client, deletions)
}

/**
 * The update without what a document with this state vector and delete set has already: the same object if it is all
 * new, as an edit usually is. Only for an update without a gap.
 *
 * A log must hold every clock once. A reader who applies updates one by one passes over what he knows, but
 * `mergeUpdates` may take either of two versions: someone could rewrite history for those who come later.
 * It also keeps the log small: the answer of every client to a step 1 carries all deletions it knows.
 */
export const withoutKnown = (update: Update, stateVector: StateVector, deleteSet: DeleteSet): Update => {
  if (isAllNew(update, stateVector, deleteSet)) return update
  return readUpdate(encodeNews(update, stateVector, deleteSet), UNLIMITED)
}

/** Merges updates in their order, at most 64 at a time. No update gives the empty one; a single one is returned as it is. */
export const mergeUpdatesInBatches = (updates: readonly Uint8Array[]): Uint8Array => {
  let level = updates
  while (level.length > 1) {
    const next: Uint8Array[] = []
    for (let i = 0; i < level.length; i += MERGE_BATCH) next.push(Y.mergeUpdates(level.slice(i, i + MERGE_BATCH)))
    level = next
  }
  return level[0] ?? EMPTY_UPDATE
}

const decode = (bytes: Uint8Array, limits: UpdateLimits): ReturnType<typeof Y.decodeUpdate> => {
  gate.maxStructs = limits.maxStructs ?? MAX_STRUCTS
  gate.maxSubdocuments = limits.maxSubdocuments ?? MAX_SUBDOCUMENTS
  let decoded: ReturnType<typeof Y.decodeUpdate>
  try {
    decoded = Y.decodeUpdateV2(bytes, Gate)
  } catch (error) {
    if (error instanceof TuttiError) throw error
    // Also the RangeError of a stack that a deeply nested value used up.
    throw refuse('it cannot be decoded', error)
  }
  const position = gate.decoder!.restDecoder.pos
  gate.decoder = undefined
  if (position !== bytes.length) throw refuse(`it is followed by ${bytes.length - position} stray bytes`)
  return decoded
}

const isAllNew = (update: Update, stateVector: StateVector, deleteSet: DeleteSet): boolean => {
  for (const run of update.runs) {
    if (run.from < (stateVector.get(run.client) ?? 0)) return false
  }
  for (const [client, deletions] of update.deletions) {
    for (const { clock, len } of deletions) {
      if (covers(deleteSet, client, clock, len)) return false
    }
  }
  return true
}

const encodeNews = (
  { structs, runs, deletions }: Update,
  stateVector: StateVector,
  deleteSet: DeleteSet,
): Uint8Array => {
  const encoder = new Y.UpdateEncoderV1()
  const news = runs.filter((run) => run.to > (stateVector.get(run.client) ?? 0))
  encoding.writeVarUint(encoder.restEncoder, news.length)
  // Without a gap, only one run of a client can be new: what lies before a Skip is known.
  for (const { client, from, start, end } of news) {
    const state = Math.max(stateVector.get(client) ?? 0, from)
    let first = start
    while (structs[first]!.id.clock + structs[first]!.length <= state) first++
    encoding.writeVarUint(encoder.restEncoder, end - first)
    encoding.writeVarUint(encoder.restEncoder, client)
    encoding.writeVarUint(encoder.restEncoder, state)
    for (let i = first; i < end; i++) structs[i]!.write(encoder, Math.max(0, state - structs[i]!.id.clock))
  }
  const deleted: DeleteSet = new Map()
  for (const [client, items] of deletions) {
    const unknown = items.filter(({ clock, len }) => !covers(deleteSet, client, clock, len))
    if (unknown.length > 0) addRuns(deleted, client, unknown)
  }
  encoding.writeUint8Array(encoder.restEncoder, encodeDeleteSet(deleted))
  return encoder.toUint8Array()
}

/** Notes what an item builds on. What its own client made must be older, or `applyUpdate` throws in every reader. */
const need = (
  needs: Map<number, number> | undefined,
  client: number,
  clock: number,
  id: Y.ID,
): Map<number, number> | undefined => {
  if (id.client === client) {
    if (id.clock >= clock) throw refuse(`the item ${client}:${clock} points ahead to ${id.client}:${id.clock}`)
    return needs
  }
  const map = needs ?? new Map<number, number>()
  if (id.clock > (map.get(id.client) ?? -1)) map.set(id.client, id.clock)
  return map
}

const checkContent = (item: Y.Item): void => {
  const content: object = item.content
  switch (item.content.getRef()) {
    case REF_ANY:
    case REF_JSON:
      for (const value of (content as Y.ContentAny | Y.ContentJSON).arr) checkDepth(value, item)
      break
    case REF_EMBED:
      checkDepth((content as Y.ContentEmbed).embed, item)
      break
    case REF_FORMAT:
      checkDepth((content as Y.ContentFormat).value, item)
      break
    case REF_DOC:
      checkDepth((content as Y.ContentDoc).doc.meta, item)
      break
  }
}

const checkDepth = (value: unknown, item: Y.Item): void => {
  if (!nestsWithin(value, MAX_DEPTH)) {
    throw refuse(`the item ${item.id.client}:${item.id.clock} nests deeper than ${MAX_DEPTH}`)
  }
}

/** Clock after the last struct of a client in the update; 0 if it has none. */
const endOf = (runs: readonly Run[], client: number): number => {
  let low = 0
  let high = runs.length
  // First run of a lower client id; the one before is the client's last.
  while (low < high) {
    const middle = (low + high) >>> 1
    if (runs[middle]!.client >= client) low = middle + 1
    else high = middle
  }
  const run = runs[low - 1]
  return run?.client === client ? run.to : 0
}
