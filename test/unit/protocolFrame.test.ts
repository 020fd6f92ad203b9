import * as encoding from 'lib0/encoding'
import { describe, expect, it } from 'vitest'
import * as awarenessProtocol from 'y-protocols/awareness'
import * as Y from 'yjs'
import {
  encodeClientHello,
  encodePing,
  encodeSyncStep1,
  encodeSyncStep2,
  encodeSyncUpdate,
  KEEPALIVE,
} from '../../lib/protocol.ts'
import { checkState, encodeAwareness, isNullState, readAwareness } from '../../server/protocol/awareness.ts'
import { decodeClientFrames } from '../../server/protocol/frame.ts'

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)
const bytes = (...parts: (number | Uint8Array)[]): Uint8Array =>
  Uint8Array.from(parts.flatMap((part) => (typeof part === 'number' ? [part] : [...part])))
const varString = (text: string): Uint8Array => encoding.encode((encoder) => encoding.writeVarString(encoder, text))
const hello = (value: unknown): Uint8Array => bytes(100, 0, varString(JSON.stringify(value)))
const resume = 'a-secret-of-16-or-more'

const refusal = (code: string, message: RegExp) =>
  expect.objectContaining({ code, message: expect.stringMatching(message) })

describe('a frame of a client', () => {
  it('is a sync step 1, a step 2 or an update', () => {
    const update = Uint8Array.of(0, 0)
    const stateVector = Uint8Array.of(1, 5, 3)
    expect(decodeClientFrames(encodeSyncStep1(stateVector))).toEqual([{ type: 'step1', stateVector }])
    expect(decodeClientFrames(encodeSyncStep2(update))).toEqual([{ type: 'step2', update }])
    expect(decodeClientFrames(encodeSyncUpdate(update))).toEqual([{ type: 'update', update }])
  })

  it('is awareness, as y-protocols writes it, or a query of it', () => {
    const awareness = new awarenessProtocol.Awareness(new Y.Doc())
    awareness.setLocalState({ name: 'Zoë' })
    const body = awarenessProtocol.encodeAwarenessUpdate(awareness, [awareness.clientID])
    const state = utf8('{"name":"Zoë"}')
    expect(decodeClientFrames(bytes(1, body.length, body))).toEqual([
      { type: 'awareness', entries: [{ client: awareness.clientID, clock: 1, state }] },
    ])
    awareness.destroy()
    expect(decodeClientFrames(KEEPALIVE)).toEqual([{ type: 'awareness', entries: [] }])
    expect(decodeClientFrames(Uint8Array.of(3))).toEqual([{ type: 'queryAwareness' }])
  })

  it('is a hello or a ping of a client that opted in', () => {
    expect(decodeClientFrames(encodePing(300))).toEqual([{ type: 'ping', id: 300 }])
    const short = { resume, clientId: 7 }
    expect(decodeClientFrames(encodeClientHello(short))).toEqual([{ type: 'hello', hello: short }])
    const long = { resume, clientId: 2 ** 32 - 1, documentId: 'd-1' }
    expect(decodeClientFrames(encodeClientHello(long))).toEqual([{ type: 'hello', hello: long }])
    expect(decodeClientFrames(hello({ ...short, later: true }))).toEqual([{ type: 'hello', hello: short }])
  })

  it('may join several messages, as y-websocket 4 does', () => {
    const joined = bytes(encodeSyncStep1(Uint8Array.of(0)), 3, encodeSyncUpdate(Uint8Array.of(0, 0)))
    expect(decodeClientFrames(joined).map(({ type }) => type)).toEqual(['step1', 'queryAwareness', 'update'])
    expect(() => decodeClientFrames(new Uint8Array(1025).fill(3))).toThrow(refusal('PROTOCOL', /more than 1024/))
  })

  it('leaves updates and states where they are: no copy', () => {
    const frame = encodeSyncUpdate(Uint8Array.of(0, 0))
    const [message] = decodeClientFrames(frame)
    expect(message?.type === 'update' && message.update.buffer).toBe(frame.buffer)
  })

  it.each([
    ['nothing', bytes(), /empty frame/],
    ['an unknown type', bytes(4, 0), /type 4 is unknown/],
    ['an auth message, which only servers send', bytes(2, 0, varString('no')), /type 2 is unknown/],
    ['an unknown sync message', bytes(0, 3, 0), /Sync message 3 is unknown/],
    ['an unknown Tutti message', bytes(100, 1, 0), /Tutti message 1 is unknown/],
    ['a type alone', bytes(0), /ends in the middle/],
    ['an update that ends in the middle', bytes(0, 2, 5, 1, 2), /ends in the middle/],
    ['a body longer than any memory', bytes(0, 2, 255, 255, 255, 255, 255, 255, 15), /ends in the middle/],
    ['a number over 2^53', bytes(0, 2, new Uint8Array(9).fill(255), 1), /ends in the middle/],
    ['an update with bytes behind it', bytes(encodeSyncUpdate(bytes(0, 0)), 9), /type 9 is unknown/],
    ['a hello that is no JSON', bytes(100, 0, varString('{')), /not JSON/],
    ['a hello of broken UTF-8', bytes(100, 0, 2, 0xc3, 0x28), /not JSON/],
    ['a hello that is no object', hello(null), /not an object/],
    ['a hello without a secret', hello({ clientId: 1 }), /resume secret/],
    ['a hello with a short secret', hello({ resume: 'short', clientId: 1 }), /resume secret/],
    ['a hello with a huge secret', hello({ resume: 'x'.repeat(129), clientId: 1 }), /resume secret/],
    ['a hello without a client id', hello({ resume }), /client id/],
    ['a hello with half a client id', hello({ resume, clientId: 1.5 }), /client id/],
    ['a hello with a negative client id', hello({ resume, clientId: -1 }), /client id/],
    ['a hello with a document id of another type', hello({ resume, clientId: 1, documentId: 5 }), /document id/],
    ['a hello with an empty document id', hello({ resume, clientId: 1, documentId: '' }), /document id/],
    ['a hello with a line break in its document id', hello({ resume, clientId: 1, documentId: 'a\n' }), /document id/],
    ['awareness that claims more entries than it can hold', bytes(1, 2, 200, 1), /claims 200 entries/],
    ['awareness that ends in an entry', bytes(1, 4, 1, 5, 1, 9), /ends in the middle/],
    ['awareness with bytes behind its entries', bytes(1, 2, 0, 7), /1 stray/],
    ['awareness with an absurd clock', bytes(1, 11, 1, 5, 128, 128, 128, 128, 128, 128, 128, 1, 0), /clock/],
  ])('is refused with PROTOCOL when it is %s', (_what, frame, message) => {
    expect(() => decodeClientFrames(frame)).toThrow(refusal('PROTOCOL', message))
  })
})

describe('awareness', () => {
  const entry = (json: string | Uint8Array) => ({
    client: 5,
    clock: 1,
    state: typeof json === 'string' ? utf8(json) : json,
  })

  it('knows a client that is gone without parsing', () => {
    for (const gone of ['null', ' null\n', '\tnull\r']) expect(isNullState(entry(gone))).toBe(true)
    for (const there of ['{}', '"null"', 'nul', '', ' ', 'nulll', '[null]']) {
      expect(isNullState(entry(there))).toBe(false)
    }
  })

  it('reads entries without looking into their states', () => {
    const frame = encodeAwareness([{ client: 1, clock: 2, state: '{broken' }])
    const entries = readAwareness(frame.subarray(2))
    expect(entries).toEqual([{ client: 1, clock: 2, state: utf8('{broken') }])
    expect(() => checkState(entries[0]!, 100)).toThrow(refusal('PROTOCOL', /not JSON/))
  })

  it('takes objects, and returns their JSON as it came', () => {
    const json = '{ "a": [1, {"b": null}] }'
    expect(checkState(entry(json), 100)).toEqual({ json, value: { a: [1, { b: null }] } })
    expect(checkState(entry('null'), 100)).toEqual({ json: 'null', value: null })
  })

  it.each([
    ['a number', '5', /a number/],
    ['a text', '"a"', /a string/],
    ['an array', '[]', /an array/],
    ['no JSON', 'x', /not JSON/],
    ['nothing', '', /not JSON/],
    ['broken UTF-8', Uint8Array.of(0x22, 0xff, 0x22), /not JSON/],
    ['nested deeper than a peer can compare', `{"a":${'['.repeat(20_000)}${']'.repeat(20_000)}}`, /nests deeper/],
  ])('refuses a state that is %s', (_what, json, message) => {
    expect(() => checkState(entry(json), 100_000)).toThrow(refusal('PROTOCOL', message))
  })

  it('refuses a state over the limit before parsing it', () => {
    expect(() => checkState(entry('x'.repeat(11)), 10)).toThrow(refusal('TOO_LARGE', /11 bytes, over 10/))
    expect(checkState(entry('{"a":1234}'), 10).json).toBe('{"a":1234}')
  })

  it('writes frames that y-protocols applies', () => {
    const awareness = new awarenessProtocol.Awareness(new Y.Doc())
    const apply = (...entries: { client: number; clock: number; state: string }[]): void => {
      const [message] = decodeClientFrames(encodeAwareness(entries))
      if (message?.type !== 'awareness') throw new Error('not awareness')
      const frame = encodeAwareness(entries)
      const length = frame.length - 2
      expect(frame[1]).toBe(length)
      awarenessProtocol.applyAwarenessUpdate(awareness, frame.subarray(2), null)
    }
    apply({ client: 1, clock: 1, state: '{"a":"é"}' }, { client: 2 ** 32 - 1, clock: 3, state: '{}' })
    expect(awareness.states.get(1)).toEqual({ a: 'é' })
    expect(awareness.states.get(2 ** 32 - 1)).toEqual({})
    apply({ client: 1, clock: 1, state: 'null' })
    expect(awareness.states.has(1)).toBe(false)
    awareness.destroy()
  })
})
