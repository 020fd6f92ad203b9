import { once } from 'node:events'
import * as decoding from 'lib0/decoding'
import { describe, expect, it } from 'vitest'
import { TuttiError } from '../../lib/errors.ts'
import {
  decodeServerEvent,
  encodeEvent,
  encodeMissed,
  encodePerson,
  encodeRefused,
  encodeSkipped,
  encodeSubscribe,
  encodeSubscribed,
  encodeTrigger,
  encodeTriggered,
  encodeUnsubscribe,
} from '../../lib/eventProtocol.ts'
import { createSubscriptions } from '../../lib/subscriptions.ts'
import { decodeClientFrames } from '../../server/protocol/frame.ts'
import { WireClient } from '../e2e/wireClient.ts'
import { joinEvents, startEventServer, until } from '../unit/eventRooms.ts'
import { createRandom, type Random, seeds } from './random.ts'

const ROOMS = ['room', 'room/a', 'b', '', '..', 'a//b', 'x'.repeat(256), 'a\u0000', '\u{1F600}', '#server-to-user-1']
const NAMES = ['say', '', 'pusher:x', 'pusher_internal:y', 'x'.repeat(201), '\u{1F600}', 'a\u0000b', 'client-x']
const BODIES = ['1', '', '{', 'x'.repeat(2000), new Uint8Array(), new Uint8Array(2000), Uint8Array.of(0, 255)]
const NUMBERS = [0, 1, 2, 100, 2 ** 31, 2 ** 53 - 1]

/** A frame about events, of good form or nearly. */
const clientFrame = (random: Random): Uint8Array => {
  const room = random.pick(ROOMS)
  switch (random.between(0, 3)) {
    case 0:
      return encodeUnsubscribe(room)
    case 1: {
      const position = {
        epoch: random.pick(['', 'e', 'e'.repeat(64), 'e'.repeat(65)]),
        offset: random.pick([...NUMBERS, -1, 0.5]),
        former: Array.from({ length: random.pick([0, 1, 16, 17]) }, () => '1.1'),
      }
      return encodeSubscribe({ room, wantsPeople: random.chance(0.5), ...(random.chance(0.5) && { position }) })
    }
    default:
      return encodeTrigger({
        id: random.pick(NUMBERS),
        room,
        event: random.pick(NAMES),
        body: random.pick(BODIES),
        ack: random.chance(0.5),
      })
  }
}

const serverFrame = (random: Random): Uint8Array => {
  const room = random.pick(['room', 'other'])
  const offset = random.between(0, 12)
  const error = { code: 'FORBIDDEN', message: 'no', hint: '' }
  switch (random.between(0, 7)) {
    case 0:
      return encodeSkipped(room, offset)
    case 1:
      return encodeMissed()
    case 2:
      return encodePerson(random.pick(['joined', 'left', 'present']), { id: 'a', info: null }, room)
    case 3:
      return encodeRefused(room, error)
    case 4:
      return encodeTriggered(random.between(0, 3), random.chance(0.5) ? offset : error)
    case 5:
      return encodeSubscribed({
        room,
        epoch: random.pick(['e', 'f']),
        offset,
        latest: offset + random.between(0, 3),
        recovered: random.chance(0.5),
        ...(random.chance(0.5) && { people: [{ id: 'a', info: null }] }),
      })
    default:
      return encodeEvent({ room, offset, event: random.pick(NAMES), body: random.pick(BODIES), from: 'peer' })
  }
}

/** Behind the type and sub-type, so that it stays a frame about events more often than not. */
const damage = (random: Random, frame: Uint8Array): Uint8Array => {
  const at = random.between(random.chance(0.9) ? Math.min(2, frame.length) : 0, frame.length)
  if (random.chance(0.3)) return frame.slice(0, at)
  const damaged = frame.slice()
  for (let flips = random.between(1, 3); flips > 0; flips--) {
    damaged[Math.min(at + random.between(0, 8), frame.length - 1)] = random.between(0, 255)
  }
  return damaged
}

describe('frames about events', () => {
  it.each(seeds(20))('of a client are decoded, or refused as PROTOCOL (seed %i)', (seed) => {
    const random = createRandom(seed)
    for (let n = 0; n < 500; n++) {
      try {
        decodeClientFrames(damage(random, clientFrame(random)))
      } catch (error) {
        expect(error).toBeInstanceOf(TuttiError)
        expect((error as TuttiError).code).toBe('PROTOCOL')
      }
    }
  })

  it.each(seeds(20))('of a server in any order and form leave a client in order (seed %i)', (seed) => {
    const random = createRandom(seed)
    const subscriptions = createSubscriptions(() => undefined)
    const positions: string[] = []
    let last = { epoch: '', offset: 0 }
    subscriptions.of('room').add({
      event: (_data, { epoch, offset }) => {
        // Within an epoch and between two gaps, offsets grow.
        if (epoch === last.epoch) expect(offset).toBeGreaterThan(last.offset)
        last = { epoch, offset }
        positions.push(`${epoch} ${offset}`)
      },
      gap: (position) => {
        last = position
      },
      join: () => undefined,
      leave: () => undefined,
      refused: () => undefined,
    })
    subscriptions.of('room').wantPeople()
    for (let n = 0; n < 500; n++) {
      if (random.chance(0.05)) {
        subscriptions.ended()
        subscriptions.greeted({ documentId: 'd', maxMessageBytes: 1000, sessionId: `${n}` }, () => true)
      }
      const frame = serverFrame(random)
      const decoder = decoding.createDecoder(random.chance(0.3) ? damage(random, frame) : frame)
      try {
        decoding.readVarUint(decoder)
        subscriptions.receive(decoder)
      } catch (error) {
        // What the connection reports as PROTOCOL. What the test expects is not among it.
        if (error instanceof Error && error.name === 'AssertionError') throw error
      }
      expect(() => decodeServerEvent(decoding.createDecoder(frame.subarray(1)))).not.toThrow()
    }
    subscriptions.destroy()
  })

  it.each(seeds(4))('of hostile clients harm their own connections only (seed %i)', async (seed) => {
    const random = createRandom(seed)
    const { url, server } = await startEventServer({ maxEventBytes: 1024, maxRoomsPerConnection: 4 })
    const reader = await joinEvents(url, { room: 'room' })
    const writer = await joinEvents(url, { room: 'room' })
    const codes: number[] = []
    let sent = 0
    for (let n = 0; n < 12; n++) {
      const hostile = await WireClient.joinOptedIn(`${url}/${random.pick(['room', 'b'])}`)
      const isHarmless = random.chance(0.3)
      for (let frames = random.between(1, 60); frames > 0; frames--) {
        const frame = clientFrame(random)
        hostile.send(isHarmless || random.chance(0.7) ? frame : damage(random, frame))
      }
      await writer.events.trigger('honest', ++sent)
      const open = hostile.ws.readyState === hostile.ws.OPEN
      if (open && random.chance(0.5)) hostile.ws.terminate()
      else if (open) hostile.ws.close()
      const [code] = hostile.closed ? [hostile.closed.code] : ((await once(hostile.ws, 'close')) as [number])
      codes.push(code)
    }
    await until(() => reader.heard.filter(({ event }) => event === 'honest').length === sent)
    const honest = reader.heard.filter(({ event }) => event === 'honest').map(({ data }) => data)
    expect(honest).toEqual(Array.from({ length: sent }, (_, i) => i + 1))
    expect(reader.gaps).toEqual([])
    expect(reader.offsets()).toEqual(reader.heard.map((_, i) => i + 1))
    expect([reader.sockets.length, writer.sockets.length]).toEqual([1, 1])
    expect([1005, 1006, 4409].filter((code) => codes.includes(code)).length).toBeGreaterThan(0)
    expect(codes.filter((code) => ![1005, 1006, 4409].includes(code))).toEqual([])
    expect(await (await fetch(`${server.url}/health`)).status).toBe(200)
  })
})
