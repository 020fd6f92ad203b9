import { createDecoder, readVarString, readVarUint } from 'lib0/decoding'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { TuttiError } from '../../lib/errors.ts'
import {
  decodeTrigger,
  encodeEvent,
  encodeMissed,
  encodePerson,
  encodeRefused,
  encodeSkipped,
  encodeSubscribed,
  encodeTriggered,
  type Subscribe,
  TUTTI_SUBSCRIBE,
  TUTTI_TRIGGER,
  TUTTI_UNSUBSCRIBE,
} from '../../lib/eventProtocol.ts'
import type { Sink } from '../../lib/subscription.ts'
import { createSubscriptions, type Subscriptions } from '../../lib/subscriptions.ts'

let subscriptions: Subscriptions
let sent: { type: number; subscribe?: Subscribe; id?: number }[]
let reported: TuttiError[]
let isOpen: boolean

const note = (frame: Uint8Array): boolean => {
  if (!isOpen) return false
  const decoder = createDecoder(frame)
  readVarUint(decoder)
  const type = readVarUint(decoder)
  if (type === TUTTI_SUBSCRIBE) sent.push({ type, subscribe: JSON.parse(readVarString(decoder)) as Subscribe })
  else if (type === TUTTI_TRIGGER) sent.push({ type, id: decodeTrigger(decoder).id })
  else sent.push({ type })
  return true
}
const greet = (sessionId = 's1'): void =>
  subscriptions.greeted({ documentId: 'd', maxMessageBytes: 1000, sessionId }, note)
const receive = (frame: Uint8Array): void => {
  const decoder = createDecoder(frame)
  readVarUint(decoder)
  subscriptions.receive(decoder)
}
const asked = (): (Subscribe | undefined)[] => sent.splice(0).map(({ subscribe }) => subscribe)

const subscribed = (offset: number, more: Partial<Parameters<typeof encodeSubscribed>[0]> = {}): void =>
  receive(encodeSubscribed({ room: 'r', epoch: 'e', offset, latest: offset, recovered: true, ...more }))
const event = (offset: number): void =>
  receive(encodeEvent({ room: 'r', offset, event: 'x', body: String(offset), from: 'peer' }))
const skipped = (offset: number): void => receive(encodeSkipped('r', offset))

/** A sink that notes all it is told. */
const listen = () => {
  const told: unknown[] = []
  const sink: Sink = {
    event: (data, { recovered }) => told.push(recovered ? [data, 'recovered'] : data),
    gap: ({ epoch, offset }) => told.push(`gap ${epoch} ${offset}`),
    join: ({ id }) => told.push(`join ${id}`),
    leave: ({ id }) => told.push(`leave ${id}`),
    refused: ({ code }) => told.push(`refused ${code}`),
  }
  const subscription = subscriptions.of('r')
  return { told, subscription, end: subscription.add(sink) }
}

beforeEach(() => {
  vi.useFakeTimers()
  sent = []
  reported = []
  isOpen = true
  subscriptions = createSubscriptions((error) => reported.push(error))
})
afterEach(() => {
  subscriptions.destroy()
  vi.useRealTimers()
})

/** Subscribed at offset 4. */
const begin = async () => {
  const listened = listen()
  greet()
  await Promise.resolve()
  subscribed(4, { recovered: false })
  sent = []
  return listened
}

test('what is bound in one turn asks once', async () => {
  greet()
  const { subscription } = listen()
  listen()
  subscription.wantPeople()
  await Promise.resolve()
  expect(asked()).toEqual([{ room: 'r', wantsPeople: true }])
})

test('an event that was seen is not delivered again', async () => {
  const { told } = await begin()
  for (const offset of [5, 6, 5, 6, 4, 7]) event(offset)
  expect(told).toEqual([5, 6, 7])
})

test('a hole stops the delivery until the server, asked once, has filled it', async () => {
  const { told } = await begin()
  event(5)
  event(7)
  event(8)
  expect(asked()).toEqual([{ room: 'r', wantsPeople: false, position: { epoch: 'e', offset: 5, former: [] } }])
  subscribed(5, { latest: 8 })
  for (const offset of [6, 7, 8, 9]) event(offset)
  expect(told).toEqual([5, [6, 'recovered'], [7, 'recovered'], [8, 'recovered'], 9])
  // And the next one.
  skipped(11)
  expect(asked()).toHaveLength(1)
})

test('an event that is not for this client is no hole', async () => {
  const { told } = await begin()
  skipped(5)
  event(6)
  expect([told, asked()]).toEqual([[6], []])
})

test('nothing is delivered before the answer to the subscription', async () => {
  const { told } = await begin()
  subscriptions.ended()
  event(5)
  greet('s2')
  event(5)
  expect(told).toEqual([])
  subscribed(4, { latest: 5 })
  event(5)
  expect(told).toEqual([[5, 'recovered']])
})

test('a client that comes back names the connections since its position, until it has seen what it missed', async () => {
  await begin()
  const formerAfter = (id: string): readonly string[] | undefined => {
    subscriptions.ended()
    sent = []
    greet(id)
    return asked()[0]?.position?.former
  }
  expect(formerAfter('s2')).toEqual(['s1'])
  // Lost before the answer, then before all of it came.
  expect(formerAfter('s3')).toEqual(['s1', 's2'])
  subscribed(4, { latest: 6 })
  event(5)
  expect(formerAfter('s4')).toEqual(['s1', 's2', 's3'])
  subscribed(5, { latest: 6 })
  skipped(6)
  expect(formerAfter('s5')).toEqual(['s4'])
  for (let i = 0; i < 30; i++) formerAfter(`t${i}`)
  expect(formerAfter('end')).toHaveLength(16)
})

test('a server that skipped frames is asked again from what was seen', async () => {
  const { told } = await begin()
  event(5)
  receive(encodeMissed())
  expect(asked()).toEqual([{ room: 'r', wantsPeople: false, position: { epoch: 'e', offset: 5, former: [] } }])
  // What was under way comes before the answer.
  event(6)
  subscribed(5, { latest: 7 })
  for (const offset of [6, 7]) event(offset)
  expect(told).toEqual([5, 6, [7, 'recovered']])
})

test('two answers to a first subscription are no gap', async () => {
  const { told } = await begin()
  event(5)
  subscribed(5, { recovered: false })
  event(6)
  expect(told).toEqual([5, 6])
})

test('another epoch or a later offset is a gap', async () => {
  const { told } = await begin()
  subscribed(9, { recovered: false })
  event(10)
  subscribed(2, { epoch: 'f', recovered: false })
  event(3)
  expect(told).toEqual(['gap e 9', 10, 'gap f 2', 3])
})

test('people are told of as they come and go, and after a break by the difference', async () => {
  const { told, subscription } = await begin()
  // Not asked for yet.
  receive(encodePerson('joined', { id: 'early', info: null }, 'r'))
  expect(subscription.people.value).toEqual([])
  subscription.wantPeople()
  await Promise.resolve()
  expect(asked()[0]?.wantsPeople).toBe(true)
  const [a, b, c] = ['a', 'b', 'c'].map((id) => ({ id, info: { name: id } }))
  subscribed(4, { people: [a!] })
  expect([told, subscription.people.value]).toEqual([[], [a]])
  receive(encodePerson('joined', b!, 'r'))
  receive(encodePerson('joined', b!, 'r'))
  receive(encodePerson('left', a!, 'r'))
  receive(encodePerson('left', a!, 'r'))
  receive(encodePerson('present', c!, 'r'))
  expect([told, subscription.people.value]).toEqual([
    ['join b', 'leave a'],
    [b, c],
  ])
  subscriptions.ended()
  greet('s2')
  expect(subscription.people.value).toEqual([b, c])
  subscribed(4, { people: [c!, a!] })
  expect(told).toEqual(['join b', 'leave a', 'leave b', 'join a'])
})

test('a refusal is told, and asked again after a reconnect only', async () => {
  const { told, subscription } = await begin()
  receive(encodeRefused('r', { code: 'FORBIDDEN', message: 'm', hint: 'h' }))
  expect([told, subscription.subscribed.value]).toEqual([['refused FORBIDDEN'], false])
  event(5)
  expect([told.length, asked()]).toEqual([1, []])
  subscriptions.ended()
  greet('s2')
  expect(asked()).toHaveLength(1)
})

test('a subscription ends some time after its last sink; one that comes in time keeps it', async () => {
  const { end } = await begin()
  end()
  vi.advanceTimersByTime(249)
  const again = listen()
  vi.advanceTimersByTime(1000)
  event(5)
  expect([again.told, sent]).toEqual([[5], []])
  again.end()
  vi.advanceTimersByTime(250)
  expect(sent.map(({ type }) => type)).toEqual([TUTTI_UNSUBSCRIBE])
  event(6)
  expect(again.told).toEqual([5])
})

test('a trigger without an answer rejects in time, or when the connection is lost', async () => {
  greet()
  const trigger = { room: 'r', event: 'x', body: '1', ack: true }
  const outcome = (timeout: number) =>
    subscriptions.trigger(trigger, timeout).then(
      () => 'published',
      (error: TuttiError) => error.code,
    )
  const slow = outcome(100)
  const lost = outcome(Number.POSITIVE_INFINITY)
  const answered = outcome(100)
  const refused = outcome(100)
  await Promise.resolve()
  const [, , third, fourth] = sent
  receive(encodeTriggered(third!.id!, 1))
  receive(encodeTriggered(fourth!.id!, { code: 'FORBIDDEN', message: 'm', hint: 'h' }))
  vi.advanceTimersByTime(100)
  expect(await Promise.all([slow, answered, refused])).toEqual(['TIMEOUT', 'published', 'FORBIDDEN'])
  subscriptions.ended()
  expect(await lost).toBe('TIMEOUT')
  expect(await outcome(100)).toBe('NOT_CONNECTED')
  expect(vi.getTimerCount()).toBe(0)
  greet('s2')
  isOpen = false
  expect(await outcome(100)).toBe('NOT_CONNECTED')
  // An answer that nobody waits for is no news; a refusal is.
  receive(encodeTriggered(99, 1))
  receive(encodeTriggered(99, { code: 'RATE_LIMITED', message: 'm', hint: 'h' }))
  expect(reported.map(({ code }) => code)).toEqual(['RATE_LIMITED'])
})

test('after a restart of the server, whoever is not back yet has four times the grace to come back without a word', async () => {
  const [a, b, c, d] = ['a', 'b', 'c', 'd'].map((id) => ({ id, info: null }))
  const { told, subscription } = await begin()
  const ids = (): string[] => subscription.people.value.map(({ id }) => id)
  const restart = (epoch: string): void => {
    subscriptions.ended()
    subscriptions.greeted({ documentId: 'd', maxMessageBytes: 1000, sessionId: epoch, leaveGraceMs: 3000 }, note)
  }
  subscription.wantPeople()
  subscribed(4, { people: [a!, b!, c!] })
  restart('e2')
  subscribed(0, { epoch: 'e2', people: [d!] })
  expect([told.splice(0), ids()]).toEqual([
    ['gap e2 0', 'join d'],
    ['d', 'a', 'b', 'c'],
  ])
  vi.advanceTimersByTime(11_999)
  // Their own presence as well: of that a client is told as `present`.
  receive(encodePerson('present', a!, 'r'))
  receive(encodePerson('joined', { id: 'b', info: 'new' }, 'r'))
  // A list in between knows no more of who is still missing.
  subscribed(0, { epoch: 'e2', people: [d!, a!, { id: 'b', info: 'new' }] })
  expect([told, ids()]).toEqual([[], ['d', 'a', 'b', 'c']])
  expect(subscription.people.value[2]?.info).toBe('new')
  vi.advanceTimersByTime(1)
  expect([told.splice(0), ids()]).toEqual([['leave c'], ['d', 'a', 'b']])
  // Whoever came back may leave as ever.
  receive(encodePerson('left', b!, 'r'))
  expect([told.splice(0), ids()]).toEqual([['leave b'], ['d', 'a']])
})

test('who is missing after a restart and a break is told of by the list after it', async () => {
  const [a, b] = ['a', 'b'].map((id) => ({ id, info: null }))
  const { told, subscription } = await begin()
  const back = (): void =>
    subscriptions.greeted({ documentId: 'd', maxMessageBytes: 1000, sessionId: 's', leaveGraceMs: 3000 }, note)
  subscription.wantPeople()
  subscribed(4, { people: [a!, b!] })
  subscriptions.ended()
  back()
  subscribed(0, { epoch: 'e2', people: [a!] })
  vi.advanceTimersByTime(1000)
  subscriptions.ended()
  vi.advanceTimersByTime(20_000)
  expect(told.splice(0)).toEqual(['gap e2 0'])
  back()
  subscribed(0, { epoch: 'e2', people: [a!] })
  expect([told, subscription.people.value]).toEqual([['leave b'], [a]])
})

test('a server that tells no grace has none', async () => {
  const { told, subscription } = await begin()
  subscription.wantPeople()
  subscribed(4, { people: [{ id: 'a', info: null }] })
  subscriptions.ended()
  greet('s2')
  subscribed(0, { epoch: 'e2', people: [] })
  expect([told, subscription.people.value]).toEqual([['gap e2 0', 'leave a'], []])
})
