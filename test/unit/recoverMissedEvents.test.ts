import { createServer as createTcp, connect as dial, type Socket, type Server as TcpServer } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { recoverMissedEvents } from '../../lib/pusher.ts'
import type { Server } from '../../server/index.ts'
import { until } from '../e2e/until.ts'
import { sdkOf } from './pusherHttpClient.ts'
import { connectPusher, type Pusher as PusherClient } from './pusherJs.ts'
import { startServer } from './testServer.ts'

const APP = { id: '1', key: 'key', secret: 'secret' }

const ends: (() => void)[] = []
afterEach(() => {
  for (const end of ends.splice(0).reverse()) end()
})

/** A network between client and server that can be cut. */
class Network {
  readonly #tcp: TcpServer
  readonly #sockets = new Set<Socket>()

  constructor(port: number) {
    this.#tcp = createTcp((socket) => {
      const upstream = dial(port, '127.0.0.1')
      for (const [one, other] of [
        [socket, upstream],
        [upstream, socket],
      ] as const) {
        this.#sockets.add(one)
        one.pipe(other)
        one.on('close', () => other.destroy())
        one.on('error', () => other.destroy())
      }
    })
    ends.push(() => {
      this.cut()
      this.#tcp.close()
    })
  }

  listen(): Promise<number> {
    return new Promise((resolve) => {
      this.#tcp.listen(0, '127.0.0.1', () => {
        const address = this.#tcp.address()
        resolve(typeof address === 'object' && address !== null ? address.port : 0)
      })
    })
  }

  cut(): void {
    for (const socket of this.#sockets) socket.destroy()
    this.#sockets.clear()
  }
}

const open = async (
  server: Server,
  channel: string,
): Promise<{ client: PusherClient; got: unknown[]; gaps: string[]; network: Network }> => {
  const network = new Network(server.address.port)
  const port = await network.listen()
  const client = connectPusher(APP.key, port, sdkOf(server, APP), { id: 'ada' })
  const gaps: string[] = []
  recoverMissedEvents(client, { onGap: (name) => gaps.push(name) })
  const got: unknown[] = []
  const subscription = client.subscribe(channel)
  subscription.bind_global((event: string, data: unknown) => {
    if (!event.startsWith('pusher')) got.push(data)
  })
  await until('the channel is subscribed', () => subscription.subscribed)
  return { client, got, gaps, network }
}

const cutAndWait = async (client: PusherClient, network: Network, meanwhile: () => Promise<void>): Promise<void> => {
  const before = client.connection.socket_id
  const lost = new Promise((resolve) => client.connection.bind('error', resolve))
  network.cut()
  await lost
  await meanwhile()
  await until(
    'the client is back',
    () => client.connection.state === 'connected' && client.connection.socket_id !== before,
  )
}

describe('a pusher-js that recovers', () => {
  it.each(['public', 'private-room', 'cache-room'])(
    'gets what it missed in %s, in order, nothing twice',
    async (name) => {
      const { server } = await startServer({ apps: [APP] })
      const room = server.room(name)
      if (name.startsWith('cache-')) await room.trigger('x', 'cached')
      const { client, got, gaps, network } = await open(server, name)
      const first = name.startsWith('cache-') ? ['cached'] : []
      await room.trigger('x', 1)
      await room.trigger('x', 2)
      await until('the first two came', () => got.length === first.length + 2)
      const socketId = client.connection.socket_id
      await cutAndWait(client, network, async () => {
        for (const number of [3, 4]) await room.trigger('x', number)
        await room.trigger('x', 'not for it', { except: socketId })
        for (const number of [5, 6]) await room.trigger('x', number)
      })
      await until('the missed ones came', () => got.includes(6))
      await room.trigger('x', 7)
      await until('the next one came', () => got.includes(7))
      expect(got.filter((data) => typeof data === 'number')).toEqual([1, 2, 3, 4, 5, 6, 7])
      expect(got).not.toContain('not for it')

      await cutAndWait(client, network, async () => {
        await room.trigger('x', 8)
      })
      await until('the one missed later came', () => got.includes(8))
      expect(got.filter((data) => typeof data === 'number')).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
      expect(gaps).toEqual([])
    },
  )

  it('is told when the history is too short, and goes on from there', async () => {
    const { server } = await startServer({ apps: [APP], eventHistoryCount: 2 })
    const { client, got, gaps, network } = await open(server, 'public')
    await cutAndWait(client, network, async () => {
      for (const number of [1, 2, 3]) await server.room('public').trigger('x', number)
    })
    await until('the gap was told', () => gaps.length === 1)
    await server.room('public').trigger('x', 4)
    await until('the next one came', () => got.includes(4))
    expect(got).toEqual([4])
    expect(gaps).toEqual(['public'])
  })

  it('begins anew in a channel that it left', async () => {
    const { server } = await startServer({ apps: [APP] })
    const { client, got, gaps } = await open(server, 'public')
    client.unsubscribe('public')
    // What is answered after it shows that the server has read it.
    const other = client.subscribe('other')
    await until('the server has read it', () => other.subscribed)
    await server.room('public').trigger('x', 1)
    const again = client.subscribe('public')
    again.bind('x', (data: unknown) => got.push(data))
    await until('the channel is subscribed again', () => again.subscribed)
    await server.room('public').trigger('x', 2)
    await until('the event came', () => got.length > 0)
    expect(got).toEqual([2])
    expect(gaps).toEqual([])
  })

  it('is an ordinary one again when it ends', async () => {
    const { server } = await startServer({ apps: [APP] })
    const { client } = await open(server, 'public')
    const before = client.send_event
    const end = recoverMissedEvents(client)
    expect(client.send_event).not.toBe(before)
    end()
    expect(client.send_event).toBe(before)
  })
})
