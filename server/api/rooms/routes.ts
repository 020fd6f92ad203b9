/** Door 4: `/rooms` and everything below it, for back ends without any SDK. */
import { TuttiError } from '../../../lib/errors.ts'
import type { Position } from '../../contracts.ts'
import { callerOf } from '../../room/caller.ts'
import { Answers } from '../answers.ts'
import type { Idempotency } from '../idempotency.ts'
import { READ_METHODS, type Route } from '../route.ts'
import { createEventEncoder } from './eventStream.ts'
import { listRooms } from './list.ts'
import { matchRoom, RESOURCE_WORDS } from './path.ts'
import type { RoomDoor, RoomDoorParts } from './resource.ts'
import { roomMethods } from './wholeRoom.ts'

/** How long the `id` of an event is remembered, and how many of all rooms. */
export const EVENT_ID_LIFETIME_MS = 5 * 60_000
const MAX_EVENT_IDS = 50_000
const MAX_EVENT_ID_BYTES = 16 * 1024 * 1024
/** With what tells the event. */
const POSITION_BYTES = 200

/** How a path was read that names no resource of a room: perhaps it should have. */
const readingOf = (room: string): Route['reading'] => ({
  subject: `the room ${JSON.stringify(room)} itself`,
  hint: `What is under a room: ${RESOURCE_WORDS}.`,
})

const ownSocket = (name: string): TuttiError =>
  new TuttiError('INVALID_ROOM', `${JSON.stringify(name)} is one of the application's own sockets, and no room.`, {
    hint: 'Use another name: clients of a room could not reach this one.',
  })

/** Finds the route of a path in the room door; `undefined` if it is no path of this door. */
export type MatchRooms = (path: string, method: string) => Route | undefined

export const createRoomRoutes = (parts: RoomDoorParts, idempotency: Idempotency): MatchRooms => {
  const door: RoomDoor = {
    ...parts,
    published: new Answers<Position>({
      lifetimeMs: EVENT_ID_LIFETIME_MS,
      maxCount: MAX_EVENT_IDS,
      maxBytes: MAX_EVENT_ID_BYTES,
      bytesOf: () => POSITION_BYTES,
      reused: () =>
        new TuttiError('KEY_REUSED', 'Another event was published in this room under this "id".', {
          hint: 'Use a new id for each event, and the old one only to send the same event again.',
        }),
    }),
    encodeEvent: createEventEncoder(),
  }

  return (path, method) => {
    if (path === '/rooms') return { methods: READ_METHODS, answer: (request) => listRooms(door, request) }
    const route = matchRoom(path, method)
    if (route === undefined) return undefined
    const { room, rest, methods } = route
    return {
      methods: Object.keys(methods),
      ...(methods === roomMethods ? { reading: readingOf(room) } : {}),
      answer: async (request) => {
        if (door.isSocket?.(room)) throw ownSocket(room)
        const caller = callerOf('http', request)
        await door.admission?.admit(room, caller)
        // Only then: nobody is told an answer by a key who may not ask.
        return idempotency.answer(request, () => methods[request.method]!(door, { room, rest, caller }, request))
      },
    }
  }
}
