/** Tells the application's hooks of rooms that come into memory and go, in order for each room. */
import type { HookCalls } from './hookCalls.ts'

export interface RoomLifecycle {
  /** The room's document has been loaded. */
  created(room: string, isNew: boolean): void
  /** The room is no longer in memory; it may never have been loaded. */
  unloaded(room: string): void
}

/** `undefined`: no hook wants to know. */
export const createRoomLifecycle = (calls: HookCalls | undefined): RoomLifecycle | undefined => {
  const { roomCreated, roomUnloaded } = calls?.hooks ?? {}
  if (!calls || (!roomCreated && !roomUnloaded)) return undefined
  const loaded = new Set<string>()
  /** What is being told of a room. */
  const tails = new Map<string, Promise<void>>()

  const tell = (room: string, call: () => Promise<void> | undefined): void => {
    const before = tails.get(room)
    const told = before ? before.then(call) : call()
    if (!told) return
    const tail = told.then(() => {
      if (tails.get(room) === tail) tails.delete(room)
    })
    tails.set(room, tail)
    calls.track(tail)
  }

  return {
    created: (room, isNew) => {
      loaded.add(room)
      if (roomCreated) tell(room, () => calls.tell('roomCreated', () => roomCreated({ room, isNew })))
    },
    unloaded: (room) => {
      if (!loaded.delete(room) || !roomUnloaded) return
      tell(room, () => calls.tell('roomUnloaded', () => roomUnloaded({ room })))
    },
  }
}
