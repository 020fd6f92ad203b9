import { describe, expect, it } from 'vitest'
import * as Y from 'yjs'
import { TuttiError } from '../../lib/errors.ts'
import { documentToJson, type Json } from '../../server/api/documentJson.ts'
import { applyJsonPatch } from '../../server/api/jsonPatch.ts'
import { applyMergePatch } from '../../server/api/mergePatch.ts'
import { MAX_VALUES } from '../../server/api/patchWork.ts'
import { checkRow } from '../../server/api/rows.ts'
import { documentOf } from './randomDocument.ts'
import { JSON_PATCH, MERGE, requestTo } from './roomRequest.ts'
import { startServer } from './testServer.ts'

const codeOf = (work: () => void): string => {
  try {
    work()
  } catch (error) {
    if (error instanceof TuttiError) return error.code
    throw error
  }
  return 'none'
}

const numbers = (count: number): number[] => Array.from({ length: count }, (_, i) => i)

const repeated = (count: number, operation: (i: number) => Json): Json =>
  Array.from({ length: count }, (_, i) => operation(i))

const patched = (doc: Y.Doc, patch: Json): string => codeOf(() => doc.transact(() => applyJsonPatch(doc, patch)))

describe('a patch', () => {
  it('holds as many values as the limit says, and not one more', () => {
    // The patch itself, the key of the list.
    const ofSize = (count: number): Json => ({ list: numbers(count - 2) })
    const merge = (patch: Json) => codeOf(() => applyMergePatch(new Y.Doc(), patch))
    expect(merge(ofSize(MAX_VALUES))).toBe('none')
    expect(merge(ofSize(MAX_VALUES + 1))).toBe('TOO_LARGE')
    // The operation, the value.
    const add = (count: number): Json => [{ op: 'add', path: '/list', value: numbers(count - 2) }]
    expect(patched(new Y.Doc(), add(MAX_VALUES))).toBe('none')
    expect(patched(new Y.Doc(), add(MAX_VALUES + 1))).toBe('TOO_LARGE')
  })

  it('that copies a place into itself again and again is refused', () => {
    const copies = (count: number): Json => [
      { op: 'add', path: '/a', value: { x: [1] } },
      ...numbers(count).map((i) => ({ op: 'copy', from: '/a', path: `/a/c${i}` })),
    ]
    expect(patched(new Y.Doc(), copies(10))).toBe('none')
    expect(patched(new Y.Doc(), copies(15))).toBe('TOO_LARGE')
  })

  it('that copies a long string again and again is refused', () => {
    const doc = documentOf((doc) => doc.getMap('m').set('s', 'x'.repeat(1_000_000)))
    expect(
      patched(
        doc,
        repeated(5, (i) => ({ op: 'copy', from: '/m/s', path: `/m/c${i}` })),
      ),
    ).toBe('none')
    expect(
      patched(
        doc,
        repeated(100, (i) => ({ op: 'copy', from: '/m/s', path: `/m/d${i}` })),
      ),
    ).toBe('TOO_LARGE')
  })

  it('that goes through much that is there again and again is refused', () => {
    const emptied = documentOf((doc) => {
      const map = doc.getMap('m')
      for (const i of numbers(5000)) map.set(`k${i}`, i)
      for (const i of numbers(5000)) map.delete(`k${i}`)
      map.set('z', 1)
    })
    const test: Json = { op: 'test', path: '/m', value: { z: 1 } }
    expect(
      patched(
        emptied,
        repeated(10, () => test),
      ),
    ).toBe('none')
    expect(
      patched(
        emptied,
        repeated(1000, () => test),
      ),
    ).toBe('TOO_LARGE')

    const plain = documentOf((doc) =>
      doc.getMap('m').set('p', Object.fromEntries(numbers(5000).map((i) => [`k${i}`, i]))),
    )
    expect(
      patched(
        plain,
        repeated(10, (i) => ({ op: 'add', path: `/m/p/a${i}`, value: 1 })),
      ),
    ).toBe('none')
    expect(
      patched(
        plain,
        repeated(1000, (i) => ({ op: 'add', path: `/m/p/b${i}`, value: 1 })),
      ),
    ).toBe('TOO_LARGE')

    const text = documentOf((doc) => doc.getText('t').insert(0, 'ab'.repeat(100_000)))
    const other = (i: number): Json => ({ op: 'replace', path: '/t', value: `${'ab'.repeat(100_000)}${i}` })
    expect(patched(text, repeated(3, other))).toBe('none')
    expect(patched(text, repeated(200, other))).toBe('TOO_LARGE')

    const list = documentOf((doc) => doc.getArray('l').insert(0, numbers(20_000)))
    const remove = (i: number): Json => ({ op: 'remove', path: `/l/${(i * 7919) % 10_000}` })
    expect(patched(list, repeated(1000, remove))).toBe('none')
    expect(patched(list, repeated(9000, remove))).toBe('TOO_LARGE')
  })

  it('finds an index of a root that came as bytes from those it found before', () => {
    const doc = documentOf((doc) => doc.getArray('l').insert(0, numbers(1000)))
    patched(doc, [{ op: 'replace', path: '/l/500', value: 'x' }])
    expect(doc.share.get('l')?._searchMarker).not.toEqual([])
    expect(doc.share.get('l')?._searchMarker).not.toBeNull()
  })

  it('that is refused for its size leaves nothing behind, and the next one has the whole limit again', async () => {
    const { url } = await startServer()
    const ask = requestTo(url)
    const patch = (type: string, body: unknown) => ask('a/document', { method: 'PATCH', type, body })
    expect((await patch(MERGE, { list: numbers(20_000) })).status).toBe(200)
    const refused = await patch(JSON_PATCH, [
      { op: 'add', path: '/a', value: { x: [1] } },
      ...numbers(20).map((i) => ({ op: 'copy', from: '/a', path: `/a/c${i}` })),
    ])
    expect(refused.status).toBe(413)
    expect(refused.json).toMatchObject({ code: 'TOO_LARGE', hint: expect.stringContaining('rows') })
    expect((await patch(MERGE, { more: numbers(20_000) })).status).toBe(200)
    expect(Object.keys((await ask('a/document')).json as object)).toEqual(['list', 'more'])
  })
})

describe('a row', () => {
  it('holds as many values as a patch', () => {
    // The row itself, the key of the list.
    const check = (count: number): string => codeOf(() => checkRow('rows', '1', { list: numbers(count - 2) }))
    expect(check(MAX_VALUES)).toBe('none')
    expect(check(MAX_VALUES + 1)).toBe('TOO_LARGE')
  })
})

describe('what is no patch', () => {
  it('has no limit: reading a large document after one', () => {
    const doc = documentOf((doc) => {
      for (const i of numbers(100)) doc.getMap('m').set(`${i}`, numbers(10_000))
    })
    expect(patched(doc, [{ op: 'add', path: '/m/x', value: 1 }])).toBe('none')
    expect(Object.keys(documentToJson(doc).m as object)).toHaveLength(101)
  })
})
