/**
 * Signals, computed values and effects that follow what they read.
 *
 * A change pushes only "may be stale": no code of the application runs until the batch ends. Then values are pulled:
 * a reader runs again if something it read is another value now, and it asks its sources in the order in which it read
 * them. So an effect never sees a mix of old and new, and where two ways lead to one effect it runs once.
 */
import { callApart } from '../rethrow.ts'

/** More rounds of effects that change what effects read than any program needs that comes to an end. */
const MAX_ROUNDS = 100

const circular = (): Error => new Error('A computation depends on itself.')

/** A computed value or an effect. */
interface Reader {
  /** What its last run read, and the value it got; `undefined` before the first run. */
  sources: Map<Signal<unknown>, unknown> | undefined
  /** Whether its sources know it. A computed value that nobody follows is known to none, so nothing keeps it. */
  readonly isLive: boolean
  invalidate(): void
}

/** Whose reads are recorded. */
let running: Reader | undefined
/** Counts the changes of all signals. */
let clock = 0
/** Open batches. */
let depth = 0
let rounds = 0
let queue: Effect[] = []

/** Whether there is a computation that would depend on a signal read now. */
export const isTracking = (): boolean => running !== undefined

const runAs = <R>(reader: Reader | undefined, fn: () => R): R => {
  const outer = running
  running = reader
  try {
    return fn()
  } finally {
    running = outer
  }
}

export const untracked = <R>(fn: () => R): R => runAs(undefined, fn)

/** Runs `fn` as a run of `reader`, whose sources are then those that `fn` read. */
const follow = <R>(reader: Reader, fn: () => R): R => {
  const before = reader.sources
  const now: Reader['sources'] = new Map()
  reader.sources = now
  try {
    return runAs(reader, fn)
  } finally {
    before?.forEach((_, source) => {
      // An effect may have ended itself.
      if (!reader.isLive || !now.has(source)) source.leave(reader)
    })
  }
}

const isOutdated = ({ sources }: Reader): boolean => {
  if (!sources) return true
  for (const [source, value] of sources) if (source.refresh() !== value) return true
  return false
}

/**
 * Runs `fn` and then, once, the effects that depend on what it changed. What one of those throws is reported as
 * uncaught; it neither stops the others nor reaches the caller.
 */
export const batch = <R>(fn: () => R): R => {
  depth++
  try {
    return fn()
  } finally {
    if (depth === 1) flush()
    depth--
  }
}

const flush = (): void => {
  for (; queue.length > 0; rounds++) {
    const effects = queue
    queue = []
    for (const each of effects) callApart(() => each.update())
  }
  rounds = 0
}

/** A value that can change. An equal (`===`) value is no change. */
export class Signal<T> {
  protected current: T
  #readers: Set<Reader> | undefined

  constructor(value: T) {
    this.current = value
  }

  /** Reading is recorded by the running computation. */
  get value(): T {
    const value = this.refresh()
    if (running) {
      running.sources?.set(this, value)
      if (running.isLive) this.join(running)
    }
    return value
  }

  set value(next: T) {
    if (next === this.current) return
    if (rounds > MAX_ROUNDS) throw circular()
    this.current = next
    clock++
    batch(() => this.invalidate())
  }

  /** The value, not recorded. */
  peek(): T {
    return untracked(() => this.value)
  }

  /** Calls `run` now and after every change; returns the function that ends it. */
  subscribe(run: (value: T) => void): () => void {
    return effect(() => {
      const { value } = this
      untracked(() => run(value))
    })
  }

  /** The value as it is now, where it takes work to know. */
  refresh(): T {
    return this.current
  }

  /** Tells those who read it that they may be stale. */
  invalidate(): void {
    this.#readers?.forEach((reader) => {
      reader.invalidate()
    })
  }

  get isLive(): boolean {
    return !!this.#readers?.size
  }

  /** Adds a live reader. */
  join(reader: Reader): void {
    if (!this.isLive) this.watched?.()
    this.#readers ??= new Set()
    this.#readers.add(reader)
  }

  leave(reader: Reader): void {
    if (this.#readers?.delete(reader) && !this.isLive) this.unwatched?.()
  }

  /** The first live reader comes. */
  protected watched?(): void

  /** The last live reader has left. */
  protected unwatched?(): void
}

/** Stands for the value of a computation that threw. */
class Failure {
  readonly error: unknown

  constructor(error: unknown) {
    this.error = error
  }
}

class Computed<T> extends Signal<T | Failure> implements Reader {
  sources: Reader['sources']
  readonly #compute: () => T
  #isStale = true
  #isRunning = false
  /** The clock at the last refresh: one that is not live hears of no change. */
  #seen = 0

  constructor(compute: () => T) {
    // Never seen: every reading refreshes.
    super(undefined as T)
    this.#compute = compute
  }

  override get value(): T {
    const value = super.value
    if (value instanceof Failure) throw value.error
    return value
  }

  override refresh(): T | Failure {
    if (this.#isRunning) throw circular()
    if (this.#isStale || !(this.isLive || this.#seen === clock)) {
      this.#isStale = false
      this.#seen = clock
      this.#isRunning = true
      try {
        if (isOutdated(this)) this.current = follow(this, this.#compute)
      } catch (error) {
        this.current = new Failure(error)
      }
      this.#isRunning = false
    }
    return this.current
  }

  override invalidate(): void {
    if (this.#isStale) return
    this.#isStale = true
    super.invalidate()
  }

  protected override watched(): void {
    this.sources?.forEach((_, source) => {
      source.join(this)
    })
  }

  protected override unwatched(): void {
    this.sources?.forEach((_, source) => {
      source.leave(this)
    })
  }
}

class Effect implements Reader {
  sources: Reader['sources']
  isLive = true
  readonly #fn: () => unknown
  #cleanUp: unknown
  #isQueued = false

  constructor(fn: () => unknown) {
    this.#fn = fn
  }

  invalidate(): void {
    if (!this.#isQueued) queue.push(this)
    this.#isQueued = true
  }

  update(): void {
    this.#isQueued = false
    if (!this.isLive || !isOutdated(this)) return
    batch(() => {
      this.#clean()
      this.#cleanUp = follow(this, this.#fn)
      // It may have ended itself.
      if (!this.isLive) this.#clean()
    })
  }

  end(): void {
    this.isLive = false
    this.sources?.forEach((_, source) => {
      source.leave(this)
    })
    this.#clean()
  }

  #clean(): void {
    const cleanUp = this.#cleanUp
    this.#cleanUp = undefined
    if (typeof cleanUp === 'function') untracked(cleanUp as () => unknown)
  }
}

export const signal = <T>(value: T): Signal<T> => new Signal(value)

export type ReadonlySignal<T> = Readonly<Pick<Signal<T>, 'value' | 'peek' | 'subscribe'>>

/** A value made of others, computed when it is asked for and only after something it read has changed. */
export const computed = <T>(compute: () => T): ReadonlySignal<T> => new Computed(compute) as ReadonlySignal<T>

/**
 * Runs `fn` now and after every change of what it read, until the function it returns is called. `fn` may return a
 * function that cleans up before the next run and at the end. Throws what the first run throws.
 */
export const effect = (fn: () => unknown): (() => void) => {
  const made = new Effect(fn)
  const end = (): void => made.end()
  try {
    made.update()
  } catch (error) {
    end()
    throw error
  }
  return end
}
