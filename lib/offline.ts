import type { IndexeddbPersistence } from 'y-indexeddb'
import type { Doc } from 'yjs'
import { TuttiError } from './errors.ts'
import type { Persistence } from './persistence.ts'
import type { Internals } from './store/internals.ts'

const DOCUMENT_ID = 'documentId'
const UNACKNOWLEDGED = 'unacknowledged'

/** Keeps a document in the IndexedDB database `name`; `onError` hears of failures after `whenLoaded`. */
const openIndexedDB = (name: string, doc: Doc, onError: (cause: unknown) => void): Persistence => {
  let isDestroyed = false
  let isLoaded = false
  let kept: IndexeddbPersistence | undefined
  // What this session set outranks what is read later.
  const values = new Map<string, unknown>()

  const open = async (): Promise<IndexeddbPersistence> => {
    if (typeof indexedDB === 'undefined') throw new Error('There is no IndexedDB here.')
    const { IndexeddbPersistence } = await import('y-indexeddb')
    if (isDestroyed) throw new Error('The store was destroyed.')
    kept = new IndexeddbPersistence(name, doc)
    // Of the two promises only this one rejects when the database can't be opened.
    await kept._db
    return kept
  }
  const opened = open()

  const load = async (): Promise<void> => {
    const database = await opened
    for (const key of [DOCUMENT_ID, UNACKNOWLEDGED]) {
      const value: unknown = await database.get(key)
      if (!values.has(key)) values.set(key, value)
    }
    await database.whenSynced
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
      kept?.set(key, value).catch(onError)
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

/**
 * Brings a store what this device has stored of its document, and keeps the document from then on; what fails is
 * reported. This file and the library it uses are loaded when needed.
 */
export const restore = async (persist: string | Persistence, doc: Doc, inside: Internals): Promise<void> => {
  const { graph, localChanges, report, status } = inside
  const fail = (cause: unknown): void =>
    report(
      new TuttiError('STORAGE_FAILED', `this device can't keep the document: ${cause}`, {
        hint: 'The store works, but a reload without the network will not show its changes.',
        cause,
        retryable: false,
      }),
    )
  if (graph.isDestroyed) return
  const persistence = typeof persist === 'string' ? openIndexedDB(persist, doc, fail) : persist
  inside.persistence = persistence
  try {
    await persistence.whenLoaded
    localChanges.restore(persistence)
    status.persisted.value = !graph.isDestroyed
  } catch (cause) {
    fail(cause)
  }
}
