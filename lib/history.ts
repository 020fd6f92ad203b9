import * as Y from 'yjs'
import { batch, signal } from './store/reactive.ts'
import { RECORDED } from './store/write.ts'

/** Undo and redo of this store's own changes; what others changed since stays. */
export interface History {
  /** Takes back the last change; `false` if there is none. */
  undo(): boolean
  /** Brings back the change that was undone last; `false` if there is none. */
  redo(): boolean
  /** Reactive. */
  readonly canUndo: boolean
  /** Reactive. */
  readonly canRedo: boolean
  /** Forgets all changes. */
  clear(): void
  /** Changes made from now on are not recorded, until `resume`. */
  pause(): void
  resume(): void
  /** Records all changes made by `fn` as one, apart from what came before and comes after. */
  batch<R>(fn: () => R): R
}

export interface UndoOptions {
  /** Changes less than this many milliseconds apart are undone together. Default 500. */
  readonly captureTimeout?: number
}

/**
 * Records local transactions of the store, and those made through its Y.Doc without an origin, that change one of the
 * types in `scope`. `check` throws where a write is not allowed.
 */
export const createHistory = (
  doc: Y.Doc,
  scope: Y.AbstractType<unknown>[],
  { captureTimeout = 500 }: UndoOptions,
  check: () => void,
): History & { destroy(): void } => {
  let isPaused = false
  const version = signal(0)
  const manager: Y.UndoManager = new Y.UndoManager(scope, {
    doc,
    captureTimeout,
    // Every origin: what is recorded is decided by transaction.
    trackedOrigins: Object.assign(new Set(), { has: () => true }),
    captureTransaction: ({ origin, meta, local }) =>
      origin === manager || (!isPaused && ((meta.get(RECORDED) as boolean | undefined) ?? (local && origin === null))),
  })
  let changes = 0
  const change = (): void => {
    version.value = ++changes
  }
  for (const event of ['stack-item-added', 'stack-item-popped', 'stack-cleared'] as const) manager.on(event, change)

  const step = (way: 'undo' | 'redo'): boolean => {
    check()
    return batch(() => manager[way]() !== null)
  }

  return {
    undo: () => step('undo'),
    redo: () => step('redo'),
    get canUndo() {
      void version.value
      return manager.canUndo()
    },
    get canRedo() {
      void version.value
      return manager.canRedo()
    },
    clear: () => manager.clear(),
    pause: () => {
      isPaused = true
    },
    resume: () => {
      isPaused = false
    },
    batch: (fn) => {
      manager.stopCapturing()
      manager.captureTimeout = Number.POSITIVE_INFINITY
      try {
        return fn()
      } finally {
        manager.captureTimeout = captureTimeout
        manager.stopCapturing()
      }
    },
    destroy: () => {
      // Content that was kept for undo may be collected again.
      manager.clear()
      manager.destroy()
    },
  }
}
