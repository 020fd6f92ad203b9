import { once } from 'node:events'
import { createDecoder, readVarUint } from 'lib0/decoding'
import { writeVarString } from 'lib0/encoding'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { TuttiError } from '../../lib/errors.ts'
import {
  decodeServerEvent,
  encodeSubscribe,
  encodeTrigger,
  encodeUnsubscribe,
  TUTTI_SUBSCRIBE,
  TUTTI_TRIGGER,
  TUTTI_UNSUBSCRIBE,
} from '../../lib/eventProtocol.ts'
import { encodeTutti } from '../../lib/protocol.ts'
import type { Admission, Caller, NewEvent, Position, Socket } from '../../server/contracts.ts'
import { createChannels } from '../../server/room/channels.ts'
import { createEventSessions, type EventSession } from '../../server/room/eventSession.ts'
import { WireClient } from '../e2e/wireClient.ts'
import { startServer } from './testServer.ts'

const caller = {
  door: 'room',
  id: '1.1',
  address: '',
  path: '/own',
  query: 'token=1',
  header: () => '',
  state: {},
} as Caller
const LIMITS = {
  maxRoomsPerConnection: 3,
  maxJoinsPerSecond: 2,
  maxEventBytes: 1000,
  maxEventsPerSecond: 50,
  maxBackpressureBytes: 1e6,
}

let heard: unknown[]
let errors: object[]
let asked: string[]
let left: string[]

const socket: Socket = {
  id: '1.1',
  address: '',
  send: (frame) => {
    const decoder = createDecoder(frame as Uint8Array)
    readVarUint(decoder)
    const message = decodeServerEvent(decoder)
    if (message?.type === 'subscribed') heard.push(`subscribed ${message.room}`)
    else if (message?.type === 'refused') heard.push(`refused ${message.room} ${message.error.code}`)
    else if (message?.type === 'triggered') heard.push(message.error ?? message.offset)
    return true
  },
  buffered: () => 0,
  subscribe: vi.fn(),
  unsubscribe: vi.fn(),
  ping: vi.fn(),
  close: vi.fn(),
  terminate: vi.fn(),
}

const open = (
  admit?: Admission['admit'],
  trigger?: (room: string, event: NewEvent) => Position | Promise<Position>,
): EventSession => {
  const limits = { eventHistoryCount: 5, eventHistorySeconds: 60, eventHistoryBytes: 1e6, leaveGraceSeconds: 3 }
  const channels = createChannels({ publisher: { publish: () => undefined }, present: () => [], limits })
  const log = { debug: vi.fn(), info: vi.fn(), warn: vi.fn(), error: (fields: object) => errors.push(fields) }
  const admission = admit && {
    admit: (room: string, who: Caller) => {
      asked.push(room)
      expect(who).toBe(caller)
      return admit(room, who)
    },
    left: (room: string) => left.push(room),
  }
  const sessions = createEventSessions({
    channels: trigger ? { ...channels, trigger } : channels,
    log,
    limits: LIMITS,
    admission,
  })
  return sessions.open(socket, 'own', caller)
}
const subscribe = (session: EventSession, room: string): void => session.subscribe({ room, wantsPeople: false })
const trigger = (session: EventSession, room: string, id = 1): void =>
  session.trigger({ id, room, event: 'x', body: '1', ack: true }, undefined)
const forbidden = new TuttiError('FORBIDDEN', 'not you', { hint: 'ask' })

/** `Promise.withResolvers`, which Node 20 lacks. */
const withResolvers = <T>(): { promise: Promise<T>; resolve(value: T): void } => {
  let resolve!: (value: T) => void
  const promise = new Promise<T>((settle) => {
    resolve = settle
  })
  return { promise, resolve }
}

beforeEach(() => {
  heard = []
  errors = []
  asked = []
  left = []
})

describe('the rate of subscriptions', () => {
  afterEach(() => {
    vi.useRealTimers()
  })

  test('lets all rooms pass at once and those of a second more, then those of each second', () => {
    vi.useFakeTimers({ toFake: ['performance'] })
    const session = open()
    subscribe(session, 'stays')
    for (let i = 0; i < 6; i++) {
      subscribe(session, 'a')
      session.unsubscribe('a')
    }
    expect(heard).toEqual([
      'subscribed stays',
      ...Array(4).fill('subscribed a'),
      ...Array(2).fill('refused a RATE_LIMITED'),
    ])
    // Asking again for what one has begins nothing.
    for (let i = 0; i < 10; i++) subscribe(session, 'stays')
    expect(heard.slice(7)).toEqual(Array(10).fill('subscribed stays'))
    heard = []
    vi.advanceTimersByTime(500)
    subscribe(session, 'a')
    subscribe(session, 'b')
    expect(heard).toEqual(['subscribed a', 'refused b RATE_LIMITED'])
  })

  test('is asked before the admission', () => {
    vi.useFakeTimers({ toFake: ['performance'] })
    const session = open(() => {
      throw forbidden
    })
    for (let i = 0; i < 6; i++) subscribe(session, 'a')
    expect(asked).toHaveLength(5)
    expect(heard.at(-1)).toBe('refused a RATE_LIMITED')
  })
})

describe('admission', () => {
  test('is not asked about the own room, and once about a room that is subscribed to', () => {
    const session = open(() => undefined)
    subscribe(session, 'own')
    trigger(session, 'own')
    subscribe(session, 'other')
    subscribe(session, 'other')
    trigger(session, 'other')
    expect(asked).toEqual(['other'])
    trigger(session, 'third')
    expect(asked).toEqual(['other', 'third'])
    expect(heard).toEqual(['subscribed own', 1, 'subscribed other', 'subscribed other', 1, 1])
  })

  test('that refuses at once or later refuses this one action', async () => {
    for (const admit of [
      () => {
        throw forbidden
      },
      () => Promise.reject(forbidden),
    ]) {
      heard = []
      const session = open(admit)
      subscribe(session, 'other')
      trigger(session, 'other')
      await Promise.resolve()
      await Promise.resolve()
      await Promise.resolve()
      subscribe(session, 'own')
      expect(heard).toEqual([
        'refused other FORBIDDEN',
        { code: 'FORBIDDEN', message: 'not you', hint: 'ask' },
        'subscribed own',
      ])
    }
    expect(errors).toEqual([])
  })

  test('that takes its time is asked once, and answered only to who still wants to know', async () => {
    const { promise, resolve } = withResolvers<void>()
    const session = open(() => promise)
    subscribe(session, 'stays')
    subscribe(session, 'stays')
    subscribe(session, 'goes')
    session.unsubscribe('goes')
    const gone = open(() => promise)
    subscribe(gone, 'closed')
    gone.close(false)
    resolve()
    await promise
    await Promise.resolve()
    expect(asked).toEqual(['stays', 'goes', 'closed'])
    expect(left).toEqual(['goes'])
    session.unsubscribe('stays')
    session.unsubscribe('own')
    expect(left).toEqual(['goes', 'stays'])
    expect(heard).toEqual(['subscribed stays'])
  })

  test('without a known caller admits to no other room', () => {
    const admission = { admit: vi.fn(), left: vi.fn() }
    const channels = { open: vi.fn(), trigger: vi.fn() }
    const log = { debug: vi.fn(), info: vi.fn(), warn: vi.fn(), error: vi.fn() }
    const session = createEventSessions({ channels, log, limits: LIMITS, admission }).open(socket, 'own', undefined)
    subscribe(session, 'other')
    trigger(session, 'other')
    expect(heard).toEqual(['refused other FORBIDDEN', expect.objectContaining({ code: 'FORBIDDEN' })])
    expect(admission.admit).not.toHaveBeenCalled()
  })

  test('a room that is being asked about counts', () => {
    const session = open(() => new Promise(() => undefined))
    for (const room of ['a', 'b', 'c', 'd']) subscribe(session, room)
    expect(heard).toEqual(['refused d RATE_LIMITED'])
    session.unsubscribe('a')
    subscribe(session, 'd')
    expect(heard).toHaveLength(1)
  })
})

describe('a trigger', () => {
  test('is answered when it is published, or refused by a hook, in its own time', async () => {
    const { promise, resolve } = withResolvers<Position>()
    const outcomes = [promise, Promise.reject(forbidden), { epoch: 'e', offset: 3 }]
    const session = open(undefined, () => outcomes.shift()!)
    for (const id of [1, 2, 3]) trigger(session, 'own', id)
    await Promise.resolve()
    expect(heard).toEqual([3, expect.objectContaining({ code: 'FORBIDDEN' })])
    resolve({ epoch: 'e', offset: 7 })
    await promise
    await Promise.resolve()
    expect(heard.at(-1)).toBe(7)
  })

  test('on which the server itself fails says so, without what the log has', () => {
    const session = open(undefined, () => {
      throw new Error('secret')
    })
    trigger(session, 'own')
    expect(heard).toEqual([
      { code: 'INTERNAL', message: expect.not.stringContaining('secret'), hint: expect.any(String) },
    ])
    expect(errors).toEqual([{ room: 'own', err: new Error('secret') }])
  })

  test('of a bad name, to a bad room or with too much data is refused', () => {
    const session = open()
    const answers = (room: string, event: string, body: string | Uint8Array): unknown => {
      heard = []
      session.trigger({ id: 1, room, event, body, ack: false }, undefined)
      return (heard[0] as { code?: string } | undefined)?.code
    }
    for (const room of ['', 'a//b', '..', 'a\u0000', 'x'.repeat(256)])
      expect(answers(room, 'x', '')).toBe('INVALID_ROOM')
    for (const event of ['', 'pusher:x', 'pusher_internal:x', 'x'.repeat(201)]) {
      expect(answers('own', event, '')).toBe('INVALID_VALUE')
    }
    expect(answers('own', 'x', 'ü'.repeat(501))).toBe('TOO_LARGE')
    expect(answers('own', 'x', new Uint8Array(1001))).toBe('TOO_LARGE')
    expect(answers('own', 'x'.repeat(200), 'ü'.repeat(500))).toBeUndefined()
  })
})

describe('a frame', () => {
  const subscription = (value: unknown): Uint8Array =>
    encodeTutti(TUTTI_SUBSCRIBE, (encoder) => writeVarString(encoder, JSON.stringify(value)))
  const position = { epoch: 'e', offset: 0, former: [] }
  const at = (more: object): Uint8Array => subscription({ room: 'r', position: { ...position, ...more } })
  const badFrames: [string, Uint8Array][] = [
    ['a subscription that is no JSON', encodeTutti(TUTTI_SUBSCRIBE, (encoder) => writeVarString(encoder, '{"room":'))],
    ['a subscription in no UTF-8', Uint8Array.of(...encodeTutti(TUTTI_SUBSCRIBE, () => undefined), 1, 0xff)],
    ['an empty subscription', encodeTutti(TUTTI_SUBSCRIBE, () => undefined)],
    ['a subscription that is null', subscription(null)],
    ['a subscription without a room', subscription({})],
    ['a subscription to a number', subscription({ room: 5 })],
    ['a subscription that wants people, perhaps', subscription({ room: 'r', wantsPeople: 'yes' })],
    ['a subscription from nowhere', subscription({ room: 'r', position: null })],
    ['a subscription without an epoch', at({ epoch: undefined })],
    ['a subscription with a long epoch', at({ epoch: 'e'.repeat(65) })],
    ['a subscription from before the first event', at({ offset: -1 })],
    ['a subscription from between two events', at({ offset: 0.5 })],
    ['a subscription without former sessions', at({ former: undefined })],
    ['a subscription with 17 former sessions', at({ former: Array.from({ length: 17 }, () => '1.1') })],
    ['a subscription with a former session that is none', at({ former: ['1.1', 5] })],
    [
      'a trigger without a body',
      encodeTrigger({ id: 1, room: 'r', event: 'x', body: 'abc', ack: true }).subarray(0, -2),
    ],
    ['an empty trigger', encodeTutti(TUTTI_TRIGGER, () => undefined)],
    ['an empty unsubscription', encodeTutti(TUTTI_UNSUBSCRIBE, () => undefined)],
    ['a frame that only servers send', encodeTutti(6, (encoder) => writeVarString(encoder, '{"room":"r"}'))],
  ]

  test.each(badFrames)('that is none ends its connection with 4409, and no other: %s', async (_, frame) => {
    const { url } = await startServer()
    const other = await WireClient.joinOptedIn(`${url}/room`)
    const client = await WireClient.joinOptedIn(`${url}/room`)
    await client.synced()
    client.send(frame)
    const [code] = await once(client.ws, 'close')
    expect(code).toBe(4409)
    expect(other.ws.readyState).toBe(other.ws.OPEN)
    await other.close()
  })

  test.each([
    ['subscription', encodeSubscribe({ room: 'room', wantsPeople: false })],
    ['unsubscription', encodeUnsubscribe('room')],
    ['trigger', encodeTrigger({ id: 1, room: 'room', event: 'x', body: '1', ack: true })],
  ])('of a client that did not opt in is refused: %s', async (_, frame) => {
    const { url } = await startServer()
    const client = await WireClient.join(`${url}/room`)
    client.send(frame)
    const [code] = await once(client.ws, 'close')
    expect(code).toBe(4409)
  })

  test('to unsubscribe from what was not subscribed to does nothing', async () => {
    const session = open()
    session.unsubscribe('never')
    subscribe(session, 'own')
    session.unsubscribe('own')
    session.unsubscribe('own')
    session.skip('own', 1)
    session.entered({ id: 'ada', info: null })
    expect(heard).toEqual(['subscribed own'])
  })
})

test.each([
  [[true, false], ['refused other FORBIDDEN']],
  [[false, true], ['subscribed other']],
])('leaving and coming back while it is asked about: the later answer counts (%j)', async (answers, told) => {
  const questions: { allow(): void; refuse(): void }[] = []
  const session = open(
    () =>
      new Promise((resolve, reject) => {
        questions.push({ allow: resolve, refuse: () => reject(forbidden) })
      }),
  )
  subscribe(session, 'other')
  session.unsubscribe('other')
  subscribe(session, 'other')
  for (const [index, isAllowed] of answers.entries()) {
    const question = questions[index]!
    if (isAllowed) question.allow()
    else question.refuse()
    await new Promise((resolve) => setImmediate(resolve))
  }
  expect(heard).toEqual(told)
})
