/** The one list of what can be asked of a room: by the words after its name, then by method. */
import { documentMethods } from './document.ts'
import { eventMethods } from './events.ts'
import { presenceMethods } from './presence.ts'
import type { Methods } from './resource.ts'
import { rowMethods, rowsMethods } from './rows.ts'
import { updateMethods } from './updates.ts'
import { roomMethods } from './wholeRoom.ts'

/**
 * By the raw segments behind the room's name: a word, and a `*` for each segment that may be anything; the empty
 * pattern is the room itself. Of those that fit, the first that has the method is taken, so the order counts: `document/*`
 * before `events`, or no root of a document could be called "events".
 */
export const RESOURCES: Readonly<Record<string, Methods>> = {
  'document/*/*': rowMethods,
  'document/*': rowsMethods,
  document: documentMethods,
  updates: updateMethods,
  events: eventMethods,
  presence: presenceMethods,
  '': roomMethods,
}
