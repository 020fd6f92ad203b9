import { equalityDeep } from 'lib0/function'
import type { Awareness } from 'y-protocols/awareness'
import { TuttiError } from './errors.ts'
import type { Plain, PresenceCodec } from './presenceSchema.ts'
import { callApart } from './rethrow.ts'
import { batch, type Signal, signal } from './store/reactive.ts'

/** Someone who is in the room now. Each key of `state` is reactive on its own. */
export interface Member<P = Plain> {
  /** The member's Yjs client id: a new one for each page load. */
  readonly id: number
  /** What the member tells of its user under `user`, the key that editor bindings for Yjs use as well. */
  readonly user?: P extends { readonly user?: infer U } ? U : unknown
  /** What the member shows of itself. A value that does not fit the schema reads as its default, or `undefined`. */
  readonly state: P
}

export interface PresenceEvents<P> {
  join: (member: Member<P>) => void
  /** `member.state` still shows what the member told last. */
  leave: (member: Member<P>) => void
  update: (member: Member<P>, changedKeys: readonly string[]) => void
}

/** Who is in the room, and what they show of themselves. It lives as long as the connection; nothing is stored. */
export interface Presence<P = Plain, Patch = Partial<P>> {
  /** The own member's id. */
  readonly id: number
  /** What this client shows of itself, at once; others see it after the throttle. */
  readonly self: P
  /**
   * Changes some keys of `self`; `undefined` takes an optional one away. Calls within `throttle` ms leave as one
   * message. Throws `UNKNOWN_KEY` or `INVALID_VALUE`, and then changes nothing.
   */
  set(patch: Patch): void
  /** The other members in the order of their arrival. The list changes when one comes or goes, not when one moves. */
  readonly others: readonly Member<P>[]
  /** This client and then `others`. */
  readonly members: readonly Member<P>[]
  other(id: number): Member<P> | undefined
  /** Returns the function that ends it. */
  on<K extends keyof PresenceEvents<P>>(event: K, listener: PresenceEvents<P>[K]): () => void
}

export interface PresenceOptions {
  codec: PresenceCodec
  /** The own state, as it goes on the wire. */
  own: Plain
  /** Milliseconds between two messages, at least. */
  throttle: number
  awareness: Awareness
}

/** A presence and the function that ends it. */
export interface PresenceOwner {
  readonly presence: Presence
  /** Nothing more is sent or shown. */
  stop(): void
}

interface Row {
  readonly member: Member
  /** Takes over a new state; returns the keys that changed. */
  update(next: Plain): string[]
}

const sameKeys = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && a.every((key) => b.includes(key))

/** One member, with a signal for each key that was ever read. */
const createRow = (idOf: () => number, initial: Plain, codec: PresenceCodec): Row => {
  let current = initial
  const cells = new Map<string, Signal<unknown>>()
  const keys = signal(Object.keys(initial))

  const shown = (key: string): unknown => codec.decode(key, Object.hasOwn(current, key) ? current[key] : undefined)
  const read = (key: string): unknown => {
    let cell = cells.get(key)
    if (cell === undefined) {
      cell = signal(shown(key))
      cells.set(key, cell)
    }
    return cell.value
  }
  const has = (key: string | symbol): key is string =>
    typeof key === 'string' && (codec.keys ?? keys.value).includes(key)

  const state = new Proxy({} as Plain, {
    get: (_, key) =>
      typeof key === 'string' && (codec.keys === undefined || codec.keys.includes(key)) ? read(key) : undefined,
    has: (_, key) => has(key),
    ownKeys: () => [...(codec.keys ?? keys.value)],
    getOwnPropertyDescriptor: (_, key) =>
      has(key) ? { value: read(key), enumerable: true, configurable: true } : undefined,
    set: () => false,
    deleteProperty: () => false,
    defineProperty: () => false,
  })

  return {
    member: {
      get id() {
        return idOf()
      },
      get user() {
        return read('user')
      },
      state,
    },
    update: (next) => {
      const before = current
      current = next
      const changed = [...new Set([...Object.keys(before), ...Object.keys(next)])].filter(
        (key) => !equalityDeep(before[key], next[key]),
      )
      for (const key of changed) {
        const cell = cells.get(key)
        if (cell !== undefined) cell.value = shown(key)
      }
      const names = Object.keys(next)
      if (!sameKeys(keys.peek(), names)) keys.value = names
      return changed
    },
  }
}

/** A stock client may send anything that is JSON. */
const asPlain = (state: unknown): Plain =>
  typeof state === 'object' && state !== null && !Array.isArray(state) ? (state as Plain) : {}

export const createPresence = ({ codec, throttle, awareness, ...options }: PresenceOptions): PresenceOwner => {
  let { own } = options
  let stopped = false
  let sentAt = Number.NEGATIVE_INFINITY
  let timer: ReturnType<typeof setTimeout> | undefined
  const rows = new Map<number, Row>()
  const others = signal<readonly Member[]>([])
  const listeners: { [K in keyof PresenceEvents<Plain>]: Set<PresenceEvents<Plain>['update']> } = {
    join: new Set(),
    leave: new Set(),
    update: new Set(),
  }

  /** Shows the own state to the others. Keys of bindings that share the awareness stay as they are. */
  const send = (): void => {
    timer = undefined
    sentAt = Date.now()
    const state: Record<string, unknown> = { ...awareness.getLocalState() }
    for (const key of codec.keys ?? []) delete state[key]
    awareness.setLocalState({ ...state, ...own })
  }

  const schedule = (): void => {
    if (timer !== undefined) return
    const wait = sentAt + throttle - Date.now()
    if (wait <= 0) send()
    else timer = setTimeout(send, wait)
  }

  const onChange = ({ added, updated, removed }: Record<'added' | 'updated' | 'removed', number[]>): void => {
    const events: (() => void)[] = []
    const tell = (event: keyof PresenceEvents<Plain>, member: Member, keys: readonly string[] = []): void => {
      for (const listener of listeners[event]) events.push(() => listener(member, keys))
      hasMoved ||= event !== 'update'
    }
    let hasMoved = false
    // Awareness calls a member that comes back "updated"; what counts is who is in `states` now.
    const reconcile = (id: number): void => {
      if (id === awareness.clientID) return
      const row = rows.get(id)
      const state = awareness.states.get(id)
      if (state === undefined) {
        if (row === undefined) return
        rows.delete(id)
        tell('leave', row.member)
      } else if (row === undefined) {
        const joined = createRow(() => id, asPlain(state), codec)
        rows.set(id, joined)
        tell('join', joined.member)
      } else {
        const changed = row.update(asPlain(state))
        if (changed.length > 0) tell('update', row.member, changed)
      }
    }
    batch(() => {
      for (const id of [...added, ...updated, ...removed]) reconcile(id)
      if (hasMoved) others.value = Array.from(rows.values(), ({ member }) => member)
    })
    for (const event of events) callApart(event)
  }

  const self = createRow(() => awareness.clientID, own, codec)
  send()
  awareness.on('change', onChange)
  onChange({ added: [...awareness.states.keys()], updated: [], removed: [] })

  return {
    presence: {
      get id() {
        return awareness.clientID
      },
      self: self.member.state,
      set: (patch) => {
        if (stopped) throw new TuttiError('DESTROYED', 'this room was left', { hint: 'Connect again.' })
        own = codec.encode(patch, own)
        if (batch(() => self.update(own)).length > 0) schedule()
      },
      get others() {
        return others.value
      },
      get members() {
        return [self.member, ...others.value]
      },
      other: (id) => others.value.find((member) => member.id === id),
      on: (event, listener) => {
        listeners[event].add(listener)
        return () => {
          listeners[event].delete(listener)
        }
      },
    },
    stop: () => {
      stopped = true
      clearTimeout(timer)
      awareness.off('change', onChange)
    },
  }
}
