/** `GET /rooms/<room>/events`: what was published, as far as it is kept. */
import { TuttiError } from '../../../lib/errors.ts'
import type { ApiRequest, ApiResponse, Position, RoomEvent } from '../../contracts.ts'
import type { Channel } from '../../room/channel.ts'
import { JSON_TYPE, okHeaders } from '../jsonResponse.ts'
import { queryOf, wholeNumberOf } from '../query.ts'
import { eventToJson } from './eventJson.ts'

const PARAMETERS = ['after', 'epoch', 'limit', 'events'] as const

export interface HistoryQuery {
  /** What the reader has seen; `undefined`: it asks for whatever is there. */
  readonly after: { readonly offset: number; readonly epoch: string | undefined } | undefined
  readonly limit: number
  /** The names of the events it wants; `undefined`: all. */
  readonly names: ReadonlySet<string> | undefined
}

/** @throws TuttiError `INVALID_REQUEST` */
export const historyQuery = ({ query }: ApiRequest): HistoryQuery => {
  const given = queryOf(query, PARAMETERS)
  const offset = wholeNumberOf('after', given.after, 0)
  if (offset === undefined && given.epoch !== undefined) {
    throw new TuttiError('INVALID_REQUEST', '?epoch= is given without ?after=.', {
      hint: 'Give both, as an answer told them.',
    })
  }
  return {
    after: offset === undefined ? undefined : { offset, epoch: given.epoch },
    limit: wholeNumberOf('limit', given.limit, 1) ?? Number.POSITIVE_INFINITY,
    names: given.events === undefined ? undefined : new Set(given.events.split(',')),
  }
}

interface Page {
  /** Everything up to here is in this page, or in those before it. */
  readonly offset: number
  /** Nothing between what the reader had seen and this page is missing. */
  readonly recovered: boolean
  readonly events: readonly RoomEvent[]
}

/** The last events that are kept, `limit` at most. */
const latest = (channel: Channel, { limit }: HistoryQuery, wanted: (event: RoomEvent) => boolean): Page => {
  const kept = channel.kept()
  const { offset } = channel.position
  const found = kept.filter(wanted)
  const events = found.slice(Math.max(0, found.length - limit))
  const isWhole = events.length === found.length && (kept[0]?.offset ?? offset + 1) === 1
  return { offset, recovered: isWhole, events }
}

/** The first events after a place, `limit` at most. */
const following = (channel: Channel, after: Position, limit: number, wanted: (event: RoomEvent) => boolean): Page => {
  const missed = channel.since(after)
  const { offset } = channel.position
  if (missed === undefined) return { offset, recovered: false, events: [] }
  const found = missed.filter(wanted)
  const events = found.slice(0, limit)
  return { offset: events.length < found.length ? events.at(-1)!.offset : offset, recovered: true, events }
}

export const answerHistory = (channel: Channel, query: HistoryQuery): ApiResponse => {
  const { after, limit, names } = query
  const wanted = ({ event }: RoomEvent): boolean => names?.has(event) ?? true
  const { epoch } = channel
  const page = after
    ? following(channel, { epoch: after.epoch ?? epoch, offset: after.offset }, limit, wanted)
    : latest(channel, query, wanted)
  const { offset, recovered, events } = page
  const body = `{"epoch":${JSON.stringify(epoch)},"offset":${offset},"recovered":${recovered},"events":[${events.map(eventToJson).join(',')}]}\n`
  return { status: 200, headers: { ...okHeaders(JSON_TYPE), vary: 'Accept' }, body }
}
