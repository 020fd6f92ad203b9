import type { RoomEvent } from '../../contracts.ts'
import { bytesToBase64 } from '../documentJson.ts'

const isJson = (text: string): boolean => {
  try {
    JSON.parse(text)
    return true
  } catch (error) {
    if (error instanceof SyntaxError) return false
    throw error
  }
}

/**
 * The members that tell of an event's data: `"data":…`, JSON as it is, or any other text as a string; `"base64":"…"`
 * for bytes. Without line breaks, which in JSON stand only between its parts.
 */
const dataMember = (body: string | Uint8Array): string => {
  if (typeof body !== 'string') return `"base64":"${bytesToBase64(body)}"`
  return `"data":${isJson(body) ? body.replace(/[\r\n]/g, ' ') : JSON.stringify(body)}`
}

/** An event as one line of JSON: `{ offset, event, data or base64, at, userId? }`. */
export const eventToJson = ({ offset, event, body, at, userId }: RoomEvent): string => {
  const user = userId === undefined ? '' : `,"userId":${JSON.stringify(userId)}`
  return `{"offset":${offset},"event":${JSON.stringify(event)},${dataMember(body)},"at":${at}${user}}`
}
