/** Shows a member of a presence channel to the Yjs clients of its room. */
import { TuttiError } from '../../lib/errors.ts'
import type { Logger } from '../contracts.ts'
import type { PusherMember } from '../protocol/pusherMessage.ts'
import type { Room } from '../room/room.ts'

/** A room that could not be loaded, or was deleted, is tried again after this long. */
const RETRY_MS = 5000

/** Rooms, as far as they show someone. */
export interface HostingRooms {
  open(name: string): Pick<Room, 'host'>
}

/** What Yjs clients see; what a member tells may be no object. */
const stateOf = ({ id, info }: PusherMember): object => {
  if (typeof info === 'object' && info !== null && !Array.isArray(info)) return { user: { ...info, id } }
  return { user: info === null ? { id } : { id, info } }
}

/**
 * Shows the member for as long as it is there, whatever becomes of the room's document: a channel works without it.
 * Returns the function that takes the entry away.
 */
export const showInAwareness = (rooms: HostingRooms, room: string, member: PusherMember, log: Logger): (() => void) => {
  let hide: (() => void) | undefined
  let timer: NodeJS.Timeout | undefined
  let isOver = false
  const show = (): void => {
    try {
      hide = rooms.open(room).host(stateOf(member), retry)
    } catch (error) {
      if (!(error instanceof TuttiError)) throw error
      log.debug({ room, err: error }, 'member not shown in awareness')
      retry()
    }
  }
  const retry = (): void => {
    hide = undefined
    if (isOver) return
    timer = setTimeout(show, RETRY_MS)
    timer.unref()
  }
  show()
  return () => {
    isOver = true
    clearTimeout(timer)
    hide?.()
  }
}
