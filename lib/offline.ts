import type { IndexeddbPersistence } from 'y-indexeddb'
import type { Doc } from 'yjs'
import { TuttiError } from './errors.ts'
import type { Persistence } from './persistence.ts'

const DOCUMENT_ID = 'documentId'
const UNACKNOWLEDGED = 'unacknowledged'

const failure = (name: string, cause?: unknown): TuttiError =>
  new TuttiError('STORAGE_FAILED', `IndexedDB can't keep "${name}" here`, {
    hint: 'The store works, but a reload without the network will not show its changes.',
    cause,
    retryable: false,
  })

/**
 * Keeps a document in the IndexedDB database `name`. The library for it is loaded on the call; `onError` hears of
 * failures after `whenLoaded`.
 */
export const openIndexedDB = (name: string, doc: Doc, onError: (error: TuttiError) => void): Persistence => {
  let isDestroyed = false
  let isLoaded = false
  let kept: IndexeddbPersistence | undefined
  // What this session set outranks what is read later.
  const values = new Map<string, unknown>()

  const open = async (): Promise<IndexeddbPersistence> => {
    if (typeof indexedDB === 'undefined') throw failure(name)
    const { IndexeddbPersistence } = await import('y-indexeddb')
    if (isDestroyed) throw failure(name)
    kept = new IndexeddbPersistence(name, doc)
    // Of the two promises only this one rejects when the database can't be opened.
    await kept._db
    return kept
  }
  const opened = open()

  const load = async (): Promise<void> => {
    try {
      const database = await opened
      for (const key of [DOCUMENT_ID, UNACKNOWLEDGED]) {
        const value: unknown = await database.get(key)
        if (!values.has(key)) values.set(key, value)
      }
      await database.whenSynced
    } catch (error) {
      throw error instanceof TuttiError ? error : failure(name, error)
    }
  }
  const whenLoaded = load()
  // Whoever needs to know waits for it too; a store that nobody waits for must not end the process.
  const whenSettled = whenLoaded.then(
    () => {
      isLoaded = true
    },
    () => undefined,
  )

  const set = (key: string, value: string | number): void => {
    values.set(key, value)
    // Once loaded it goes to the database in this very turn, before a `destroy` that may follow.
    const store = (): void => {
      kept?.set(key, value).catch((error: unknown) => onError(failure(name, error)))
    }
    if (isLoaded) store()
    else whenSettled.then(store)
  }

  const close = async (): Promise<void> => {
    isDestroyed = true
    await whenSettled
    await kept?.destroy()
  }

  return {
    whenLoaded,
    get origin() {
      return kept
    },
    documentId: () => values.get(DOCUMENT_ID) as string | undefined,
    setDocumentId: (id) => set(DOCUMENT_ID, id),
    unacknowledged: () => values.get(UNACKNOWLEDGED) === 1,
    setUnacknowledged: (value) => set(UNACKNOWLEDGED, value ? 1 : 0),
    clear: async () => {
      await close()
      if (kept === undefined) return
      const { clearDocument } = await import('y-indexeddb')
      await clearDocument(name)
    },
    destroy: close,
  }
}
