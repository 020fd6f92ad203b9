/** Stores and rooms over the real server, all of it built code. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ConnectOptions, connect, createStore, type Persistence, type PresenceShape, s } from 'tutti'
import { createServer, type Server, type Storage } from 'tutti/server'
import { afterEach, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { WebsocketProvider } from 'y-websocket'
import * as Y from 'yjs'
import { createMemoryStorage } from '../../dist/server/storage/memory.js'
import { until } from './until.ts'

const schema = {
  title: s.string().default(''),
  body: s.text(),
  notes: s.record(s.object({ id: s.id(), text: s.string() })),
}
const person = { name: s.string(), cursor: s.number().nullable() }

const ends: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

const serve = async (options: Parameters<typeof createServer>[0] = {}): Promise<Server> => {
  const server = await createServer({ port: 0, data: 'memory', logLevel: 'silent', ...options })
  ends.push(() => server.close())
  return server
}

const folder = async (): Promise<string> => {
  const path = await mkdtemp(join(tmpdir(), 'tutti-room-'))
  ends.push(() => rm(path, { recursive: true, force: true }))
  return path
}

const open = <PS extends PresenceShape = Record<never, never>>(
  server: Pick<Server, 'url'>,
  options: Partial<ConnectOptions<PS>> & { persist?: Persistence } = {},
) => {
  const { persist, ...rest } = options
  const store = createStore({ schema, persist, onError: () => undefined })
  ends.push(() => store.destroy())
  const room = connect<typeof store, PS>(store, {
    url: server.url,
    room: 'board/42',
    WebSocket,
    tabs: false,
    backoff: { min: 20, max: 200 },
    ...rest,
  })
  return { store, room, state: store.state, status: store.status }
}

const named = (name: string) => ({ presence: { schema: person, initial: { name, cursor: null } } })

type Client = ReturnType<typeof open>

const saved = (...clients: Pick<Client, 'status'>[]): Promise<void> =>
  until('every client to be synced and saved', () =>
    clients.every(({ status }) => status.synced && status.unsyncedChanges === 0),
  )

/** A storage whose commits wait while its gate is shut. */
const gated = (): { storage: Storage; shut(): void; open(): void; waiting(): number } => {
  const storage = createMemoryStorage()
  let gate: Promise<void> | undefined
  let release = (): void => undefined
  let waiting = 0
  return {
    storage: {
      load: (room) => storage.load(room),
      read: (room, id) => storage.read(room, id),
      delete: (room) => storage.delete(room),
      list: (prefix, after, limit) => storage.list(prefix, after, limit),
      close: () => storage.close(),
      commit: async (changes) => {
        waiting++
        await gate
        waiting--
        await storage.commit(changes)
      },
    },
    shut: () => {
      gate = new Promise((resolve) => {
        release = resolve
      })
    },
    open: () => {
      gate = undefined
      release()
    },
    waiting: () => waiting,
  }
}

/** WebSockets whose network can be cut: nothing leaves any more, not even a close. */
const network = () => {
  const sockets: WebSocket[] = []
  const dead = new WeakSet<WebSocket>()
  class Cuttable extends WebSocket {
    constructor(url: string | URL, protocols?: string | string[]) {
      super(url, protocols)
      sockets.push(this)
    }

    override send(...args: [never]): void {
      if (!dead.has(this)) super.send(...args)
    }

    override close(code?: number, reason?: string): void {
      if (!dead.has(this)) super.close(code, reason)
    }
  }
  return {
    WebSocket: Cuttable,
    sockets,
    cut: (): WebSocket => {
      const socket = sockets.at(-1)!
      dead.add(socket)
      return socket
    },
  }
}

describe('documents', () => {
  it('two stores see each other’s changes, and each is saved', async () => {
    const server = await serve()
    const [a, b] = [open(server), open(server)]
    await Promise.all([a.store.whenSynced(), b.store.whenSynced()])
    a.state.title = 'Hello'
    b.state.body.insert(0, 'world')
    const id = a.state.notes.add({ text: 'note' })
    await until('both to have all of it', () => {
      const [left, right] = [a.store.snapshot(), b.store.snapshot()]
      return JSON.stringify(left) === JSON.stringify(right) && right.notes[id] !== undefined && left.body === 'world'
    })
    await saved(a, b)
    expect(b.store.snapshot()).toEqual({ title: 'Hello', body: 'world', notes: { [id]: { id, text: 'note' } } })
  })

  it('a late client gets what is there', async () => {
    const server = await serve()
    const a = open(server)
    for (let i = 0; i < 500; i++) a.state.notes.add({ text: `note ${i}` })
    await saved(a)
    const b = open(server)
    await b.store.whenSynced()
    expect(b.state.notes.size).toBe(500)
    expect(b.status.unsyncedChanges).toBe(0)
  })

  it('offline on both sides, then merged', async () => {
    const server = await serve()
    const [a, b] = [open(server), open(server)]
    await Promise.all([a.store.whenSynced(), b.store.whenSynced()])
    a.state.body.insert(0, '()')
    await until('b to have it', () => b.state.body.toString() === '()')
    await saved(a)
    a.room.disconnect()
    b.room.disconnect()
    a.state.body.insert(1, 'a')
    a.state.title = 'from a'
    b.state.body.insert(2, 'b')
    const id = b.state.notes.add({ text: 'from b' })
    expect([a.status.unsyncedChanges, b.status.unsyncedChanges]).toEqual([2, 2])
    a.room.connect()
    b.room.connect()
    await until('both to have both', () =>
      [a, b].every(({ state }) => state.body.toString() === '(a)b' && state.notes.has(id) && state.title === 'from a'),
    )
    await saved(a, b)
  })

  it('unsyncedChanges falls after the commit, not when peers have the change', async () => {
    const gate = gated()
    const server = await serve({ storage: gate.storage })
    const [a, b] = [open(server), open(server)]
    a.state.title = 'first'
    await saved(a, b)
    gate.shut()
    a.state.title = 'second'
    expect(a.status.unsyncedChanges).toBe(1)
    a.store.doc.getMap('raw').set('through', 'the Y.Doc')
    expect(a.status.unsyncedChanges).toBe(2)
    await until('b to see it, and the commit to wait', () => b.state.title === 'second' && gate.waiting() > 0)
    // b's change goes to a after anything the server could have told a before.
    b.state.body.insert(0, 'b')
    await until('a to have it', () => a.state.body.toString() === 'b')
    expect(a.status.unsyncedChanges).toBe(2)
    expect(b.status.unsyncedChanges).toBe(1)
    gate.open()
    await saved(a, b)
  })

  it('a change of the back end arrives, and is nobody’s unsynced change', async () => {
    const server = await serve()
    const a = open(server)
    await a.store.whenSynced()
    await server.room('board/42').edit(schema, (state) => {
      state.title = 'from the back end'
    })
    await until('the change', () => a.state.title === 'from the back end')
    expect(a.status.unsyncedChanges).toBe(0)
  })

  it('a change over the server’s limit stays here and says so; undo lets the rest through', async () => {
    const server = await serve({ maxMessageBytes: 4096 })
    const [a, b] = [open(server), open(server)]
    await Promise.all([a.store.whenSynced(), b.store.whenSynced()])
    a.state.body.insert(0, 'x'.repeat(5000))
    a.state.title = 'after'
    expect(a.status.error?.code).toBe('TOO_LARGE')
    expect(a.status).toMatchObject({ connection: 'connected', unsyncedChanges: 2 })
    a.state.body.set('')
    await until('the title', () => b.state.title === 'after')
    await saved(a)
    expect(a.status.error).toBeNull()
    expect(b.state.body.toString()).toBe('')
  })
})

describe('connections', () => {
  it('two connects are one socket', async () => {
    const server = await serve()
    const { WebSocket: Counted, sockets } = network()
    const { store, room } = open(server, { WebSocket: Counted })
    const second = connect(store, { url: server.url, room: 'board/42', WebSocket: Counted, tabs: false })
    await store.whenSynced()
    room.leave()
    second.leave()
    await until('the end', () => store.status.connection === 'disconnected')
    expect(sockets).toHaveLength(1)
  })

  it('measures the round trip', async () => {
    const { status } = open(await serve())
    await until('the first measurement', () => status.roundTrip !== null)
    expect(status.roundTrip).toBeLessThan(1000)
  })

  it('a server that restarts has everything again, and what was written meanwhile', async () => {
    const data = await folder()
    const first = await serve({ data })
    const { port } = first.address
    const [a, b] = [open(first), open(first)]
    a.state.title = 'kept'
    await saved(a, b)
    await first.close()
    await until('both to notice', () => [a, b].every(({ status }) => status.connection === 'reconnecting'))
    expect(a.status.retryAt === null || a.status.retryAt > 0).toBe(true)
    a.state.body.insert(0, 'meanwhile')
    expect(a.status.unsyncedChanges).toBe(1)
    const second = await serve({ data, port })
    await saved(a, b)
    await until('b to have it', () => b.state.body.toString() === 'meanwhile')
    expect(a.status.error).toBeNull()
    const document = await second
      .room('board/42')
      .read((doc) => [doc.getMap('').get('title'), `${doc.getText('body')}`])
    expect(document).toEqual(['kept', 'meanwhile'])
  })

  it('a server that lost everything gets it back from its clients', async () => {
    const first = await serve()
    const { port } = first.address
    const a = open(first)
    a.state.title = 'mine'
    await saved(a)
    await first.close()
    await until('the client to notice', () => a.status.connection === 'reconnecting')
    const second = await serve({ port })
    await until('the document to be back', async () => {
      return (await second.room('board/42').read((doc) => doc.getMap('').get('title'))) === 'mine'
    })
    await saved(a)
    expect(a.status.connection).toBe('connected')
  })

  it('a room that became another document denies its old clients, for good', async () => {
    const first = await serve()
    const { port } = first.address
    const counted = network()
    const a = open(first, { WebSocket: counted.WebSocket })
    a.state.title = 'old'
    await saved(a)
    a.room.disconnect()
    await first.close()
    const second = await serve({ port })
    const other = open(second)
    other.state.title = 'new'
    await saved(other)
    a.room.connect()
    await until('the refusal', () => a.status.connection === 'denied')
    expect(a.status.error).toMatchObject({ code: 'ROOM_GONE', hint: expect.stringContaining('reset') })
    expect(a.status.retryAt).toBeNull()
    expect([a.state.title, other.state.title]).toEqual(['old', 'new'])
    // It stays so while others come and go.
    const later = open(second)
    await later.store.whenSynced()
    expect(counted.sockets).toHaveLength(2)
    expect(later.state.title).toBe('new')
  })

  it('a reload with unacknowledged changes shows them as unsaved until they are', async () => {
    const gate = gated()
    const server = await serve({ storage: gate.storage })
    /** What a device keeps between page loads. */
    const device = { update: undefined as Uint8Array | undefined, id: undefined as string | undefined, mark: false }
    const keep = (): Persistence & { attach(doc: Y.Doc): void } => {
      let load = (): void => undefined
      const whenLoaded = new Promise<void>((resolve) => {
        load = resolve
      })
      const persistence = {
        whenLoaded,
        documentId: () => device.id,
        setDocumentId: (id: string) => {
          device.id = id
        },
        unacknowledged: () => device.mark,
        setUnacknowledged: (value: boolean) => {
          device.mark = value
        },
        clear: async () => undefined,
        destroy: async () => undefined,
        attach: (doc: Y.Doc) => {
          if (device.update) Y.applyUpdate(doc, device.update, persistence)
          doc.on('update', () => {
            device.update = Y.encodeStateAsUpdate(doc)
          })
          load()
        },
      }
      return persistence
    }
    const before = keep()
    const a = open(server, { persist: before })
    before.attach(a.store.doc)
    a.state.title = 'first'
    await saved(a)
    expect(device.mark).toBe(false)
    gate.shut()
    a.state.title = 'second'
    expect(device.mark).toBe(true)
    a.store.destroy()

    const after = keep()
    const reloaded = open(server, { persist: after })
    after.attach(reloaded.store.doc)
    await until('the sync', () => reloaded.status.synced)
    expect(reloaded.state.title).toBe('second')
    expect(reloaded.status.unsyncedChanges).toBe(1)
    gate.open()
    await saved(reloaded)
    expect(device.mark).toBe(false)
  })
})

describe('presence', () => {
  it('members see each other’s state, come and go', async () => {
    const server = await serve()
    const a = open(server, named('Ada'))
    const told: string[] = []
    a.room.presence.on('join', ({ state }) => told.push(`join ${state.name}`))
    a.room.presence.on('update', ({ state }, keys) => told.push(`update ${state.name} ${keys}`))
    a.room.presence.on('leave', ({ state }) => told.push(`leave ${state.name}`))
    const b = open(server, named('Bob'))
    await until('Ada and Bob to meet', () => [a, b].every(({ room }) => room.presence.others.length === 1))
    expect(b.room.presence.others[0]?.state.name).toBe('Ada')
    expect(b.room.presence.others[0]?.id).toBe(a.room.presence.id)
    b.room.presence.set({ cursor: 7 })
    await until('the cursor', () => a.room.presence.others[0]?.state.cursor === 7)
    b.room.leave()
    await until('the leave', () => a.room.presence.others.length === 0)
    expect(told).toEqual(['join Bob', 'update Bob cursor', 'leave Bob'])
  })

  it('after a cut, everyone sees everyone within a second of the new connection', async () => {
    const server = await serve()
    const cuttable = network()
    const a = open(server, { ...named('Ada'), WebSocket: cuttable.WebSocket })
    const others = ['Bob', 'Eve', 'Joe'].map((name) => open(server, named(name)))
    const all = [a, ...others]
    const complete = (): boolean => all.every(({ room }) => room.presence.others.length === 3)
    await until('all to see all', complete)
    for (let round = 0; round < 3; round++) {
      cuttable.sockets.at(-1)!.terminate()
      await until('the cut to show on both sides', () =>
        all.every(({ room }) =>
          room === a.room ? room.presence.others.length === 0 : room.presence.others.length === 2,
        ),
      )
      await until('the new connection', () => a.status.connection === 'connected')
      const since = performance.now()
      await until('all to see all again', complete)
      expect(performance.now() - since).toBeLessThan(1000)
    }
    expect(a.room.presence.others.map(({ state }) => state.name).sort()).toEqual(['Bob', 'Eve', 'Joe'])
  })

  it('a client whose old connection is half-open takes its place over at once', async () => {
    const server = await serve()
    const cuttable = network()
    const a = open(server, { ...named('Ada'), WebSocket: cuttable.WebSocket })
    const b = open(server, named('Bob'))
    await until('them to meet', () => b.room.presence.others.length === 1)
    const old = cuttable.cut()
    const ended = new Promise<number>((resolve) => old.on('close', resolve))
    a.room.disconnect()
    a.room.presence.set({ cursor: 3 })
    expect(b.room.presence.others).toHaveLength(1)
    const since = performance.now()
    a.room.connect()
    await until('Bob to see the new cursor', () => b.room.presence.others[0]?.state.cursor === 3)
    expect(performance.now() - since).toBeLessThan(1000)
    // The server ended the old connection; it did not wait for it to time out.
    await ended
    expect(b.room.presence.others).toHaveLength(1)
    expect(a.status.connection).toBe('connected')
  })

  it('is shared with unmodified y-websocket clients', async () => {
    const server = await serve()
    const doc = new Y.Doc()
    const stock = new WebsocketProvider(server.url.replace('http', 'ws'), 'board/42', doc, {
      WebSocketPolyfill: WebSocket as unknown as typeof globalThis.WebSocket,
      disableBc: true,
    })
    ends.push(() => {
      stock.destroy()
      doc.destroy()
    })
    stock.awareness.setLocalState({ user: { name: 'Stock' }, name: 'Stock', cursor: 'none' })
    const a = open(server, named('Ada'))
    await until(
      'them to see each other',
      () => a.room.presence.others.length === 1 && stock.awareness.states.size === 2,
    )
    const [member] = a.room.presence.others
    expect(member).toMatchObject({ id: doc.clientID, user: { name: 'Stock' } })
    expect({ ...member?.state }).toEqual({ name: 'Stock', cursor: undefined })
    expect(stock.awareness.states.get(a.room.presence.id)).toEqual({ name: 'Ada', cursor: null })
    doc.getText('body').insert(0, 'stock')
    await until('the text', () => a.state.body.toString() === 'stock')
  })

  it('without a schema lists others all the same', async () => {
    const server = await serve()
    const a = open(server)
    const b = open(server, named('Bob'))
    await until('both to be seen', () => [a, b].every(({ room }) => room.presence.others.length === 1))
    expect({ ...a.room.presence.others[0]?.state }).toEqual({ name: 'Bob', cursor: null })
    expect({ ...a.room.presence.self }).toEqual({})
  })
})
