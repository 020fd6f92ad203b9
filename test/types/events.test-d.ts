import { describe, expectTypeOf, test } from 'vitest'
import {
  type Channel,
  connect,
  createStore,
  type EventMeta,
  type EventPosition,
  type Json,
  type Person,
  s,
  type TuttiError,
} from '../../lib/index.ts'

const shape = {
  'show-message': s.object({ text: s.string(), at: s.date(), tags: s.list(s.string()), note: s.string().optional() }),
  raw: s.bytes(),
  mood: s.literal('good', 'bad'),
  typing: s.boolean().optional(),
  level: s.number().default(1),
}
const store = createStore({ schema: { title: s.string() } })
const place = { url: 'ws://localhost', room: 'a', connect: false } as const
const room = connect(store, { ...place, events: shape })
const { events } = room

describe('a channel with a schema', () => {
  test('gives listeners what the schema says', () => {
    events.bind('show-message', (data, meta) => {
      expectTypeOf(data.text).toEqualTypeOf<string>()
      expectTypeOf(data.at).toEqualTypeOf<Date>()
      expectTypeOf(data.tags).toEqualTypeOf<readonly string[]>()
      expectTypeOf(data.note).toEqualTypeOf<string | undefined>()
      expectTypeOf(meta).toEqualTypeOf<EventMeta>()
    })
    events.bind('raw', (data) => expectTypeOf(data).toEqualTypeOf<Uint8Array>())
    events.bind('mood', (data) => expectTypeOf(data).toEqualTypeOf<'good' | 'bad'>())
    events.bind('typing', (data) => expectTypeOf(data).toEqualTypeOf<boolean | undefined>())
    events.bind('level', (data) => expectTypeOf(data).toEqualTypeOf<number>())
    // @ts-expect-error no such event
    events.bind('show-mesage', () => undefined)
  })

  test('gives one who listens to all the data of the event that it is', () => {
    events.bindAll((event, data, meta) => {
      expectTypeOf(event).toEqualTypeOf<'show-message' | 'raw' | 'mood' | 'typing' | 'level'>()
      expectTypeOf(meta).toEqualTypeOf<EventMeta>()
      if (event === 'raw') expectTypeOf(data).toEqualTypeOf<Uint8Array>()
      if (event === 'mood') expectTypeOf(data).toEqualTypeOf<'good' | 'bad'>()
    })
  })

  test('takes what the schema says', () => {
    expectTypeOf(events.trigger('show-message', { text: '', at: new Date(), tags: [] })).toEqualTypeOf<Promise<void>>()
    events.trigger('show-message', { text: '', at: new Date() }, { ack: false, timeout: 5 })
    events.trigger('raw', new Uint8Array())
    events.trigger('typing')
    events.trigger('typing', true)
    events.trigger('level')
    // @ts-expect-error no such event
    events.trigger('show', { text: '' })
    // @ts-expect-error no date
    events.trigger('show-message', { text: '', at: 5 })
    // @ts-expect-error at is missing
    events.trigger('show-message', { text: '' })
    // @ts-expect-error no such key
    events.trigger('show-message', { text: '', at: new Date(), more: 1 })
    // @ts-expect-error data is missing
    events.trigger('mood')
    // @ts-expect-error no bytes
    events.trigger('raw', 'text')
    // @ts-expect-error no such value
    events.trigger('mood', 'great')
    // @ts-expect-error no such option
    events.trigger('mood', 'good', { acknowledge: true })
  })
})

describe('a channel without a schema', () => {
  const open = connect(store, place).events

  test('takes any name with JSON or bytes', () => {
    expectTypeOf(open).toEqualTypeOf<Channel>()
    open.bind('anything', (data) => expectTypeOf(data).toEqualTypeOf<Json | Uint8Array>())
    open.bindAll((event, data) => {
      expectTypeOf(event).toEqualTypeOf<string>()
      expectTypeOf(data).toEqualTypeOf<Json | Uint8Array>()
    })
    open.trigger('anything')
    open.trigger('anything', { a: [1, null] })
    open.trigger('anything', new Uint8Array())
    // @ts-expect-error no JSON
    open.trigger('anything', () => undefined)
    // @ts-expect-error no JSON
    open.trigger('anything', new Date())
  })
})

describe('another room', () => {
  test('has the types of its own schema', () => {
    const chat = room.channel('a/chat', { say: s.string() })
    expectTypeOf(chat.name).toEqualTypeOf<string>()
    chat.bind('say', (data) => expectTypeOf(data).toEqualTypeOf<string>())
    // @ts-expect-error an event of the room, not of this one
    chat.bind('raw', () => undefined)
    room.channel('a/log').bind('raw', (data) => expectTypeOf(data).toEqualTypeOf<Json | Uint8Array>())
    // @ts-expect-error a name is needed
    room.channel()
  })
})

describe('news of a channel', () => {
  test('have their types', () => {
    events.on('gap', (position) => expectTypeOf(position).toEqualTypeOf<EventPosition>())
    events.on('join', (person) => expectTypeOf(person).toEqualTypeOf<Person>())
    events.on('leave', (person) => expectTypeOf(person).toEqualTypeOf<Person>())
    events.on('refused', (error) => expectTypeOf(error).toEqualTypeOf<TuttiError>())
    // @ts-expect-error there are no such news
    events.on('joined', () => undefined)
  })

  test('and what it shows can only be read', () => {
    expectTypeOf(events.subscribed).toEqualTypeOf<boolean>()
    expectTypeOf(events.members).toEqualTypeOf<readonly Person[]>()
    expectTypeOf(room.sessionId).toEqualTypeOf<string | null>()
    // @ts-expect-error read only
    events.members.push({ id: '', info: null })
  })
})
