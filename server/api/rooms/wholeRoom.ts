/** `/rooms/<room>`: what there is of a room, and its deletion. */
import { TuttiError } from '../../../lib/errors.ts'
import type { ApiResponse } from '../../contracts.ts'
import { expectationOf } from '../entityTag.ts'
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
  const channel = channels.find(room)
  const hasEvents = channel !== undefined && (channel.subscribers > 0 || channel.kept().length > 0)
  const options = { expect: expectationOf(request), ended: () => channels.forget(room) }
  if ((await rooms.delete(room, options)) || hasEvents) {
    return { status: 204, headers: { 'cache-control': 'no-store' }, body: '' }
  }
  throw new TuttiError('NOT_FOUND', `There is no room ${JSON.stringify(room)}.`, {
    hint: 'If this request was sent before, it is done; else see GET /rooms for what there is.',
  })
}

/** `/rooms/<room>`; a room that nobody used reads as an empty one. */
export const roomMethods: Methods = { GET: readRoom, HEAD: readRoom, DELETE: deleteRoom }
