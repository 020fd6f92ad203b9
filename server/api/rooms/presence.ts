/** `/rooms/<room>/presence`: who is there. */
import { jsonResponse } from '../jsonResponse.ts'
import { queryOf } from '../query.ts'
import type { Answer, Methods } from './resource.ts'

const readPresence: Answer = async ({ rooms, channels, membersOf }, { room }, request) => {
  queryOf(request.query, [])
  const members = await membersOf(room)
  return jsonResponse({
    members: members.map(({ id, info }) => ({ id, info })),
    connections: rooms.find(room)?.connections ?? 0,
    subscribers: channels.find(room)?.subscribers ?? 0,
  })
}

/** `/rooms/<room>/presence` */
export const presenceMethods: Methods = { GET: readPresence, HEAD: readPresence }
