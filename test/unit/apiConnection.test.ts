/** What a client that writes its requests by hand sees on the wire. */

import { once } from 'node:events'
import { connect } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { startServer } from './testServer.ts'

const start = async () => {
  const { server } = await startServer()
  const socket = connect(server.address.port, server.address.host)
  onTestFinished(() => void socket.destroy())
  let text = ''
  let isClosed = false
  socket.on('data', (bytes) => {
    text += bytes.toString('latin1')
  })
  socket.on('close', () => {
    isClosed = true
  })
  await once(socket, 'connect')
  return {
    send: (request: string) => socket.write(request, 'latin1'),
    /** Waits for what the answers so far contain, or for the end of the connection. */
    until: async (part: string): Promise<string> => {
      while (!text.includes(part) && !isClosed) await Promise.race([once(socket, 'data'), once(socket, 'close')])
      return text
    },
    /** The statuses of all answers that came. */
    statuses: () => (text.match(/HTTP\/1\.1 \d+/g) ?? []).map((line) => Number(line.slice(-3))),
  }
}

const asked = (method: string, path: string, headers: readonly string[] = [], body = ''): string =>
  `${[`${method} ${path} HTTP/1.1`, 'Host: a', ...headers].join('\r\n')}\r\n\r\n${body}`

const POST = ['Content-Type: application/json', 'Content-Length: 13'] as const
const EVENT = '{"event":"x"}'

describe('on one connection', () => {
  it.each([
    ['/health', '{"status":"ok"}', []],
    ['/rooms/a/document', '{}', []],
    ['/rooms/a/nothing/', 'INVALID_ROOM', []],
    ['/rooms/a/events', '"events":[]', []],
  ])('HEAD of %s may be followed by another request', async (path, body, headers) => {
    const { send, until, statuses } = await start()
    send(asked('HEAD', path, headers))
    const head = await until('\r\n\r\n')
    send(asked('HEAD', path, headers))
    send(asked('GET', path))
    const whole = await until(body)
    expect(whole).toContain(body)
    expect(statuses()).toHaveLength(3)
    const length = Number(/content-length: (\d+)/i.exec(head)?.[1])
    expect(whole.slice(-length)).toContain(body)
  })

  it('two lengths of a body that differ end it, and nothing behind is read; two that are equal do not', async () => {
    const { send, until, statuses } = await start()
    send(asked('POST', '/rooms/a/events', [...POST, 'Content-Length: 13'], EVENT))
    expect(await until('offset')).toContain('"offset":1')
    send(asked('POST', '/rooms/a/events', [...POST, 'Content-Length: 3'], EVENT))
    send(asked('GET', '/health'))
    const text = await until('"status":"ok"')
    expect(text).not.toContain('"status":"ok"')
    expect(statuses()).toEqual([200])
  })

  it.each(['/rooms/a/events', '/apps/1/events'])(
    'nor is what comes in the same packet behind two lengths carried out: %s',
    async (path) => {
      const { send, until, statuses } = await start()
      const hidden = asked('POST', '/rooms/victim/events', POST, EVENT)
      const lengths = ['Content-Type: application/json', 'Content-Length: 0', `Content-Length: ${hidden.length}`]
      send(asked('POST', path, lengths) + hidden + hidden)
      await until('the end of the connection')
      expect(statuses()).toEqual([])
      const other = await start()
      other.send(asked('GET', '/rooms/victim/events'))
      expect(await other.until('"events"')).toContain('"offset":0')
    },
  )

  it.each([[''], ['\u00c3\u00a4']])('the Idempotency-Key %j is refused, not ignored', async (key) => {
    const { send, until } = await start()
    send(asked('POST', '/rooms/a/events', [...POST, `Idempotency-Key: ${key}`], EVENT))
    expect(await until('hint')).toContain('The Idempotency-Key is no key.')
    send(asked('GET', '/rooms/a/events', [`Idempotency-Key: ${key}`]))
    expect(await until('"events":[]')).toContain('"events":[]')
  })
})
