import { once } from 'node:events'
import { describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { type OwnSocket, type SocketEndpoint, type SocketEndpoints, TuttiError } from '../../server/index.ts'
import { until } from '../e2e/until.ts'
import { WireClient } from '../e2e/wireClient.ts'
import { createGate } from './gate.ts'
import { createMemoryLog } from './memoryLog.ts'
import { startServer } from './testServer.ts'

/** A plain client: its messages as they come, and how it ended. */
const connect = async (address: string, headers: Record<string, string> = {}) => {
  const ws = new WebSocket(address, { headers })
  const messages: (string | Buffer)[] = []
  let ending: string | undefined
  ws.on('message', (message: Buffer, isBinary) => messages.push(isBinary ? message : message.toString()))
  ws.on('close', (code, reason) => {
    ending = `${code} ${reason}`.trim()
  })
  await once(ws, 'open')
  const closed = async (): Promise<string | undefined> => {
    await until('the close', () => ending !== undefined)
    return ending
  }
  return { ws, messages, closed, ending: () => ending }
}

describe('an own socket', () => {
  test('gets text as a string and binary as bytes that it may keep, and sends both', async () => {
    const kept: (string | Uint8Array)[] = []
    const { url } = await startServer({
      sockets: {
        '/echo': {
          message: (socket, message) => {
            kept.push(message)
            socket.send(message)
          },
        },
      },
    })
    const a = await connect(`${url}/echo`)
    const all = Uint8Array.from({ length: 256 }, (_, i) => i)
    a.ws.send('grüße 🌍')
    a.ws.send(all)
    a.ws.send('')
    a.ws.send(new Uint8Array(0))
    await until('the echo', () => a.messages.length === 4)
    expect(a.messages).toEqual(['grüße 🌍', Buffer.from(all), '', Buffer.alloc(0)])
    expect(kept).toEqual(['grüße 🌍', all, '', new Uint8Array(0)])
  })

  test('knows where it comes from, and remembers what the application wants', async () => {
    const seen: unknown[] = []
    const lamps: SocketEndpoint<{ count: number }> = {
      open: (socket) => {
        socket.data = { count: 0 }
        seen.push(socket.address, socket.query, socket.header('authorization'), /^\d+\.\d+$/.test(socket.id))
      },
      message: (socket) => {
        if (socket.data) seen.push(++socket.data.count)
      },
    }
    const { url } = await startServer({ sockets: { '/lamps': lamps } })
    const a = await connect(`${url}/lamps?lamp=7`, { authorization: 'Bearer x' })
    const b = await connect(`${url}/lamps`)
    await until('both', () => seen.length === 8)
    a.ws.send('1')
    a.ws.send('2')
    await until('two messages', () => seen.length === 10)
    b.ws.send('1')
    await until('another', () => seen.length === 11)
    expect(seen).toEqual(['127.0.0.1', 'lamp=7', 'Bearer x', true, '127.0.0.1', '', '', true, 1, 2, 1])
  })

  test('publishes to everyone who subscribed but itself, on any path, and never to a room', async () => {
    const endpoint: SocketEndpoint = {
      message: (socket, message) => {
        const [verb, topic = '', ...words] = String(message).split(' ')
        if (verb === 'sub') socket.subscribe(topic)
        if (verb === 'unsub') socket.unsubscribe(topic)
        if (verb === 'pub') socket.publish(topic, words.join(' '))
        socket.send(`done ${verb}`)
      },
    }
    const { url, server } = await startServer({ sockets: { '/a': endpoint, '/b': endpoint } })
    const room = await WireClient.join(`${url}/street`)
    await room.synced()
    const [a, b, c] = await Promise.all([connect(`${url}/a`), connect(`${url}/a`), connect(`${url}/b`)])
    const say = async (client: typeof a, text: string): Promise<void> => {
      client.ws.send(text)
      await until(text, () => client.messages.at(-1) === `done ${text.split(' ')[0]}`)
      client.messages.pop()
    }
    for (const client of [a, b, c]) await say(client, 'sub street')
    await say(a, 'pub street hello')
    await until('the message', () => b.messages.length === 1 && c.messages.length === 1)
    await say(b, 'unsub street')
    await say(a, 'pub street again')
    await until('the second message', () => c.messages.length === 2)
    // A room's document and events do not reach who subscribed to a topic of its name.
    await server.room('street').edit((doc) => doc.getMap('m').set('k', 1))
    await server.room('street').trigger('e', 1)
    await room.until(() => room.doc.getMap('m').get('k') === 1, 'the change')
    await say(a, 'last')
    expect([a.messages, b.messages, c.messages]).toEqual([[], ['hello'], ['hello', 'again']])
    expect(room.frames.map(({ type }) => type)).not.toContain('unknown')
    expect(room.closed).toBeUndefined()
  })

  test('is told of the end: by the client, by itself, by a cut', async () => {
    const ends: unknown[] = []
    const { url } = await startServer({
      sockets: {
        '/s': {
          open: (socket) => {
            if (socket.query === 'refuse') socket.close(4001, 'no')
          },
          message: (socket, message) => (message === 'end' ? socket.close(3000, 'ünd tschüß') : socket.terminate()),
          close: (socket, code, reason) => {
            ends.push([code, reason, socket.isOpen])
            // Everything is safe after the end, and does nothing.
            expect(socket.send('late')).toBe(true)
            socket.subscribe('t')
            socket.publish('t', 'late')
            socket.close()
            socket.terminate()
            expect(socket.buffered).toBe(0)
          },
        },
      },
    })
    const a = await connect(`${url}/s`)
    a.ws.close(4321, 'bye')
    await until('the first', () => ends.length === 1)
    const b = await connect(`${url}/s`)
    b.ws.send('end')
    expect(await b.closed()).toBe('3000 ünd tschüß')
    const c = await connect(`${url}/s`)
    c.ws.send('cut')
    expect(await c.closed()).toBe('1006')
    const d = await connect(`${url}/s?refuse`)
    expect(await d.closed()).toBe('4001 no')
    const e = await connect(`${url}/s`)
    e.ws.terminate()
    await until('all five', () => ends.length === 5)
    expect(ends).toEqual([
      [4321, 'bye', false],
      [3000, 'ünd tschüß', false],
      [1006, '', false],
      [4001, 'no', false],
      [1006, '', false],
    ])
  })

  test('can not be closed with a code that is not an application’s to give', async () => {
    const thrown: unknown[] = []
    const { url } = await startServer({
      sockets: {
        '/s': {
          open: (socket) => {
            for (const code of [1006, 999, 5000, 1001, Number.NaN]) {
              try {
                socket.close(code)
              } catch (error) {
                thrown.push(error)
              }
            }
            socket.send('still here')
          },
        },
      },
    })
    const a = await connect(`${url}/s`)
    await until('the message', () => a.messages.length === 1)
    expect(thrown).toHaveLength(5)
    for (const error of thrown) expect(error).toMatchObject({ code: 'INVALID_VALUE' })
  })

  test('is told when the other side does not read, and when it does again', async () => {
    const log: string[] = []
    const sockets: OwnSocket[] = []
    let sent = 0
    const chunk = new Uint8Array(64 * 1024)
    const { url } = await startServer({
      maxBackpressureBytes: 256 * 1024,
      sockets: {
        '/flood': {
          open: (socket) => {
            sockets.push(socket)
            socket.subscribe('t')
          },
          message: (socket) => {
            while (socket.send(chunk)) sent++
            expect(socket.buffered).toBeGreaterThan(0)
            log.push('full')
          },
          missed: () => void log.push('missed'),
          drain: (socket) => {
            if (log.at(-1) !== 'drain' && socket.buffered === 0) log.push('drain')
          },
        },
        '/other': { message: (socket) => socket.publish('t', chunk) },
      },
    })
    const a = await connect(`${url}/flood`)
    a.ws.pause()
    a.ws.send('go')
    await until('the full socket', () => log.length === 1)
    const b = await connect(`${url}/other`)
    b.ws.send('go')
    await until('the missed message', () => log.length === 2)
    a.ws.resume()
    await until('the drain', () => log.length === 3 && a.messages.length === sent)
    expect(log).toEqual(['full', 'missed', 'drain'])
    expect(sockets[0]?.send('more')).toBe(true)
    await until('more', () => a.messages.at(-1) === 'more')
  })

  test('whose callback throws or rejects is logged and closed with 1011; nothing else is harmed', async () => {
    const logger = createMemoryLog()
    const endpoint: SocketEndpoint = {
      open: async (socket) => {
        if (socket.query === 'open') throw new Error('open')
      },
      message: (socket, message) => {
        if (message === 'throw') throw new Error('throw')
        if (message === 'reject') return Promise.reject(new Error('reject'))
        socket.send(message)
        return undefined
      },
      close: (socket) => {
        if (socket.query === 'close') throw new Error('close')
      },
    }
    const { url } = await startServer({ logger, sockets: { '/s': endpoint } })
    const other = await connect(`${url}/s`)
    const ending = '1011 The server failed on this connection.'
    expect(await (await connect(`${url}/s?open`)).closed()).toBe(ending)
    for (const message of ['throw', 'reject']) {
      const a = await connect(`${url}/s`)
      a.ws.send(message)
      expect(await a.closed()).toBe(ending)
    }
    const c = await connect(`${url}/s?close`)
    c.ws.close()
    const failures = (): unknown[] =>
      logger.entries.filter(({ level }) => level === 'error').map(({ fields }) => fields)
    await until('four failures', () => failures().length === 4)
    expect(failures()).toEqual(
      ['open', 'message', 'message', 'close'].map((callback) => ({ path: '/s', callback, err: expect.any(Error) })),
    )
    other.ws.send('alive')
    await until('the echo', () => other.messages.length === 1)
  })

  test('takes no message over its own limit, nor over the server’s', async () => {
    const heard: number[] = []
    const message: SocketEndpoint['message'] = (_socket, { length }) => void heard.push(length)
    const { url } = await startServer({
      maxMessageBytes: 2048,
      sockets: { '/small': { maxMessageBytes: 10, message }, '/large': { message } },
    })
    const a = await connect(`${url}/small`)
    a.ws.send('x'.repeat(10))
    a.ws.send('x'.repeat(11))
    a.ws.send('after')
    expect(await a.closed()).toBe('4413 A message of 11 bytes came; the limit is 10.')
    const b = await connect(`${url}/large`)
    b.ws.send(new Uint8Array(2048))
    b.ws.send(new Uint8Array(2049))
    expect(await b.closed()).toContain('4413')
    expect(heard).toEqual([10, 2048])
  })

  test('is closed with 1001 when the server stops', async () => {
    const ends: number[] = []
    const { url, server } = await startServer({
      sockets: { '/s': { close: (_socket, code) => void ends.push(code) } },
    })
    const a = await connect(`${url}/s`)
    await server.close()
    expect(await a.closed()).toBe('1001 The server is stopping.')
    expect(ends).toEqual([1001])
  })
})

describe('the path of an own socket', () => {
  test('is no room’s, however it is written; paths beside it are', async () => {
    let opened = 0
    const { url, server } = await startServer({ sockets: { '/my lamps': { open: () => void opened++ } } })
    const a = await connect(`${url}/my%20lamps`)
    const b = await connect(`${url}/m%79%20lamps?x`)
    await until('both', () => opened === 2)
    const c = await WireClient.join(`${url}/my%20lamps/1`)
    const d = await WireClient.join(`${url}/my`)
    await Promise.all([c.synced(), d.synced()])
    expect([a.messages, b.messages]).toEqual([[], []])
    // In process the name is one like any other.
    await server.room('my lamps').edit((doc) => doc.getMap('m').set('k', 1))
    expect(opened).toBe(2)
  })

  test('is no room of the HTTP door either', async () => {
    const { server } = await startServer({ sockets: { '/my%20lamps': {}, '/roomsful': {} } })
    const ask = (path: string, init?: RequestInit) => fetch(`${server.url}${path}`, init)
    for (const path of ['/rooms/my%20lamps', '/rooms/m%79%20lamps/document', '/rooms/roomsful/events']) {
      const answer = await ask(path)
      expect([answer.status, await answer.json()]).toMatchObject([400, { code: 'INVALID_ROOM' }])
    }
    const body = JSON.stringify([{ room: 'my lamps', method: 'DELETE' }])
    const batch = await ask('/batch', { method: 'POST', headers: { 'content-type': 'application/json' }, body })
    expect(await batch.json()).toMatchObject([{ status: 400, body: { code: 'INVALID_ROOM' } }])
    expect((await ask('/rooms/my%20lamps/1/document')).status).toBe(200)
  })

  test.each([
    [{ lamps: {} }, '"lamps" is no path of a socket.'],
    [{ '/': {} }, '"/" is no path of a socket.'],
    [{ '/a?b': {} }, '"/a?b" is no path of a socket.'],
    [{ '/%': {} }, '"/%" is no path of a socket.'],
    [{ '/a': { opened: () => undefined } }, 'A socket has no "opened".'],
    [{ '/a': { open: 1 } }, 'open of the socket /a is of type number; expected a function.'],
    [{ '/a': null }, 'The socket /a is no object.'],
    [{ '/app/x': {} }, 'The path "/app/x" belongs to another door of the server.'],
    [{ '/app': {} }, 'The path "/app" belongs to another door of the server.'],
    [{ '/apps/1/events': {} }, 'The path "/apps/1/events" belongs to another door of the server.'],
    [{ '/rooms': {} }, 'The path "/rooms" belongs to another door of the server.'],
    [{ '/r%6Foms/a': {} }, 'The path "/r%6Foms/a" belongs to another door of the server.'],
    [{ '/health': {} }, 'The path "/health" belongs to another door of the server.'],
    [{ '/ready': {} }, 'The path "/ready" belongs to another door of the server.'],
    [{ '/metrics': {} }, 'The path "/metrics" belongs to another door of the server.'],
    [{ '/batch': {} }, 'The path "/batch" belongs to another door of the server.'],
    [{ '/openapi.json': {} }, 'The path "/openapi.json" belongs to another door of the server.'],
    [{ '/a': {}, '/%61': {} }, '"/%61" and "/a" are one path.'],
    [5, 'Option sockets is 5; expected an object.'],
    [[], 'Option sockets is an array; expected an object.'],
    [
      { '/a': { maxMessageBytes: 4096 } },
      "maxMessageBytes of the socket /a is 4096; expected a whole number from 1 to 2048, the server's maxMessageBytes.",
    ],
  ])('or what stands there is refused if it is none: %o', async (sockets, message) => {
    const starting = startServer({ maxMessageBytes: 2048, sockets: sockets as unknown as SocketEndpoints })
    await expect(starting).rejects.toThrow(TuttiError)
    await expect(starting).rejects.toMatchObject({ code: 'INVALID_OPTION', message })
  })
})

describe('the hook connect', () => {
  test('is asked about own sockets, and what they send waits', async () => {
    const gate = createGate()
    const log: string[] = []
    const { url } = await startServer({
      hooks: {
        connect: async ({ caller }) => {
          log.push(`connect ${caller.door} ${caller.path}`)
          if (caller.query === 'no') throw new TuttiError('UNAUTHENTICATED', 'Who are you?')
          await gate.promise
        },
        disconnect: ({ code }) => void log.push(`disconnect ${code}`),
      },
      sockets: {
        '/s': {
          open: (socket) => {
            log.push('open')
            if (socket.query === 'close') socket.close(4002)
          },
          message: (_socket, message) => void log.push(`message ${message}`),
          close: (_socket, code) => void log.push(`close ${code}`),
        },
      },
    })
    const refused = await connect(`${url}/s?no`)
    expect(await refused.closed()).toBe('4401 Who are you?')
    const a = await connect(`${url}/s`)
    a.ws.send('1')
    a.ws.send('2')
    await until('the question', () => log.length === 2)
    gate.open()
    await until('the messages', () => log.length === 5)
    a.ws.close(1000)
    await until('the end', () => log.length === 7)
    const b = await connect(`${url}/s?close`)
    expect(await b.closed()).toBe('4002')
    await until('the end of b', () => log.length === 11)
    expect(log).toEqual([
      'connect socket /s',
      'connect socket /s',
      'open',
      'message 1',
      'message 2',
      'close 1000',
      'disconnect 1000',
      'connect socket /s',
      'open',
      'close 4002',
      'disconnect 4002',
    ])
  })
})

test('a client that goes while connect is being asked is never opened', async () => {
  const gate = createGate()
  const log: string[] = []
  const { url } = await startServer({
    hooks: {
      connect: ({ caller }) => {
        log.push('connect')
        return caller.query === 'slow' ? gate.promise : undefined
      },
      disconnect: ({ caller }) => void log.push(`disconnect ${caller.query}`),
    },
    sockets: { '/s': { open: (socket) => void log.push(`open ${socket.query}`) } },
  })
  const a = await connect(`${url}/s?slow`)
  a.ws.close(1000)
  await a.closed()
  gate.open()
  await until('the end', () => log.includes('disconnect slow'))
  await connect(`${url}/s?quick`)
  await until('another', () => log.includes('open quick'))
  expect(log).toEqual(['connect', 'disconnect slow', 'connect', 'open quick'])
})

test('devices with a binary protocol of their own live in a shared document', async () => {
  const ON = 1
  const { url, server } = await startServer({
    sockets: {
      '/lamps': {
        open: (socket) => {
          const stop = server.room('street').on('change', async () => {
            const brightness = await server.room('street').read((doc) => doc.getMap('lamps').get(socket.query))
            if (typeof brightness === 'number') socket.send(Uint8Array.of(ON, brightness))
          })
          socket.data = stop
        },
        message: async (socket, message) => {
          if (typeof message === 'string') return
          const [kind, brightness] = message
          if (kind === ON) await server.room('street').edit((doc) => doc.getMap('lamps').set(socket.query, brightness))
          await server.room('street').trigger('confirmed', { lamp: socket.query, brightness })
        },
        close: (socket) => (socket.data as () => void)(),
      },
    },
  })
  const events: unknown[] = []
  server.room('street').on('event', ({ event, data }) => events.push([event, data]))
  const browser = await WireClient.join(`${url}/street`)
  await browser.synced()
  const lamp = await connect(`${url}/lamps?7`)
  lamp.ws.send(Uint8Array.of(ON, 80))
  await browser.until(() => browser.doc.getMap('lamps').get('7') === 80, 'what the lamp reports')
  await until('the event', () => events.length === 1)
  expect(events).toEqual([['confirmed', { lamp: '7', brightness: 80 }]])
  browser.edit((doc) => doc.getMap('lamps').set('7', 20))
  await until('the command', () => lamp.messages.some((message) => Buffer.from([ON, 20]).equals(message as Buffer)))
})
