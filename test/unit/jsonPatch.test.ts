import { describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { TuttiError } from '../../lib/errors.ts'
import { documentToJson, type Json } from '../../server/api/documentJson.ts'
import { applyJsonPatch, type JsonPatchOptions, MAX_OPERATIONS } from '../../server/api/jsonPatch.ts'
import { formatPointer, parsePointer } from '../../server/api/jsonPointer.ts'
import { createRandom, type Random } from '../fuzz/random.ts'
import { applyPlainPatch, type PlainOperation } from './plainJsonPatch.ts'
import { documentOf, fromBytes, randomDocument, randomJson } from './randomDocument.ts'
import { refusal } from './refusal.ts'

/** Applies a patch as the server does, and returns the updates that came of it. */
const patch = (doc: Y.Doc, operations: unknown, options?: JsonPatchOptions): Uint8Array[] => {
  const updates: Uint8Array[] = []
  const note = (update: Uint8Array): void => {
    updates.push(update)
  }
  doc.on('update', note)
  try {
    doc.transact(() => applyJsonPatch(doc, operations as Json, options))
  } finally {
    doc.off('update', note)
  }
  return updates
}

/** A document that reads as this JSON: what objects and arrays a client would have made of it. */
const documentFrom = (json: unknown): Y.Doc => {
  const doc = new Y.Doc()
  patch(doc, [{ op: 'replace', path: '', value: json }])
  return fromBytes(doc)
}

const patchRefusal = (doc: Y.Doc, operations: unknown, options?: JsonPatchOptions): TuttiError =>
  refusal(() => patch(doc, operations, options))

/** What an update brings: structs, and deleted clocks. */
const contents = (update: Uint8Array): { structs: number; deleted: number } => {
  const { structs, ds } = Y.decodeUpdate(update)
  let deleted = 0
  for (const runs of ds.clients.values()) for (const { len } of runs) deleted += len
  return { structs: structs.length, deleted }
}

describe('a JSON pointer', () => {
  it.each([
    ['', []],
    ['/foo', ['foo']],
    ['/foo/0', ['foo', '0']],
    ['/', ['']],
    ['/a~1b', ['a/b']],
    ['/c%d', ['c%d']],
    ['/m~0n', ['m~n']],
    ['/~01', ['~1']],
    ['//', ['', '']],
  ])('%j names %j', (pointer, tokens) => {
    expect(parsePointer(pointer)).toEqual(tokens)
    expect(formatPointer(tokens)).toBe(pointer)
  })

  it.each(['a', 'a/b', '#/a', '/~', '/~2', '/a~'])('%j is none', (pointer) => {
    expect(parsePointer(pointer)).toBeUndefined()
  })
})

describe('RFC 6902, appendix A', () => {
  it.each<[string, unknown, PlainOperation[], unknown]>([
    [
      'A.1 adding an object member',
      { foo: 'bar' },
      [{ op: 'add', path: '/baz', value: 'qux' }],
      { baz: 'qux', foo: 'bar' },
    ],
    [
      'A.2 adding an array element',
      { foo: ['bar', 'baz'] },
      [{ op: 'add', path: '/foo/1', value: 'qux' }],
      { foo: ['bar', 'qux', 'baz'] },
    ],
    ['A.3 removing an object member', { baz: 'qux', foo: 'bar' }, [{ op: 'remove', path: '/baz' }], { foo: 'bar' }],
    [
      'A.4 removing an array element',
      { foo: ['bar', 'qux', 'baz'] },
      [{ op: 'remove', path: '/foo/1' }],
      { foo: ['bar', 'baz'] },
    ],
    [
      'A.5 replacing a value',
      { baz: 'qux', foo: 'bar' },
      [{ op: 'replace', path: '/baz', value: 'boo' }],
      { baz: 'boo', foo: 'bar' },
    ],
    [
      'A.6 moving a value',
      { foo: { bar: 'baz', waldo: 'fred' }, qux: { corge: 'grault' } },
      [{ op: 'move', from: '/foo/waldo', path: '/qux/thud' }],
      { foo: { bar: 'baz' }, qux: { corge: 'grault', thud: 'fred' } },
    ],
    [
      'A.7 moving an array element',
      { foo: ['all', 'grass', 'cows', 'eat'] },
      [{ op: 'move', from: '/foo/1', path: '/foo/3' }],
      { foo: ['all', 'cows', 'eat', 'grass'] },
    ],
    [
      'A.8 testing a value: success',
      { baz: 'qux', foo: ['a', 2, 'c'] },
      [
        { op: 'test', path: '/baz', value: 'qux' },
        { op: 'test', path: '/foo/1', value: 2 },
      ],
      { baz: 'qux', foo: ['a', 2, 'c'] },
    ],
    [
      'A.10 adding a nested member object',
      { foo: 'bar' },
      [{ op: 'add', path: '/child', value: { grandchild: {} } }],
      { foo: 'bar', child: { grandchild: {} } },
    ],
    [
      'A.11 ignoring unrecognized elements',
      { foo: 'bar' },
      [{ op: 'add', path: '/baz', value: 'qux', xyz: 123 } as PlainOperation],
      { foo: 'bar', baz: 'qux' },
    ],
    ['A.14 ~ escape ordering', { '/': 9, '~1': 10 }, [{ op: 'test', path: '/~01', value: 10 }], { '/': 9, '~1': 10 }],
    [
      'A.16 adding an array value',
      { foo: ['bar'] },
      [{ op: 'add', path: '/foo/-', value: ['abc', 'def'] }],
      { foo: ['bar', ['abc', 'def']] },
    ],
  ])('%s', (_title, before, operations, after) => {
    const doc = documentFrom(before)
    expect(documentToJson(doc)).toEqual(before)
    patch(doc, operations)
    expect(documentToJson(doc)).toEqual(after)
    expect(documentToJson(fromBytes(doc))).toEqual(after)
    expect(applyPlainPatch(before, operations)).toEqual(after)
  })

  it.each<[string, unknown, unknown, string]>([
    ['A.9 testing a value: error', { baz: 'qux' }, [{ op: 'test', path: '/baz', value: 'bar' }], 'CONFLICT'],
    [
      // One level deeper than there: at the top a target without content counts as empty, see below.
      'A.12 adding to a nonexistent target',
      { foo: { foo: 'bar' } },
      [{ op: 'add', path: '/foo/baz/bat', value: 'qux' }],
      'CONFLICT',
    ],
    [
      'A.13 invalid JSON Patch document',
      { foo: 'bar' },
      // Its member "op" stands there twice; parsers take the last.
      JSON.parse('[{ "op": "add", "path": "/baz", "value": "qux", "op": "remove" }]'),
      'CONFLICT',
    ],
    [
      'A.15 comparing strings and numbers',
      { '/': 9, '~1': 10 },
      [{ op: 'test', path: '/~01', value: '10' }],
      'CONFLICT',
    ],
  ])('%s', (_title, before, operations, code) => {
    const doc = documentFrom(before)
    expect(patchRefusal(doc, operations).code).toBe(code)
    expect(() => applyPlainPatch(before, operations as PlainOperation[])).toThrow()
  })
})

describe('JSON patch on a document', () => {
  const notes = (): Y.Doc =>
    documentOf((doc) => {
      doc
        .getArray('list')
        .push(Array.from({ length: 100 }, (_, i) => new Y.Map(Object.entries({ id: i, done: false }))))
      doc.getMap('notes').set('n1', new Y.Map(Object.entries({ text: 'hi', tags: Y.Array.from(['a', 'b']) })))
      doc.getText('body').insert(0, 'The quick brown fox')
      doc.getMap('').set('title', 'T')
    })

  it('inserts, deletes and moves one element of a list, and touches no other', () => {
    const doc = notes()
    const before = doc.getArray('list').toArray()
    const [inserted] = patch(doc, [{ op: 'add', path: '/list/50', value: 'new' }])
    expect(contents(inserted!)).toEqual({ structs: 1, deleted: 0 })
    const [deleted] = patch(doc, [{ op: 'remove', path: '/list/50' }])
    expect(contents(deleted!)).toEqual({ structs: 0, deleted: 1 })
    const [appended] = patch(doc, [{ op: 'add', path: '/list/-', value: { id: 100 } }])
    // The map and its one entry.
    expect(contents(appended!)).toEqual({ structs: 2, deleted: 0 })
    const [moved] = patch(doc, [{ op: 'move', from: '/list/10', path: '/list/90' }])
    // A map with two entries goes, and comes elsewhere.
    expect(contents(moved!)).toEqual({ structs: 3, deleted: 3 })
    expect(moved!.byteLength).toBeLessThan(100)
    const after = doc.getArray('list').toArray()
    expect(after.filter((item) => before.includes(item as never))).toHaveLength(99)
    expect((after[90] as Y.Map<unknown>).toJSON()).toEqual({ id: 10, done: false })
  })

  it('writes one key of a map, and none that is equal already', () => {
    const doc = notes()
    const [update] = patch(doc, [{ op: 'replace', path: '/list/7/done', value: true }])
    expect(contents(update!)).toEqual({ structs: 1, deleted: 1 })
    expect(patch(doc, [{ op: 'replace', path: '/list/7/done', value: true }])).toEqual([])
    expect(patch(doc, [{ op: 'add', path: '/notes/n1', value: { text: 'hi', tags: ['a', 'b'] } }])).toEqual([])
    expect(patch(doc, [{ op: 'move', from: '/notes/n1', path: '/notes/n1' }])).toEqual([])
    expect(patch(doc, [])).toEqual([])
  })

  it('replaces an object by its differences', () => {
    const doc = notes()
    const note = doc.getMap('notes').get('n1')
    const [update] = patch(doc, [{ op: 'replace', path: '/notes/n1', value: { text: 'hi', tags: ['a', 'c'] } }])
    expect(contents(update!)).toEqual({ structs: 1, deleted: 1 })
    expect(doc.getMap('notes').get('n1')).toBe(note)
    patch(doc, [{ op: 'replace', path: '/notes/n1', value: { other: null } }])
    expect(documentToJson(doc).notes).toEqual({ n1: { other: null } })
  })

  it('replaces of a list only elements that differ', () => {
    const doc = notes()
    const before = doc.getArray('list').toArray()
    const value = doc.getArray('list').toJSON() as { done: boolean }[]
    value[3]!.done = true
    value[60]!.done = true
    const [update] = patch(doc, [{ op: 'replace', path: '/list', value }])
    expect(contents(update!)).toEqual({ structs: 2, deleted: 2 })
    expect(doc.getArray('list').toArray()).toEqual(before)
  })

  it('changes of a text only the stretch that differs, so that what others type stays', () => {
    const doc = notes()
    const other = fromBytes(doc)
    other.getText('body').insert(19, ' jumps')
    other.getArray<Y.Map<unknown>>('list').get(3).set('done', true)
    other.getArray('list').delete(5, 1)
    patch(doc, [
      { op: 'replace', path: '/body', value: 'The slow brown fox' },
      { op: 'remove', path: '/list/0' },
      { op: 'move', from: '/list/97', path: '/list/0' },
      { op: 'replace', path: '/list/9/done', value: 'yes' },
    ])
    Y.applyUpdate(doc, Y.encodeStateAsUpdate(other))
    Y.applyUpdate(other, Y.encodeStateAsUpdate(doc))
    expect(documentToJson(other)).toEqual(documentToJson(doc))
    expect(doc.getText('body').toString()).toBe('The slow brown fox jumps')
    const list = doc.getArray('list').toJSON() as { id: number; done: unknown }[]
    expect(list.map(({ id }) => id).slice(0, 8)).toEqual([98, 1, 2, 3, 4, 6, 7, 8])
    expect(list.filter(({ done }) => done !== false)).toEqual([
      { id: 3, done: true },
      { id: 9, done: 'yes' },
    ])
  })

  it('makes a Y.Text of a new string under ?text, in whatever operation', () => {
    const doc = new Y.Doc()
    const texts = [['body'], ['notes', 'n1', 'text'], ['list', '0']]
    patch(
      doc,
      [
        { op: 'add', path: '/body', value: 'b' },
        { op: 'add', path: '/notes', value: { n1: { text: 't', plain: 'p' } } },
        { op: 'add', path: '/list/-', value: 'x' },
      ],
      { texts },
    )
    const loaded = fromBytes(doc)
    expect(loaded.getText('body').toString()).toBe('b')
    const note = loaded.getMap('notes').get('n1') as Y.Map<unknown>
    expect([note.get('text') instanceof Y.Text, note.get('plain')]).toEqual([true, 'p'])
    expect(loaded.getArray('list').get(0)).toBeInstanceOf(Y.Text)
  })

  it('keeps plain values plain and bytes bytes', () => {
    const doc = documentOf((doc) => {
      doc.getMap('map').set('plain', { a: [1, { b: 2 }], keep: Uint8Array.of(7) })
      doc.getMap('map').set('bytes', Uint8Array.of(1, 2))
      doc.getArray('list').push([{ a: 1 }, Uint8Array.of(3)])
    })
    patch(doc, [
      { op: 'add', path: '/map/plain/a/1/c', value: { d: 1 } },
      { op: 'remove', path: '/map/plain/a/0' },
      { op: 'test', path: '/map/plain', value: { a: [{ b: 2, c: { d: 1 } }], keep: 'Bw==' } },
      { op: 'replace', path: '/map/bytes', value: 'AwQ=' },
      { op: 'copy', from: '/map/plain/keep', path: '/map/copied' },
      { op: 'move', from: '/list/0', path: '/map/plain/moved' },
      { op: 'add', path: '/map/plain/constructor', value: 1 },
      { op: 'remove', path: '/map/plain/constructor' },
      { op: 'copy', from: '/map', path: '/map/plain/all' },
    ])
    const map = doc.getMap('map')
    expect(map.get('bytes')).toEqual(Uint8Array.of(3, 4))
    expect(map.get('copied')).toEqual(Uint8Array.of(7))
    expect(documentToJson(fromBytes(doc))).toEqual(documentToJson(doc))
    expect(documentToJson(doc).map).toMatchObject({ plain: { moved: { a: 1 }, all: { copied: 'Bw==' } } })
  })

  it('moves and copies formats, embeds and XML, which JSON has no words for', () => {
    const doc = documentOf((doc) => {
      const text = new Y.Text()
      doc.getMap('map').set('text', text)
      text.insert(0, 'see this', {})
      text.format(4, 4, { bold: true })
      text.insertEmbed(0, { image: 1 })
      text.insertEmbed(0, new Y.Map([['inner', 1]]))
      const paragraph = new Y.XmlElement('p')
      doc.getMap('map').set('xml', paragraph)
      paragraph.setAttribute('id', 'x')
      paragraph.insert(0, [new Y.XmlText('hello'), new Y.XmlElement('br')])
      doc.getMap('map').set('fragment', new Y.XmlFragment())
      doc.getMap('map').set('document', new Y.Doc({ guid: 'sub' }))
      doc.getMap('map').set('doc2', new Y.Doc({ guid: 'sub2' }))
    })
    const delta = (doc.getMap('map').get('text') as Y.Text).toDelta().slice(1)
    patch(doc, [
      { op: 'move', from: '/map/text', path: '/body' },
      { op: 'copy', from: '/body', path: '/map/again' },
      { op: 'copy', from: '/map/xml', path: '/page' },
      { op: 'move', from: '/map/xml', path: '/map/paragraph' },
      { op: 'move', from: '/map/fragment', path: '/map/f' },
      { op: 'move', from: '/map/document', path: '/map/sub' },
      { op: 'copy', from: '/map/doc2', path: '/map/list' },
      { op: 'copy', from: '/page', path: '/page2' },
    ])
    const loaded = fromBytes(doc)
    expect(documentToJson(loaded)).toEqual(documentToJson(doc))
    expect(loaded.getText('body').toDelta().slice(1)).toEqual(delta)
    expect((loaded.getMap('map').get('again') as Y.Text).toDelta().slice(1)).toEqual(delta)
    const { page, page2, map } = documentToJson(loaded) as Record<string, Json>
    expect([page, page2]).toEqual(['<p id="x">hello<br></br></p>', '<p id="x">hello<br></br></p>'])
    expect(map).toMatchObject({ paragraph: '<p id="x">hello<br></br></p>', f: '', sub: 'sub', list: 'sub2' })
  })

  it('works at the top as elsewhere', () => {
    const doc = notes()
    patch(doc, [
      { op: 'copy', from: '/notes', path: '/copied' },
      { op: 'move', from: '/notes/n1/tags', path: '/tags' },
      { op: 'move', from: '/title', path: '/notes/title' },
      { op: 'remove', path: '/list' },
      { op: 'remove', path: '/body' },
    ])
    expect(documentToJson(fromBytes(doc))).toEqual({
      copied: { n1: { text: 'hi', tags: ['a', 'b'] } },
      notes: { n1: { text: 'hi' }, title: 'T' },
      tags: ['a', 'b'],
    })
    expect(doc.getArray('tags').toJSON()).toEqual(['a', 'b'])
    patch(doc, [{ op: 'move', from: '/copied/n1', path: '/copied' }])
    expect(documentToJson(doc).copied).toEqual({ text: 'hi', tags: ['a', 'b'] })
    patch(doc, [{ op: 'replace', path: '', value: { tags: ['b'], n: 1 } }])
    expect(documentToJson(doc)).toEqual({ tags: ['b'], n: 1 })
    patch(doc, [
      { op: 'test', path: '', value: { n: 1, tags: ['b'] } },
      { op: 'move', from: '/tags', path: '/n' },
    ])
    expect(documentToJson(fromBytes(doc))).toEqual({ n: ['b'] })
  })

  it('takes an empty object or array at the top for what it is while the patch lasts', () => {
    const doc = new Y.Doc()
    patch(doc, [
      { op: 'add', path: '/notes', value: {} },
      { op: 'test', path: '', value: { notes: {} } },
      { op: 'add', path: '/notes/n1', value: { a: 1 } },
      { op: 'add', path: '/list', value: [] },
      { op: 'add', path: '/list/0', value: 1 },
      { op: 'remove', path: '/list/0' },
      { op: 'test', path: '/list', value: [] },
      { op: 'add', path: '/other', value: [] },
      { op: 'add', path: '/other', value: { now: 'an object' } },
      { op: 'add', path: '/gone', value: [] },
      { op: 'remove', path: '/gone' },
    ])
    expect(documentToJson(doc)).toEqual({ notes: { n1: { a: 1 } }, other: { now: 'an object' } })
  })

  it('adds to a root that holds nothing as to an empty one: "-" and "0" begin a list, other keys an object', () => {
    const doc = new Y.Doc()
    patch(doc, [{ op: 'add', path: '/notes', value: {} }])
    patch(doc, [
      { op: 'add', path: '/notes/n1', value: { a: 1 } },
      { op: 'add', path: '/todos/-', value: 'a' },
      { op: 'add', path: '/todos/-', value: 'b' },
      { op: 'add', path: '/others/0', value: 'c' },
      { op: 'copy', from: '/notes/n1', path: '/copies/n1' },
    ])
    expect(documentToJson(fromBytes(doc))).toEqual({
      notes: { n1: { a: 1 } },
      todos: ['a', 'b'],
      others: ['c'],
      copies: { n1: { a: 1 } },
    })
    const absent = (operation: object): string => patchRefusal(doc, [operation]).code
    expect(absent({ op: 'add', path: '/more/x/y', value: 'a' })).toBe('CONFLICT')
    expect(absent({ op: 'add', path: '//-', value: 'a' })).toBe('CONFLICT')
    expect(absent({ op: 'test', path: '/more/-', value: 'a' })).toBe('CONFLICT')
    expect(absent({ op: 'replace', path: '/more/x', value: 'a' })).toBe('CONFLICT')
    expect(absent({ op: 'remove', path: '/more' })).toBe('CONFLICT')
  })

  it('adds to an emptied root as to what it was, and tests it as that', () => {
    const emptied = (): Y.Doc => {
      const doc = documentOf((doc) => {
        doc.getArray('list').push([1])
        doc.getMap('map').set('a', 1)
      })
      patch(doc, [
        { op: 'remove', path: '/list/0' },
        { op: 'remove', path: '/map/a' },
      ])
      expect(documentToJson(doc)).toEqual({})
      return fromBytes(doc)
    }
    const doc = emptied()
    patch(doc, [
      { op: 'test', path: '/list', value: [] },
      { op: 'test', path: '/map', value: {} },
      { op: 'test', path: '/never', value: [] },
      { op: 'test', path: '/never', value: {} },
      { op: 'add', path: '/list/0', value: 2 },
      { op: 'add', path: '/map/0', value: 3 },
    ])
    expect(documentToJson(fromBytes(doc))).toEqual({ list: [2], map: { 0: 3 } })
    const fails = (operation: object): string => patchRefusal(emptied(), [operation]).code
    expect(fails({ op: 'test', path: '/list', value: {} })).toBe('CONFLICT')
    expect(fails({ op: 'test', path: '/map', value: [] })).toBe('CONFLICT')
    expect(fails({ op: 'test', path: '/never', value: [1] })).toBe('CONFLICT')
    expect(fails({ op: 'test', path: '/never', value: null })).toBe('CONFLICT')
    expect(fails({ op: 'add', path: '/list/x', value: 2 })).toBe('CONFLICT')
    expect(fails({ op: 'add', path: '/list/1', value: 2 })).toBe('CONFLICT')
  })

  it('keeps the type of a root that was emptied: whoever declared it goes on with it', () => {
    const doc = documentOf((doc) => {
      doc.getArray('list').push([1])
      doc.getMap('map').set('a', 1)
      doc.getText('text').insert(0, 'x')
      doc.getMap('other').set('list', [1])
    })
    const texts = { texts: [['map']] }
    for (const name of ['list', 'map', 'text']) patch(doc, [{ op: 'remove', path: `/${name}` }])
    const emptied = fromBytes(doc)
    const isRefused = (name: string, value: unknown, options?: JsonPatchOptions): void => {
      const error = patchRefusal(emptied, [{ op: 'add', path: `/${name}`, value }], options)
      expect([error.code, error.hint]).toEqual(['INVALID_PATCH', expect.stringContaining('another name')])
      // Also within the patch that empties it, which knows more.
      const both = [
        { op: 'remove', path: `/${name}` },
        { op: 'add', path: `/${name}`, value },
      ]
      const full = documentOf((doc) => {
        doc.getArray('list').push([1])
        doc.getMap('map').set('a', 1)
        doc.getText('text').insert(0, 'x')
      })
      expect(patchRefusal(full, both, options).code).toBe('INVALID_PATCH')
    }
    for (const value of [{ a: 1 }, {}, 5, null, true]) isRefused('list', value)
    for (const value of [{ a: 1 }, 5, null]) isRefused('text', value)
    for (const value of [[1], [], 'x', 5, null]) isRefused('map', value)
    isRefused('map', 'x', texts)
    expect(patchRefusal(emptied, [{ op: 'copy', from: '/other/list', path: '/map' }]).code).toBe('INVALID_PATCH')
    expect(patchRefusal(emptied, [{ op: 'copy', from: '/other', path: '/list' }]).code).toBe('INVALID_PATCH')
    // A patch that empties a list or a text knows which of them it was.
    const retyped = (doc: Y.Doc, name: string, value: unknown): string =>
      patchRefusal(doc, [
        { op: 'remove', path: `/${name}` },
        { op: 'add', path: `/${name}`, value },
      ]).code
    expect(retyped(notes(), 'list', 'x')).toBe('INVALID_PATCH')
    expect(retyped(notes(), 'body', [1])).toBe('INVALID_PATCH')
    patch(emptied, [
      { op: 'add', path: '/list', value: [2] },
      { op: 'add', path: '/map', value: { b: 2 } },
      { op: 'add', path: '/text', value: 'y' },
    ])
    expect(documentToJson(fromBytes(emptied))).toEqual({ list: [2], map: { b: 2 }, text: 'y', other: { list: [1] } })
  })

  it('lets no root scalar come up that a root hid', () => {
    const doc = documentOf((doc) => {
      doc.getArray('x').push([1])
      doc.getMap('').set('x', 'hidden')
    })
    patch(doc, [
      { op: 'remove', path: '/x/0' },
      { op: 'test', path: '', value: { x: [] } },
    ])
    expect(documentToJson(doc)).toEqual({})
  })

  it('never settles the type of a root', () => {
    const doc = notes()
    const bare = fromBytes(doc)
    patch(bare, [
      { op: 'add', path: '/list/0', value: 1 },
      { op: 'remove', path: '/list/0' },
      { op: 'replace', path: '/body', value: 'x' },
      { op: 'move', from: '/list/0', path: '/list/1' },
      { op: 'copy', from: '/body', path: '/other' },
      { op: 'add', path: '/fresh', value: [1] },
    ])
    for (const root of bare.share.values()) expect(root.constructor).toBe(Y.AbstractType)
  })
})

describe('a refused JSON patch', () => {
  const roots = (): Y.Doc =>
    documentOf((doc) => {
      doc.getMap('map').set('a', 1)
      doc.getMap('map').set('text', new Y.Text('abc'))
      doc.getMap('map').set('bytes', Uint8Array.of(1))
      doc.getMap('map').set('xml', new Y.XmlElement('p'))
      doc.getArray('list').push([1, 2])
      doc.getXmlFragment('page').insert(0, [new Y.XmlElement('p')])
      doc.getMap('').set('n', 1)
    })

  it.each<[unknown, string, string]>([
    [{}, 'INVALID_PATCH', 'The patch is an object; expected an array of operations.'],
    [null, 'INVALID_PATCH', 'The patch is null; expected an array of operations.'],
    [[5], 'INVALID_PATCH', 'Operation 0 is a number; expected an object.'],
    [
      [{ path: '/a' }],
      'INVALID_PATCH',
      'Operation 0 has an "op" that is missing; expected one of add, remove, replace, move, copy, test.',
    ],
    [
      [{ op: 'ADD', path: '/a' }],
      'INVALID_PATCH',
      'Operation 0 has an "op" that is "ADD"; expected one of add, remove, replace, move, copy, test.',
    ],
    [[{ op: 'add', value: 1 }], 'INVALID_PATCH', 'Operation 0 has a "path" that is missing; expected a string.'],
    [
      [{ op: 'add', path: 'a', value: 1 }],
      'INVALID_PATCH',
      'Operation 0 has a "path" that is no JSON Pointer: "a"; expected "" or one that begins with "/", with "~" only in "~0" and "~1".',
    ],
    [[{ op: 'add', path: '/a' }], 'INVALID_PATCH', 'Operation 0 has no "value".'],
    [[{ op: 'copy', path: '/a' }], 'INVALID_PATCH', 'Operation 0 has a "from" that is missing; expected a string.'],
    [[{ op: 'move', from: '/map', path: '/map/a' }], 'INVALID_PATCH', 'Operation 0 moves a place into itself.'],
    [[{ op: 'move', from: '', path: '/x' }], 'INVALID_PATCH', 'Operation 0 moves a place into itself.'],
    [
      [{ op: 'remove', path: '' }],
      'INVALID_PATCH',
      'Operation 0 (remove): The patch removes the whole document, which can only be emptied.',
    ],
    [
      [{ op: 'add', path: '', value: 5 }],
      'INVALID_PATCH',
      'Operation 0 (add): The patch puts a number in the place of the document; expected an object.',
    ],
    [
      [{ op: 'add', path: '/map', value: 5 }],
      'INVALID_PATCH',
      'Operation 0 (add): "map" is a root that holds an object; expected an object, got a number.',
    ],
    [
      [{ op: 'replace', path: '/map/xml', value: 'x' }],
      'INVALID_PATCH',
      'Operation 0 (replace): "map.xml" is XML, which a patch cannot change.',
    ],
    [
      [{ op: 'replace', path: '/map/bytes', value: 'no Base64' }],
      'INVALID_PATCH',
      'Operation 0 (replace): "map.bytes" holds bytes; expected them as Base64 with padding.',
    ],
    [
      [{ op: 'add', path: '/map/b', value: '\ud83d' }],
      'INVALID_PATCH',
      '"map.b" holds half a surrogate pair; a string must be valid Unicode.',
    ],
    [
      [{ op: 'add', path: '/map/__proto__', value: 1 }],
      'INVALID_PATCH',
      'Operation 0 (add): "map.__proto__" is no key that a document can have.',
    ],
    [
      [{ op: 'add', path: '/__proto__', value: { a: 1 } }],
      'INVALID_PATCH',
      'Operation 0 (add): "__proto__" is no key that a document can have.',
    ],
    [
      [{ op: 'copy', from: '/n', path: '/map/__proto__' }],
      'INVALID_PATCH',
      'Operation 0 (copy): "map.__proto__" is no key that a document can have.',
    ],
    [
      [
        { op: 'test', path: '/n', value: 1 },
        { op: 'test', path: '/n', value: 2 },
      ],
      'CONFLICT',
      'Operation 1 (test): /n is not what the test expects.',
    ],
    [
      [{ op: 'test', path: '', value: {} }],
      'CONFLICT',
      'Operation 0 (test): the document is not what the test expects.',
    ],
    [[{ op: 'remove', path: '/nothing' }], 'CONFLICT', 'Operation 0 (remove): there is nothing at /nothing.'],
    [[{ op: 'replace', path: '/map/b', value: 1 }], 'CONFLICT', 'Operation 0 (replace): there is nothing at /map/b.'],
    [[{ op: 'remove', path: '/map/toString' }], 'CONFLICT', 'Operation 0 (remove): there is nothing at /map/toString.'],
    [[{ op: 'add', path: '/map/b/c', value: 1 }], 'CONFLICT', 'Operation 0 (add): there is nothing at /map/b.'],
    [[{ op: 'add', path: '/n/a', value: 1 }], 'CONFLICT', 'Operation 0 (add): /n has no parts: it is a number.'],
    [
      [{ op: 'add', path: '/map/text/0', value: 'x' }],
      'CONFLICT',
      'Operation 0 (add): /map/text has no parts: it is a string.',
    ],
    [[{ op: 'add', path: '/page/0', value: 'x' }], 'CONFLICT', 'Operation 0 (add): /page has no parts: it is XML.'],
    [
      [{ op: 'remove', path: '/map/bytes/0' }],
      'CONFLICT',
      'Operation 0 (remove): /map/bytes has no parts: it is bytes.',
    ],
    [
      [{ op: 'add', path: '/list/3', value: 1 }],
      'CONFLICT',
      'Operation 0 (add): there is no /list/3: the array has 2 elements.',
    ],
    [
      [{ op: 'remove', path: '/list/2' }],
      'CONFLICT',
      'Operation 0 (remove): there is no /list/2: the array has 2 elements.',
    ],
    [
      [{ op: 'remove', path: '/list/-' }],
      'CONFLICT',
      'Operation 0 (remove): there is no /list/-: the array has 2 elements.',
    ],
    [
      [{ op: 'add', path: '/list/01', value: 1 }],
      'CONFLICT',
      'Operation 0 (add): /list is an array, and "01" no index of it.',
    ],
    [
      [{ op: 'add', path: '/list/1e0', value: 1 }],
      'CONFLICT',
      'Operation 0 (add): /list is an array, and "1e0" no index of it.',
    ],
    [
      [{ op: 'remove', path: '/list/-1' }],
      'CONFLICT',
      'Operation 0 (remove): /list is an array, and "-1" no index of it.',
    ],
  ])('is answered for %j', (operations, code, message) => {
    const doc = roots()
    const before = Y.encodeStateAsUpdate(doc)
    const error = patchRefusal(doc, operations)
    expect([error.code, error.message]).toEqual([code, message])
    expect(error.hint).not.toBe('')
    expect(Y.encodeStateAsUpdate(doc)).toEqual(before)
  })

  it('is one of too many operations, or nested too deep', () => {
    const operation = { op: 'test', path: '/n', value: 1 }
    expect(patch(roots(), Array(MAX_OPERATIONS).fill(operation))).toEqual([])
    expect(patchRefusal(roots(), Array(MAX_OPERATIONS + 1).fill(operation)).code).toBe('TOO_LARGE')
    const deep: unknown = JSON.parse(`${'['.repeat(100_000)}${']'.repeat(100_000)}`)
    expect(patchRefusal(roots(), [{ op: 'add', path: '/deep', value: deep }]).message).toMatch(/deeper than 200 levels/)
  })

  it.each([
    ['a shared type into itself', { op: 'copy', from: '/map', path: '/map/again' }],
    ['a plain value into itself', { op: 'copy', from: '/map/plain', path: '/map/plain/again' }],
    ['a list onto its end', { op: 'copy', from: '/list', path: '/list/-' }],
    ['the document into itself', { op: 'copy', from: '', path: '/map/again' }],
  ])('is one that doubles %s again and again', (_title, operation) => {
    const doc = documentOf((doc) => {
      doc.getMap('map').set('plain', { text: 'x'.repeat(10_000) })
      doc.getArray('list').push(['x'.repeat(10_000)])
    })
    const error = patchRefusal(doc, Array(60).fill(operation))
    expect(error.code).toBe('TOO_LARGE')
  })
})

/** Empty roots are not shown. */
const withoutEmptyRoots = (json: unknown): unknown =>
  Object.fromEntries(
    Object.entries(json as object).filter(([, value]) => !['{}', '[]', '""'].includes(JSON.stringify(value))),
  )

/** Pointers to everything in some JSON. */
const pointersOf = (json: unknown, at: readonly string[] = []): string[][] => {
  const inside = typeof json === 'object' && json !== null ? Object.entries(json) : []
  return [[...at], ...inside.flatMap(([key, part]) => pointersOf(part, [...at, key]))]
}

const valueAt = (json: unknown, path: readonly string[]): unknown =>
  path.reduce((value, token) => (value as Record<string, unknown>)[token], json)

/** Operations most of which fit what is there. */
const randomOperation = (random: Random, json: unknown): PlainOperation => {
  const places = pointersOf(json)
  const place = random.pick(places)
  const parent = valueAt(json, place)
  const near = (): string[] => {
    if (Array.isArray(parent)) return [...place, random.pick(['-', '0', `${random.between(0, parent.length)}`])]
    if (typeof parent === 'object' && parent !== null) return [...place, random.pick(['a', 'd', 'constructor', ''])]
    return place
  }
  const path = formatPointer(random.chance(0.5) ? near() : place)
  const value = random.chance(0.2) ? valueAt(json, random.pick(places)) : randomJson(random, 2)
  const from = formatPointer(random.pick(places))
  return random.pick<PlainOperation>([
    { op: 'add', path, value },
    { op: 'remove', path },
    { op: 'replace', path, value },
    { op: 'move', from, path },
    { op: 'copy', from, path },
    { op: 'test', path: formatPointer(place), value: random.chance(0.9) ? valueAt(json, place) : value },
  ])
}

/** Whether JSON holds something that a document can't be made to hold in this place. */
const OWN_REFUSALS =
  /is a root that (holds|held)|XML|Base64|would be a root scalar|place of the document|whole document/

describe('JSON patches at random', () => {
  it('come to what RFC 6902 says, operation by operation, for everyone who reads the document', () => {
    const outcomes = { applied: 0, failed: 0, refused: 0 }
    for (let seed = 1; seed <= 3000; seed++) {
      const random = createRandom(seed)
      const doc = fromBytes(randomDocument(random))
      const reader = fromBytes(doc)
      doc.on('update', (update: Uint8Array) => Y.applyUpdate(reader, update))
      const before = documentToJson(doc)
      const operations: PlainOperation[] = []
      let expected: unknown = before
      for (let count = random.between(1, 5); count > 0; count--) {
        const operation = randomOperation(random, expected)
        operations.push(operation)
        try {
          expected = applyPlainPatch(expected, [operation])
        } catch {
          expected = undefined
          break
        }
      }
      const label = `seed ${seed}: ${JSON.stringify(operations)} on ${JSON.stringify(before)}`
      let error: TuttiError | undefined
      try {
        patch(doc, operations)
      } catch (thrown) {
        if (!(thrown instanceof TuttiError)) throw new Error(label, { cause: thrown })
        error = thrown
      }
      if (error !== undefined && OWN_REFUSALS.test(error.message)) {
        outcomes.refused++
        continue
      }
      if (expected === undefined) {
        expect(error?.code, label).toMatch(/^(CONFLICT|INVALID_PATCH)$/)
        outcomes.failed++
        continue
      }
      expect(error, label).toBeUndefined()
      outcomes.applied++
      expect(withoutEmptyRoots(documentToJson(doc)), label).toEqual(withoutEmptyRoots(expected))
      expect(documentToJson(reader), label).toEqual(documentToJson(doc))
      expect(documentToJson(fromBytes(doc)), label).toEqual(documentToJson(doc))
    }
    expect(outcomes.applied).toBeGreaterThan(1000)
    expect(outcomes.failed).toBeGreaterThan(200)
  })
})
