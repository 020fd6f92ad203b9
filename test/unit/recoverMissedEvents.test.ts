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

/** A network between client and server that can fail. */
class Network {
  readonly #port: number
  readonly #tcp: TcpServer
  /** The server's end by the client's. */
  readonly #joined = new Map<Socket, Socket>()
  readonly #all = new Set<Socket>()
  /** Connections that wait for `release`; `undefined`: none has to. */
  #held: Socket[] | undefined

  constructor(port: number) {
    this.#port = port
    this.#tcp = createTcp((client) => {
      this.#own(client)
      if (this.#held) this.#held.push(client)
      else this.#join(client)
    })
    ends.push(() => {
      for (const socket of this.#all) socket.destroy()
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

  /** Both sides notice. */
  cut(): void {
    for (const client of this.#joined.keys()) client.destroy()
  }

  /** The client notices, the server does not. */
  lose(): void {
    for (const [client, server] of this.#joined) {
      client.unpipe(server)
      server.unpipe(client)
      this.#joined.delete(client)
      client.destroy()
    }
  }

  /** Connections that are made from now on hear nothing until `release`. */
  hold(): void {
    this.#held = []
  }

  release(): void {
    const held = this.#held ?? []
    this.#held = undefined
    for (const client of held) this.#join(client)
  }

  #own(socket: Socket): void {
    this.#all.add(socket)
    socket.on('error', () => socket.destroy())
    socket.on('close', () => this.#all.delete(socket))
  }

  #join(client: Socket): void {
    const server = dial(this.#port, '127.0.0.1')
    this.#own(server)
    this.#joined.set(client, server)
    client.pipe(server)
    server.pipe(client)
    client.on('close', () => {
      if (this.#joined.delete(client)) server.destroy()
    })
    server.on('close', () => client.destroy())
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

/** @param fail makes the network fail; the client comes back by itself */
const failAndWait = async (client: PusherClient, fail: () => void, meanwhile: () => Promise<void>): Promise<void> => {
  const before = client.connection.socket_id
  const lost = new Promise((resolve) => client.connection.bind('error', resolve))
  fail()
  await lost
  await meanwhile()
  await until(
    'the client is back',
    () => client.connection.state === 'connected' && client.connection.socket_id !== before,
  )
}

const cutAndWait = (client: PusherClient, network: Network, meanwhile: () => Promise<void>): Promise<void> =>
  failAndWait(client, () => network.cut(), meanwhile)

/** Resolves when the server has read what the client sent. */
const settle = async (client: PusherClient): Promise<void> => {
  const other = client.subscribe('other')
  await until('the server has read it', () => other.subscribed)
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
    await settle(client)
    await server.room('public').trigger('x', 1)
    const again = client.subscribe('public')
    again.bind('x', (data: unknown) => got.push(data))
    await until('the channel is subscribed again', () => again.subscribed)
    await server.room('public').trigger('x', 2)
    await until('the event came', () => got.length > 0)
    expect(got).toEqual([2])
    expect(gaps).toEqual([])
  })

  it('gets nothing twice when only its own side knows of the cut', async () => {
    const { server } = await startServer({ apps: [APP] })
    const room = server.room('private-room')
    const { client, got, gaps, network } = await open(server, 'private-room')
    for (const number of [1, 2]) await room.trigger('x', number)
    await room.trigger('x', 'not for it', { except: client.connection.socket_id })
    client.send_event('client-x', 'its own', 'private-room')
    await settle(client)
    await room.trigger('x', 3)
    await until('the first three came', () => got.length === 3)
    await failAndWait(
      client,
      () => network.lose(),
      async () => {
        await room.trigger('x', 4)
      },
    )
    await until('the missed one came', () => got.includes(4))
    await room.trigger('x', 5)
    await until('the next one came', () => got.includes(5))
    expect(got).toEqual([1, 2, 3, 4, 5])
    expect(gaps).toEqual([])
  })

  it('begins anew in a channel that it left while it was connecting', async () => {
    const { server } = await startServer({ apps: [APP] })
    const room = server.room('public')
    const { client, got, gaps, network } = await open(server, 'public')
    await room.trigger('x', 1)
    await until('the first came', () => got.length === 1)
    network.hold()
    await cutAndWait(client, network, async () => {
      await until('it tries again', () => client.connection.state === 'connecting')
      client.unsubscribe('public')
      await room.trigger('x', 'while it was unsubscribed')
      network.release()
    })
    const again = client.subscribe('public')
    again.bind('x', (data: unknown) => got.push(data))
    await until('the channel is subscribed again', () => again.subscribed)
    await room.trigger('x', 2)
    await until('the next one came', () => got.includes(2))
    expect(got).toEqual([1, 2])
    expect(gaps).toEqual([])
  })

  it('begins anew in a channel that it left before it was subscribed', async () => {
    const { server } = await startServer({ apps: [APP] })
    const room = server.room('late')
    const { client, got, gaps } = await open(server, 'public')
    client.subscribe('late')
    // pusher-js sends this one after the answer to the other.
    client.unsubscribe('late')
    await until('pusher-js has taken it back', () => !client.channel('late'))
    await settle(client)
    await room.trigger('x', 'while it was unsubscribed')
    const again = client.subscribe('late')
    again.bind('x', (data: unknown) => got.push(data))
    await until('the channel is subscribed again', () => again.subscribed)
    await room.trigger('x', 1)
    await until('the next one came', () => got.includes(1))
    expect(got).toEqual([1])
    expect(gaps).toEqual([])
  })

  it('gets an event once though a listener of the application threw', async () => {
    const { server } = await startServer({ apps: [APP] })
    const room = server.room('public')
    const { client, got, gaps, network } = await open(server, 'public')
    // In a browser an error in a listener is reported, and what came with the next message goes on.
    const emit = client.connection.emit.bind(client.connection)
    const thrown: unknown[] = []
    client.connection.emit = (...args) => {
      try {
        emit(...args)
      } catch (error) {
        thrown.push(error)
      }
      return client.connection
    }
    client.channel('public').bind('y', () => {
      throw new Error('of the application')
    })
    await room.trigger('x', 1)
    await room.trigger('y', 2)
    await until('both came', () => thrown.length === 1)
    await cutAndWait(client, network, async () => {
      await room.trigger('x', 3)
    })
    await until('the missed one came', () => got.includes(3))
    expect(got).toEqual([1, 2, 3])
    expect(thrown).toHaveLength(1)
    expect(gaps).toEqual([])
  })

  it('is an ordinary one again when it ends', async () => {
    const { server } = await startServer({ apps: [APP] })
    const { client } = await open(server, 'public')
    const before = [client.send_event, client.unsubscribe]
    const end = recoverMissedEvents(client)
    expect(client.send_event).not.toBe(before[0])
    expect(client.unsubscribe).not.toBe(before[1])
    end()
    expect([client.send_event, client.unsubscribe]).toEqual(before)
  })
})
