import { describe, expect, test } from 'vitest'
import { createGateways, type LitStreet } from '../../demo/backend/gateways.ts'
import { decodeLevels, encodeLevels, LAMP_COUNT } from '../../demo/lampFrames.ts'
import { LAMP_PLACES, neighbourOf } from '../../demo/streetMap.ts'

describe('a frame of street lamps', () => {
  test('has the bytes of its description, and is read as it was written', () => {
    const levels = [
      { street: 1, lamp: 1, level: 0 },
      { street: 258, lamp: 24, level: 100 },
      { street: 65_535, lamp: 7, level: 33 },
    ]
    const frame = encodeLevels(levels)
    expect([...frame]).toEqual([0, 1, 1, 0, 1, 2, 24, 100, 255, 255, 7, 33])
    expect(decodeLevels(frame)).toEqual(levels)
    // As it lies in a larger buffer.
    expect(decodeLevels(Buffer.concat([Uint8Array.of(9), frame]).subarray(1))).toEqual(levels)
  })

  test.each([
    ['nothing', []],
    ['a piece', [0, 1, 1]],
    ['a piece more', [0, 1, 1, 0, 0]],
    ['lamp 0', [0, 1, 0, 0]],
    ['lamp 25', [0, 1, 25, 0]],
    ['101 percent', [0, 1, 1, 101]],
  ])('is none: %s', (_what, bytes) => {
    expect(decodeLevels(Uint8Array.from(bytes))).toBeUndefined()
  })
})

describe('the map', () => {
  test('has a place for each lamp, apart from all others even on a phone', () => {
    expect(LAMP_PLACES).toHaveLength(LAMP_COUNT)
    const [width, height] = [309, 212]
    for (const [index, one] of LAMP_PLACES.entries()) {
      for (const other of LAMP_PLACES.slice(index + 1)) {
        const distance = Math.hypot(((one.x - other.x) * width) / 100, ((one.y - other.y) * height) / 100)
        expect(distance).toBeGreaterThan(26)
      }
    }
  })

  test('leads the arrow keys from every lamp to every other', () => {
    for (const start of LAMP_PLACES.keys()) {
      const reached = new Set([start])
      for (const index of reached) {
        for (const key of ['ArrowLeft', 'ArrowRight', 'ArrowUp', 'ArrowDown'] as const)
          reached.add(neighbourOf(index, key))
      }
      expect(reached.size).toBe(LAMP_COUNT)
    }
  })

  test('keeps to the lamp at the edge', () => {
    expect(neighbourOf(0, 'ArrowUp')).toBe(0)
    expect(neighbourOf(23, 'ArrowRight')).toBe(23)
  })
})

describe('a gateway that does not read', () => {
  /** Takes what it is told to take: how fast the other side reads is chance. */
  const scripted = () => {
    const sent: (string | number[])[] = []
    const socket = {
      id: 'gateway',
      address: '127.0.0.1',
      query: '',
      header: () => '',
      data: undefined,
      isOpen: true,
      buffered: 0,
      takes: true,
      send: (message: string | Uint8Array): boolean => {
        if (socket.takes) sent.push(typeof message === 'string' ? message : [...message])
        return socket.takes
      },
      subscribe: () => undefined,
      unsubscribe: () => undefined,
      publish: () => undefined,
      close: () => undefined,
      terminate: () => undefined,
    }
    return { socket, sent }
  }

  test('is told everything anew when it reads again, and nothing twice before', () => {
    const gateways = createGateways()
    const levels = Array(LAMP_COUNT).fill(0) as number[]
    const street: LitStreet = {
      number: 5,
      room: 'a',
      levels,
      confirmed: () => undefined,
      gatewaysChanged: () => undefined,
    }
    const { socket, sent } = scripted()
    gateways.endpoint.open?.(socket)
    gateways.added(street)
    expect(sent.map((message) => message.length)).toEqual([14, 36, 96])
    sent.length = 0

    socket.takes = false
    levels[0] = 10
    gateways.send(street, [{ street: 5, lamp: 1, level: 10 }])
    socket.takes = true
    levels[1] = 20
    gateways.send(street, [{ street: 5, lamp: 2, level: 20 }])
    expect(sent).toEqual([])

    gateways.endpoint.drain?.(socket)
    expect(sent).toHaveLength(2)
    expect(sent[1]?.slice(0, 8)).toEqual([0, 5, 1, 10, 0, 5, 2, 20])
    gateways.endpoint.drain?.(socket)
    expect(sent).toHaveLength(2)
    gateways.send(street, [{ street: 5, lamp: 3, level: 30 }])
    expect(sent[2]).toEqual([0, 5, 3, 30])
  })
})
