import * as encoding from 'lib0/encoding'
import { describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { EMPTY_UPDATE } from '../../lib/protocol.ts'
import type { DeleteSet } from '../../server/protocol/deleteSet.ts'
import type { StateVector } from '../../server/protocol/stateVector.ts'
import {
  advance,
  blankRuns,
  hasGap,
  isKnown,
  mergeUpdatesInBatches,
  readUpdate,
  UNLIMITED,
  withoutKnown,
} from '../../server/protocol/update.ts'

// Updates by hand: parts are numbers (varUint), texts (varString) and bytes.
type Part = number | string | Uint8Array
const raw = (...parts: Part[]): Uint8Array =>
  encoding.encode((encoder) => {
    for (const part of parts) {
      if (typeof part === 'number') encoding.writeVarUint(encoder, part)
      else if (typeof part === 'string') encoding.writeVarString(encoder, part)
      else encoding.writeUint8Array(encoder, part)
    }
  })
const byte = (value: number): Uint8Array => Uint8Array.of(value)

const LEFT = 0x80
const RIGHT = 0x40

const section = (client: number, clock: number, ...structs: Uint8Array[]): Uint8Array =>
  raw(structs.length, client, clock, ...structs)
const update = (sections: Uint8Array[], deletions: [client: number, clock: number, len: number][] = []): Uint8Array =>
  raw(
    sections.length,
    ...sections,
    deletions.length,
    ...deletions.flatMap(([client, clock, len]) => [client, 1, clock, len]),
  )

const gc = (len: number): Uint8Array => raw(byte(0), len)
const skip = (len: number): Uint8Array => raw(byte(10), len)
/** An item in the root `t`. */
const root = (ref: number, ...content: Part[]): Uint8Array => raw(byte(ref), 1, 't', ...content)
const text = (value: string): Uint8Array => root(4, value)
const after = (client: number, clock: number, value: string): Uint8Array => raw(byte(4 | LEFT), client, clock, value)
const before = (client: number, clock: number, value: string): Uint8Array => raw(byte(4 | RIGHT), client, clock, value)
const under = (client: number, clock: number, value: string): Uint8Array => raw(byte(4), 0, client, clock, value)

const nested = (depth: number): Uint8Array =>
  raw(
    new Uint8Array(2 * depth).map((_, i) => (i % 2 ? 1 : 117)),
    byte(126),
  )
const nestedJson = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth)

const editsOf = (doc: Y.Doc, edit: () => void): Uint8Array[] => {
  const updates: Uint8Array[] = []
  const collect = (bytes: Uint8Array): void => {
    updates.push(bytes)
  }
  doc.on('update', collect)
  edit()
  doc.off('update', collect)
  return updates
}

const docOf = (clientId: number, ...updates: Uint8Array[]): Y.Doc => {
  const doc = new Y.Doc()
  doc.clientID = clientId
  for (const bytes of updates) Y.applyUpdate(doc, bytes)
  return doc
}

const refusal = (message: RegExp) =>
  expect.objectContaining({ code: 'PROTOCOL', message: expect.stringMatching(message) })

describe('the gate', () => {
  it('reads the worked example: what is written, from where to where, and what is deleted', () => {
    // Client 5 wrote "ab" and k = 7, and deleted "a".
    const bytes = Uint8Array.from(
      '010305000101017401840500016228010 16d016b017d070105010001'.replaceAll(' ', '').match(/../g)!,
      (hex) => Number.parseInt(hex, 16),
    )
    const read = readUpdate(bytes)
    expect(read.bytes).toBe(bytes)
    expect(read.runs).toEqual([{ client: 5, from: 0, to: 3, start: 0, end: 3 }])
    expect(read.blanks).toEqual([5, 0, 1])
    expect(read.needs).toBeUndefined()
    expect([...read.deletions]).toEqual([[5, [{ clock: 0, len: 1 }]]])
  })

  it('takes the empty update', () => {
    expect(readUpdate(EMPTY_UPDATE)).toMatchObject({ structs: [], runs: [], blanks: [] })
  })

  it('refuses an update cut at any byte', () => {
    const doc = docOf(1)
    doc.getText('t').insert(0, 'hello', { bold: true })
    doc.getMap('m').set('k', { a: [1, 'x', null] })
    doc.getArray('a').push([new Y.Map(), new Uint8Array(3)])
    doc.getText('t').delete(1, 2)
    const bytes = Y.encodeStateAsUpdate(doc)
    expect(readUpdate(bytes).structs.length).toBeGreaterThan(5)
    for (let length = 0; length < bytes.length; length++) {
      expect(() => readUpdate(bytes.subarray(0, length)), `cut at ${length}`).toThrow(refusal(/cannot be decoded/))
    }
  })

  it('fails at once on seven bytes that claim 30 million structs', () => {
    const start = performance.now()
    expect(() => readUpdate(raw(1, 30_000_000, 5, 0))).toThrow(refusal(/cannot be decoded/))
    expect(performance.now() - start).toBeLessThan(50)
  })

  it.each([
    ['bytes behind it', raw(EMPTY_UPDATE, byte(0)), /1 stray/],
    ['a GC run that mutes its client for ever', update([section(5, 0, gc(2 ** 50))]), /longer than 1048576/],
    ['a Deleted run that mutes its client for ever', update([section(5, 0, root(1, 2 ** 50))]), /longer than 1048576/],
    ['a run of one clock over the limit', update([section(5, 0, gc(2 ** 20 + 1))]), /longer than 1048576/],
    ['an item to the right of itself', update([section(5, 3, after(5, 3, 'a'))]), /5:3 points ahead to 5:3/],
    ['an item to the right of a later one', update([section(5, 3, after(5, 9, 'a'))]), /points ahead/],
    ['an item to the left of itself', update([section(5, 3, before(5, 3, 'a'))]), /points ahead/],
    ['an item to the left of a later one', update([section(5, 3, before(5, 4, 'a'), text('b'))]), /points ahead/],
    ['an item in itself', update([section(5, 3, under(5, 3, 'a'))]), /points ahead/],
    ['an item in a later one', update([section(5, 3, under(5, 4, 'a'), root(7, 1))]), /points ahead/],
    [
      'an item behind itself, second in its section',
      update([section(5, 3, text('ab'), after(5, 5, 'a'))]),
      /5:5 points/,
    ],
    ['a GC struct without length', update([section(5, 0, gc(0))]), /no length/],
    ['a Skip struct without length', update([section(5, 0, text('a'), skip(0), text('b'))]), /no length/],
    ['deleted content without length', update([section(5, 0, root(1, 0))]), /no length/],
    ['an empty text', update([section(5, 0, text(''))]), /no length/],
    ['an empty list of values', update([section(5, 0, root(8, 0))]), /no length/],
    ['an absurd first clock', update([section(5, 2 ** 48, text('a'))]), /absurd/],
    ['a Skip to an absurd clock', update([section(5, 0, text('a'), skip(2 ** 48))]), /absurd/],
    ['a client id over 2^53', update([section(2 ** 54, 0, text('a'))]), /over 2\^53/],
    ['two sections of one client', update([section(5, 0, text('a')), section(5, 1, text('b'))]), /two sections/],
    ['a second, empty section of a client', update([section(5, 0, text('a')), raw(0, 5, 1)]), /two sections/],
    [
      'sections in the order that merging loses',
      update([section(5, 0, text('a')), section(6, 0, text('b'))]),
      /higher/,
    ],
    ['a deletion without length', update([], [[5, 3, 0]]), /no length/],
    ['a deletion up to an absurd clock', update([], [[5, 3, 2 ** 48]]), /absurd/],
    ['a deletion of a client over 2^53', update([], [[2 ** 54, 3, 1]]), /over 2\^53/],
    ['values nested too deep to be read', update([section(5, 0, root(8, 1, nested(200_000)))]), /cannot be decoded/],
    ['values nested too deep for others', update([section(5, 0, root(8, 1, nested(513)))]), /nests deeper than 512/],
    ['JSON nested too deep to be written', update([section(5, 0, root(2, 1, nestedJson(100_000)))]), /nests deeper/],
    ['an embed nested too deep', update([section(5, 0, root(5, nestedJson(100_000)))]), /nests deeper/],
    ['a format nested too deep', update([section(5, 0, root(6, 'bold', nestedJson(100_000)))]), /nests deeper/],
    [
      'a subdocument whose options nest too deep',
      update([section(5, 0, root(9, 'g', byte(118), 1, 'meta', nested(600)))]),
      /nests deeper/,
    ],
    [
      'a subdocument whose guid is no text',
      update([section(5, 0, root(9, 'g', byte(118), 1, 'guid', byte(125), 5))]),
      /guid/,
    ],
    [
      'a subdocument with a new guid for every reader',
      update([section(5, 0, root(9, 'g', byte(118), 1, 'guid', byte(127)))]),
      /guid/,
    ],
    ['a subdocument without options', update([section(5, 0, root(9, 'g', byte(126)))]), /cannot be decoded/],
    ['content of an unknown kind', update([section(5, 0, root(11, 0))]), /cannot be decoded/],
    ['a shared type of an unknown kind', update([section(5, 0, root(7, 7))]), /cannot be decoded/],
    ['text that is not UTF-8', update([section(5, 0, root(4, 2, byte(0xc3), byte(0x28)))]), /cannot be decoded/],
    ['an embed that is not JSON', update([section(5, 0, root(5, '{'))]), /cannot be decoded/],
  ])('refuses %s', (_what, bytes, message) => {
    expect(() => readUpdate(bytes)).toThrow(refusal(message))
  })

  it('takes what is just within its bounds', () => {
    const within = [
      update([section(5, 0, gc(2 ** 20), root(1, 2 ** 20))]),
      update([section(5, 2 ** 48 - 1, text('a'))]),
      update([section(5, 3, after(5, 2, 'a'))]),
      update([section(2 ** 53 - 1, 0, text('a')), section(0, 0, text('b'))]),
      update([section(5, 0, root(8, 1, nested(512)))]),
      update([section(5, 0, root(5, nestedJson(512)))]),
      update([], [[5, 2 ** 48 - 1, 1]]),
    ]
    for (const bytes of within) expect(readUpdate(bytes).bytes).toBe(bytes)
  })

  it('goes by the limits it is given', () => {
    const bytes = update([section(5, 0, gc(3), text('a'), root(9, 'g', byte(118), 0))])
    expect(readUpdate(bytes, { maxRun: 3, maxStructs: 3, maxSubdocuments: 1 }).structs).toHaveLength(3)
    expect(() => readUpdate(bytes, { maxRun: 2 })).toThrow(refusal(/longer than 2/))
    expect(() => readUpdate(bytes, { maxStructs: 2 })).toThrow(refusal(/more than 2 structs/))
    expect(() => readUpdate(bytes, { maxSubdocuments: 0 })).toThrow(refusal(/more than 0 subdocuments/))
    expect(readUpdate(update([section(5, 0, gc(2 ** 40))]), UNLIMITED).blanks).toEqual([5, 0, 2 ** 40])
    // A refused update leaves nothing behind for the next.
    expect(readUpdate(bytes).structs).toHaveLength(3)
  })

  it('stops at the limit of structs, not after reading them all', () => {
    // 2,000 structs are there, then bytes that are none: who reads on fails for another reason.
    const body = Uint8Array.from({ length: 4000 }, (_, i) => i % 2)
    const bytes = raw(1, 4_000_000, 5, 0, body, 0xff)
    expect(() => readUpdate(bytes)).toThrow(refusal(/^(?!.*1000 structs)/))
    expect(() => readUpdate(bytes, { maxStructs: 1000 })).toThrow(refusal(/more than 1000 structs/))
  })

  it('stands between readers and an update that makes every one of them throw', () => {
    const poison = update([section(5, 0, after(5, 0, 'a'))])
    expect(() => Y.applyUpdate(new Y.Doc(), poison)).toThrow()
    expect(() => Y.decodeUpdate(poison)).not.toThrow()
    expect(() => Y.mergeUpdates([poison, EMPTY_UPDATE])).not.toThrow()
    expect(() => readUpdate(poison)).toThrow(refusal(/points ahead/))
  })

  it('stands between a log and an order of sections in which merging loses content', () => {
    const bytes = update([section(5, 0, text('abc')), section(6, 0, text('x'))])
    const direct = docOf(1, bytes)
    const merged = docOf(1, Y.mergeUpdates([bytes, update([section(4, 0, text('y'))])]))
    expect(Y.getState(direct.store, 6)).toBe(1)
    expect(Y.getState(merged.store, 6)).toBe(0)
    expect(() => readUpdate(bytes)).toThrow(refusal(/higher ids go first/))
  })
})

describe('an update that the server knows', () => {
  it('has every struct below the state vector and every deletion in the delete set', () => {
    const known = readUpdate(update([section(5, 2, text('ab'))], [[7, 3, 2]]))
    const deleteSet: DeleteSet = new Map([[7, [0, 5]]])
    expect(isKnown(known, new Map([[5, 4]]), deleteSet)).toBe(true)
    expect(isKnown(known, new Map([[5, 3]]), deleteSet)).toBe(false)
    expect(isKnown(known, new Map(), deleteSet)).toBe(false)
    expect(isKnown(known, new Map([[5, 4]]), new Map([[7, [0, 4]]]))).toBe(false)
    expect(isKnown(known, new Map([[5, 4]]), new Map())).toBe(false)
    expect(isKnown(readUpdate(EMPTY_UPDATE), new Map(), new Map())).toBe(true)
  })
})

describe('a gap', () => {
  const at = (...states: [client: number, clock: number][]): StateVector => new Map(states)
  const gapOf = (bytes: Uint8Array, stateVector: StateVector): boolean => hasGap(readUpdate(bytes), stateVector)

  it.each<[string, Uint8Array, StateVector, boolean]>([
    ['nothing', EMPTY_UPDATE, at(), false],
    ['a section that starts where the server ends', update([section(5, 2, text('a'))]), at([5, 2]), false],
    ['a section that starts before', update([section(5, 2, text('abc'))]), at([5, 4]), false],
    ['a section that starts beyond', update([section(5, 3, text('a'))]), at([5, 2]), true],
    ['a Skip over what the server lacks', update([section(5, 0, text('a'), skip(2), text('b'))]), at(), true],
    ['a Skip over what the server has', update([section(5, 0, text('a'), skip(2), text('b'))]), at([5, 3]), false],
    ['a Skip at the end', update([section(5, 0, text('a'), skip(2))]), at(), false],
    ['an origin that the server has', update([section(5, 0, after(9, 2, 'a'))]), at([9, 3]), false],
    ['an origin that the server lacks', update([section(5, 0, after(9, 2, 'a'))]), at([9, 2]), true],
    ['a right origin that the server lacks', update([section(5, 0, before(9, 2, 'a'))]), at([9, 2]), true],
    ['a parent that the server lacks', update([section(5, 0, under(9, 2, 'a'))]), at([9, 2]), true],
    ['an unknown client', update([section(5, 0, after(9, 0, 'a'))]), at(), true],
    ['an origin in a later section', update([section(5, 0, after(3, 0, 'a')), section(3, 0, text('b'))]), at(), false],
    [
      'an origin in a section that itself starts beyond',
      update([section(5, 0, after(3, 1, 'a')), section(3, 1, text('b'))]),
      at(),
      true,
    ],
    [
      'an origin in the hole of a section',
      update([section(5, 0, after(3, 1, 'a')), section(3, 0, text('b'), skip(2), text('c'))]),
      at(),
      true,
    ],
    [
      'an origin behind the end of a section',
      update([section(5, 0, after(3, 1, 'a')), section(3, 0, text('b'))]),
      at(),
      true,
    ],
    [
      'two clients that wait for each other in turns',
      update([section(5, 0, text('a'), after(3, 0, 'b')), section(3, 0, after(5, 0, 'c'), after(5, 1, 'd'))]),
      at(),
      false,
    ],
    [
      'two clients that wait for each other',
      update([section(5, 0, after(3, 0, 'a')), section(3, 0, after(5, 0, 'b'))]),
      at(),
      true,
    ],
    [
      'two clients that wait for each other, with more behind',
      update([section(5, 0, after(3, 0, 'a'), text('b')), section(3, 0, after(5, 0, 'c'), text('d'))]),
      at(),
      true,
    ],
    [
      'three clients that wait in a circle',
      update([section(5, 0, after(3, 0, 'a')), section(3, 0, after(2, 0, 'b')), section(2, 0, under(5, 0, 'c'))]),
      at(),
      true,
    ],
    ['a deletion of what the server has', update([], [[5, 1, 2]]), at([5, 3]), false],
    ['a deletion that reaches further', update([], [[5, 1, 2]]), at([5, 2]), true],
    ['a deletion of an unknown client', update([], [[5, 0, 1]]), at(), true],
    ['a deletion of what the update brings', update([section(5, 0, text('abc'))], [[5, 1, 2]]), at(), false],
    ['a deletion beyond what the update brings', update([section(5, 0, text('abc'))], [[5, 1, 3]]), at(), true],
  ])('is found exactly where a Y.Doc keeps something pending: %s', (_what, bytes, stateVector, expected) => {
    expect(gapOf(bytes, stateVector)).toBe(expected)
    const known = [...stateVector]
      .sort(([a], [b]) => b - a)
      .map(([client, clock]) => section(client, 0, text('x'.repeat(clock))))
    const doc = docOf(1, update(known))
    Y.applyUpdate(doc, bytes)
    expect(doc.store.pendingStructs !== null || doc.store.pendingDs !== null).toBe(expected)
  })
})

describe('what an update changes', () => {
  it('moves the state vector and the delete set', () => {
    const stateVector: StateVector = new Map([[5, 1]])
    const deleteSet: DeleteSet = new Map([[5, [0, 1]]])
    advance(
      readUpdate(update([section(5, 1, text('abc'), gc(2)), section(3, 0, root(1, 4))], [[5, 2, 1]])),
      stateVector,
      deleteSet,
    )
    expect([...stateVector]).toEqual([
      [5, 6],
      [3, 4],
    ])
    expect(deleteSet).toEqual(
      new Map([
        [5, [0, 1, 2, 3, 4, 6]],
        [3, [0, 4]],
      ]),
    )
  })

  it('does not delete what is known by a blank struct over it: readers pass that over', () => {
    const stateVector: StateVector = new Map([[5, 4]])
    const deleteSet: DeleteSet = new Map()
    advance(readUpdate(update([section(5, 2, gc(5))])), stateVector, deleteSet)
    expect(stateVector.get(5)).toBe(7)
    expect(deleteSet.get(5)).toEqual([4, 7])
  })

  it('names the clients whose new content is blank', () => {
    const bytes = update([section(9, 0, text('a'), gc(2)), section(5, 0, gc(1), root(1, 2)), section(3, 0, text('b'))])
    expect(blankRuns(readUpdate(bytes), new Map())).toEqual([9, 5])
    expect(blankRuns(readUpdate(bytes), new Map([[9, 3]]))).toEqual([5])
    expect(
      blankRuns(
        readUpdate(bytes),
        new Map([
          [9, 2],
          [5, 3],
        ]),
      ),
    ).toEqual([9])
  })
})

describe('an update without what is known', () => {
  it('is the same object when all is new', () => {
    const all = readUpdate(update([section(5, 3, text('ab')), section(3, 0, after(5, 1, 'c'))], [[5, 0, 1]]))
    expect(withoutKnown(all, new Map([[5, 3]]), new Map([[5, [1, 2]]]))).toBe(all)
  })

  it('starts where the server ends, and leaves out deletions it has', () => {
    const bytes = update(
      [section(5, 0, text('abc'), after(5, 2, 'de')), section(3, 0, text('old'))],
      [
        [5, 0, 1],
        [3, 0, 2],
      ],
    )
    const news = withoutKnown(
      readUpdate(bytes),
      new Map([
        [5, 4],
        [3, 3],
      ]),
      new Map([[5, [0, 2]]]),
    )
    expect(news.bytes).toEqual(update([section(5, 4, after(5, 3, 'e'))], [[3, 0, 2]]))
  })

  it('leaves out a struct that ends where the server ends', () => {
    const bytes = update([section(5, 0, text('abc'), after(5, 2, 'de'))])
    expect(withoutKnown(readUpdate(bytes), new Map([[5, 3]]), new Map()).bytes).toEqual(
      update([section(5, 3, after(5, 2, 'de'))]),
    )
  })

  it('leaves out a run before a Skip, which is known', () => {
    const bytes = update([section(5, 0, text('a'), skip(2), after(5, 2, 'b'))])
    expect(withoutKnown(readUpdate(bytes), new Map([[5, 3]]), new Map()).bytes).toEqual(
      update([section(5, 3, after(5, 2, 'b'))]),
    )
  })

  it('keeps history as it was for those who come later', () => {
    const first = update([section(5, 0, text('truth'))])
    const forged = update([section(6, 0, text('!')), section(5, 0, text('false'))])
    const merged = (second: Uint8Array): string =>
      docOf(1, Y.mergeUpdates([second, first]))
        .getText('t')
        .toString()
    expect(merged(forged)).toContain('false')
    const stateVector: StateVector = new Map([[5, 5]])
    expect(merged(withoutKnown(readUpdate(forged), stateVector, new Map()).bytes)).toContain('truth')
  })

  it('integrates where the whole would throw in Yjs', () => {
    // The server has client 5's clocks 0 to 2 as GC; the update has them as an item of which one clock is new.
    const base = update([section(5, 0, gc(3))])
    const rewriting = update([section(6, 0, text('ok')), section(5, 0, text('abcd'))])
    expect(() => Y.applyUpdate(docOf(1, base), rewriting)).toThrow()
    const read = readUpdate(rewriting)
    const stateVector: StateVector = new Map([[5, 3]])
    expect(hasGap(read, stateVector)).toBe(false)
    const doc = docOf(1, base, withoutKnown(read, stateVector, new Map([[5, [0, 3]]])).bytes)
    expect(doc.getText('t').toString()).toBe('ok')
    expect(Y.getState(doc.store, 5)).toBe(4)
  })
})

describe('merging in batches', () => {
  it('gives the empty update for none, and the same bytes for one', () => {
    expect(mergeUpdatesInBatches([])).toEqual(EMPTY_UPDATE)
    const bytes = update([section(5, 0, text('a'))])
    expect(mergeUpdatesInBatches([bytes])).toBe(bytes)
  })

  it.each([2, 63, 64, 65, 1000, 4097])('keeps all of %i updates', (count) => {
    const doc = docOf(1)
    const updates = editsOf(doc, () => {
      for (let i = 0; i < count; i++) doc.getText('t').insert(i % 7, String(i % 10))
    })
    expect(updates).toHaveLength(count)
    const merged = docOf(2, mergeUpdatesInBatches(updates))
    expect(merged.getText('t').toString()).toBe(doc.getText('t').toString())
  })

  it('is many times faster than merging 5,000 at once', () => {
    const doc = docOf(1)
    const updates = editsOf(doc, () => {
      for (let i = 0; i < 5000; i++) doc.getText('t').insert(i, 'x')
    })
    const timeOf = (merge: () => void): number => {
      const start = performance.now()
      merge()
      return performance.now() - start
    }
    timeOf(() => mergeUpdatesInBatches(updates))
    const inBatches = timeOf(() => mergeUpdatesInBatches(updates))
    expect(timeOf(() => Y.mergeUpdates(updates)) / inBatches).toBeGreaterThan(2)
  })
})
