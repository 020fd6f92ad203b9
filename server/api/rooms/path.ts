/** Which resource of which room a path names. */
import { TuttiError } from '../../../lib/errors.ts'
import { roomNameProblem } from '../../../lib/protocol.ts'
import { percentDecoded } from '../../protocol/percentDecoded.ts'
import { READ_METHODS } from '../route.ts'
import type { Methods, RoomTarget } from './resource.ts'
import { RESOURCES } from './resources.ts'

export const ROOMS_PREFIX = '/rooms/'

const badRoom = (problem: string): TuttiError =>
  new TuttiError('INVALID_ROOM', `The path names no room: ${problem}.`, {
    hint: 'Write /rooms/<room>/document with the room percent-encoded, 1 to 255 bytes of UTF-8.',
  })

const decodeSegment = (encoded: string): string => {
  const decoded = percentDecoded(encoded)
  if (decoded !== undefined) return decoded
  throw badRoom('its percent-encoding is not valid UTF-8')
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

/** Words that stand for a resource, and so are rarely meant as a part of a room's name. */
const WORDS: ReadonlySet<string> = new Set(PATTERNS.flatMap(({ words }) => words.filter((word) => word !== '*')))

/** Whether the raw segments behind a room's name are those of a resource. */
const fits = (words: readonly string[], segments: readonly string[]): boolean =>
  words.length === segments.length && words.every((word, i) => word === '*' || word === segments[i])

/** Whether this is what follows the name of a room: `document/<root>/<id>`, `events`, nothing. */
export const isResource = (resource: string): boolean => {
  const segments = resource === '' ? [] : resource.split('/')
  return PATTERNS.some(({ words }) => fits(words, segments))
}

/** The words that may follow a room's name, for the text of an error. */
export const RESOURCE_WORDS = [...WORDS].join(', ')

/**
 * A change of a room whose name goes on behind a word of the interface is a slip, as of an id with a slash in it: it
 * would be carried out on another room than the one that was meant.
 */
const checkMeant = (segments: readonly string[]): void => {
  if (!segments.slice(1).some((segment) => WORDS.has(segment))) return
  const room = decodeRoom(segments)
  throw new TuttiError(
    'NOT_FOUND',
    `There is nothing under this path, which reads as the room ${JSON.stringify(room)}.`,
    {
      hint: `Encode the slashes of a root or an id as "%2F"; if that room is meant, those of its name: /rooms/${encodeURIComponent(room)}.`,
    },
  )
}

export interface RoomRoute extends Pick<RoomTarget, 'room' | 'rest'> {
  readonly methods: Methods
}

/**
 * The resource of a room that a raw path names; `undefined` if it names none. A room stands in the path with its
 * slashes or with `%2F`. Resources are told by the raw segments at the end. Of several that fit, as where a room's name
 * has a segment `document`, it is the first in `RESOURCES` that has the method; the room itself only where nothing else
 * fits. Whoever has a room or a key that reads like a resource percent-encodes its slash or a letter of it
 * (`my%2Fevents`); only to read it may be left as it is.
 * @throws TuttiError `INVALID_ROOM` if what stands where a room should is no room name, `NOT_FOUND` for a change of one
 * that holds such a word
 */
export const matchRoom = (path: string, method: string): RoomRoute | undefined => {
  if (!path.startsWith(ROOMS_PREFIX)) return undefined
  const segments = path.slice(ROOMS_PREFIX.length).split('/')
  const fitting = PATTERNS.filter(({ words }) => {
    const start = segments.length - words.length
    return start >= 1 && fits(words, segments.slice(start))
  })
  const specific = fitting.filter(({ words }) => words.length > 0)
  const pattern = specific.find(({ methods }) => Object.hasOwn(methods, method)) ?? specific[0] ?? fitting[0]
  if (pattern === undefined) return undefined
  const { words, methods } = pattern
  const start = segments.length - words.length
  if (!READ_METHODS.includes(method)) checkMeant(segments.slice(0, start))
  const rest = segments.slice(start).filter((_, i) => words[i] === '*')
  return { room: decodeRoom(segments.slice(0, start)), rest: rest.map(decodeSegment), methods }
}
