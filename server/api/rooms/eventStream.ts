/**
 * `GET /rooms/<room>/events` as Server-Sent Events, for readers without WebSockets.
 *
 *     : comment                          every 15 s, so that nobody on the way takes the connection for dead
 *     id: <epoch>.<offset>               where the reader goes on, if it comes back with Last-Event-ID
 *
 *     id: <epoch>.<offset>
 *     data: {"offset":…,"event":…,…}     an event; all of them are of the default type `message`, since the name of an
 *                                        event may be any text, which the field `event:` can't carry
 *     event: gap
 *     id: <epoch>.<offset>               the history did not reach back to where the reader was:
 *     data: {"epoch":…,"offset":…}       it goes on behind this place
 *
 * A stream holds nothing but its position: a reader that does not keep up is caught up from the history.
 */
import { TuttiError } from '../../../lib/errors.ts'
import type { ApiRequest, ApiResponse, Position, RoomEvent, Sink, StreamWriter } from '../../contracts.ts'
import type { Channel } from '../../room/channel.ts'
import { okHeaders } from '../jsonResponse.ts'
import type { HistoryQuery } from './eventHistory.ts'
import { eventToJson } from './eventJson.ts'

export const STREAM_TYPE = 'text/event-stream'

const HEARTBEAT_MS = 15_000

const bytes = (text: string): Uint8Array => Buffer.from(text)

const idOf = ({ epoch, offset }: Position): string => `id: ${epoch}.${offset}\n`

const encodeEvent = (epoch: string, event: RoomEvent): Uint8Array =>
  bytes(`${idOf({ epoch, offset: event.offset })}data: ${eventToJson(event)}\n\n`)

const encodeGap = (position: Position): Uint8Array =>
  bytes(`event: gap\n${idOf(position)}data: ${JSON.stringify(position)}\n\n`)

/** A block without data makes no event, but the browser remembers its id. */
const encodePosition = (position: Position): Uint8Array => bytes(`:\n${idOf(position)}\n`)

/** Makes the bytes of an event once for all the streams that are told of it one after the other. */
export const createEventEncoder = (): ((epoch: string, event: RoomEvent) => Uint8Array) => {
  let last: { readonly event: RoomEvent; readonly bytes: Uint8Array } | undefined
  return (epoch, event) => {
    if (last?.event !== event) last = { event, bytes: encodeEvent(epoch, event) }
    return last.bytes
  }
}

export type EventEncoder = ReturnType<typeof createEventEncoder>

class EventStream implements StreamWriter {
  readonly #channel: Channel
  readonly #sink: Sink
  readonly #names: ReadonlySet<string> | undefined
  readonly #encode: EventEncoder
  readonly #stopListening: () => void
  readonly #heartbeat: NodeJS.Timeout
  /** Everything up to here has been written, or was not wanted. */
  #position: Position
  #isFull = false

  constructor(
    channel: Channel,
    from: Position,
    names: ReadonlySet<string> | undefined,
    encode: EventEncoder,
    sink: Sink,
  ) {
    this.#channel = channel
    this.#sink = sink
    this.#names = names
    this.#encode = encode
    this.#position = from
    this.#catchUp()
    this.#write(encodePosition(this.#position))
    this.#stopListening = channel.listen((event) => {
      if (!this.#isFull) this.#take(event)
    })
    this.#heartbeat = setInterval(() => {
      if (!this.#isFull) this.#write(encodePosition(this.#position))
    }, HEARTBEAT_MS)
    this.#heartbeat.unref()
  }

  drained(): void {
    this.#isFull = false
    this.#write(encodePosition(this.#position))
    this.#catchUp()
  }

  closed(): void {
    clearInterval(this.#heartbeat)
    this.#stopListening()
  }

  #catchUp(): void {
    if (this.#isFull) return
    const missed = this.#channel.since(this.#position)
    if (missed === undefined) {
      this.#position = this.#channel.position
      this.#write(encodeGap(this.#position))
      return
    }
    for (const event of missed) {
      if (this.#isFull) return
      this.#take(event)
    }
  }

  #take(event: RoomEvent): void {
    const { epoch } = this.#channel
    this.#position = { epoch, offset: event.offset }
    if (this.#names?.has(event.event) ?? true) this.#write(this.#encode(epoch, event))
  }

  #write(chunk: Uint8Array): void {
    this.#isFull = !this.#sink.write(chunk)
  }
}

/** Where the reader was: by the header that a browser sends when it comes back, else by the query, else here. */
const startOf = (request: ApiRequest, channel: Channel, { after }: HistoryQuery): Position => {
  const last = request.header('last-event-id')
  if (last !== '') {
    const dot = last.lastIndexOf('.')
    const offset = last.slice(dot + 1)
    // What is no id of ours is answered as one of an epoch that is over: a browser that is refused does not come back.
    return { epoch: last.slice(0, Math.max(0, dot)), offset: /^\d{1,15}$/.test(offset) ? Number(offset) : 0 }
  }
  return after ? { epoch: after.epoch ?? channel.epoch, offset: after.offset } : channel.position
}

export const answerStream = (
  request: ApiRequest,
  channel: Channel,
  query: HistoryQuery,
  encode: EventEncoder,
): ApiResponse => {
  if (query.limit !== Number.POSITIVE_INFINITY) {
    throw new TuttiError('INVALID_REQUEST', 'A stream of events has no limit.', { hint: 'Leave out ?limit=.' })
  }
  const from = startOf(request, channel, query)
  return {
    status: 200,
    // The last is for nginx, which would collect the events.
    headers: { ...okHeaders(STREAM_TYPE), vary: 'Accept', 'x-accel-buffering': 'no' },
    body: '',
    stream: (sink) => new EventStream(channel, from, query.names, encode, sink),
  }
}
