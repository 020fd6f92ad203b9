import { describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { TuttiError } from '../../lib/errors.ts'
import { documentToJson, type Json } from '../../server/api/documentJson.ts'
import { applyMergePatch, type MergePatchOptions } from '../../server/api/mergePatch.ts'
import { MAX_PATCH_DEPTH } from '../../server/api/patchValue.ts'
import { textDiff } from '../../server/api/textDiff.ts'
import { createRandom, type Random } from '../fuzz/random.ts'
import { changeAtRandom, declare, documentOf, fromBytes, randomDocument, randomJson } from './randomDocument.ts'
import { refusal } from './refusal.ts'

/** Applies a patch as the server does, and tells whether an update came of it. */
const patch = (doc: Y.Doc, value: unknown, options?: MergePatchOptions): boolean => {
  let changed = false
  const note = (): void => {
    changed = true
  }
  doc.on('update', note)
  try {
    doc.transact(() => applyMergePatch(doc, value as Json, options))
  } finally {
    doc.off('update', note)
  }
  return changed
}

const patchRefusal = (doc: Y.Doc, value: unknown, options?: MergePatchOptions): TuttiError => {
  const before = Y.encodeStateAsUpdate(doc)
  const error = refusal(() => patch(doc, value, options))
  expect(Y.encodeStateAsUpdate(doc)).toEqual(before)
  return error
}

describe('merge patch on a document', () => {
  it('makes maps of new objects, arrays of new arrays and root scalars of the rest', () => {
    const doc = new Y.Doc()
    expect(patch(doc, { title: 'T', count: 1, done: false, notes: { n1: { tags: ['a'] } }, list: [{ a: null }] })).toBe(
      true,
    )
    expect(doc.getMap('').toJSON()).toEqual({ title: 'T', count: 1, done: false })
    const note = doc.getMap('notes').get('n1') as Y.Map<unknown>
    expect(note).toBeInstanceOf(Y.Map)
    expect(note.get('tags')).toBeInstanceOf(Y.Array)
    expect(doc.getArray('list').get(0)).toBeInstanceOf(Y.Map)
    expect(documentToJson(doc)).toEqual({
      title: 'T',
      count: 1,
      done: false,
      notes: { n1: { tags: ['a'] } },
      list: [{ a: null }],
    })
  })

  it('merges objects, removes with null and leaves the rest alone', () => {
    const doc = documentOf((doc) => {
      doc.getMap('notes').set('n1', new Y.Map(Object.entries({ text: 'hi', x: 1, y: 2 })))
      doc.getMap('notes').set('n2', new Y.Map())
      doc.getMap('').set('title', 'T')
    })
    expect(patch(doc, { notes: { n1: { x: 5, y: null }, n2: null, n3: null }, title: null, other: null })).toBe(true)
    expect(documentToJson(doc)).toEqual({ notes: { n1: { text: 'hi', x: 5 } } })
  })

  it('keeps the rows that it does not touch', () => {
    const doc = documentOf((doc) => doc.getMap('notes').set('n1', new Y.Map([['x', 1]])))
    const row = doc.getMap('notes').get('n1')
    patch(doc, { notes: { n1: { x: 2 }, n2: { x: 3 } } })
    expect(doc.getMap('notes').get('n1')).toBe(row)
  })

  it('clears a root with null, together with a root scalar that it hid', () => {
    const doc = documentOf((doc) => {
      doc.getMap('map').set('a', 1)
      doc.getMap('').set('map', 'hidden')
      doc.getArray('list').push([1, 2])
      doc.getText('text').insert(0, 'abc', { bold: true })
      doc.getText('text').insertEmbed(1, { image: 1 })
      doc.getXmlFragment('xml').insert(0, [new Y.XmlElement('p')])
    })
    expect(patch(doc, { map: null, list: null, text: null, xml: null })).toBe(true)
    expect(documentToJson(doc)).toEqual({})
    expect(doc.getText('text').length).toBe(0)
    expect(patch(doc, { map: null, list: null, text: null, xml: null })).toBe(false)
  })

  it('keeps the common start and end of an array', () => {
    const doc = documentOf((doc) => {
      doc.getArray('list').push([new Y.Map([['id', 1]]), { id: 2 }, 'x', new Y.Map([['id', 4]])])
    })
    const list = doc.getArray('list')
    const [first, last] = [list.get(0), list.get(3)]
    expect(patch(doc, { list: [{ id: 1 }, { id: 2 }, { id: 3 }, 'y', { id: 4 }] })).toBe(true)
    expect(list.get(0)).toBe(first)
    expect(list.get(4)).toBe(last)
    expect(list.toJSON()).toEqual([{ id: 1 }, { id: 2 }, { id: 3 }, 'y', { id: 4 }])
    expect(patch(doc, { list: [] })).toBe(true)
    expect(documentToJson(doc)).toEqual({})
  })

  it('leaves plain values plain', () => {
    const doc = documentOf((doc) => {
      const map = doc.getMap('map')
      map.set('object', { a: { b: 1 }, keep: Uint8Array.of(7) })
      map.set('array', [1, { a: 1 }, Uint8Array.of(7)])
      doc.getMap('').set('settings', { dark: true })
    })
    patch(doc, {
      map: { object: { a: { b: null, c: 2 }, n: { x: null } }, array: [2, { a: 1 }, 'Bw=='] },
      settings: { dark: false },
    })
    const map = doc.getMap('map')
    expect(map.get('object')).toEqual({ a: { c: 2 }, keep: Uint8Array.of(7), n: {} })
    expect(map.get('array')).toEqual([2, { a: 1 }, Uint8Array.of(7)])
    expect(doc.getMap('').get('settings')).toEqual({ dark: false })
    expect(patch(doc, { map: { object: { a: { c: 2 }, x: null } }, settings: { dark: false } })).toBe(false)
  })

  it('replaces a plain scalar by a map or an array that merges', () => {
    const doc = documentOf((doc) => doc.getMap('map').set('a', null))
    patch(doc, { map: { a: { x: 1 } } })
    expect(doc.getMap('map').get('a')).toBeInstanceOf(Y.Map)
  })

  it('keeps bytes bytes', () => {
    const doc = documentOf((doc) => doc.getMap('map').set('bytes', Uint8Array.of(1, 2)))
    expect(patch(doc, { map: { bytes: 'AQI=' } })).toBe(false)
    expect(patch(doc, { map: { bytes: 'AwQ=' } })).toBe(true)
    expect(doc.getMap('map').get('bytes')).toEqual(Uint8Array.of(3, 4))
    expect(patchRefusal(doc, { map: { bytes: 'not Base64' } }).message).toBe(
      '"map.bytes" holds bytes; expected them as Base64 with padding.',
    )
  })

  it('stores an object with a key named constructor', () => {
    const doc = documentOf((doc) => doc.getMap('map').set('plain', { a: 1 }))
    patch(doc, { map: { plain: { constructor: { constructor: 1 } }, fresh: { constructor: 2 } } })
    expect(documentToJson(fromBytes(doc))).toEqual({
      map: { plain: { a: 1, constructor: { constructor: 1 } }, fresh: { constructor: 2 } },
    })
  })

  it('writes nothing where the document reads like that already', () => {
    const doc = documentOf((doc) => {
      doc.getMap('map').set('text', new Y.Text('same'))
      doc.getMap('map').set('list', Y.Array.from([1, { a: [null] }]))
      doc.getMap('').set('title', 'T')
      doc.getText('body').insert(0, 'b')
      doc.getXmlFragment('xml').insert(0, [new Y.XmlElement('p')])
    })
    expect(patch(doc, documentToJson(doc))).toBe(false)
    expect(patch(doc, {})).toBe(false)
    expect(patch(new Y.Doc(), { a: {}, b: [], c: null, d: { e: null } })).toBe(false)
  })

  it('never settles the type of a root', () => {
    const doc = new Y.Doc()
    patch(doc, { map: { a: 1 }, list: [1], text: 't', n: 1 }, { texts: [['text']] })
    patch(doc, { map: { a: 2 }, list: [1, 2], text: 'to' })
    for (const root of doc.share.values()) expect(root.constructor).toBe(Y.AbstractType)
    expect(doc.getMap('map').toJSON()).toEqual({ a: 2 })
    expect(doc.getArray('list').toJSON()).toEqual([1, 2])
    expect(doc.getText('text').toString()).toBe('to')
  })

  it('writes to a root whatever it was declared as, if it is empty', () => {
    const doc = new Y.Doc()
    doc.getArray('x')
    patch(doc, { x: { a: 1 } })
    expect(documentToJson(doc)).toEqual({ x: { a: 1 } })
  })
})

describe('texts under a merge patch', () => {
  it('changes only the stretch that differs, so that edits of others stay', () => {
    const doc = documentOf((doc) => doc.getText('body').insert(0, 'The quick brown fox'))
    const other = fromBytes(doc)
    other.getText('body').insert(19, ' jumps')
    patch(doc, { body: 'The slow brown fox' })
    Y.applyUpdate(doc, Y.encodeStateAsUpdate(other))
    expect(doc.getText('body').toString()).toBe('The slow brown fox jumps')
  })

  it('never splits a surrogate pair', () => {
    expect(textDiff('😀', '😁')).toEqual({ start: 0, end: 2, insert: '😁' })
    expect(textDiff('😀', '🈀')).toEqual({ start: 0, end: 2, insert: '🈀' })
    expect(textDiff('a😀b', 'a😁😀b')).toEqual({ start: 1, end: 1, insert: '😁' })
    expect(textDiff('😀😀', '😀')).toEqual({ start: 2, end: 4, insert: '' })
    expect(textDiff('a', 'a')).toBeUndefined()
    for (const [before, after] of [
      ['😀', '😁'],
      ['x😀y', 'x🈀y'],
      ['😀😁', '😁😀'],
      ['', '😀'],
      ['😀', ''],
    ] as const) {
      const doc = documentOf((doc) => doc.getText('body').insert(0, before))
      const reader = fromBytes(doc)
      doc.on('update', (update: Uint8Array) => Y.applyUpdate(reader, update))
      patch(doc, { body: after }, { texts: [['body']] })
      expect(documentToJson(doc)).toEqual(after === '' ? {} : { body: after })
      expect(documentToJson(reader)).toEqual(documentToJson(doc))
    }
  })

  it('keeps the format of the replaced characters and the embeds beside them', () => {
    const doc = documentOf((doc) => {
      const text = doc.getText('body')
      text.insert(0, 'see  now', {})
      text.insert(4, 'this', { bold: true })
      text.insertEmbed(4, { image: 1 })
      text.insertEmbed(0, { image: 0 })
    })
    patch(doc, { body: 'see that now' })
    expect(doc.getText('body').toDelta()).toEqual([
      { insert: { image: 0 } },
      { insert: 'see ' },
      { insert: { image: 1 } },
      { insert: 'that', attributes: { bold: true } },
      { insert: ' now' },
    ])
  })

  it('keeps the format of a word that is replaced whole', () => {
    const doc = documentOf((doc) => {
      doc.getText('body').insert(0, 'hello !')
      doc.getText('body').insert(6, 'world', { bold: true })
    })
    patch(doc, { body: 'hello earth!' })
    expect(doc.getText('body').toDelta()).toEqual([
      { insert: 'hello ' },
      { insert: 'earth', attributes: { bold: true } },
      { insert: '!' },
    ])
  })

  it('makes a Y.Text of a new string under ?text, at the root, in a map and in an array', () => {
    const doc = documentOf((doc) => doc.getMap('').set('plain', 'stays'))
    const texts = [['body'], ['notes', 'n1', 'text'], ['list', '1'], ['plain'], ['absent']]
    patch(doc, { body: 'b', notes: { n1: { text: 't', other: 'o' } }, list: ['x', 'y'], plain: 'still' }, { texts })
    expect(doc.getText('body').toString()).toBe('b')
    const note = doc.getMap('notes').get('n1') as Y.Map<unknown>
    expect(note.get('text')).toBeInstanceOf(Y.Text)
    expect(note.get('other')).toBe('o')
    expect(doc.getArray('list').get(1)).toBeInstanceOf(Y.Text)
    expect(doc.getMap('').get('plain')).toBe('still')
  })

  it('replaces what is no string by a Y.Text under ?text', () => {
    const doc = documentOf((doc) => doc.getMap('map').set('a', 5))
    patch(doc, { map: { a: 'x' } }, { texts: [['map', 'a']] })
    expect(doc.getMap('map').get('a')).toBeInstanceOf(Y.Text)
  })

  it('goes on with a root text that was emptied', () => {
    const doc = documentOf((doc) => {
      doc.getText('body').insert(0, 'x')
      doc.getText('body').delete(0, 1)
    })
    patch(doc, { body: 'again' })
    expect(doc.getText('body').toString()).toBe('again')
    expect(doc.getMap('').size).toBe(0)
  })
})

describe('a root that was emptied', () => {
  const emptied = (): Y.Doc => {
    const doc = documentOf((doc) => {
      doc.getArray('list').push([1])
      doc.getMap('map').set('a', 1)
    })
    patch(doc, { list: null, map: null })
    return fromBytes(doc)
  }

  it.each<[Json]>([
    [{ list: { a: 1 } }],
    [{ list: {} }],
    [{ list: 5 }],
    [{ map: [1] }],
    [{ map: 'x' }],
    [{ map: true }],
  ])('keeps its type: %j is refused', (value) => {
    const doc = emptied()
    expect(() => patch(doc, value)).toThrow(/is a root that held/)
    expect(documentToJson(doc)).toEqual({})
  })

  it('is filled again with what it was, and cleared again', () => {
    const doc = emptied()
    patch(doc, { list: [2], map: { b: 2 } })
    expect(documentToJson(fromBytes(doc))).toEqual({ list: [2], map: { b: 2 } })
    patch(doc, { list: null, map: null })
    patch(doc, { list: null, map: null })
    expect(documentToJson(doc)).toEqual({})
  })
})

describe('a refused merge patch', () => {
  const roots = (): Y.Doc =>
    documentOf((doc) => {
      doc.getMap('map').set('a', 1)
      doc.getMap('map').set('xml', new Y.XmlElement('p'))
      doc.getArray('list').push([1])
      doc.getText('text').insert(0, 't')
      doc.getXmlFragment('xml').insert(0, [new Y.XmlElement('p')])
    })

  it.each([
    [[], 'The patch is an array; expected an object.'],
    ['x', 'The patch is a string; expected an object.'],
    [null, 'The patch is null; expected an object.'],
    [7, 'The patch is a number; expected an object.'],
    [{ map: 5 }, '"map" is a root that holds an object; expected an object or null, got a number.'],
    [{ map: 'x' }, '"map" is a root that holds an object; expected an object or null, got a string.'],
    [{ map: [] }, '"map" is a root that holds an object; expected an object or null, got an array.'],
    [{ list: {} }, '"list" is a root that holds an array; expected an array or null, got an object.'],
    [{ text: 5 }, '"text" is a root that holds a string; expected a string or null, got a number.'],
    [{ fine: 1, xml: '<h1></h1>' }, '"xml" is XML, which a patch cannot change.'],
    [{ xml: {} }, '"xml" is XML, which a patch cannot change.'],
    [{ map: { a: 2, xml: 'x' } }, '"map.xml" is XML, which a patch cannot change.'],
    [{ map: { a: '\ud83d' } }, '"map.a" holds half a surrogate pair; a string must be valid Unicode.'],
    [{ map: { '\ude00': 1 } }, '"map.\ude00" has half a surrogate pair in its key; a key must be valid Unicode.'],
    [
      JSON.parse('{"map": {"a": [1, 1e999]}}'),
      '"map.a.1" is a number out of range; expected one that a 64-bit float can hold.',
    ],
    [JSON.parse('{"map": {"__proto__": {"x": 1}}}'), '"map.__proto__" is no key that a document can have.'],
    [JSON.parse('{"__proto__": 1}'), '"__proto__" is no key that a document can have.'],
  ])('is answered for %j and changes nothing', (value, message) => {
    const error = patchRefusal(roots(), value)
    expect(error.code).toBe('INVALID_PATCH')
    expect(error.message).toBe(message)
    expect(error.hint).not.toBe('')
  })

  it('is one nested too deep, however deep', () => {
    const nested = (levels: number): unknown => JSON.parse(`${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`)
    expect(patch(new Y.Doc(), nested(MAX_PATCH_DEPTH))).toBe(true)
    expect(patchRefusal(new Y.Doc(), nested(MAX_PATCH_DEPTH + 1)).message).toMatch(/deeper than 200 levels/)
    const array: unknown = JSON.parse(`{"a":${'['.repeat(500_000)}${']'.repeat(500_000)}}`)
    expect(patchRefusal(new Y.Doc(), array).message).toMatch(/deeper than 200 levels/)
  })

  it('is a root scalar where the root with the empty name is not a map', () => {
    const doc = documentOf((doc) => doc.getText('').insert(0, 'x'))
    expect(patchRefusal(doc, { title: 'T' }).message).toMatch(/would be a root scalar/)
    expect(patch(doc, { '': 'xy' })).toBe(true)
    expect(documentToJson(doc)).toEqual({ '': 'xy' })
  })
})

/** RFC 7396, word for word. */
const mergePatch = (target: unknown, patch: unknown): unknown => {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch
  const base = typeof target === 'object' && target !== null && !Array.isArray(target) ? target : {}
  const result = new Map(Object.entries(base))
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) result.delete(key)
    else result.set(key, mergePatch(result.get(key), value))
  }
  return Object.fromEntries(result)
}

/** Empty roots are not shown. */
const withoutEmptyRoots = (json: unknown): unknown =>
  Object.fromEntries(
    Object.entries(json as object).filter(([, value]) => !['{}', '[]', '""'].includes(JSON.stringify(value))),
  )

/** A patch near to what the document holds: some keys and elements stay as they are. */
const randomPatch = (random: Random, json: unknown, depth: number): unknown => {
  if (random.chance(0.15)) return json ?? null
  if (Array.isArray(json) && random.chance(0.7)) {
    const list: unknown[] = json.filter(() => random.chance(0.8))
    if (random.chance(0.6)) list.splice(random.between(0, list.length), random.between(0, 1), randomJson(random, 2))
    return list
  }
  if (typeof json === 'object' && json !== null && !Array.isArray(json) && random.chance(0.9)) {
    const entries = Object.entries(json)
      .filter(() => random.chance(0.6))
      .map(([key, value]) => [key, random.chance(0.2) ? null : randomPatch(random, value, depth - 1)] as const)
    if (random.chance(0.5)) entries.push([random.pick(['a', 'd', 'constructor', '']), randomJson(random, 2)])
    return Object.fromEntries(entries)
  }
  if (typeof json === 'string' && random.chance(0.7)) {
    const characters = [...json]
    characters.splice(
      random.between(0, characters.length),
      random.between(0, 2),
      random.pick(['😀', '😁', '🈀', 'x', '']),
    )
    return characters.join('')
  }
  return randomJson(random, depth)
}

const randomRootPatch = (random: Random, json: Readonly<Record<string, Json>>): Record<string, unknown> => {
  const patch = randomPatch(random, json, 3)
  return typeof patch === 'object' && patch !== null && !Array.isArray(patch) ? { ...patch } : {}
}

describe('merge patches at random', () => {
  it('come to what RFC 7396 says, and change nothing the second time', () => {
    const outcomes = { applied: 0, refused: 0 }
    for (let seed = 1; seed <= 3000; seed++) {
      const random = createRandom(seed)
      const doc = fromBytes(randomDocument(random))
      const before = documentToJson(doc)
      const value = randomRootPatch(random, before)
      const texts = random.chance(0.3) ? [['map', 'a'], ['d']] : []
      try {
        patch(doc, value, { texts })
      } catch (error) {
        if (!(error instanceof TuttiError)) throw new Error(`seed ${seed}`, { cause: error })
        expect(error.code, `seed ${seed}`).toBe('INVALID_PATCH')
        expect(documentToJson(doc), `seed ${seed}`).toEqual(before)
        outcomes.refused++
        continue
      }
      outcomes.applied++
      const expected = withoutEmptyRoots(mergePatch(before, value))
      expect(withoutEmptyRoots(documentToJson(doc)), `seed ${seed}`).toEqual(expected)
      expect(documentToJson(fromBytes(doc)), `seed ${seed}, from bytes`).toEqual(documentToJson(doc))
      expect(patch(doc, value, { texts }), `seed ${seed}, again`).toBe(false)
    }
    expect(outcomes.applied).toBeGreaterThan(2000)
    expect(outcomes.refused).toBeGreaterThan(100)
  })

  it('leave unmodified Yjs clients and servers equal when made at once', () => {
    for (let seed = 1; seed <= 600; seed++) {
      const random = createRandom(seed)
      const start = randomDocument(random)
      const servers = [fromBytes(start), fromBytes(start)]
      const clients = [fromBytes(start), fromBytes(start)]
      for (const client of clients) declare(client)
      const docs = [...servers, ...clients]
      for (let round = 0; round < 3; round++) {
        for (const server of servers) {
          const value = randomRootPatch(random, documentToJson(server))
          try {
            patch(server, value)
          } catch (error) {
            if (!(error instanceof TuttiError)) throw new Error(`seed ${seed}`, { cause: error })
          }
        }
        for (const client of clients) changeAtRandom(random, client)
        const updates = docs.map((doc) => Y.encodeStateAsUpdate(doc))
        for (const doc of docs) for (const update of updates) Y.applyUpdate(doc, update)
      }
      // Formats may be tidied up once more by each; after one more exchange all hold the same.
      const updates = docs.map((doc) => Y.encodeStateAsUpdate(doc))
      for (const doc of docs) for (const update of updates) Y.applyUpdate(doc, update)
      const json = documentToJson(servers[0]!)
      for (const doc of docs) {
        expect(documentToJson(doc), `seed ${seed}`).toEqual(json)
        expect(declare(fromBytes(doc)).text.toDelta(), `seed ${seed}`).toEqual(
          declare(fromBytes(servers[0]!)).text.toDelta(),
        )
      }
    }
  })
})
