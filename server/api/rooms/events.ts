/** `/rooms/<room>/events`: publishes events, and tells what was published. */
import { TuttiError } from '../../../lib/errors.ts'
import type { NewEvent, Position } from '../../contracts.ts'
import { errorBody } from '../errorResponse.ts'
import { digest } from '../idempotency.ts'
import { JSON_TYPE, jsonResponse } from '../jsonResponse.ts'
import { negotiateType } from '../negotiation.ts'
import { answerHistory, historyQuery } from './eventHistory.ts'
import { answerStream, STREAM_TYPE } from './eventStream.ts'
import { type AskedEvent, askedEvents } from './newEvents.ts'
import type { Answer, Methods, RoomDoor, RoomTarget } from './resource.ts'

/** Tells events apart that were sent under one `id`. */
const meaningOf = ({ event, body, except = '' }: NewEvent): string =>
  digest([event, except, typeof body === 'string' ? 'text' : 'bytes'], body)

const publish = (
  { channels, published }: RoomDoor,
  { room, caller }: RoomTarget,
  { event, id }: AskedEvent,
): Promise<Position> => {
  const trigger = (): Position | Promise<Position> => channels.trigger(room, { ...event, caller })
  // No name of a room holds a control character: no id in one room is one in another.
  return id === undefined ? (async () => trigger())() : published.once(`${room}\n${id}`, meaningOf(event), trigger)
}

/** Where an event went, or what a hook refused it with: the others of its list are published all the same. */
const outcomeOf = (outcome: PromiseSettledResult<Position>): unknown => {
  if (outcome.status === 'fulfilled') return outcome.value
  const { reason } = outcome
  if (reason instanceof TuttiError) return errorBody(reason)
  throw reason
}

const postEvents: Answer = async (door, target, request) => {
  const { events, isList } = askedEvents(request, door.limits.maxEventBytes)
  // All begin in this turn: that keeps them in order, also where a hook takes its time.
  const outcomes = events.map((event) => publish(door, target, event))
  return jsonResponse(isList ? (await Promise.allSettled(outcomes)).map(outcomeOf) : await outcomes[0])
}

const readEvents: Answer = (door, { room }, request) => {
  const query = historyQuery(request)
  // Also of a room that nobody used: a reader needs a place from which it can go on.
  const channel = door.channels.open(room)
  const type = negotiateType(request.header('accept'), [JSON_TYPE, STREAM_TYPE])
  return type === STREAM_TYPE ? answerStream(request, channel, query, door.encodeEvent) : answerHistory(channel, query)
}

/** `/rooms/<room>/events` */
export const eventMethods: Methods = { GET: readEvents, HEAD: readEvents, POST: postEvents }
