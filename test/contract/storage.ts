/** What every implementation of `Storage` does. Each one calls this with a function that opens an empty storage. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { RoomChange, Segment, SegmentRef, Storage, Summary } from '../../server/contracts.ts'

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)

export const segment = (id: number, firstSeq: number, lastSeq: number, text = `update ${id}`): Segment => ({
  id,
  firstSeq,
  lastSeq,
  update: bytesOf(text),
})

const ref = (of: Segment): SegmentRef => ({
  id: of.id,
  firstSeq: of.firstSeq,
  lastSeq: of.lastSeq,
  bytes: of.update.byteLength,
})

export const change = (room: string, add: readonly Segment[], rest: Partial<RoomChange> = {}): RoomChange => ({
  room,
  documentId: `document of ${room}`,
  add,
  ...rest,
})

const summaryAt = (seq: number): Summary => ({
  seq,
  stateVector: bytesOf(`state ${seq}`),
  deleteSet: bytesOf(`deletions ${seq}`),
  compactedBytes: 1234,
})

/** Room names that a careless key format would mix up, cut off or refuse. */
const EXTREME_NAMES = [
  'a',
  'a/b',
  'a/b/c',
  'ab',
  'a b',
  'a!',
  'a\u00a0',
  'a-',
  'A',
  'á',
  'a\u0301',
  '"',
  "'a'",
  'a"b',
  '%61',
  '\u3042/\u{1F600}',
  '\u{10FFFF}',
  '\uFFFF',
  '\u{1F600}'.repeat(63),
  'x'.repeat(255),
  'x'.repeat(254),
  `${'x'.repeat(253)}/y`,
  'é'.repeat(127),
  '__proto__',
  'constructor',
  '0',
  '1',
  'format',
]

export const storageContract = (name: string, open: () => Promise<Storage>): void => {
  describe(`${name} keeps the contract of Storage:`, () => {
    let storage: Storage
    beforeEach(async () => {
      storage = await open()
    })
    afterEach(async () => {
      await storage.close()
    })

    const textOf = async (room: string, id: number): Promise<string | undefined> => {
      const update = await storage.read(room, id)
      return update && new TextDecoder().decode(update)
    }

    test('a room never committed loads as undefined, and reading leaves it so', async () => {
      expect(await storage.load('nobody')).toBeUndefined()
      expect(await storage.read('nobody', 1)).toBeUndefined()
      expect(await storage.load('nobody')).toBeUndefined()
    })

    test('a committed room loads with its document id, its segments in order, and no summary', async () => {
      const segments = [segment(1, 1, 1), segment(2, 2, 5, 'longer than the first'), segment(3, 6, 6, '')]
      await storage.commit([change('room', segments)])
      expect(await storage.load('room')).toEqual({
        documentId: 'document of room',
        segments: segments.map(ref),
        summary: undefined,
      })
      expect(await textOf('room', 2)).toBe('longer than the first')
      expect(await textOf('room', 3)).toBe('')
    })

    test('a room can be committed with nothing in it but its document id', async () => {
      await storage.commit([change('empty', [])])
      expect(await storage.load('empty')).toEqual({
        documentId: 'document of empty',
        segments: [],
        summary: undefined,
      })
    })

    test('a commit of no changes resolves', async () => {
      await expect(storage.commit([])).resolves.toBeUndefined()
    })

    test('later commits add to a room, and its summary is the last one given', async () => {
      await storage.commit([change('room', [segment(1, 1, 1)], { summary: summaryAt(1) })])
      await storage.commit([change('room', [segment(2, 2, 2)])])
      expect((await storage.load('room'))?.summary).toEqual(summaryAt(1))
      await storage.commit([change('room', [segment(3, 3, 4)], { summary: summaryAt(4) })])
      const stored = await storage.load('room')
      expect(stored?.segments.map(({ id }) => id)).toEqual([1, 2, 3])
      expect(stored?.summary).toEqual(summaryAt(4))
    })

    test('one change replaces segments: removed, added and summary are seen together', async () => {
      await storage.commit([change('room', [segment(1, 1, 3), segment(2, 4, 4), segment(3, 5, 6)])])
      await storage.commit([change('room', [segment(4, 1, 4, 'compacted')], { remove: [1, 2], summary: summaryAt(6) })])
      expect(await storage.load('room')).toEqual({
        documentId: 'document of room',
        segments: [ref(segment(4, 1, 4, 'compacted')), ref(segment(3, 5, 6))],
        summary: summaryAt(6),
      })
      expect(await textOf('room', 1)).toBeUndefined()
      expect(await textOf('room', 2)).toBeUndefined()
      expect(await textOf('room', 3)).toBe('update 3')
      expect(await textOf('room', 4)).toBe('compacted')
    })

    test('removing a segment that is not there is no error', async () => {
      await storage.commit([change('room', [segment(1, 1, 1)], { remove: [7] })])
      expect((await storage.load('room'))?.segments).toEqual([ref(segment(1, 1, 1))])
    })

    test('segment ids and sequence numbers may be large, and order by number, not by text', async () => {
      const big = 2 ** 40
      await storage.commit([change('room', [segment(9, 1, 9), segment(10, 10, big), segment(big, big + 1, big + 1)])])
      expect((await storage.load('room'))?.segments.map(({ id, lastSeq }) => [id, lastSeq])).toEqual([
        [9, 9],
        [10, big],
        [big, big + 1],
      ])
    })

    test('a segment id that is taken is refused, and nothing of that commit is stored', async () => {
      await storage.commit([change('room', [segment(1, 1, 1)])])
      await expect(
        storage.commit([change('other', [segment(1, 1, 1)]), change('room', [segment(1, 2, 2, 'impostor')])]),
      ).rejects.toMatchObject({ code: 'STORAGE_FAILED', message: expect.stringContaining('"room"') })
      expect(await storage.load('other')).toBeUndefined()
      expect((await storage.load('room'))?.segments).toEqual([ref(segment(1, 1, 1))])
      expect(await textOf('room', 1)).toBe('update 1')
    })

    test('a change under another document id is refused, and nothing of that commit is stored', async () => {
      await storage.commit([change('room', [segment(1, 1, 1)])])
      await expect(
        storage.commit([change('other', []), change('room', [segment(2, 2, 2)], { documentId: 'stranger' })]),
      ).rejects.toMatchObject({ code: 'STORAGE_FAILED', message: expect.stringContaining('stranger') })
      expect(await storage.load('other')).toBeUndefined()
      expect((await storage.load('room'))?.documentId).toBe('document of room')
    })

    test.each([
      ['an id below zero', [segment(-1, 1, 1)]],
      ['an id that is no integer', [segment(1.5, 1, 1)]],
      ['an id beyond six bytes', [segment(2 ** 48, 1, 1)]],
      ['a range that ends before it starts', [segment(1, 2, 1)]],
      ['a sequence number of zero', [segment(1, 0, 1)]],
      ['one id twice', [segment(1, 1, 1), segment(1, 2, 2)]],
    ])('a change with %s is refused', async (_, segments) => {
      await expect(storage.commit([change('room', segments)])).rejects.toMatchObject({ code: 'STORAGE_FAILED' })
      expect(await storage.load('room')).toBeUndefined()
    })

    test('one commit changes many rooms or none', async () => {
      const names = Array.from({ length: 50 }, (_, i) => `room ${i}`)
      await storage.commit(names.map((room) => change(room, [segment(1, 1, 1, room)])))
      for (const room of names) expect(await textOf(room, 1)).toBe(room)
      // The last change is wrong: segment 1 of room 49 is there.
      const second = names.map((room, i) => change(room, [segment(i === 49 ? 1 : 2, 2, 2)]))
      await expect(storage.commit(second)).rejects.toMatchObject({ code: 'STORAGE_FAILED' })
      for (const room of names) expect((await storage.load(room))?.segments).toHaveLength(1)
    })

    test('a hole in the sequence of a room is an error that names the room, never half a document', async () => {
      await storage.commit([change('torn', [segment(1, 1, 2), segment(2, 4, 5)])])
      await expect(storage.load('torn')).rejects.toMatchObject({
        code: 'STORAGE_FAILED',
        message: expect.stringMatching(/"torn".*segment 2 holds updates 4 to 5, and none holds 3/),
      })
    })

    test('a room whose beginning is missing is an error that names the room', async () => {
      await storage.commit([change('torn', [segment(1, 1, 2), segment(2, 3, 5)])])
      await storage.commit([change('torn', [], { remove: [1] })])
      await expect(storage.load('torn')).rejects.toMatchObject({
        code: 'STORAGE_FAILED',
        message: expect.stringMatching(/"torn".*none holds 1/),
      })
    })

    test('an overlap in the sequence of a room is an error that names the room', async () => {
      await storage.commit([change('torn', [segment(1, 1, 4), segment(2, 4, 5)])])
      await expect(storage.load('torn')).rejects.toMatchObject({
        code: 'STORAGE_FAILED',
        message: expect.stringMatching(/"torn".*4 is in another one/),
      })
    })

    test('a summary of more than the segments hold is an error that names the room', async () => {
      await storage.commit([change('torn', [segment(1, 1, 4)], { summary: summaryAt(5) })])
      await expect(storage.load('torn')).rejects.toMatchObject({
        code: 'STORAGE_FAILED',
        message: expect.stringMatching(/"torn".*up to 5, and there are 4/),
      })
    })

    test('a deleted room is unknown, its neighbours are untouched, and it can be created anew', async () => {
      await storage.commit(['a', 'a/b', 'ab'].map((room) => change(room, [segment(1, 1, 1, room)])))
      await storage.delete('a')
      expect(await storage.load('a')).toBeUndefined()
      expect(await storage.read('a', 1)).toBeUndefined()
      expect(await textOf('a/b', 1)).toBe('a/b')
      expect(await textOf('ab', 1)).toBe('ab')
      await storage.commit([change('a', [segment(1, 1, 1, 'anew')], { documentId: 'another' })])
      expect(await storage.load('a')).toEqual({
        documentId: 'another',
        segments: [ref(segment(1, 1, 1, 'anew'))],
        summary: undefined,
      })
      expect(await textOf('a', 1)).toBe('anew')
    })

    test('deleting an unknown room is no error', async () => {
      await expect(storage.delete('nobody')).resolves.toBeUndefined()
    })

    test('commits, a deletion and a new creation of one room take effect in the order of the calls', async () => {
      const calls = [
        storage.commit([change('room', [segment(1, 1, 1)])]),
        storage.commit([change('room', [segment(2, 2, 2)]), change('other', [segment(1, 1, 1)])]),
        storage.delete('room'),
        storage.commit([change('room', [segment(1, 1, 1, 'anew')], { documentId: 'another' })]),
        storage.commit([change('room', [segment(2, 2, 2)], { documentId: 'another', remove: [7] })]),
      ]
      await Promise.all(calls)
      const stored = await storage.load('room')
      expect(stored?.documentId).toBe('another')
      expect(stored?.segments.map(({ id }) => id)).toEqual([1, 2])
      expect(await textOf('room', 1)).toBe('anew')
      expect((await storage.load('other'))?.segments).toHaveLength(1)
    })

    test('many commits at once are stored in order, each resolving after its own is readable', async () => {
      const ids = Array.from({ length: 300 }, (_, i) => i + 1)
      const resolved: number[] = []
      await Promise.all(
        ids.map(async (id) => {
          await storage.commit([change('busy', [segment(id, id, id)])])
          resolved.push(id)
          expect(await textOf('busy', id)).toBe(`update ${id}`)
        }),
      )
      expect(resolved).toEqual(ids)
      expect((await storage.load('busy'))?.segments.map(({ id }) => id)).toEqual(ids)
    })

    test('bytes given to commit may be overwritten as soon as it returns, also while it waits', async () => {
      const first = segment(1, 1, 1, 'x'.repeat(5000))
      const second = segment(2, 2, 2, 'short')
      const summary = { ...summaryAt(2), stateVector: bytesOf('state'), deleteSet: bytesOf('deleted') }
      const commits = [
        storage.commit([change('room', [first])]),
        storage.commit([change('room', [second], { summary })]),
      ]
      for (const bytes of [first.update, second.update, summary.stateVector, summary.deleteSet]) bytes.fill(0)
      await Promise.all(commits)
      expect(await textOf('room', 1)).toBe('x'.repeat(5000))
      expect(await textOf('room', 2)).toBe('short')
      const stored = (await storage.load('room'))?.summary
      expect(new TextDecoder().decode(stored?.stateVector)).toBe('state')
      expect(new TextDecoder().decode(stored?.deleteSet)).toBe('deleted')
    })

    test('bytes read belong to the caller: they may be written to, kept, and transferred', async () => {
      await storage.commit([change('room', [segment(1, 1, 1), segment(2, 2, 2)], { summary: summaryAt(2) })])
      const read = (await storage.read('room', 1))!
      const summary = (await storage.load('room'))!.summary!
      read.fill(0)
      summary.stateVector.fill(0)
      expect(read.byteLength).toBe(read.buffer.byteLength)
      structuredClone(read, { transfer: [read.buffer as ArrayBuffer] })
      const kept = (await storage.read('room', 1))!
      await storage.read('room', 2)
      await storage.commit([change('room', [segment(3, 3, 3)])])
      expect(new TextDecoder().decode(kept)).toBe('update 1')
      expect((await storage.load('room'))!.summary).toEqual(summaryAt(2))
    })

    test('room names of any kind, prefixes of each other included, stay apart', async () => {
      await storage.commit(EXTREME_NAMES.map((room) => change(room, [segment(1, 1, 1, `in ${room}`)])))
      for (const room of EXTREME_NAMES) {
        await storage.commit([change(room, [segment(2, 2, 2)], { summary: summaryAt(2) })])
      }
      for (const room of EXTREME_NAMES) {
        const stored = await storage.load(room)
        expect(stored?.documentId).toBe(`document of ${room}`)
        expect(stored?.segments.map(({ id }) => id)).toEqual([1, 2])
        expect(await textOf(room, 1)).toBe(`in ${room}`)
      }
      for (const [i, room] of EXTREME_NAMES.entries()) {
        await storage.delete(room)
        for (const [j, other] of EXTREME_NAMES.entries()) expect(!!(await storage.load(other))).toBe(j > i)
      }
    })

    test.each([
      ['an empty one', ''],
      ['one with a NUL', 'a\0b'],
      ['one with another control character', 'a\u0001'],
      ['one of 256 bytes', 'é'.repeat(128)],
      ['half a surrogate pair', 'a\ud800'],
      ['an empty segment', 'a//b'],
      ['a dot segment', 'a/../b'],
    ])('no call takes a wrong room name: %s', async (_, room) => {
      const refusal = { code: 'INVALID_ROOM' }
      await expect(storage.load(room)).rejects.toMatchObject(refusal)
      await expect(storage.read(room, 1)).rejects.toMatchObject(refusal)
      await expect(storage.delete(room)).rejects.toMatchObject(refusal)
      await expect(storage.commit([change('fine', []), change(room, [])])).rejects.toMatchObject(refusal)
      expect(await storage.load('fine')).toBeUndefined()
    })

    test('rooms are listed in the order of their UTF-8 bytes, by page and by prefix', async () => {
      expect(await storage.list('', '', 10)).toEqual([])
      await storage.commit(EXTREME_NAMES.map((room) => change(room, [segment(1, 1, 1), segment(2, 2, 2)])))
      const sorted = [...EXTREME_NAMES].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
      expect(await storage.list('', '', 1000)).toEqual(sorted)
      for (const size of [1, 2, 7]) {
        const pages: string[] = []
        for (let page = await storage.list('', '', size); page.length > 0; ) {
          expect(page.length).toBeLessThanOrEqual(size)
          pages.push(...page)
          page = await storage.list('', pages.at(-1)!, size)
        }
        expect(pages).toEqual(sorted)
      }
      for (const prefix of ['a', 'a/', 'a/b', 'x', 'é', '\u{1F600}', 'nobody', '']) {
        const matching = sorted.filter((room) => room.startsWith(prefix))
        expect(await storage.list(prefix, '', 1000)).toEqual(matching)
        // A name before, at, among and behind those of the prefix; none of them need be a room.
        for (const after of ['!', '\u0000', prefix, 'a/a', 'a/b', '\uFFFF', 'zz', '\u{10FFFF}x']) {
          const rest = matching.filter((room) => Buffer.compare(Buffer.from(room), Buffer.from(after)) > 0)
          expect(await storage.list(prefix, after, 1000)).toEqual(rest)
        }
      }
    })

    test('a deleted room is listed no more, and one that has nothing but its document id is', async () => {
      await storage.commit(['a', 'b', 'c'].map((room) => change(room, [])))
      await storage.delete('b')
      expect(await storage.list('', '', 10)).toEqual(['a', 'c'])
    })

    test('2,000 rooms are stored in one commit and load one by one', async () => {
      const names = Array.from({ length: 2000 }, (_, i) => `many/${i}`)
      await storage.commit(names.map((room) => change(room, [segment(1, 1, 1, room)])))
      for (const room of names) {
        expect((await storage.load(room))?.documentId).toBe(`document of ${room}`)
        expect(await textOf(room, 1)).toBe(room)
      }
    })

    test('segments of 256 KB and more are read as they were written', async () => {
      const large = new Uint8Array(3_000_001).map((_, i) => (i * 31) >> 3)
      const full = large.subarray(1000, 1000 + 256 * 1024)
      await storage.commit([
        change('large', [
          { id: 1, firstSeq: 1, lastSeq: 1, update: full },
          { id: 2, firstSeq: 2, lastSeq: 2, update: large },
        ]),
      ])
      expect(Buffer.compare((await storage.read('large', 1))!, full)).toBe(0)
      expect(Buffer.compare((await storage.read('large', 2))!, large)).toBe(0)
    })

    test('close waits for commits that were asked for, also for those in a queue', async () => {
      const settled: string[] = []
      const commits = [1, 2, 3].map((id) =>
        storage.commit([change('room', [segment(id, id, id)])]).then(() => settled.push(`commit ${id}`)),
      )
      await storage.close()
      settled.push('closed')
      await Promise.all(commits)
      expect(settled).toEqual(['commit 1', 'commit 2', 'commit 3', 'closed'])
    })

    test('a closed storage refuses every call but close', async () => {
      await storage.commit([change('room', [segment(1, 1, 1)])])
      await storage.close()
      const refusal = { code: 'STORAGE_FAILED', message: expect.stringContaining('closed') }
      await expect(storage.load('room')).rejects.toMatchObject(refusal)
      await expect(storage.read('room', 1)).rejects.toMatchObject(refusal)
      await expect(storage.commit([change('room', [])])).rejects.toMatchObject(refusal)
      await expect(storage.delete('room')).rejects.toMatchObject(refusal)
      await expect(storage.list('', '', 1)).rejects.toMatchObject(refusal)
      await expect(storage.close()).resolves.toBeUndefined()
    })
  })
}
