/**
 * Events behind the application's hook: it is asked about each one as it comes, and the events of a room are published
 * in the order in which they came, however long each answer takes.
 */
import { TuttiError } from '../../lib/errors.ts'
import { dataOf } from '../../lib/eventProtocol.ts'
import { eventNameProblem } from '../../lib/protocol.ts'
import type { Caller, NewEvent, Position } from '../contracts.ts'
import type { BeforeEventHook, EventReplacement } from '../hooks.ts'
import { bodyOf, bytesOf } from './eventBody.ts'
import { type HookCalls, isThenable } from './hookCalls.ts'
import { checkRoomName } from './roomName.ts'

/** Events of one room that may wait. */
export const MAX_WAITING = 1000

/** What an event of a room may be at most; of its name, characters, by default as many as any event's. */
export interface EventLimits {
  readonly maxEventBytes: number
  readonly maxEventNameLength?: number
}

export interface OrderedEventsParts {
  readonly calls: HookCalls
  /** What the hook has to keep to where it changes an event. */
  limitsOf(room: string): EventLimits
}

type Publish = (room: string, event: NewEvent) => Position

/** Publishes an event in its turn. Throws or rejects if the hook refuses it. */
export type Trigger = (room: string, event: NewEvent) => Position | Promise<Position>

interface Line {
  waiting: number
  /** Settles as the last of the line does. */
  last: Promise<unknown>
}

class EventContext implements BeforeEventHook {
  readonly room: string
  readonly #event: NewEvent

  constructor(room: string, event: NewEvent) {
    this.room = room
    this.#event = event
  }

  get event(): string {
    return this.#event.event
  }

  get data(): unknown {
    return dataOf(this.#event.body)
  }

  get from(): 'peer' | 'server' {
    return this.#event.from
  }

  get userId(): string | undefined {
    return this.#event.userId
  }

  get except(): string | undefined {
    return this.#event.except
  }

  get caller(): Caller | undefined {
    return this.#event.caller
  }
}

const bodyFrom = (data: unknown): string | Uint8Array => {
  try {
    return bodyOf(data)
  } catch (cause) {
    throw new Error('The hook beforeEvent returned no JSON.', { cause })
  }
}

/**
 * What is to be published by the hook's answer; `false`: nothing. What it throws is no TuttiError: it is not the fault
 * of whoever sent the event.
 */
const replaced = (event: NewEvent, replacement: unknown, limits: EventLimits): NewEvent | false => {
  if (replacement === false) return false
  if (typeof replacement !== 'object' || replacement === null) return event
  const { event: name = event.event, data } = replacement as EventReplacement
  // A name that is kept was checked where it came in, perhaps by a limit of its app.
  const problem = name === event.event ? undefined : eventNameProblem(name, limits.maxEventNameLength)
  if (problem !== undefined) throw new Error(`The hook beforeEvent returned no name of an event: ${problem}.`)
  if (data === undefined) return { ...event, event: name }
  const body = bodyFrom(data)
  const bytes = bytesOf(body)
  // The door that the event came by may allow more than the rule.
  const most = Math.max(limits.maxEventBytes, bytesOf(event.body))
  if (bytes > most) throw new Error(`The hook beforeEvent returned ${bytes} bytes of data; the limit is ${most}.`)
  return { ...event, event: name, body }
}

/** `undefined` without such a hook: then nothing stands between an event and its publication. */
export const createOrderedTrigger = (parts: OrderedEventsParts): ((publish: Publish) => Trigger) | undefined => {
  const { calls } = parts
  const { beforeEvent } = calls.hooks
  if (!beforeEvent) return undefined
  const lines = new Map<string, Line>()

  /** What to publish. */
  const ask = (room: string, event: NewEvent): NewEvent | Promise<NewEvent> =>
    calls.ask('beforeEvent', () => {
      const answer = beforeEvent(new EventContext(room, event))
      const replacedBy = (replacement: unknown): NewEvent | false => replaced(event, replacement, parts.limitsOf(room))
      return isThenable(answer) ? Promise.resolve(answer).then(replacedBy) : replacedBy(answer)
    })

  return (publish) => (room, event) => {
    checkRoomName(room)
    const line = lines.get(room)
    if (line && line.waiting >= MAX_WAITING) {
      throw new TuttiError('TRY_LATER', `${MAX_WAITING} events wait in the room ${JSON.stringify(room)}.`, {
        hint: 'Send fewer. On the server: make the hook beforeEvent faster.',
      })
    }
    const answer = ask(room, event)
    if (!line && !(answer instanceof Promise)) return publish(room, answer)
    const turn = inTurn(line?.last, answer).then((allowed) => publish(room, allowed))
    const next = line ?? { waiting: 0, last: turn }
    next.waiting++
    next.last = turn
    lines.set(room, next)
    const done = (): void => {
      next.waiting--
      if (next.waiting === 0) lines.delete(room)
    }
    turn.then(done, done)
    return turn
  }
}

const inTurn = async (
  before: Promise<unknown> | undefined,
  answer: NewEvent | Promise<NewEvent>,
): Promise<NewEvent> => {
  const [, outcome] = await Promise.allSettled([before, answer])
  if (outcome.status === 'rejected') throw outcome.reason
  return outcome.value
}
