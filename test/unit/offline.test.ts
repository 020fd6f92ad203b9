import 'fake-indexeddb/auto'
import { afterEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import * as Y from 'yjs'
import { connect, createStore, s, type TuttiError } from '../../lib/index.ts'
import type { Persistence } from '../../lib/persistence.ts'
import { internals } from '../../lib/store/internals.ts'
import { catchUncaught } from './uncaught.ts'

const schema = { rows: s.list(s.string()), count: s.number().default(0) }

let made = 0
const freshName = (): string => `offline-${made++}`
const open = (name: string, onError?: (error: TuttiError) => void) => createStore({ schema, persist: name, onError })

/** Ends a store as a closed tab does, and waits until the database has what it was given. */
const close = async (store: ReturnType<typeof open>): Promise<void> => {
  store.destroy()
  await store.whenReady()
  await internals(store).persistence?.destroy()
}

/** Of a store that has a count of 1 on this device, and is closed. */
const storedName = async (): Promise<string> => {
  const name = freshName()
  const store = open(name)
  store.state.count = 1
  await store.whenReady()
  await close(store)
  return name
}

afterEach(() => {
  vi.unstubAllGlobals()
  vi.doUnmock('../../lib/offline.ts')
})

describe('persist', () => {
  test('keeps the document on this device: a later store shows it', async () => {
    const name = freshName()
    const first = open(name)
    expect(first.status.persisted).toBe(false)
    // Written before the database is open.
    first.state.rows.push('early')
    await first.whenReady()
    expect(first.status.persisted).toBe(true)
    first.state.rows.push('late')
    await close(first)

    const second = open(name)
    const lengths: number[] = []
    second.effect(() => {
      lengths.push(second.state.rows.length)
    })
    await second.whenReady()
    expect([...second.state.rows]).toEqual(['early', 'late'])
    expect(lengths).toEqual([0, 2])
    // What came from the device is no change to undo, and none of the last session's is.
    expect(second.history.canUndo).toBe(false)
    await close(second)
  })

  test('status.persisted is reactive', async () => {
    const store = open(freshName())
    const seen: boolean[] = []
    store.effect(() => {
      seen.push(store.status.persisted)
    })
    await store.whenReady()
    expect(seen).toEqual([false, true])
    await close(store)
  })

  test('merges what was edited in two sessions apart', async () => {
    const name = freshName()
    const here = open(name)
    await here.whenReady()
    here.state.rows.push('here')
    const elsewhere = createStore({ schema })
    Y.applyUpdate(elsewhere.doc, Y.encodeStateAsUpdate(here.doc))
    await close(here)
    elsewhere.state.rows.push('elsewhere')

    const again = open(name)
    await again.whenReady()
    again.state.rows.push('again')
    Y.applyUpdate(again.doc, Y.encodeStateAsUpdate(elsewhere.doc))
    Y.applyUpdate(elsewhere.doc, Y.encodeStateAsUpdate(again.doc))
    expect([...again.state.rows].sort()).toEqual(['again', 'elsewhere', 'here'])
    expect([...again.state.rows]).toEqual([...elsewhere.state.rows])
    await close(again)
  })

  test('keeps the document id and the unacknowledged mark', async () => {
    const name = freshName()
    const first = open(name)
    await first.whenReady()
    const { persistence } = internals(first)
    expect([persistence!.documentId(), persistence!.unacknowledged()]).toEqual([undefined, false])
    persistence!.setDocumentId('document-1')
    // The last thing before the tab is closed.
    first.state.count = 1
    await close(first)

    const second = open(name)
    await second.whenReady()
    expect([internals(second).persistence!.documentId(), internals(second).persistence!.unacknowledged()]).toEqual([
      'document-1',
      true,
    ])
    expect(second.status.unsyncedChanges).toBe(1)
    internals(second).localChanges.acknowledge(1)
    await close(second)

    const third = open(name)
    await third.whenReady()
    expect(internals(third).persistence!.unacknowledged()).toBe(false)
    expect(third.status.unsyncedChanges).toBe(0)
    await close(third)
  })

  test('what it loads is recognised by its origin', async () => {
    const name = await storedName()
    const second = open(name)
    const stored: boolean[] = []
    second.doc.on('update', (_update: Uint8Array, origin: unknown) =>
      stored.push(internals(second).isStoredOrigin(origin)),
    )
    await second.whenReady()
    second.state.count = 2
    expect(stored).toEqual([true, false])
    expect([internals(second).isStoredOrigin(null), internals(second).isStoredOrigin(undefined)]).toEqual([
      false,
      false,
    ])
    await close(second)
  })

  test('clear deletes the stored copy', async () => {
    const name = freshName()
    const first = open(name)
    first.state.count = 1
    await first.whenReady()
    await internals(first).persistence!.clear()
    first.destroy()
    const second = open(name)
    await second.whenReady()
    expect(second.state.count).toBe(0)
    await close(second)
  })

  test('a room that is reset before the store opened its database deletes what it holds', async () => {
    const name = await storedName()
    const second = open(name)
    await connect(second, { url: 'ws://localhost', room: 'a', connect: false }).reset()
    await close(second)
    const third = open(name)
    await third.whenReady()
    expect(third.state.count).toBe(0)
    await close(third)
  })

  test('a room does not connect before the database was read', async () => {
    const store = open(freshName(), () => undefined)
    const persisted: boolean[] = []
    class Refused {
      constructor() {
        persisted.push(store.status.persisted)
        throw new Error('no network')
      }
    }
    connect(store, { url: 'ws://localhost', room: 'a', WebSocket: Refused as never })
    expect(store.status.connection).toBe('connecting')
    await vi.waitUntil(() => store.status.connection === 'disconnected')
    expect(persisted).toEqual([true])
    await close(store)
  })

  test('where its file can not be loaded the error is told, and the store works', async () => {
    vi.doMock('../../lib/offline.ts', () => {
      throw new Error('no network')
    })
    const errors: TuttiError[] = []
    const store = open(freshName(), (error) => errors.push(error))
    await store.whenReady()
    store.state.count = 1
    expect(errors).toMatchObject([{ code: 'STORAGE_FAILED', retryable: true, hint: expect.stringMatching(/works/) }])
    expect([store.state.count, store.status.persisted]).toEqual([1, false])
    store.destroy()
  })

  test('without IndexedDB the error is told, and the store works', async () => {
    vi.stubGlobal('indexedDB', undefined)
    const errors: TuttiError[] = []
    const store = open(freshName(), (error) => errors.push(error))
    store.state.count = 1
    await store.whenReady()
    expect(errors.map(({ code, retryable }) => [code, retryable])).toEqual([['STORAGE_FAILED', false]])
    expect(errors[0]!.hint).toMatch(/works/)
    expect(store.status.error).toBe(errors[0])
    expect(store.status.persisted).toBe(false)
    expect(store.state.count).toBe(1)
    internals(store).persistence!.setDocumentId('x')
    store.destroy()
  })

  test('without persist, and at import, nothing touches IndexedDB', async () => {
    const touched = vi.fn()
    vi.stubGlobal('indexedDB', new Proxy({}, { get: touched }))
    vi.resetModules()
    const fresh = await import('../../lib/index.ts')
    const store = fresh.createStore({ schema: { count: fresh.s.number().default(0) } })
    store.state.count = 1
    await store.whenReady()
    store.destroy()
    expect(touched).not.toHaveBeenCalled()
  })

  test('a store that is destroyed before it opened its database never makes one', async () => {
    const name = freshName()
    await close(open(name))
    expect((await indexedDB.databases()).map((database) => database.name)).not.toContain(name)
  })

  test('a destroyed store leaves its database closed', async () => {
    const name = freshName()
    const store = open(name)
    await store.whenReady()
    await close(store)
    // A database that somebody holds open can't be deleted.
    await new Promise<void>((resolve, reject) => {
      const request = indexedDB.deleteDatabase(name)
      request.onsuccess = () => resolve()
      request.onblocked = () => reject(new Error('It is still open.'))
    })
  })

  test('takes a Persistence of the application', async () => {
    const content = createStore({ schema })
    content.state.count = 7
    const log: string[] = []
    const doc = new Y.Doc()
    const persistence: Persistence = {
      whenLoaded: Promise.resolve().then(() => {
        Y.applyUpdate(doc, Y.encodeStateAsUpdate(content.doc), persistence)
      }),
      documentId: () => undefined,
      setDocumentId: () => undefined,
      unacknowledged: () => false,
      setUnacknowledged: (value) => {
        log.push(`unacknowledged ${value}`)
      },
      clear: () => Promise.resolve(),
      destroy: () => {
        log.push('destroy')
        return Promise.resolve()
      },
    }
    const store = createStore({ schema, doc, persist: persistence })
    await store.whenReady()
    expect([store.state.count, store.status.persisted, store.status.unsyncedChanges]).toEqual([7, true, 0])
    expect(internals(store).isStoredOrigin(persistence)).toBe(true)
    store.state.count = 8
    store.destroy()
    expect(log).toEqual(['unacknowledged true', 'destroy'])
  })

  test('a Persistence that throws keeps neither a change nor its count from being made', async () => {
    const uncaught = catchUncaught()
    onTestFinished(uncaught.restore)
    const failing = (): never => {
      throw new Error('disk')
    }
    const broken: Persistence = {
      whenLoaded: Promise.resolve(),
      documentId: () => undefined,
      setDocumentId: failing,
      unacknowledged: () => false,
      setUnacknowledged: failing,
      clear: () => Promise.resolve(),
      destroy: failing,
    }
    const store = createStore({ schema, persist: broken })
    await store.whenReady()
    store.state.count = 1
    expect([store.state.count, store.status.unsyncedChanges]).toEqual([1, 1])
    const { doc } = store
    store.destroy()
    expect(doc.isDestroyed).toBe(true)
    await vi.waitUntil(() => uncaught.thrown.length === 2)
    expect(uncaught.thrown).toEqual([new Error('disk'), new Error('disk')])
  })

  test('a Persistence that cannot load is told as STORAGE_FAILED', async () => {
    const errors: TuttiError[] = []
    const broken = {
      whenLoaded: Promise.reject(new Error('disk')),
      documentId: () => undefined,
      setDocumentId: () => undefined,
      unacknowledged: () => false,
      setUnacknowledged: () => undefined,
      clear: () => Promise.resolve(),
      destroy: () => Promise.resolve(),
    }
    const store = createStore({ schema, persist: broken, onError: (error) => errors.push(error) })
    await store.whenReady()
    expect(errors.map((error) => [error.code, (error.cause as Error).message])).toEqual([['STORAGE_FAILED', 'disk']])
    expect(errors[0]!.hint).toMatch(/works/)
  })

  test('seed waits for what this device had stored', async () => {
    const name = freshName()
    const first = open(name)
    await first.whenReady()
    first.state.rows.push('kept')
    await close(first)
    const second = open(name)
    expect(await second.seed((state) => state.rows.push('seed'))).toBe(false)
    expect([...second.state.rows]).toEqual(['kept'])
    await close(second)
  })
})
