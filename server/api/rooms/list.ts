/** `/rooms`: the rooms that are stored or in use, page by page. */
import { TuttiError } from '../../../lib/errors.ts'
import type { ApiRequest, ApiResponse, Caller } from '../../contracts.ts'
import { compareRoomNames } from '../../protocol/roomOrder.ts'
import { callerOf } from '../../room/caller.ts'
import { jsonResponse } from '../jsonResponse.ts'
import { queryOf, wholeNumberOf } from '../query.ts'
import { lowest } from './lowest.ts'
import type { RoomDoor, RoomDoorParts } from './resource.ts'

/** Rooms of a page. */
export const LIMIT = 100
export const MAX_LIMIT = 1000

function* namesInUse({ rooms, channels }: RoomDoorParts, isInRange: (name: string) => boolean): Generator<string> {
  for (const { name } of rooms.inUse()) if (isInRange(name)) yield name
  for (const { name, isOccupied } of channels.all()) if (isOccupied && isInRange(name)) yield name
}

/** Whether a caller may use a room; those that it may not are not told. */
const isAdmitted = async ({ admission }: RoomDoorParts, room: string, caller: Caller): Promise<boolean> => {
  try {
    await admission?.admit(room, caller)
    return true
  } catch (error) {
    if (error instanceof TuttiError) return false
    throw error
  }
}

const factsOf = ({ rooms, channels }: RoomDoorParts, room: string, stored: ReadonlySet<string>): object => ({
  room,
  stored: stored.has(room),
  connections: rooms.find(room)?.connections ?? 0,
  subscribers: channels.find(room)?.subscribers ?? 0,
})

/** `GET /rooms?prefix=&after=&limit=`. The last page has no `next`. */
export const listRooms = async (door: RoomDoor, request: ApiRequest): Promise<ApiResponse> => {
  const { prefix = '', after = '', limit: limitText } = queryOf(request.query, ['prefix', 'after', 'limit'])
  const limit = wholeNumberOf('limit', limitText, 1, MAX_LIMIT) ?? LIMIT
  const caller = callerOf('http', request)
  const rooms: { readonly name: string; readonly facts: object }[] = []
  // `next` names the last room that the caller may know of, not the last one looked at. So pages are filled: with one
  // room more than asked for, to know whether there is another page.
  for (let from: string | undefined = after; from !== undefined && rooms.length <= limit; ) {
    const start: string = from
    const stored = await door.rooms.list(prefix, start, MAX_LIMIT)
    const isInRange = (name: string): boolean => name.startsWith(prefix) && compareRoomNames(name, start) > 0
    const names = lowest([stored, namesInUse(door, isInRange)], MAX_LIMIT, compareRoomNames)
    const storedNames = new Set(stored)
    for (const name of names) {
      if (rooms.length > limit) break
      if (await isAdmitted(door, name, caller)) rooms.push({ name, facts: factsOf(door, name, storedNames) })
    }
    from = names.length < MAX_LIMIT ? undefined : names.at(-1)
    // Other requests get their turn: there may be many rooms that this caller may not use.
    await new Promise((resolve) => setImmediate(resolve))
  }
  const page = rooms.slice(0, limit)
  return jsonResponse({
    rooms: page.map(({ facts }) => facts),
    next: rooms.length > limit ? page.at(-1)?.name : null,
  })
}
