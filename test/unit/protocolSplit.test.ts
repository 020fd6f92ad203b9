import { describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { SEGMENT_BYTES, splitUpdate } from '../../server/protocol/split.ts'
import { readUpdate } from '../../server/protocol/update.ts'
import { hasPending, readerOf, stateOf } from '../fuzz/author.ts'

const docWith = (clientId: number, edit: (doc: Y.Doc) => void, base?: Y.Doc): Y.Doc => {
  const doc = new Y.Doc()
  if (base !== undefined) Y.applyUpdate(doc, Y.encodeStateAsUpdate(base))
  doc.clientID = clientId
  edit(doc)
  return doc
}

/** Applies the pieces one by one; each must leave nothing pending. */
const applyAll = (pieces: readonly Uint8Array[], base: readonly Uint8Array[] = []): Y.Doc => {
  const doc = readerOf(base)
  for (const piece of pieces) {
    Y.applyUpdate(doc, piece)
    expect(hasPending(doc)).toBe(false)
  }
  return doc
}

describe('splitting an update', () => {
  it('returns an update that fits as it is', () => {
    const bytes = Y.encodeStateAsUpdate(docWith(1, (doc) => doc.getText('t').insert(0, 'a')))
    expect(splitUpdate(bytes, bytes.length)).toEqual([bytes])
    expect(splitUpdate(bytes, bytes.length)[0]).toBe(bytes)
  })

  it('fills pieces up to the limit', () => {
    const doc = docWith(1, (each) => {
      const map = each.getMap('m')
      for (let i = 0; i < 60_000; i++) map.set(`key ${i}`, { x: i, y: 'some text' })
    })
    const whole = Y.encodeStateAsUpdate(doc)
    const pieces = splitUpdate(whole, SEGMENT_BYTES)
    expect(pieces.length).toBe(Math.ceil(whole.length / SEGMENT_BYTES))
    for (const piece of pieces) expect(piece.length).toBeLessThanOrEqual(SEGMENT_BYTES)
    for (const piece of pieces.slice(0, -1)) expect(piece.length).toBeGreaterThan(SEGMENT_BYTES - 200)
    expect(stateOf(applyAll(pieces))).toBe(stateOf(doc))
  })

  it('lets a single struct that is larger stand alone', () => {
    const doc = docWith(1, (each) => {
      each.getText('t').insert(0, 'small')
      each.getMap('m').set('large', 'x'.repeat(5000))
      each.getMap('m').set('small', 'y')
    })
    const pieces = splitUpdate(Y.encodeStateAsUpdate(doc), 1000)
    expect(pieces.map((piece) => readUpdate(piece).structs.length)).toEqual([1, 1, 1])
    expect(pieces[1]!.length).toBeGreaterThan(5000)
    expect(stateOf(applyAll(pieces))).toBe(stateOf(doc))
  })

  it('cuts a text and a list that are larger, and they grow together again', () => {
    const doc = docWith(1, (each) => {
      // Pairs of surrogates everywhere, an odd number of units before them: some cut would fall into one.
      each.getText('t').insert(0, `x${'😀é漢'.repeat(700)}`)
      each.getArray('a').push(Array.from({ length: 900 }, (_, i) => ({ i })))
    })
    const whole = Y.encodeStateAsUpdate(doc)
    expect(readUpdate(whole).structs.length).toBe(2)
    const pieces = splitUpdate(whole, 400)
    for (const piece of pieces) expect(piece.length).toBeLessThanOrEqual(400)
    const read = applyAll(pieces)
    expect(stateOf(read)).toBe(stateOf(doc))
    expect(Y.encodeStateAsUpdate(read)).toEqual(whole)
    expect(read.getText('t').toString()).toBe(doc.getText('t').toString())
  })

  it('cuts a text into which others wrote', () => {
    const doc = docWith(1, (each) => each.getText('t').insert(0, 'abcdefghij'.repeat(100)))
    const other = docWith(2, (each) => each.getText('t').insert(500, 'between'.repeat(100)), doc)
    const before = docWith(3, (each) => each.getText('t').insert(0, 'front'.repeat(100)), doc)
    Y.applyUpdate(other, Y.encodeStateAsUpdate(before))
    const pieces = splitUpdate(Y.encodeStateAsUpdate(other), 150)
    for (const piece of pieces) expect(piece.length).toBeLessThanOrEqual(150)
    expect(stateOf(applyAll(pieces))).toBe(stateOf(other))
  })

  it('puts what others build on first, back and forth between clients', () => {
    // Client 9 writes into what 2 made and the other way round, so that no client can go first as a whole.
    let doc = docWith(2, (each) => each.getArray('a').push([new Y.Map()]))
    for (let i = 0; i < 20; i++) {
      doc = docWith(
        i % 2 ? 2 : 9,
        (each) => {
          const map = each.getArray<Y.Map<unknown>>('a').get(i)
          map.set('text', new Y.Text(`by ${i}`))
          each.getArray('a').push([new Y.Map()])
        },
        doc,
      )
    }
    const pieces = splitUpdate(Y.encodeStateAsUpdate(doc), 60)
    expect(pieces.length).toBeGreaterThan(10)
    expect(stateOf(applyAll(pieces))).toBe(stateOf(doc))
  })

  it('splits what builds on a document that has more', () => {
    const base = docWith(2, (each) => each.getText('t').insert(0, 'base'))
    const doc = docWith(
      9,
      (each) => {
        for (let i = 0; i < 30; i++) each.getText('t').insert(i % 4, `${i}`)
      },
      base,
    )
    const pieces = splitUpdate(Y.encodeStateAsUpdate(doc, Y.encodeStateVector(base)), 50)
    expect(pieces.length).toBeGreaterThan(5)
    expect(stateOf(applyAll(pieces, [Y.encodeStateAsUpdate(base)]))).toBe(stateOf(doc))
  })

  it('keeps Skip structs between the runs of a client', () => {
    const updates: Uint8Array[] = []
    const doc = docWith(7, (each) => {
      each.on('update', (update: Uint8Array) => updates.push(update))
      for (let i = 0; i < 9; i++) each.getMap('m').set(`k${i}`, 'v'.repeat(20))
    })
    const withHoles = Y.mergeUpdates(updates.filter((_, i) => i % 3 !== 1))
    const pieces = splitUpdate(withHoles, 100)
    expect(pieces.length).toBeGreaterThan(1)
    // On a document that has what was skipped (and so all before it), they add the rest.
    const base = updates.slice(0, 8)
    expect(stateOf(applyAll(pieces, base))).toBe(stateOf(doc))
    expect(pieces.some((piece) => readUpdate(piece).structs.some((struct) => struct instanceof Y.Skip))).toBe(true)
  })

  it('splits a delete set that is larger than a piece, and sends it last', () => {
    const doc = docWith(1, (each) => {
      const text = each.getText('t')
      text.insert(0, 'x'.repeat(4000))
      each.transact(() => {
        for (let i = 0; i < 1900; i++) text.delete(i + 1, 1)
      })
    })
    const whole = Y.encodeStateAsUpdate(doc)
    const deletions = Y.encodeStateAsUpdate(doc, Y.encodeStateVector(doc))
    const pieces = splitUpdate(deletions, 500)
    expect(pieces.length).toBe(Math.ceil(deletions.length / 490))
    for (const piece of pieces) {
      expect(piece.length).toBeLessThanOrEqual(500)
      expect(readUpdate(piece).structs).toEqual([])
    }
    const all = splitUpdate(whole, 500)
    const firstDeleting = all.findIndex((piece) => readUpdate(piece).deletions.size > 0)
    const lastWriting = all.findLastIndex((piece) => readUpdate(piece).structs.length > 0)
    expect(firstDeleting).toBeGreaterThanOrEqual(lastWriting)
    expect(stateOf(applyAll(all))).toBe(stateOf(doc))
  })

  it('refuses bytes that are no update, or whose structs wait for each other', () => {
    expect(() => splitUpdate(new Uint8Array(100).fill(255), 10)).toThrow(/cannot be decoded/)
    // 5:0 right of 3:0, and 3:0 right of 5:0.
    const circle = Uint8Array.of(2, 1, 5, 0, 0x84, 3, 0, 1, 97, 1, 3, 0, 0x84, 5, 0, 1, 98, 0)
    expect(() => splitUpdate(circle, 10)).toThrow(/wait for each other/)
  })
})
