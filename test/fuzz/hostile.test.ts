import * as encoding from 'lib0/encoding'
import { describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { TuttiError } from '../../lib/errors.ts'
import type { DeleteSet } from '../../server/protocol/deleteSet.ts'
import type { StateVector } from '../../server/protocol/stateVector.ts'
import {
  advance,
  hasGap,
  isKnown,
  mergeUpdatesInBatches,
  readUpdate,
  type Update,
  withoutKnown,
} from '../../server/protocol/update.ts'
import {
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

const varUint = (value: number): Uint8Array => encoding.encode((encoder) => encoding.writeVarUint(encoder, value))

const joined = (...parts: Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(parts))

/** An update damaged, or forged, at random. */
const mutate = (
  random: Random,
  bytes: Uint8Array,
  others: readonly Uint8Array[],
  ids: readonly number[],
): Uint8Array => {
  const at = random.between(0, bytes.length - 1)
  switch (random.between(0, 7)) {
    case 0:
      return bytes.slice(0, at)
    case 1: {
      const other = random.pick(others)
      return joined(bytes.subarray(0, at), other.subarray(random.between(0, other.length - 1)))
    }
    case 2:
      return joined(bytes.subarray(0, at), bytes.subarray(random.between(at, bytes.length - 1)))
    case 3: {
      const value = random.pick([0, 1, 2, 5, 127, 128, 2 ** 20, 2 ** 32, 2 ** 48, 2 ** 53 - 1, ...ids])
      return joined(
        bytes.subarray(0, at),
        varUint(value),
        bytes.subarray(Math.min(bytes.length, at + random.between(0, 5))),
      )
    }
    default: {
      const mutated = bytes.slice()
      for (let flips = random.pick([1, 1, 1, 2, 3]); flips > 0; flips--) {
        const where = random.between(0, bytes.length - 1)
        const old = mutated[where]!
        mutated[where] = random.pick([
          old ^ (1 << random.between(0, 7)),
          old + 1,
          old - 1,
          random.between(0, 11),
          random.between(0, 255),
        ])
      }
      return mutated
    }
  }
}

const text = (value: string): Uint8Array => encoding.encode((encoder) => encoding.writeVarString(encoder, value))

const anyOf = (random: Random, choices: readonly (readonly number[])[]): Uint8Array =>
  Uint8Array.from(random.pick(choices))

/** Content of each kind of one clock, as it stands behind an item's head, wherever it makes sense or not. */
const SINGLE: Record<number, (random: Random) => Uint8Array> = {
  1: () => varUint(1),
  2: (random) => joined(varUint(1), text(random.pick(['{"a":[1]}', 'undefined']))),
  3: () => joined(varUint(2), Uint8Array.of(1, 2)),
  4: () => text('a'),
  5: () => text('{"image":1}'),
  6: (random) => joined(text(random.pick(['bold', ''])), text(random.pick(['true', 'null', '{"a":1}']))),
  7: (random) => anyOf(random, [[0], [1], [2], [3, 1, 112], [4], [5, 1, 104], [6]]),
  8: (random) =>
    anyOf(random, [
      [1, 127],
      [1, 126],
      [1, 118, 0],
      [1, 119, 1, 97],
      [1, 117, 1, 120],
    ]),
  9: () => joined(text('guid'), Uint8Array.of(118, 0)),
}

/** Content of several clocks: for lists only. */
const MULTIPLE: Record<number, (random: Random) => Uint8Array> = {
  1: (random) => varUint(random.between(1, 5)),
  2: () => joined(varUint(2), text('1'), text('undefined')),
  4: (random) => text(random.pick(['abc', '😀', 'é😀z'])),
  8: (random) =>
    anyOf(random, [
      [2, 126, 120],
      [3, 119, 1, 97, 125, 5, 117, 0],
    ]),
}

/** A place in a document: a list, or the versions of a key, oldest first. */
interface Place {
  readonly parent: Uint8Array
  readonly key: string | null
  readonly ids: readonly (readonly [client: number, clock: number])[]
}

const placesOf = (doc: Y.Doc): Place[] => {
  const places: Place[] = []
  const idsFrom = (item: Y.Item | null): [number, number][] => {
    const ids: [number, number][] = []
    for (let each = item; each !== null; each = each.right) {
      for (let i = 0; i < each.length; i++) ids.push([each.id.client, each.id.clock + i])
    }
    return ids
  }
  // biome-ignore lint/suspicious/noExplicitAny: how Yjs itself names a type of any kind
  const visit = (type: Y.AbstractType<any>, parent: Uint8Array): void => {
    places.push({ parent, key: null, ids: idsFrom(type._start) }, { parent, key: 'new', ids: [] })
    for (const [key, last] of type._map) {
      let first = last
      while (first.left !== null) first = first.left
      places.push({ parent, key, ids: idsFrom(first) })
    }
  }
  for (const [name, type] of doc.share) visit(type, joined(varUint(1), text(name)))
  for (const structs of doc.store.clients.values()) {
    for (const struct of structs) {
      if (!(struct instanceof Y.Item) || !(struct.content instanceof Y.ContentType)) continue
      const parent = joined(varUint(0), varUint(struct.id.client), varUint(struct.id.clock))
      visit((struct.content as Y.ContentType).type, parent)
    }
  }
  return places
}

/** An update of valid form, with content of any kind anywhere in a document. */
const forge = (random: Random, doc: Y.Doc, ids: readonly number[]): Uint8Array => {
  const places = placesOf(doc)
  // Ids of its own: edits that an author made since then build on what that author wrote, not on what someone else
  // wrote under the same id and clock. That needs authenticated client ids; no gate could tell.
  const clients = Array.from(
    { length: random.between(1, 3) },
    (_, i) => 2 ** 32 + random.between(i * 100, i * 100 + 99),
  )
  clients.reverse()
  const item = (): Uint8Array => {
    const { parent, key, ids } = random.pick(places)
    const contents = key === null && random.chance(0.4) ? MULTIPLE : SINGLE
    const kind = Number(random.pick(Object.keys(contents)))
    const left = random.between(-1, ids.length - 1)
    const right = random.between(left + 1, ids.length)
    const origins = [ids[left], ids[right]]
    const flags = (left >= 0 ? 0x80 : 0) | (right < ids.length ? 0x40 : 0) | (key === null ? 0 : 0x20)
    const head =
      left >= 0 || right < ids.length
        ? origins.filter((id) => id !== undefined).flatMap(([client, clock]) => [varUint(client), varUint(clock)])
        : [parent, ...(key === null ? [] : [text(key)])]
    return joined(Uint8Array.of(kind | flags), ...head, contents[kind]!(random))
  }
  const sections = clients.map((client) => {
    const structs = Array.from({ length: random.between(1, 4) }, () =>
      random.chance(0.1) ? joined(varUint(0), varUint(random.between(1, 4))) : item(),
    )
    return joined(varUint(structs.length), varUint(client), varUint(Y.getState(doc.store, client)), ...structs)
  })
  const deletions = Array.from({ length: random.between(0, 2) }, () =>
    joined(varUint(random.pick(ids)), varUint(1), varUint(random.between(0, 20)), varUint(random.between(1, 6))),
  )
  return joined(varUint(sections.length), ...sections, varUint(deletions.length), ...deletions)
}

/** What a log server keeps: updates that add something, each integrating on those before. */
const createLog = (base: Uint8Array) => {
  const updates = [base]
  const stateVector: StateVector = new Map()
  const deleteSet: DeleteSet = new Map()
  advance(readUpdate(base), stateVector, deleteSet)
  return {
    updates,
    /** `false` if it does not fit yet. */
    take(bytes: Uint8Array): boolean {
      const update = readUpdate(bytes)
      if (hasGap(update, stateVector)) return false
      if (isKnown(update, stateVector, deleteSet)) return true
      const news = withoutKnown(update, stateVector, deleteSet)
      updates.push(news.bytes)
      advance(news, stateVector, deleteSet)
      return true
    },
  }
}

const MUTATIONS = 60

describe('damaged and forged updates', () => {
  for (const seed of seeds(30)) {
    it(`are refused, or harm neither readers of the log nor what others write (seed ${seed})`, () => {
      const random = createRandom(seed)
      const ids = randomClientIds(random, 3)
      const authors = ids.map((id) => createAuthor(random, id))
      writeTogether(random, authors, 25)
      const before = interleave(random, authors)
      const server = readerOf(before)
      const base = Y.encodeStateAsUpdate(server)
      const marks = authors.map(({ updates }) => updates.length)
      for (const { doc } of authors) Y.applyUpdate(doc, base)
      writeTogether(random, authors, 12)
      const after = interleave(
        random,
        authors.map((author, i) => ({ ...author, updates: author.updates.slice(marks[i]) })),
      )
      const pool = [...after, ...before.slice(-10), base].filter((update) => update.length > 2)
      const stateVector: StateVector = Y.decodeStateVector(Y.encodeStateVector(server))

      for (let n = 0; n < MUTATIONS; n++) {
        const isForged = random.chance(0.4)
        const bytes = isForged ? forge(random, server, ids) : mutate(random, random.pick(pool), pool, ids)
        let update: Update
        try {
          update = readUpdate(bytes)
        } catch (error) {
          if (!(error instanceof TuttiError) || error.code !== 'PROTOCOL') throw error
          continue
        }
        const fresh = createReader()
        Y.applyUpdate(fresh, bytes)
        Y.applyUpdate(fresh, Y.encodeStateAsUpdate(fresh))

        // What the document has already and the update has otherwise may make Yjs throw; nobody gets to see it.
        const rewrites = update.runs.some(({ client, from }) => from < (stateVector.get(client) ?? 0))
        if (!rewrites) {
          const copy = readerOf([base])
          Y.applyUpdate(copy, bytes)
          expect(hasPending(copy)).toBe(hasGap(update, stateVector))
        }
        if (hasGap(update, stateVector)) continue

        // A log server takes it, and the honest edits that follow as far as they still fit.
        const log = createLog(base)
        log.take(bytes)
        for (let waiting = [...after], left = 0; waiting.length !== left; ) {
          left = waiting.length
          waiting = waiting.filter((edit) => !log.take(edit))
        }
        const doc = readerOf(log.updates)
        expect(hasPending(doc)).toBe(false)
        const { updates } = log
        const cut = random.between(1, updates.length - 1)
        const halves = [mergeUpdatesInBatches(updates.slice(0, cut)), mergeUpdatesInBatches(updates.slice(cut))]
        for (const reader of [readerOf([mergeUpdatesInBatches(updates)]), readerOf(halves)]) {
          expect(hasPending(reader)).toBe(false)
          expect(Y.encodeStateVector(reader)).toEqual(Y.encodeStateVector(doc))
          // Positions that no honest client can name make even Yjs' own order depend on who comes first.
          if (!isForged) expect(stateOf(reader)).toBe(stateOf(doc))
        }
        // The edits of everyone whose client id it did not use are all there.
        const touched = new Set(update.runs.map(({ client }) => client))
        for (const author of authors) {
          const others = [...Y.decodeStateVector(Y.encodeStateVector(author.doc)).keys()]
          if (others.some((client) => touched.has(client))) continue
          const known = Y.decodeStateVector(Y.encodeStateVector(doc)).get(author.doc.clientID) ?? 0
          expect(known).toBeGreaterThanOrEqual(Y.getState(author.doc.store, author.doc.clientID))
        }
      }
    })
  }
})
