import { describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { TuttiError } from '../../lib/errors.ts'
import { documentToJson, type Json, MAX_JSON_DEPTH } from '../../server/api/documentJson.ts'
import { createRandom } from '../fuzz/random.ts'
import { declare, fromBytes, randomDocument } from './randomDocument.ts'

/** JSON by Yjs's own `toJSON` of declared types: what `documentToJson` must come to without a declaration. */
const declaredJson = (doc: Y.Doc): unknown => {
  const { scalars, map, list, text, xml } = declare(doc)
  const json: Record<string, unknown> = { ...scalars.toJSON() }
  if (map.size > 0) json.map = map.toJSON()
  if (list.length > 0) json.list = list.toJSON()
  if (text.length > 0) json.text = text.toString()
  if (xml.length > 0) json.xml = xml.toString()
  return JSON.parse(
    JSON.stringify(json, (_key, value) =>
      value instanceof Uint8Array ? Buffer.from(value).toString('base64') : (value as unknown),
    ),
  )
}

const jsonOf = (build: (doc: Y.Doc) => void): Record<string, Json> => {
  const doc = new Y.Doc()
  build(doc)
  const typed = documentToJson(doc)
  const untyped = documentToJson(fromBytes(doc))
  // Whether somebody declared the roots makes no difference.
  expect(untyped).toEqual(typed)
  return untyped
}

const setAll = (map: Y.Map<unknown>, values: Readonly<Record<string, unknown>>): void => {
  for (const [key, value] of Object.entries(values)) map.set(key, value)
}

describe('JSON of a document', () => {
  it('has one key per root and leaves empty roots out', () => {
    const json = jsonOf((doc) => {
      doc.getMap('notes').set('n1', new Y.Map([['text', 'hello']]))
      doc.getArray('todos').push(['a', { done: true }])
      doc.getText('body').insert(0, 'hi')
      doc.getMap('never')
      doc.getMap('emptied').set('a', 1)
      doc.getMap('emptied').delete('a')
      doc.getText('typed').insert(0, 'x')
      doc.getText('typed').delete(0, 1)
    })
    expect(json).toEqual({ notes: { n1: { text: 'hello' } }, todos: ['a', { done: true }], body: 'hi' })
  })

  it('shows root scalars at the top, under a named root of the same name', () => {
    const json = jsonOf((doc) => {
      setAll(doc.getMap(''), { title: 'Board', notes: 'hidden', '': 'nameless' })
      doc.getMap('notes').set('a', 1)
    })
    expect(json).toEqual({ title: 'Board', '': 'nameless', notes: { a: 1 } })
  })

  it('shows a root scalar under the name of an empty root', () => {
    const json = jsonOf((doc) => {
      doc.getMap('').set('notes', 'shown')
      doc.getArray('notes').push([1])
      doc.getArray('notes').delete(0, 1)
    })
    expect(json).toEqual({ notes: 'shown' })
  })

  it('shows a root with the empty name that is no map under ""', () => {
    expect(jsonOf((doc) => doc.getText('').insert(0, 'plain'))).toEqual({ '': 'plain' })
    expect(jsonOf((doc) => doc.getArray('').push([1, 2]))).toEqual({ '': [1, 2] })
  })

  it('takes characters, formats and embeds for text', () => {
    const json = jsonOf((doc) => {
      const text = doc.getText('text')
      text.insert(0, 'bold 😀', { bold: true })
      text.insertEmbed(0, { image: 'x' })
      text.insertEmbed(1, new Y.Map())
      text.insert(text.length, ' plain')
    })
    expect(json).toEqual({ text: 'bold 😀 plain' })
  })

  it('takes elements for XML and writes it as Yjs does', () => {
    const json = jsonOf((doc) => {
      const paragraph = new Y.XmlElement('p')
      paragraph.setAttribute('class', 'x')
      const text = new Y.XmlText('hello')
      text.format(0, 2, { em: {} })
      paragraph.insert(0, [text])
      doc.getXmlFragment('xml').insert(0, [paragraph, new Y.XmlText('tail')])
      doc.getMap('map').set('node', new Y.XmlElement('br'))
    })
    expect(json).toEqual({ xml: '<p class="x"><em>he</em>llo</p>tail', map: { node: '<br></br>' } })
  })

  it('takes a root of types or mixed values for a list', () => {
    const json = jsonOf((doc) => {
      doc.getArray('list').push([new Y.Map([['a', 1]]), new Y.Array(), new Y.Text('t'), null])
      doc.getArray('types').push([new Y.Map()])
    })
    expect(json).toEqual({ list: [{ a: 1 }, [], 't', null], types: [{}] })
  })

  it('writes bytes as Base64, subdocuments as guid, and what JSON cannot hold as null or nothing', () => {
    const json = jsonOf((doc) => {
      setAll(doc.getMap('map'), {
        bytes: Uint8Array.of(0, 255),
        inside: { bytes: Uint8Array.of(1), list: [undefined, 1], gone: undefined },
        sub: new Y.Doc({ guid: 'abc' }),
        gone: undefined,
        nan: Number.NaN,
        infinite: Number.NEGATIVE_INFINITY,
        small: 7n,
        large: 2n ** 60n,
        null: null,
      })
    })
    expect(json).toEqual({
      map: {
        bytes: 'AP8=',
        inside: { bytes: 'AQ==', list: [null, 1] },
        sub: 'abc',
        nan: null,
        infinite: null,
        small: 7,
        large: '1152921504606846976',
        null: null,
      },
    })
    expect(JSON.parse(JSON.stringify(json))).toEqual(json)
  })

  it('keeps a key named __proto__ as an own key', () => {
    const json = jsonOf((doc) => {
      doc.getMap('map').set('__proto__', { polluted: true })
      doc.getArray('__proto__').push([1])
    })
    expect(JSON.stringify(json)).toContain('"__proto__":{"polluted":true}')
    expect(Object.hasOwn(json, '__proto__')).toBe(true)
    expect((json.map as { polluted?: boolean }).polluted).toBeUndefined()
  })

  it('does not settle the type of a root', () => {
    const source = new Y.Doc()
    source.getMap('a').set('x', 1)
    source.getArray('b').push([1])
    source.getText('c').insert(0, 'c')
    source.getXmlFragment('d').insert(0, [new Y.XmlElement('p')])
    const doc = fromBytes(source)
    const before = Y.encodeStateAsUpdate(doc)
    documentToJson(doc)
    for (const root of doc.share.values()) expect(root.constructor).toBe(Y.AbstractType)
    expect(Y.encodeStateAsUpdate(doc)).toEqual(before)
    expect(doc.getMap('a').toJSON()).toEqual({ x: 1 })
    expect(doc.getArray('b').toJSON()).toEqual([1])
    expect(doc.getText('c').toString()).toBe('c')
    expect(doc.getXmlFragment('d').toString()).toBe('<p></p>')
  })

  it('refuses a document nested too deep instead of ending the stack', () => {
    const nested = (levels: number): Y.Doc => {
      const doc = new Y.Doc()
      let map = doc.getMap('map')
      doc.transact(() => {
        for (let level = 2; level < levels; level++) map = map.set('a', new Y.Map())
        map.set('a', 1)
      })
      return doc
    }
    expect(() => documentToJson(nested(MAX_JSON_DEPTH))).not.toThrow()
    expect(() => documentToJson(nested(MAX_JSON_DEPTH + 1))).toThrow(TuttiError)
    expect(() => documentToJson(nested(100_000))).toThrow(/deeper than 1000 levels/)

    const doc = new Y.Doc()
    doc.transact(() => {
      let parent: Y.XmlFragment = doc.getXmlFragment('xml')
      for (let level = 0; level < 100_000; level++) {
        const child = new Y.XmlElement('p')
        parent.insert(0, [child])
        parent = child
      }
    })
    expect(() => documentToJson(doc)).toThrow(/no text form/)
  })

  it('refuses XML with an attribute that has no text form', () => {
    const doc = new Y.Doc()
    const element = new Y.XmlElement('p')
    doc.getXmlFragment('xml').insert(0, [element])
    // Yjs types attributes as strings, but stores and sends any value.
    Y.Map.prototype.set.call(element, 'bad', { toString: 1, valueOf: 1 })
    expect(() => documentToJson(fromBytes(doc))).toThrow(/no text form/)
  })

  it('is what Yjs makes of the declared types, for random documents', () => {
    for (let seed = 1; seed <= 400; seed++) {
      const doc = randomDocument(createRandom(seed))
      const json = documentToJson(fromBytes(doc))
      expect(JSON.parse(JSON.stringify(json)), `seed ${seed}`).toEqual(declaredJson(doc))
      expect(documentToJson(doc), `seed ${seed}, declared`).toEqual(json)
    }
  })
})
