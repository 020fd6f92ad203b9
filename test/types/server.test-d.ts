import { describe, expectTypeOf, test } from 'vitest'
import type * as Y from 'yjs'
import { s } from '../../lib/index.ts'
import {
  type Caller,
  type Change,
  createServer,
  type HeardEvent,
  type Hooks,
  type OwnSocket,
  type Person,
  type Position,
  type Server,
  type SocketEndpoint,
} from '../../server/index.ts'

declare const server: Server

describe('hooks', () => {
  test('are given what they are about, and may be asynchronous or not', () => {
    createServer({
      hooks: {
        connect: ({ caller }) => {
          expectTypeOf(caller).toEqualTypeOf<Caller>()
        },
        disconnect: async ({ code }) => expectTypeOf(code).toEqualTypeOf<number>(),
        join: async ({ room, user, isGuarded }) => {
          expectTypeOf(room).toEqualTypeOf<string>()
          expectTypeOf(user).toEqualTypeOf<Person | undefined>()
          return isGuarded
        },
        leave: ({ hasBroken }) => expectTypeOf(hasBroken).toEqualTypeOf<boolean>(),
        beforeChange: async ({ update, from }) => {
          expectTypeOf(update).toEqualTypeOf<Uint8Array>()
          expectTypeOf(from).toEqualTypeOf<'peer' | 'server'>()
        },
        afterChange: ({ changes }) => expectTypeOf(changes).toEqualTypeOf<readonly Change[]>(),
        beforeEvent: ({ data }) => {
          expectTypeOf(data).toBeUnknown()
          return { event: 'other', data: { a: 1 } }
        },
        roomCreated: ({ isNew }) => expectTypeOf(isNew).toEqualTypeOf<boolean>(),
        roomUnloaded: ({ room }) => expectTypeOf(room).toEqualTypeOf<string>(),
      },
    })
  })

  test('that may answer may as well answer nothing', () => {
    const hooks: Hooks = {
      join: ({ room }) => {
        if (room === 'x') throw new Error('no')
      },
      beforeEvent: async ({ event }) => (event === 'shout' ? { event: 'say' } : undefined),
    }
    createServer({ hooks })
    createServer({ hooks: { join: () => undefined, beforeEvent: async () => undefined } })
  })

  test('have known names and answers', () => {
    // @ts-expect-error there is no such hook
    createServer({ hooks: { conect: () => undefined } })
    // @ts-expect-error a hook is a function
    createServer({ hooks: { join: true } })
    // @ts-expect-error join answers with a boolean
    createServer({ hooks: { join: () => 'yes' } })
    // @ts-expect-error an event is replaced by an event
    createServer({ hooks: { beforeEvent: () => ({ name: 'x' }) } })
    // @ts-expect-error what a hook is given is not its to change
    createServer({ hooks: { join: (context) => delete context.room } })
  })
})

describe('own sockets', () => {
  test('know their messages', () => {
    createServer({
      sockets: {
        '/lamps': {
          open: (socket) => {
            expectTypeOf(socket).toEqualTypeOf<OwnSocket>()
            expectTypeOf(socket.data).toBeUnknown()
          },
          message: async (socket, message) => {
            expectTypeOf(message).toEqualTypeOf<string | Uint8Array>()
            expectTypeOf(socket.send(message)).toEqualTypeOf<boolean>()
          },
          drain: (socket) => expectTypeOf(socket.buffered).toEqualTypeOf<number>(),
          close: (_socket, code, reason) => {
            expectTypeOf(code).toEqualTypeOf<number>()
            expectTypeOf(reason).toEqualTypeOf<string>()
          },
          maxMessageBytes: 100,
        },
      },
    })
  })

  test('carry what the application says they carry', () => {
    const lamps: SocketEndpoint<{ id: number }> = {
      open: (socket) => {
        socket.data = { id: 1 }
        // @ts-expect-error another type
        socket.data = 'x'
      },
      message: ({ data }) => {
        expectTypeOf(data).toEqualTypeOf<{ id: number } | undefined>()
      },
    }
    createServer({ sockets: { '/lamps': lamps } })
  })

  test('have known callbacks', () => {
    // @ts-expect-error there is no such callback
    createServer({ sockets: { '/lamps': { opened: () => undefined } } })
    // @ts-expect-error an id is not to be changed
    createServer({ sockets: { '/lamps': { open: (socket) => delete socket.id } } })
    // @ts-expect-error only text and bytes are sent
    createServer({ sockets: { '/lamps': { open: (socket) => void socket.send({ a: 1 }) } } })
  })
})

describe('a room of the back end', () => {
  const room = server.room('board/42')

  test('reads and changes the document', () => {
    expectTypeOf(room.edit((doc) => doc.clientID)).toEqualTypeOf<Promise<number>>()
    expectTypeOf(room.edit({ title: s.string() }, ({ title }) => title)).toEqualTypeOf<Promise<string>>()
    expectTypeOf(room.read((doc: Y.Doc) => doc.guid)).toEqualTypeOf<Promise<string | undefined>>()
  })

  test('sends and hears', () => {
    expectTypeOf(room.trigger('sold', { price: 12 }, { except: '1.2' })).toEqualTypeOf<Promise<Position>>()
    expectTypeOf(room.members()).toEqualTypeOf<Promise<Person[]>>()
    expectTypeOf(room.on('event', () => undefined)).toEqualTypeOf<() => void>()
    room.on('event', (event) => expectTypeOf(event).toEqualTypeOf<HeardEvent>())
    room.on('join', (person) => expectTypeOf(person).toEqualTypeOf<Person>())
    room.on('leave', async ({ id }) => expectTypeOf(id).toEqualTypeOf<string>())
    room.on('change', (change) => expectTypeOf(change).toEqualTypeOf<Change>())
    // @ts-expect-error there is no such news
    room.on('sold', () => undefined)
    // @ts-expect-error not an option of trigger
    room.trigger('sold', 1, { to: 'x' })
  })
})
