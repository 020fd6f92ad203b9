/** Who hears of document changes: the application's hooks, and whoever in the process listens to a room. */
import { TuttiError } from '../../lib/errors.ts'
import type { Change, ChangeWatch } from '../contracts.ts'
import type { HookCalls } from './hookCalls.ts'

export interface ChangeListeners extends ChangeWatch {
  /** Calls `listener` with what was relayed in a room; it must not throw. Returns the function that ends it. */
  listen(room: string, listener: (changes: readonly Change[]) => void): () => void
}

/** @param calls `undefined`: the server has no hooks */
export const createChangeListeners = (calls: HookCalls | undefined): ChangeListeners => {
  const byRoom = new Map<string, Set<(changes: readonly Change[]) => void>>()
  const { beforeChange, afterChange } = calls?.hooks ?? {}
  /** What waits until the hook is done with earlier changes of the room. */
  const waiting = new Map<string, Change[]>()

  const tellStored = (room: string, changes: readonly Change[]): void => {
    if (!calls || !afterChange) return
    const busy = waiting.get(room)
    if (busy) {
      busy.push(...changes)
      return
    }
    const done = calls.tell('afterChange', () => afterChange({ room, changes }))
    if (!done) return
    waiting.set(room, [])
    const next = done.then(() => {
      const more = waiting.get(room) ?? []
      waiting.delete(room)
      if (more.length > 0) tellStored(room, more)
    })
    calls.track(next)
  }

  const before = (room: string, change: Change): Promise<void> | undefined => {
    if (!calls || !beforeChange) return undefined
    // Those that wait would each be asked about in turn.
    if (calls.isStopping && change.from === 'server') {
      throw new TuttiError('GOING_AWAY', 'The server is stopping.', { hint: 'Try again in a moment.' })
    }
    return calls.permit('beforeChange', () => beforeChange({ room, ...change }))
  }

  return {
    before: beforeChange && before,
    isHeard: (room) => afterChange !== undefined || byRoom.has(room),
    relayed: (room, changes) => {
      for (const listener of byRoom.get(room) ?? []) listener(changes)
    },
    stored: tellStored,
    listen: (room, listener) => {
      const listeners = byRoom.get(room) ?? new Set()
      byRoom.set(room, listeners)
      listeners.add(listener)
      return () => {
        listeners.delete(listener)
        if (listeners.size === 0 && byRoom.get(room) === listeners) byRoom.delete(room)
      }
    },
  }
}
