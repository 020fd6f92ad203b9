// Emitted with the types: an application whose `lib` has no `Symbol.dispose` can still compile them.
/// <reference lib="esnext.disposable" preserve="true" />
import * as Y from 'yjs'
import type { TuttiError } from '../errors.ts'
import { createHistory, type History, type UndoOptions } from '../history.ts'
import { countLocalChanges } from '../localChanges.ts'
import type { Persistence } from '../persistence.ts'
import { callApart, rethrow } from '../rethrow.ts'
import { createStatus } from '../status.ts'
import { checkOptions } from './checkOptions.ts'
import { errorAt } from './failure.ts'
import { trackedSnapshot } from './graph.ts'
import { isDevelopment } from './hints.ts'
import { INTERNALS, type Internals, type StoreHandle } from './internals.ts'
import { NODE, type SnapshotOf } from './live.ts'
import { computed, effect } from './reactive.ts'
import type { Live, Node, Shape, Snapshot } from './schema.ts'
import { openState } from './state.ts'
import { checkNotDestroyed, checkWritable, destroyedError, type TransactOptions, transact } from './write.ts'

export interface StoreOptions<Sh extends Shape> {
  /** What the document holds, by name. Lists, records, texts and objects become top-level Yjs types of these names. */
  readonly schema: Sh
  /** An existing document; `destroy` leaves it alive. Default: a new one. */
  readonly doc?: Y.Doc | undefined
  /** Keeps the document on this device: the name of an IndexedDB database, or a `Persistence`. Default: not kept. */
  readonly persist?: string | Persistence | false | undefined
  /**
   * Undo and redo; `false` records nothing. `scope`: the names whose changes are recorded, where one name of a value
   * stands for all values at the top level. Default: all.
   */
  readonly undo?: (UndoOptions & { readonly scope?: readonly (keyof Sh & string)[] }) | false | undefined
  /**
   * What a stored value that does not fit the schema reads as: `'coerce'` (default) its default or `undefined`, and
   * `onError` hears of it once; `'warn'` the value as it is, and `onError` hears of it; `'off'` the value as it is.
   */
  readonly validateRemote?: 'coerce' | 'warn' | 'off' | undefined
  /** Hears of errors that no call can throw. Default: `console.warn`. */
  readonly onError?: ((error: TuttiError) => void) | undefined
}

/** A value that changes: `value` is tracked where it is read; `subscribe` calls at once and after every change. */
export interface Readable<V> {
  readonly value: V
  subscribe(run: (value: V) => void): () => void
}

export interface WaitOptions {
  readonly signal?: AbortSignal
  /** Milliseconds. Default: no limit. */
  readonly timeout?: number
}

/** A document as typed, live, tracked state. See `createStore`. */
export interface Store<Sh extends Shape = Shape> extends StoreHandle {
  /** The content. Reading is tracked, writing changes the document. */
  readonly state: Live<Sh>
  readonly history: History
  /**
   * Runs `fn` in one transaction: peers get one update, computations run once. If `fn` throws, nothing of it stays
   * (of writes through `state`; not of those through Yjs types) but a step of `history` that changes nothing.
   */
  transact<R>(fn: (state: Live<Sh>) => R, options?: TransactOptions): R
  /** A value made of the state, computed again only after something it read changed. `equals` keeps the old value. */
  select<V>(fn: (state: Live<Sh>) => V, equals?: (a: V, b: V) => boolean): Readable<V>
  /** Runs `fn` now and after every change of what it read; it may return a function that cleans up. */
  effect(fn: (() => void) | (() => () => void)): () => void
  /** The whole state as a plain, frozen object. Parts that did not change are the same objects as last time. */
  snapshot(): Snapshot<Sh>
  /** A live value as a plain, frozen one. */
  snapshot<V>(value: V): SnapshotOf<V>
  /**
   * Gives a new document its first content, once `whenReady` and, if the store is connected, `whenSynced` hold; `false`
   * if there is content already. Clients that seed the same at the same time end up with one copy. `fn` runs twice and
   * must write the same each time: no random values, no times. If later versions of an application change the seed,
   * old and new clients in one empty room make two copies: seed on the back end then.
   */
  seed(fn: (state: Live<Sh>) => void): Promise<boolean>
  /** Resolves once what this device had stored is in the document, or turned out unreadable. */
  whenReady(): Promise<void>
  /** Resolves once the document has what the server had. Rejects with `TIMEOUT`, the signal's reason, or `DESTROYED`. */
  whenSynced(options?: WaitOptions): Promise<void>
  /** Ends connections, effects and persistence, and the document unless it was given. */
  destroy(): void
  [Symbol.dispose](): void
}

/**
 * Makes a store: `createStore({ schema: { todos: s.list(s.object({ title: s.string() })) } })`. Opens no socket and
 * touches no browser storage unless `persist` says so. Throws `INVALID_SCHEMA`, in development also `INVALID_OPTION`.
 */
export const createStore = <Sh extends Shape>(options: StoreOptions<Sh>): Store<Sh> => {
  if (isDevelopment) checkOptions(options)
  const doc = options.doc ?? new Y.Doc()
  const status = createStatus()
  const { persist } = options
  const { graph, state } = openState(doc, options.schema, options)

  const report = (error: TuttiError): void => {
    if (graph.isDestroyed) return
    status.error.value = error
    callApart(() => graph.options.onError(error))
  }

  const isStoredOrigin = (origin: unknown): boolean => {
    const { persistence } = inside
    // No transaction has `undefined` as its origin.
    return origin === (persistence?.origin ?? persistence)
  }
  const localChanges = countLocalChanges(doc, status, isStoredOrigin)
  const onDestroys = new Set<() => void>()
  const onDestroy = (fn: () => void): (() => void) => {
    onDestroys.add(fn)
    return () => onDestroys.delete(fn)
  }

  const inside: Internals = {
    status,
    graph,
    localChanges,
    persistence: typeof persist === 'string' ? undefined : persist || undefined,
    isReady: false,
    isStoredOrigin,
    report,
    onDestroy,
  }
  const load = async (): Promise<void> => {
    try {
      if (!persist) return
      // It may fail before the file is there, and is told of then.
      inside.persistence?.whenLoaded.catch(() => undefined)
      await (await import('../offline.ts')).restore(persist, doc, inside)
    } catch (cause) {
      report(errorAt('STORAGE_FAILED', [], `persist failed: ${cause}`, cause))
    } finally {
      inside.isReady = true
    }
  }
  const ready = load()

  const undo = options.undo || {}
  const { y, roots } = graph.root
  const history = createHistory(
    doc,
    // Scalars have no type of their own: they live in `y`.
    (undo.scope ?? ['', ...Object.keys(roots!)]).map((name) => roots![name] ?? y),
    undo,
    () => checkWritable(graph),
  )
  if (options.undo === false) history.pause()

  const whenSynced = async ({ signal, timeout }: WaitOptions = {}): Promise<void> => {
    checkNotDestroyed(graph)
    signal?.throwIfAborted()
    let ends: (() => unknown)[]
    await new Promise<void>((resolve, reject) => {
      const abort = (): void => reject(signal?.reason)
      const expire = (): void => reject(errorAt('TIMEOUT', [], `not synced within ${timeout} ms`))
      signal?.addEventListener('abort', abort)
      // A timer takes no longer time; more is as good as no limit.
      const timer = timeout! < 2 ** 31 ? setTimeout(expire, timeout) : undefined
      ends = [
        () => signal?.removeEventListener('abort', abort),
        () => clearTimeout(timer),
        onDestroy(() => reject(destroyedError())),
        status.synced.subscribe((isSynced) => isSynced && resolve()),
      ]
    }).finally(() => ends.forEach(callApart))
  }

  const destroy = (): void => {
    if (graph.isDestroyed) return
    ;[...onDestroys].reverse().forEach(callApart)
    history.destroy()
    graph.destroy()
    localChanges.destroy()
    callApart(() => inside.persistence?.destroy().catch(rethrow))
    if (!options.doc) doc.destroy()
  }

  const store: Store<Sh> = {
    state,
    doc,
    history,
    status: status.view,
    transact: (fn, transactOptions = {}) => transact(graph, () => fn(state), transactOptions),
    select: <V>(fn: (state: Live<Sh>) => V, equals?: (a: V, b: V) => boolean): Readable<V> => {
      let last: { value: V } | undefined
      return computed(() => {
        const value = fn(state)
        if (!last || !equals?.(last.value, value)) last = { value }
        return last.value
      })
    },
    effect: (fn) => {
      const dispose = effect(fn)
      const forget = onDestroy(dispose)
      return () => {
        forget()
        dispose()
      }
    },
    snapshot: (value: unknown = state) => {
      const node = (value as { [NODE]?: Node } | null)?.[NODE]
      return (node ? trackedSnapshot(node) : value) as never
    },
    // Loaded where it is used: many applications have nothing to seed.
    seed: async (fn) => {
      checkWritable(graph)
      return (await import('./seed.ts')).seed(store, inside, options.schema, fn)
    },
    whenReady: () => ready,
    whenSynced,
    destroy,
    [Symbol.dispose]: destroy,
    [INTERNALS]: inside,
  }
  return store
}
