/** `/rooms`: the rooms that are stored or in use, page by page. */
import { TuttiError } from '../../../lib/errors.ts'
import type { ApiRequest, ApiResponse, Caller } from '../../contracts.ts'
import { compareRoomNames } from '../../protocol/roomOrder.ts'
import { callerOf } from '../../room/caller.ts'
import { jsonResponse } from '../jsonResponse.ts'
import { queryOf, wholeNumberOf } from '../query.ts'
import { lowest } from './lowest.ts'
import type { RoomDoor, RoomDoorParts } from './resource.ts'

const LIMIT = 100
const MAX_LIMIT = 1000

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

/** `GET /rooms?prefix=&after=&limit=`. A page may be shorter than its limit; the last one has no `next`. */
export const listRooms = async (door: RoomDoor, request: ApiRequest): Promise<ApiResponse> => {
  const { prefix = '', after = '', limit: limitText } = queryOf(request.query, ['prefix', 'after', 'limit'])
  const limit = wholeNumberOf('limit', limitText, 1, MAX_LIMIT) ?? LIMIT
  const stored = await door.rooms.list(prefix, after, limit)
  const isInRange = (name: string): boolean => name.startsWith(prefix) && compareRoomNames(name, after) > 0
  const names = lowest([stored, namesInUse(door, isInRange)], limit, compareRoomNames)
  const caller = callerOf('http', request)
  const admitted = await Promise.all(names.map((name) => isAdmitted(door, name, caller)))
  const storedNames = new Set(stored)
  return jsonResponse({
    rooms: names.filter((_, i) => admitted[i]).map((name) => factsOf(door, name, storedNames)),
    next: names.length < limit ? null : names.at(-1),
  })
}
