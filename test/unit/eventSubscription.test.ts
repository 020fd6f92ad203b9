import { createDecoder, readVarUint } from 'lib0/decoding'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { decodeServerEvent, encodeEvent, encodePerson, type Subscribe } from '../../lib/eventProtocol.ts'
import type { NewEvent, Socket } from '../../server/contracts.ts'
import type { Audience } from '../../server/room/channel.ts'
import { type Channels, createChannels } from '../../server/room/channels.ts'
import { EventSubscription } from '../../server/room/eventSubscription.ts'

const HIGH_WATER = 1000

/** A socket with room for some frames, which then says that it is full. */
class FullSocket implements Socket {
  readonly id = '1.1'
  readonly address = ''
  readonly topics = new Set<string>()
  heard: unknown[] = []
  /** Frames that it still takes without being over the mark; then `over` more until it takes none. */
  free = Number.POSITIVE_INFINITY
  over = 0
  send(frame: Uint8Array | string): boolean {
    if (this.free > 0) this.free--
    else if (this.over > 0) this.over--
    else return false
    const decoder = createDecoder(frame as Uint8Array)
    readVarUint(decoder)
    const message = decodeServerEvent(decoder)
    switch (message?.type) {
      case 'event':
        this.heard.push(message.event === undefined ? `skipped ${message.offset}` : message.offset)
        break
      case 'subscribed':
        this.heard.push([message.offset, message.latest, message.recovered, message.people?.map(({ id }) => id)])
        break
      default:
        this.heard.push(message?.type)
    }
    return true
  }
  buffered(): number {
    return this.free > 0 ? 0 : HIGH_WATER + 1
  }
  subscribe(topic: string): void {
    this.topics.add(topic)
  }
  unsubscribe(topic: string): void {
    this.topics.delete(topic)
  }
  readonly ping = vi.fn()
  readonly close = vi.fn()
  readonly terminate = vi.fn()
}

const audience: Audience = {
  key: 't',
  encode: (event, room) => encodeEvent({ ...event, room }),
  encodePerson: (news, person, room) => encodePerson(news, person, room),
}

let channels: Channels
let socket: FullSocket

beforeEach(() => {
  socket = new FullSocket()
  channels = createChannels({
    publisher: { publish: (topic, frame) => socket.topics.has(topic) && socket.send(frame) },
    present: () => [],
    limits: { eventHistoryCount: 5, eventHistorySeconds: 60, eventHistoryBytes: 1e6, leaveGraceSeconds: 3 },
  })
})
afterEach(() => channels.close())

const push = (count: number, more: Partial<NewEvent> = {}): void => {
  for (let i = 0; i < count; i++) channels.trigger('r', { event: 'x', body: '1', from: 'server', ...more })
}
const request = (offset?: number, more: Partial<Subscribe> = {}): Subscribe => ({
  room: 'r',
  wantsPeople: false,
  ...(offset !== undefined && { position: { epoch: channels.open('r').epoch, offset, former: ['2.2'] } }),
  ...more,
})
const open = (first: Subscribe): EventSubscription => {
  const parts = { channel: channels.open('r'), audience, socket, highWater: HIGH_WATER }
  const subscription = new EventSubscription(parts, first)
  subscription.advance()
  return subscription
}

test('a first subscription counts from now on', () => {
  push(3)
  open(request())
  push(1)
  expect(socket.heard).toEqual([[3, 3, false, undefined], 4])
})

test('what was missed is sent before what comes; what is not for this reader as a skip', () => {
  push(2)
  push(1, { except: '1.1' })
  push(1, { except: '2.2' })
  push(1, { except: '3.3' })
  open(request(1))
  push(1)
  expect(socket.heard).toEqual([[1, 5, true, undefined], 2, 'skipped 3', 'skipped 4', 5, 6])
})

test('a full socket stops the replay anywhere; it goes on from the history, and nothing is heard meanwhile', () => {
  for (const over of [0, 1]) {
    for (let free = 0; free < 5; free++) {
      socket.heard = []
      const { offset } = channels.open('r').position
      push(4)
      Object.assign(socket, { free, over })
      const subscription = open(request(offset))
      push(1)
      socket.free = Number.POSITIVE_INFINITY
      subscription.advance()
      push(1)
      // The answer may have come after the one more was published.
      const [, ...heard] = socket.heard
      expect(heard).toEqual([1, 2, 3, 4, 5, 6].map((n) => offset + n))
      expect(channels.find('r')?.subscribers).toBe(1)
      subscription.leave(false)
      expect([channels.find('r')?.subscribers, socket.topics.size]).toEqual([0, 0])
    }
  }
})

test('a history that became too short while the socket was full is a gap', () => {
  push(4)
  Object.assign(socket, { free: 2, over: 0 })
  const subscription = open(request(0))
  push(10)
  socket.free = Number.POSITIVE_INFINITY
  subscription.advance()
  push(1)
  expect(socket.heard).toEqual([[0, 4, true, undefined], 1, [14, 14, false, undefined], 15])
})

test('another epoch, a position beyond the last event and one that is forgotten are not recovered', () => {
  push(8)
  open(request(undefined, { position: { epoch: 'other', offset: 8, former: [] } }))
  open(request(9))
  open(request(2))
  open(request(3))
  const [first, second, third, fourth] = socket.heard
  expect([first, second, third]).toEqual(Array.from({ length: 3 }, () => [8, 8, false, undefined]))
  expect(fourth).toEqual([3, 8, true, undefined])
})

test('who is there is listed again after a replay that took its time', () => {
  push(3)
  Object.assign(socket, { free: 2, over: 0 })
  const subscription = open(request(0, { wantsPeople: true }))
  channels.open('r').people.enter('key', { id: 'ada', info: null })
  for (const free of [1, 1, 0]) {
    socket.free = free
    subscription.advance()
  }
  expect(subscription.phase).toBe('reading')
  socket.free = Number.POSITIVE_INFINITY
  subscription.advance()
  expect(socket.heard).toEqual([[0, 3, true, []], 1, 2, 3, [3, 3, true, ['ada']]])
})

test('who stalled hears nothing until it asks, and then all since its position and who is there', () => {
  const people = channels.open('r').people
  const subscription = open(request(undefined, { wantsPeople: true }))
  push(1)
  subscription.stall()
  expect(subscription.phase).toBe('stalled')
  push(1)
  subscription.advance()
  subscription.told()
  people.enter('key', { id: 'ada', info: null })
  push(1)
  subscription.advance()
  expect(socket.heard).toEqual([[0, 0, false, []], 1])
  subscription.ask(request(1, { wantsPeople: true }))
  subscription.advance()
  push(1)
  expect(socket.heard.slice(2)).toEqual([[1, 3, true, ['ada']], 2, 3, 4])
})

test('one that is asked again while it is live goes on without a hole', () => {
  const subscription = open(request())
  push(3)
  subscription.ask(request(1))
  subscription.advance()
  push(1)
  expect(socket.heard).toEqual([[0, 0, false, undefined], 1, 2, 3, [1, 3, true, undefined], 2, 3, 4])
  expect(channels.find('r')?.subscribers).toBe(1)
})
