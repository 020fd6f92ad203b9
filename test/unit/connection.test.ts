import { createServer as createTcpServer } from 'node:net'
import * as broadcast from 'lib0/broadcastchannel'
import { writeVarString, writeVarUint } from 'lib0/encoding'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { WebSocket } from 'ws'
import { Awareness, encodeAwarenessUpdate } from 'y-protocols/awareness'
import * as Y from 'yjs'
import { createBackoff } from '../../lib/backoff.ts'
import type { TuttiError } from '../../lib/errors.ts'
import { encodeEvent, TUTTI_EVENT, TUTTI_PERSON } from '../../lib/eventProtocol.ts'
import { createStore, s } from '../../lib/index.ts'
import type { Persistence } from '../../lib/persistence.ts'
import {
  encodeServerHello,
  encodeSyncStep1,
  encodeSyncStep2,
  encodeTutti,
  TUTTI_ACK,
  TUTTI_SERVER_HELLO,
} from '../../lib/protocol.ts'
import { type ConnectOptions, connect, type Room } from '../../lib/room.ts'
import { effect } from '../../lib/store/reactive.ts'
import {
  bodyOf,
  encodeAwareness,
  entriesOf,
  helloOf,
  isAwareness,
  isDocumentFrame,
  isHello,
  isPing,
  isStep1,
  isSyncStep2,
  ScriptedServer,
  type ServeOptions,
  type Session,
} from './scriptedServer.ts'
import { catchUncaught } from './uncaught.ts'

// y-websocket's watchdog reads a `Date.now` that lib0 took at import, so fake timers can't move it.
const clock = vi.hoisted(() => {
  const moved = { ahead: 0 }
  const { now } = Date
  Date.now = () => now() + moved.ahead
  return moved
})

const newStore = (persist?: Persistence) =>
  createStore({ schema: { title: s.string().default('') }, onError: () => undefined, ...(persist && { persist }) })
type TestStore = ReturnType<typeof newStore>

let server: ScriptedServer
const opened: (() => void)[] = []

beforeEach(async () => {
  server = await ScriptedServer.start()
})

afterEach(async () => {
  vi.useRealTimers()
  vi.unstubAllGlobals()
  for (const end of opened.splice(0)) end()
  await server.stop()
})

const join = (options: Partial<ConnectOptions> = {}, store: TestStore = newStore()): Room<TestStore> => {
  const room = connect(store, {
    url: server.url,
    room: 'board/42',
    WebSocket,
    tabs: false,
    backoff: { min: 20, max: 100 },
    ...options,
  })
  opened.push(() => store.destroy())
  return room
}

const serveAll = (options?: ServeOptions): void => {
  server.onSession = (session) => session.serve(options)
}

const first = (): Promise<Session> => server.session(0)

/** Waits until the status says so. */
const until = (room: Room<TestStore>, test: (status: TestStore['status']) => boolean): Promise<void> =>
  new Promise((resolve) => {
    const stop = effect(() => {
      if (!test(room.status)) return
      resolve()
      queueMicrotask(() => stop())
    })
  })

const isConnected = (status: TestStore['status']): boolean => status.connection === 'connected'
const isSynced = (status: TestStore['status']): boolean => status.synced
const isReconnecting = (status: TestStore['status']): boolean => status.connection === 'reconnecting'
const isDenied = (status: TestStore['status']): boolean => status.connection === 'denied'

const write = (room: Room<TestStore>, text: string): void => {
  room.store.doc.getText('body').insert(0, text)
}

describe('opening', () => {
  it('sends the hello first, then step 1 and the own presence, to the encoded path with the opt-in', async () => {
    serveAll()
    const room = join({ room: 'büro/a b?#%', url: `${server.url}/sync/?token=x%26y` })
    await until(room, isSynced)
    const session = await first()
    expect(session.url).toBe('/sync/b%C3%BCro/a%20b%3F%23%25?token=x%26y&tutti=1')
    expect(session.frames.slice(0, 3).map((frame) => [isHello(frame), isStep1(frame), isAwareness(frame)])).toEqual([
      [true, false, false],
      [false, true, false],
      [false, false, true],
    ])
    const hello = helloOf(session.frames[0]!)
    expect(hello).toEqual({ resume: expect.any(String), clientId: room.store.doc.clientID })
    expect(hello.resume.length).toBeGreaterThanOrEqual(32)
  })

  it('shows its presence with a clock that peers have not seen yet, at each connection', async () => {
    serveAll()
    const room = join()
    await until(room, isSynced)
    ;(await first()).terminate()
    await until(room, isReconnecting)
    await until(room, isSynced)
    const clocks = server.sessions.map((session) => entriesOf(session.frames.find(isAwareness)!)[0]?.clock)
    expect(clocks).toEqual([2, 3])
  })

  it('sends no presence but its own', async () => {
    serveAll()
    const room = join()
    await until(room, isSynced)
    const session = await first()
    const other = new Awareness(new Y.Doc())
    other.setLocalState({ name: 'other' })
    session.send(encodeAwareness(encodeAwarenessUpdate(other, [other.clientID])))
    await vi.waitFor(() => expect(room.presence.others).toHaveLength(1))
    // What it would have sent back has gone before this.
    write(room, 'x')
    await session.frame((frame) => isDocumentFrame(frame) && !isSyncStep2(frame))
    other.doc.destroy()
    const ids = session.frames.filter(isAwareness).flatMap((frame) => entriesOf(frame).map(({ id }) => id))
    expect(new Set(ids)).toEqual(new Set([room.store.doc.clientID]))
  })

  it('is idle, then connecting, and connected only when the server has spoken', async () => {
    const room = join({ connect: false })
    expect(room.status.connection).toBe('idle')
    const seen: string[] = []
    room.on('status', ({ connection }) => seen.at(-1) !== connection && seen.push(connection))
    room.connect()
    expect(room.status.connection).toBe('connecting')
    const session = await first()
    await session.frame(isStep1)
    expect(room.status.connection).toBe('connecting')
    session.serve()
    await until(room, isSynced)
    room.disconnect()
    expect(room.status.connection).toBe('disconnected')
    expect(room.status.synced).toBe(false)
    expect(seen).toEqual(['connecting', 'connected', 'disconnected'])
  })

  it('takes http and https addresses, and URL objects', async () => {
    serveAll()
    const room = join({ url: new URL(server.url.replace('ws:', 'http:')) })
    await until(room, isSynced)
    expect(server.sessions).toHaveLength(1)
  })

  it.each([
    ['', 'INVALID_ROOM'],
    ['a//b', 'INVALID_ROOM'],
    ['a/../b', 'INVALID_ROOM'],
    ['x'.repeat(256), 'INVALID_ROOM'],
    ['half a pair \ud83d', 'INVALID_ROOM'],
    [5 as unknown as string, 'INVALID_ROOM'],
  ])('refuses the room name %j', (room, code) => {
    expect(() => join({ room })).toThrow(expect.objectContaining({ code }))
  })

  it.each(['nowhere', 'ftp://host', 'localhost:1234', ''])('refuses the url %j with UNSUPPORTED and a hint', (url) => {
    expect(() => join({ url })).toThrow(
      expect.objectContaining({ code: 'UNSUPPORTED', hint: expect.stringMatching(/ws:/) }),
    )
  })

  it('refuses options that are no milliseconds', () => {
    expect(() => join({ backoff: { min: -1 } })).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }))
    expect(() => join({ backoff: { max: Number.NaN } })).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }))
  })

  it('leaves nothing running after a presence that does not fit', () => {
    vi.useFakeTimers()
    const store = newStore()
    opened.push(() => store.destroy())
    const presence = { schema: { name: s.string() }, initial: {} as { name: string } }
    const open = (): unknown => connect(store, { url: server.url, room: 'a', WebSocket, presence })
    expect(open).toThrow(expect.objectContaining({ code: 'INVALID_VALUE', path: ['presence', 'name'] }))
    expect(open).toThrow(expect.objectContaining({ code: 'INVALID_VALUE' }))
    expect(vi.getTimerCount()).toBe(0)
    // Nor does it bind the store to that room.
    connect(store, { url: server.url, room: 'b', WebSocket, connect: false }).leave()
  })

  it('stays idle with UNSUPPORTED where there is no WebSocket, and throws nothing', () => {
    vi.stubGlobal('WebSocket', undefined)
    const store = newStore()
    opened.push(() => store.destroy())
    const room = connect(store, { url: server.url, room: 'a' })
    expect(room.status.connection).toBe('idle')
    expect(room.status.error).toMatchObject({ code: 'UNSUPPORTED', hint: expect.stringContaining('ws') })
  })

  it('uses a global WebSocket', async () => {
    vi.stubGlobal('WebSocket', WebSocket)
    serveAll()
    const store = newStore()
    opened.push(() => store.destroy())
    const room = connect(store, { url: server.url, room: 'a', tabs: false })
    await until(room as Room<TestStore>, isSynced)
  })

  it('says UNSUPPORTED when the constructor of WebSocket refuses the address', () => {
    class Refusing extends WebSocket {
      constructor(url: string | URL) {
        if (url) throw new DOMException('insecure', 'SecurityError')
        super(url)
      }
    }
    const room = join({ WebSocket: Refusing })
    expect(room.status.connection).toBe('disconnected')
    expect(room.status.error).toMatchObject({ code: 'UNSUPPORTED', cause: { name: 'SecurityError' } })
  })
})

describe('unsyncedChanges', () => {
  it('rises with each write, also one through the Y.Doc, and falls only when the frame is acknowledged', async () => {
    serveAll()
    const room = join()
    await until(room, isSynced)
    const session = await first()
    await session.frame(isSyncStep2)
    room.store.state.title = 'a'
    expect(room.status.unsyncedChanges).toBe(1)
    write(room, 'b')
    expect(room.status.unsyncedChanges).toBe(2)
    write(room, 'c')
    expect(room.status.unsyncedChanges).toBe(3)
    await vi.waitFor(() => expect(session.documentFrames).toBe(4))
    // The server has all of it, and that alone proves nothing.
    expect(room.status.unsyncedChanges).toBe(3)
    session.ack(1)
    session.ack(2)
    await until(room, (status) => status.unsyncedChanges === 2)
    session.ack(4)
    await until(room, (status) => status.unsyncedChanges === 0)
  })

  it('counts writes made before the first connect', async () => {
    const store = newStore()
    store.state.title = 'early'
    expect(store.status.unsyncedChanges).toBe(1)
    serveAll()
    const room = join({}, store)
    await until(room, isSynced)
    const session = await first()
    const step2 = await session.frame(isSyncStep2)
    expect(room.status.unsyncedChanges).toBe(1)
    const copy = new Y.Doc()
    Y.applyUpdate(copy, bodyOf(step2))
    expect(Y.encodeStateVector(copy)).toEqual(Y.encodeStateVector(store.doc))
    session.ack(1)
    await until(room, (status) => status.unsyncedChanges === 0)
  })

  it('does not count what the server brings, nor transactions without content', async () => {
    serveAll()
    const room = join()
    await until(room, isSynced)
    const other = new Y.Doc()
    other.getText('body').insert(0, 'remote')
    ;(await first()).update(Y.encodeStateAsUpdate(other))
    await vi.waitFor(() => expect(room.store.doc.getText('body').toString()).toBe('remote'))
    room.store.doc.transact(() => undefined)
    expect(room.status.unsyncedChanges).toBe(0)
  })

  it('sends no update before step 2, which then covers it: an acknowledgement is never of an older change', async () => {
    const room = join()
    const session = await first()
    await session.frame(isAwareness)
    write(room, 'one')
    write(room, 'two')
    session.serve()
    await session.frame(isSyncStep2)
    expect(session.frames.filter(isDocumentFrame).map(isSyncStep2)).toEqual([true])
    expect(room.status.unsyncedChanges).toBe(2)
    session.ack(1)
    await until(room, (status) => status.unsyncedChanges === 0)
    expect(server.doc.getText('body').toString()).toBe('twoone')
  })

  it('forgets the frames of a lost connection: the next one proves them again', async () => {
    serveAll()
    const room = join()
    await until(room, isSynced)
    const lost = await first()
    write(room, 'x')
    await lost.frame((frame) => isDocumentFrame(frame) && !isSyncStep2(frame))
    lost.terminate()
    await until(room, isReconnecting)
    write(room, 'offline')
    expect(room.status.unsyncedChanges).toBe(2)
    const session = await server.session(1)
    await session.frame(isSyncStep2)
    expect(room.status.unsyncedChanges).toBe(2)
    session.ack(1)
    await until(room, (status) => status.unsyncedChanges === 0)
    expect(server.doc.getText('body').toString()).toBe('offlinex')
  })

  it('does not take the acknowledgement of a later change for that of one whose frame never left', async () => {
    serveAll()
    const sockets: WebSocket[] = []
    class Kept extends WebSocket {
      constructor(url: string | URL) {
        super(url)
        sockets.push(this)
      }
    }
    const room = join({ WebSocket: Kept })
    await until(room, isSynced)
    const session = await first()
    await session.frame(isSyncStep2)
    session.ack(1)
    // The provider asks its socket before it sends.
    Object.defineProperty(sockets[0]!, 'readyState', { value: WebSocket.CLOSING, configurable: true })
    write(room, 'lost')
    Reflect.deleteProperty(sockets[0]!, 'readyState')
    expect(room.status.unsyncedChanges).toBe(1)
    write(room, 'later ')
    expect(room.status.unsyncedChanges).toBe(2)
    session.ack(1)
    // The repair is one step 2 with both.
    await vi.waitFor(() => expect(session.count(isSyncStep2)).toBe(2), { timeout: 5_000 })
    expect(room.status.unsyncedChanges).toBe(2)
    expect(server.doc.getText('body').toString()).toBe('later lost')
    session.ack(2)
    await until(room, (status) => status.unsyncedChanges === 0)
  })

  it('keeps counting over leave and a second connect', async () => {
    serveAll()
    const store = newStore()
    const room = join({}, store)
    await until(room, isSynced)
    const session = await first()
    await session.frame(isSyncStep2)
    session.ack(1)
    room.leave()
    await session.closed
    write(room, 'alone')
    expect(store.status.unsyncedChanges).toBe(1)
    const again = join({}, store)
    const second = await server.session(1)
    await second.frame(isSyncStep2)
    second.ack(1)
    await until(again, (status) => status.unsyncedChanges === 0)
  })

  it('never falls with a server that sends no hello; synced says what is left to say', async () => {
    serveAll({ plain: true })
    const room = join()
    await until(room, isSynced)
    write(room, 'x')
    const session = await first()
    await session.frame((frame) => isDocumentFrame(frame) && !isSyncStep2(frame))
    expect(server.doc.getText('body').toString()).toBe('x')
    expect(room.status).toMatchObject({ connection: 'connected', synced: true, unsyncedChanges: 1, roundTrip: null })
    expect(session.count(isPing)).toBe(0)
  })

  it('survives an effect of the application that throws', async () => {
    serveAll({ ack: true })
    const room = join()
    await until(room, isSynced)
    const { thrown, restore } = catchUncaught()
    let observed = 0
    room.store.doc.getText('body').observe(() => observed++)
    const stop = effect(() => {
      if (room.status.unsyncedChanges === 1) throw new Error('in an effect')
    })
    write(room, 'x')
    expect(observed).toBe(1)
    await vi.waitFor(() => expect(thrown).toHaveLength(1))
    stop()
    restore()
    await until(room, (status) => status.unsyncedChanges === 0)
  })
})

describe('persist', () => {
  interface Kept extends Persistence {
    readonly calls: (string | boolean)[]
    load(): void
    fail(error: Error): void
  }
  /** A device's storage in memory. */
  const keep = ({
    documentId,
    unacknowledged = false,
  }: {
    documentId?: string
    unacknowledged?: boolean
  } = {}): Kept => {
    let load = (): void => undefined
    let fail = (_error: Error): void => undefined
    const whenLoaded = new Promise<void>((resolve, reject) => {
      load = resolve
      fail = reject
    })
    const calls: (string | boolean)[] = []
    return {
      whenLoaded,
      calls,
      load: () => load(),
      fail: (error) => fail(error),
      documentId: () => documentId,
      setDocumentId: (id) => calls.push(id),
      unacknowledged: () => unacknowledged,
      setUnacknowledged: (value) => calls.push(value),
      clear: async () => {
        calls.push('clear')
      },
      destroy: async () => undefined,
    }
  }

  it('connects once the stored copy is loaded, and tells which document it is', async () => {
    serveAll()
    const kept = keep({ documentId: 'doc-1' })
    let sockets = 0
    class Counted extends WebSocket {
      constructor(...given: ConstructorParameters<typeof WebSocket>) {
        super(...given)
        sockets++
      }
    }
    const room = join({ WebSocket: Counted }, newStore(kept))
    expect(room.status.connection).toBe('connecting')
    await new Promise((resolve) => setImmediate(resolve))
    expect(sockets).toBe(0)
    kept.load()
    await until(room, isSynced)
    expect(helloOf((await first()).frames[0]!).documentId).toBe('doc-1')
    expect(kept.calls).toEqual(['doc-1'])
  })

  it('connects also when the stored copy cannot be read', async () => {
    serveAll()
    const kept = keep()
    const room = join({}, newStore(kept))
    kept.fail(new Error('quota'))
    await until(room, isSynced)
    // Being connected does not mend that.
    expect(room.status.error?.code).toBe('STORAGE_FAILED')
  })

  it('shows at least one unsynced change after a session that left some, until step 2 is acknowledged', async () => {
    serveAll()
    const kept = keep({ documentId: 'doc-1', unacknowledged: true })
    const room = join({}, newStore(kept))
    kept.load()
    await until(room, isSynced)
    expect(room.status.unsyncedChanges).toBe(1)
    const session = await first()
    await session.frame(isSyncStep2)
    expect(room.status.unsyncedChanges).toBe(1)
    session.ack(1)
    await until(room, (status) => status.unsyncedChanges === 0)
    expect(kept.calls).toEqual(['doc-1', false])
  })

  it('marks the copy while changes are unacknowledged', async () => {
    serveAll()
    const kept = keep()
    const room = join({}, newStore(kept))
    kept.load()
    await until(room, isSynced)
    const session = await first()
    await session.frame(isSyncStep2)
    write(room, 'x')
    write(room, 'y')
    expect(kept.calls).toEqual(['doc-1', true])
    session.ack(3)
    await until(room, (status) => status.unsyncedChanges === 0)
    expect(kept.calls).toEqual(['doc-1', true, false])
  })

  it('denies a room that holds another document, merges nothing, and reset deletes the copy', async () => {
    serveAll({ documentId: 'doc-2' })
    server.doc.getText('body').insert(0, 'other history')
    const kept = keep({ documentId: 'doc-1' })
    const room = join({}, newStore(kept))
    write(room, 'mine')
    kept.load()
    await until(room, isDenied)
    expect(room.status.error).toMatchObject({ code: 'ROOM_GONE', hint: expect.stringContaining('reset') })
    const session = await first()
    await session.closed
    expect(room.store.doc.getText('body').toString()).toBe('mine')
    expect(session.count(isDocumentFrame)).toBe(0)
    await room.reset()
    expect(kept.calls.filter((call) => call === 'clear')).toHaveLength(1)
    expect(() => room.connect()).toThrow(expect.objectContaining({ code: 'DESTROYED' }))
  })

  it('remembers the document id from one connection to the next', async () => {
    serveAll()
    const room = join()
    await until(room, isSynced)
    server.onSession = (session) => session.serve({ documentId: 'doc-2' })
    ;(await first()).terminate()
    await until(room, isDenied)
    expect(helloOf((await server.session(1)).frames[0]!)).toEqual({
      ...helloOf((await first()).frames[0]!),
      documentId: 'doc-1',
    })
    expect(room.status.error?.code).toBe('ROOM_GONE')
  })
})

describe('too large', () => {
  it('keeps an update over the limit here, says so once, and lets a smaller document through later', async () => {
    serveAll({ maxMessageBytes: 2_000, ack: true })
    const room = join()
    const errors: TuttiError[] = []
    // What a listener reads does not make it run again.
    room.on('error', (error) => errors.push(error) + room.status.unsyncedChanges)
    await until(room, isSynced)
    const session = await first()
    await session.frame(isSyncStep2)
    write(room, 'small ')
    await until(room, (status) => status.unsyncedChanges === 0)
    const large = room.store.doc.getArray('large')
    large.push(['x'.repeat(3_000)])
    large.push(['and on'])
    expect(errors).toHaveLength(1)
    expect(room.status.error).toMatchObject({ code: 'TOO_LARGE', message: expect.stringContaining('2000') })
    expect(room.status).toMatchObject({ connection: 'connected', unsyncedChanges: 2 })
    // A step 2 of what is left does not fit either; it is tried once for these changes, and not sent.
    large.delete(0, 1)
    await until(room, (status) => status.unsyncedChanges === 0)
    expect(room.status.error).toBeNull()
    expect(errors).toHaveLength(1)
    expect(server.doc.getArray('large').toJSON()).toEqual(['and on'])
    expect(server.doc.getText('body').toString()).toBe('small ')
    expect(Math.max(...session.frames.map((frame) => frame.byteLength))).toBeLessThanOrEqual(2_000)
    // Updates flow again.
    write(room, 'again ')
    await until(room, (status) => status.unsyncedChanges === 0)
    expect(server.sessions).toHaveLength(1)
  })

  it('keeps a step 2 over the limit here and stays connected', async () => {
    serveAll({ maxMessageBytes: 1_000, ack: true })
    const store = newStore()
    store.doc.getText('body').insert(0, 'x'.repeat(2_000))
    const room = join({}, store)
    await until(room, isSynced)
    await until(room, (status) => status.error?.code === 'TOO_LARGE')
    const session = await first()
    write(room, 'y')
    // Asked again, it refuses again.
    session.send(encodeSyncStep1(Y.encodeStateVector(new Y.Doc())))
    const other = new Y.Doc()
    other.getText('note').insert(0, 'remote')
    session.update(Y.encodeStateAsUpdate(other))
    await vi.waitFor(() => expect(store.doc.getText('note').toString()).toBe('remote'))
    expect(session.count(isDocumentFrame)).toBe(0)
    expect(room.status).toMatchObject({ connection: 'connected', synced: true, unsyncedChanges: 2 })
  })

  it('tries once more after a refused step 2, and then only after a change', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    serveAll({ maxMessageBytes: 1_000 })
    const store = newStore()
    store.doc.getText('body').insert(0, 'x'.repeat(2_000))
    const room = join({}, store)
    await until(room, (status) => status.error?.code === 'TOO_LARGE')
    expect(vi.getTimerCount()).toBe(1)
    vi.advanceTimersByTime(1_000)
    expect(vi.getTimerCount()).toBe(0)
    write(room, 'y')
    write(room, 'z')
    expect(vi.getTimerCount()).toBe(1)
    vi.advanceTimersByTime(1_000)
    expect(vi.getTimerCount()).toBe(0)
  })
})

describe('reconnecting', () => {
  it('comes back after a cut, and says when it tries', async () => {
    serveAll()
    const room = join({ backoff: { min: 60, max: 60 } })
    await until(room, isSynced)
    const before = Date.now()
    ;(await first()).terminate()
    await until(room, isReconnecting)
    expect(room.status.retryAt).toBeGreaterThan(before)
    expect(room.status.retryAt).toBeLessThanOrEqual(Date.now() + 60)
    await until(room, isConnected)
    expect(room.status.retryAt).toBeNull()
    await until(room, isSynced)
    expect(server.sessions).toHaveLength(2)
  })

  it('waits longer from failure to failure and starts over after a sync', async () => {
    const waits: number[] = []
    const random = vi.spyOn(Math, 'random').mockReturnValue(1)
    server.onSession = (session) => session.close(1011)
    const room = join({ backoff: { min: 10, max: 70 } })
    room.on('status', ({ retryAt }) => {
      if (retryAt !== null && retryAt !== waits.at(-1)) waits.push(retryAt)
    })
    await server.session(4)
    serveAll()
    await until(room, isSynced)
    const failures = [...waits]
    server.sessions.at(-1)?.terminate()
    await until(room, isReconnecting)
    random.mockRestore()
    // The wait is what the next attempt's time was ahead of the moment it was set; times between only add to it.
    const gaps = failures.slice(1).map((at, index) => at - failures[index]!)
    expect(gaps[0]).toBeGreaterThanOrEqual(20)
    expect(gaps[1]).toBeGreaterThanOrEqual(40)
    expect(gaps[2]).toBeGreaterThanOrEqual(70)
    expect(room.status.retryAt! - Date.now()).toBeLessThanOrEqual(10)
  })

  it('draws each wait from the upper four fifths of a doubling limit', () => {
    let chance = 0
    const backoff = createBackoff({ min: 500, max: 3_000 }, () => chance)
    expect([backoff.next(), backoff.next(), backoff.next(), backoff.next()]).toEqual([100, 200, 400, 600])
    chance = 1
    expect(backoff.next()).toBe(3_000)
    backoff.reset()
    expect([backoff.next(), backoff.next(), backoff.next(), backoff.next(), backoff.next()]).toEqual([
      500, 1_000, 2_000, 3_000, 3_000,
    ])
  })

  it('tries at once when the network is back', async () => {
    vi.stubGlobal('addEventListener', undefined)
    const network = new EventTarget()
    vi.stubGlobal('addEventListener', network.addEventListener.bind(network))
    vi.stubGlobal('removeEventListener', network.removeEventListener.bind(network))
    serveAll()
    const room = join({ backoff: { min: 3_600_000, max: 3_600_000 } })
    await until(room, isSynced)
    ;(await first()).terminate()
    await until(room, isReconnecting)
    network.dispatchEvent(new Event('online'))
    expect(room.status.retryAt).toBeNull()
    await until(room, isSynced)
    expect(server.sessions).toHaveLength(2)
  })

  it('tries at once when the application asks', async () => {
    serveAll()
    const room = join({ backoff: { min: 3_600_000, max: 3_600_000 } })
    await until(room, isSynced)
    ;(await first()).terminate()
    await until(room, isReconnecting)
    room.connect()
    await until(room, isSynced)
  })

  it('says why the server went, and forgets it when it is back', async () => {
    serveAll()
    const room = join()
    await until(room, isSynced)
    ;(await first()).close(1013, 'storage is busy')
    await until(room, isReconnecting)
    expect(room.status.error).toMatchObject({
      code: 'TRY_LATER',
      retryable: true,
      message: expect.stringContaining('storage is busy'),
    })
    await until(room, isSynced)
    expect(room.status.error).toBeNull()
  })

  it('does not come back after disconnect', async () => {
    serveAll()
    const room = join()
    await until(room, isSynced)
    ;(await first()).terminate()
    await until(room, isReconnecting)
    room.disconnect()
    expect(room.status).toMatchObject({ connection: 'disconnected', retryAt: null })
    vi.useFakeTimers({ toFake: ['setTimeout', 'setInterval', 'Date'] })
    vi.advanceTimersByTime(60_000)
    vi.useRealTimers()
    room.connect()
    await until(room, isSynced)
    expect(server.sessions).toHaveLength(2)
  })

  it('replaces a socket that is silent for half a minute by one other', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    serveAll({ pong: false })
    const room = join()
    await until(room, isSynced)
    clock.ahead = 36_000
    vi.advanceTimersByTime(3_000)
    clock.ahead = 0
    expect(room.status.connection).toBe('reconnecting')
    await until(room, isSynced)
    await (await first()).closed
    expect(server.sessions).toHaveLength(2)
  })

  it('waits before it replaces a silent socket: y-websocket does not reconnect beside it', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'setTimeout', 'clearTimeout'] })
    serveAll({ pong: false })
    let made = 0
    class Counted extends WebSocket {
      constructor(url: string | URL) {
        super(url)
        made++
      }
    }
    const room = join({ WebSocket: Counted, backoff: { min: 3_600_000, max: 3_600_000 } })
    await until(room, isSynced)
    clock.ahead = 36_000
    vi.advanceTimersByTime(3_000)
    clock.ahead = 0
    vi.advanceTimersByTime(60_000)
    expect(room.status.connection).toBe('reconnecting')
    expect(made).toBe(1)
  })

  it('an attempt that succeeded is not given up later', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    serveAll()
    const room = join()
    await until(room, isSynced)
    vi.advanceTimersByTime(20_000)
    expect(room.status.connection).toBe('connected')
  })

  it('gives up an attempt that the server leaves unanswered for 20 s', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const sockets: { destroy(): void }[] = []
    const mute = createTcpServer((socket) => sockets.push(socket))
    await new Promise<void>((resolve) => mute.listen(0, '127.0.0.1', resolve))
    const address = mute.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    const room = join({ url: `ws://127.0.0.1:${port}` })
    await vi.waitFor(() => expect(sockets).toHaveLength(1))
    expect(room.status.connection).toBe('connecting')
    vi.advanceTimersByTime(20_000)
    expect(room.status.connection).toBe('reconnecting')
    vi.advanceTimersByTime(100)
    await vi.waitFor(() => expect(sockets).toHaveLength(2))
    room.disconnect()
    for (const socket of sockets) socket.destroy()
    await new Promise((resolve) => mute.close(resolve))
  })
})

describe('denied', () => {
  it.each([
    [4400, 'INVALID_ROOM'],
    [4401, 'UNAUTHENTICATED'],
    [4403, 'FORBIDDEN'],
    [4404, 'ROOM_GONE'],
    [4409, 'PROTOCOL'],
    [4413, 'TOO_LARGE'],
    [4429, 'RATE_LIMITED'],
    [4455, 'PROTOCOL'],
  ])('close code %i means %s and ends reconnecting', async (close, code) => {
    server.onSession = (session) => session.close(close, 'because')
    const room = join({ backoff: { min: 0, max: 0 } })
    await until(room, isDenied)
    expect(room.status).toMatchObject({ retryAt: null, synced: false })
    expect(room.status.error).toMatchObject({ code, message: expect.stringContaining('because') })
    // Everything that could reconnect has had its turn: no timer of this connection is left.
    await new Promise((resolve) => setTimeout(resolve, 0))
    await new Promise((resolve) => setImmediate(resolve))
    expect(server.sessions).toHaveLength(1)
    serveAll()
    room.connect()
    await until(room, isSynced)
    expect(room.status.error).toBeNull()
  })
})

describe('round trip', () => {
  it('is measured on connecting and every five seconds, and unknown without a connection', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    serveAll()
    const room = join()
    await until(room, (status) => status.roundTrip !== null)
    expect(room.status.roundTrip).toBeGreaterThanOrEqual(0)
    const session = await first()
    expect(session.count(isPing)).toBe(1)
    vi.advanceTimersByTime(5_000)
    await vi.waitFor(() => expect(session.count(isPing)).toBe(2))
    room.disconnect()
    expect(room.status.roundTrip).toBeNull()
    expect(vi.getTimerCount()).toBe(2) // the intervals of awareness and the provider, until leave
  })

  it('waits for the answer before it asks again', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    serveAll({ pong: false })
    const room = join()
    await until(room, isSynced)
    vi.advanceTimersByTime(20_000)
    write(room, 'x')
    const session = await first()
    await session.frame((frame) => isDocumentFrame(frame) && !isSyncStep2(frame))
    expect(session.count(isPing)).toBe(1)
  })

  it('is not measured while the page is hidden', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    vi.stubGlobal('document', { visibilityState: 'hidden' })
    serveAll()
    const room = join()
    await until(room, isSynced)
    vi.advanceTimersByTime(20_000)
    vi.stubGlobal('document', { visibilityState: 'visible' })
    vi.advanceTimersByTime(5_000)
    await until(room, (status) => status.roundTrip !== null)
    expect((await first()).count(isPing)).toBe(1)
  })
})

describe('sharing and leaving', () => {
  it('two connects share one socket, and it closes when both have left', async () => {
    serveAll()
    const store = newStore()
    const a = join({}, store)
    const b = join({}, store)
    await until(a, isSynced)
    expect(b.presence).toBe(a.presence)
    a.leave()
    a.leave()
    expect(() => a.connect()).toThrow(expect.objectContaining({ code: 'DESTROYED' }))
    write(b, 'still here')
    const session = await first()
    await session.frame((frame) => isDocumentFrame(frame) && !isSyncStep2(frame))
    b.leave()
    await session.closed
    expect(server.sessions).toHaveLength(1)
    expect(store.status.connection).toBe('disconnected')
  })

  it('leaving twice does not take the room from another', async () => {
    serveAll()
    const store = newStore()
    const [a, b] = [join({}, store), join({}, store)]
    await until(b, isSynced)
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    a.leave()
    a.leave()
    vi.advanceTimersByTime(1_000)
    expect(b.status.connection).toBe('connected')
    b.leave()
    vi.advanceTimersByTime(1_000)
    expect(store.status.connection).toBe('disconnected')
  })

  it('a component that mounts, unmounts and mounts again keeps its socket', async () => {
    serveAll()
    const store = newStore()
    join({}, store).leave()
    const room = join({}, store)
    await until(room, isSynced)
    room.leave()
    const again = join({}, store)
    // The end of the grace has passed when another store has connected, left and gone.
    const other = newStore()
    opened.push(() => other.destroy())
    const passing = connect(other, { url: server.url, room: 'other', WebSocket, tabs: false })
    passing.leave()
    await (await server.session(1)).closed
    expect(again.status.connection).toBe('connected')
    expect(server.sessions).toHaveLength(2)
  })

  it('leaves no timer, listener or socket behind', async () => {
    serveAll()
    const store = newStore()
    const listeners = (): number[] =>
      [...(store.doc as unknown as { _observers: Map<string, Set<unknown>> })._observers.values()].map(
        (set) => set.size,
      )
    const before = listeners()
    const exits = process.listenerCount('exit')
    const network = new EventTarget()
    const online = new Set<unknown>()
    vi.stubGlobal('addEventListener', (type: string, listener: () => void) => {
      online.add(listener)
      network.addEventListener(type, listener)
    })
    vi.stubGlobal('removeEventListener', (_type: string, listener: () => void) => online.delete(listener))
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    for (let round = 0; round < 3; round++) {
      const room = join({ tabs: true }, store)
      await until(room, isSynced)
      expect(online.size).toBe(1)
      room.leave()
      await (await server.session(round)).closed
    }
    expect(listeners()).toEqual(before)
    expect(process.listenerCount('exit')).toBe(exits)
    expect(vi.getTimerCount()).toBe(0)
    expect(online.size).toBe(0)
  })

  it('takes over its old session with the same secret after leaving', async () => {
    serveAll()
    const store = newStore()
    const room = join({}, store)
    await until(room, isSynced)
    room.leave()
    await (await first()).closed
    await until(join({}, store), isSynced)
    const [old, fresh] = server.sessions.map((session) => helloOf(session.frames[0]!))
    expect(fresh?.resume).toBe(old?.resume)
    expect(fresh?.documentId).toBe('doc-1')
  })

  it('closes at once when the store is destroyed', async () => {
    serveAll()
    const store = newStore()
    const room = join({}, store)
    await until(room, isSynced)
    store.destroy()
    await (await first()).closed
    expect(() => join({}, store)).toThrow(expect.objectContaining({ code: 'DESTROYED' }))
  })

  it('refuses a second room for a store, and a second address while the first is held', async () => {
    const store = newStore()
    const room = join({ connect: false }, store)
    expect(() => join({ room: 'other' }, store)).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }))
    expect(() => join({ url: `${server.url}?token=2` }, store)).toThrow(
      expect.objectContaining({ code: 'INVALID_OPTION' }),
    )
    room.leave()
    serveAll()
    await until(join({ url: `${server.url}?token=2` }, store), isSynced)
    expect((await first()).url).toContain('token=2')
  })

  it('a listener that throws does not starve the next', async () => {
    const { thrown, restore } = catchUncaught()
    serveAll()
    const room = join({ connect: false })
    let heard = 0
    const endThrowing = room.on('status', () => {
      throw new Error('in a listener')
    })
    const end = room.on('status', () => heard++)
    room.connect()
    expect(heard).toBe(1)
    endThrowing()
    end()
    await until(room, isSynced)
    expect(heard).toBe(1)
    await vi.waitFor(() => expect(thrown).toEqual([new Error('in a listener')]))
    restore()
  })
})

describe('tabs', () => {
  it('share changes without a server, and get the whole document once, not at each attempt', async () => {
    serveAll()
    const store = newStore()
    const room = join({ tabs: true }, store)
    const channel = `${server.url}/board/42`
    let documents = 0
    const listener = (data: Uint8Array): void => {
      if (isSyncStep2(data)) documents++
    }
    broadcast.subscribe(channel, listener)
    await until(room, isSynced)
    const tab = newStore()
    join({ tabs: true }, tab)
    const before = documents
    for (let attempt = 1; attempt <= 3; attempt++) {
      for (const session of server.sessions) session.terminate()
      await until(room, isReconnecting)
      write(room, `${attempt}`)
      expect(tab.doc.getText('body').toString()).toBe(store.doc.getText('body').toString())
      await until(room, isSynced)
    }
    broadcast.unsubscribe(channel, listener)
    expect(documents).toBe(before)
  })

  it('do not share with tabs: false', async () => {
    const [a, b] = [newStore(), newStore()]
    const room = join({}, a)
    join({}, b)
    await first()
    await server.session(1)
    write(room, 'x')
    expect(b.doc.getText('body').toString()).toBe('')
  })
})

describe('the document behind it', () => {
  it('follows a document that gets a new client id, and the next connection works', async () => {
    serveAll()
    const room = join()
    await until(room, isSynced)
    const session = await first()
    const old = room.store.doc.clientID
    const twin = new Y.Doc()
    twin.clientID = old
    twin.getText('body').insert(0, 'twin')
    session.update(Y.encodeStateAsUpdate(twin))
    await vi.waitFor(() => expect(room.store.doc.clientID).not.toBe(old))
    const frame = await session.frame(
      (sent) => isAwareness(sent) && entriesOf(sent).some(({ id }) => id === room.store.doc.clientID),
    )
    expect(entriesOf(frame)).toEqual([{ id: room.store.doc.clientID, clock: 1, state: {} }])
    session.terminate()
    const next = await server.session(1)
    expect(helloOf(await next.frame(isHello)).clientId).toBe(room.store.doc.clientID)
    await next.frame(isSyncStep2)
  })

  it('takes a snapshot that comes as several updates before the last step 2', async () => {
    const room = join()
    const session = await first()
    await session.frame(isAwareness)
    const source = new Y.Doc()
    const parts: Uint8Array[] = []
    source.on('update', (update: Uint8Array) => parts.push(update))
    for (const word of ['c', 'b', 'a']) source.getText('body').insert(0, word)
    session.send(encodeServerHello({ documentId: 'doc-1', maxMessageBytes: 1e6 }))
    session.send(encodeSyncStep1(Y.encodeStateVector(source)))
    for (const part of parts) session.update(part)
    await vi.waitFor(() => expect(room.store.doc.getText('body').toString()).toBe('abc'))
    expect(room.status.synced).toBe(false)
    session.send(encodeSyncStep2(Uint8Array.of(0, 0)))
    await until(room, isSynced)
  })
})

describe('a frame of the server that is none', () => {
  it.each([
    ['a hello that is no JSON', encodeTutti(TUTTI_SERVER_HELLO, (encoder) => writeVarString(encoder, '{'))],
    ['a hello without a document', encodeTutti(TUTTI_SERVER_HELLO, (encoder) => writeVarString(encoder, '{}'))],
    ['a hello that is null', encodeTutti(TUTTI_SERVER_HELLO, (encoder) => writeVarString(encoder, 'null'))],
    ['an acknowledgement without a number', encodeTutti(TUTTI_ACK, () => undefined)],
    ['half an event', encodeEvent({ room: 'a', offset: 1, event: 'e', body: 'x', from: 'peer' }).subarray(0, 8)],
    ['an event that is no UTF-8', Uint8Array.of(...encodeTutti(TUTTI_EVENT, () => undefined), 1, 0xff, 1, 0, 0, 0)],
    [
      'people that are no JSON',
      encodeTutti(TUTTI_PERSON, (encoder) => [1, 1, 97, 1, 123].map((n) => writeVarUint(encoder, n))),
    ],
  ])('shows as an error, and the room goes on: %s', async (_, frame) => {
    server.onSession = (session) => {
      session.serve()
      session.send(frame)
    }
    const errors: TuttiError[] = []
    const store = createStore({ schema: { title: s.string().default('') }, onError: (error) => errors.push(error) })
    const room = join({}, store)
    await until(room, isSynced)
    expect(errors.map(({ code }) => code)).toEqual(['PROTOCOL'])
    write(room, 'after')
    const session = await first()
    await session.frame((bytes) => isDocumentFrame(bytes) && !isSyncStep2(bytes))
    expect(server.sessions).toHaveLength(1)
  })
})
