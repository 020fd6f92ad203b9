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
 * slashes or with `%2F`. Resources are told by the raw segments at the end. Of several that fit, as where a room's name
 * has a segment `document`, it is the first in `RESOURCES` that has the method; the room itself only where nothing else
 * fits. Whoever has a room or a key that reads like a resource percent-encodes its slash or a letter of it
 * (`my%2Fevents`).
 * @throws TuttiError `INVALID_ROOM` if what stands where a room should is no room name.
 */
export const matchRoom = (path: string, method: string): RoomRoute | undefined => {
  if (!path.startsWith(ROOMS_PREFIX)) return undefined
  const segments = path.slice(ROOMS_PREFIX.length).split('/')
  const fitting = PATTERNS.filter(({ words }) => {
    const start = segments.length - words.length
    return start >= 1 && words.every((word, i) => word === '*' || word === segments[start + i])
  })
  const specific = fitting.filter(({ words }) => words.length > 0)
  const pattern = specific.find(({ methods }) => Object.hasOwn(methods, method)) ?? specific[0] ?? fitting[0]
  if (pattern === undefined) return undefined
  const { words, methods } = pattern
  const start = segments.length - words.length
  const rest = segments.slice(start).filter((_, i) => words[i] === '*')
  return { room: decodeRoom(segments.slice(0, start)), rest: rest.map(decodeSegment), methods }
}
