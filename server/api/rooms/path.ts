/** Which resource of which room a path names. */
import { TuttiError } from '../../../lib/errors.ts'
import { roomNameProblem } from '../../../lib/protocol.ts'
import type { Methods, RoomTarget } from './resource.ts'
import { RESOURCES } from './resources.ts'

export const ROOMS_PREFIX = '/rooms/'

const badRoom = (problem: string): TuttiError =>
  new TuttiError('INVALID_ROOM', `The path names no room: ${problem}.`, {
    hint: 'Write /rooms/<room>/document with the room percent-encoded, 1 to 255 bytes of UTF-8.',
  })

const decodeSegment = (encoded: string): string => {
  try {
    return decodeURIComponent(encoded)
  } catch (error) {
    if (!(error instanceof URIError)) throw error
    throw badRoom('its percent-encoding is not valid UTF-8')
  }
}

const decodeRoom = (segments: readonly string[]): string => {
  const room = segments.map(decodeSegment).join('/')
  const problem = roomNameProblem(room)
  if (problem !== undefined) throw badRoom(problem)
  return room
}

const PATTERNS = Object.entries(RESOURCES).map(([pattern, methods]) => ({
  words: pattern === '' ? [] : pattern.split('/'),
  methods,
}))

export interface RoomRoute extends Pick<RoomTarget, 'room' | 'rest'> {
  readonly methods: Methods
}

/**
 * The resource of a room that a raw path names; `undefined` if it names none. A room stands in the path with its
 * slashes or with `%2F`. Resources are told by the raw segments at the end, in the order of `RESOURCES`: whoever has a
 * room or a key that reads like a resource percent-encodes its slash or a letter of it (`my%2Fevents`).
 * @throws TuttiError `INVALID_ROOM` if what stands where a room should is no room name.
 */
export const matchRoom = (path: string): RoomRoute | undefined => {
  if (!path.startsWith(ROOMS_PREFIX)) return undefined
  const segments = path.slice(ROOMS_PREFIX.length).split('/')
  for (const { words, methods } of PATTERNS) {
    const start = segments.length - words.length
    if (start < 1 || !words.every((word, i) => word === '*' || word === segments[start + i])) continue
    const rest = segments.slice(start).filter((_, i) => words[i] === '*')
    return { room: decodeRoom(segments.slice(0, start)), rest: rest.map(decodeSegment), methods }
  }
  return undefined
}
