/** `/rooms/<room>`: what there is of a room, and its deletion. */
import type { ApiResponse } from '../../contracts.ts'
import { jsonResponse } from '../jsonResponse.ts'
import { queryOf } from '../query.ts'
import type { Answer, Methods } from './resource.ts'

const readRoom: Answer = async ({ rooms, channels, membersOf }, { room }, request) => {
  queryOf(request.query, [])
  const [{ isStored, connections, bytes, sequence }, members] = await Promise.all([
    rooms.describe(room),
    membersOf(room),
  ])
  const channel = channels.find(room)
  return jsonResponse({
    room,
    stored: isStored,
    members: members.length,
    connections,
    subscribers: channel?.subscribers ?? 0,
    bytes,
    sequence,
    events: channel ? channel.position : null,
  })
}

const deleteRoom: Answer = async ({ rooms, channels }, { room }, request): Promise<ApiResponse> => {
  queryOf(request.query, [])
  channels.forget(room)
  await rooms.delete(room)
  return { status: 204, headers: { 'cache-control': 'no-store' }, body: '' }
}

/** `/rooms/<room>`; a room that nobody used reads as an empty one. */
export const roomMethods: Methods = { GET: readRoom, HEAD: readRoom, DELETE: deleteRoom }
