/** A room as the back end holds it, in process. The one file of the server that knows the store. */
import type * as Y from 'yjs'
import { TuttiError } from '../../lib/errors.ts'
import { dataOf } from '../../lib/eventProtocol.ts'
import type { Live, Shape } from '../../lib/store/schema.ts'
import { editDocument } from '../../lib/store/state.ts'
import type { Change, Documents, Logger, Person, Position } from '../contracts.ts'
import type { ChangeListeners } from './changeListeners.ts'
import type { Channels } from './channels.ts'
import { bodyOf, bytesOf } from './eventBody.ts'
import { checkEventName } from './eventName.ts'
import { isThenable } from './hookCalls.ts'
import { checkOrigin } from './originName.ts'
import { checkRoomName } from './roomName.ts'

export interface TriggerOptions {
  /**
   * `id` of a connection that does not get the event, usually of whoever caused it: Pusher's `socket_id`, or the
   * `sessionId` of a room in the browser. `null`: nobody.
   */
  readonly except?: string | null | undefined
  /** The user who sent it, as the receivers may know it. */
  readonly userId?: string | undefined
}

export interface RoomEditOptions {
  /**
   * What the back end calls itself: clients are told it with the change, for `room.on('edit')`. 1–64 characters.
   */
  readonly origin?: string | undefined
}

/** An event as the back end hears it. */
export interface HeardEvent extends Position {
  readonly event: string
  /** JSON, parsed; a text that is not JSON as it is; or bytes. */
  readonly data: unknown
  /** `peer`: a client sent it. `server`: a back end, this one included. */
  readonly from: 'peer' | 'server'
  readonly userId: string | undefined
  /** When it was published, in ms of `Date.now()`. */
  readonly at: number
}

/** What a back end can listen to in a room, and what its listener is given. */
export interface RoomNews {
  /** An event was published, by whomever. */
  readonly event: HeardEvent
  /** Someone came, once however many connections they have. */
  readonly join: Person
  /** Someone is gone; after the grace period, if their connection broke. */
  readonly leave: Person
  /** The document was changed, by whomever. Its clients are sent the change at the same time. */
  readonly change: Change
}

export interface RoomHandle {
  readonly name: string
  /**
   * Changes the room's document: with a schema through the typed, validated state of a store, without one through the
   * Y.Doc itself. `change` must be synchronous and keep nothing of what it was given. Resolves with what it returned,
   * after the change is durable; everyone in the room sees it as any other change. If `change` throws, nothing of it
   * is kept and the promise rejects with its error. It must change nothing else: where a hook `beforeChange` takes its
   * time, it is called again if a client has changed the document meanwhile.
   *
   *     await server.room('board/42').edit({ title: s.string() }, (state) => { state.title = 'Sold' })
   *
   * @throws TuttiError `TOO_LARGE`, `STORAGE_FAILED`; `INVALID_VALUE` for the origin, or without a function; what the
   * hook `beforeChange` refuses it with, `TRY_LATER` if clients were faster each time; with a schema also those of the
   * store.
   */
  edit<Sh extends Shape, R>(schema: Sh, change: (state: Live<Sh>) => R, options?: RoomEditOptions): Promise<R>
  edit<R>(change: (doc: Y.Doc) => R, options?: RoomEditOptions): Promise<R>
  /**
   * Calls `read` with the document, which it must not change or keep; `undefined`, without a call, if the room has no
   * content. What it sees is durable once it resolves.
   */
  read<R>(read: (doc: Y.Doc) => R): Promise<R | undefined>
  /**
   * Publishes an event to everyone in the room, by whatever door they came. Resolves with its place in the room.
   *
   *     await server.room('board/42').trigger('sold', { price: 12 })
   *
   * @param data JSON, or bytes (a `Uint8Array`, any other view, an `ArrayBuffer`) that are carried as they are; default
   * `null`
   * @throws TuttiError `INVALID_VALUE`, `TOO_LARGE`; what the hook `beforeEvent` refuses it with
   */
  trigger(event: string, data?: unknown, options?: TriggerOptions): Promise<Position>
  /** Who is in the room, each once. */
  members(): Promise<Person[]>
  /**
   * Calls `listener` for each piece of news from now on. What it throws is logged. Returns the function that ends it.
   *
   *     const stop = server.room('board/42').on('event', ({ event, data }) => console.log(event, data))
   *
   * A room is heard whether or not anybody is in it. Listening does not keep its document in memory.
   */
  on<K extends keyof RoomNews>(news: K, listener: (value: RoomNews[K]) => void): () => void
}

export interface RoomHandleParts {
  readonly documents: Documents
  readonly channels: Pick<Channels, 'open' | 'find' | 'trigger'>
  readonly changes: Pick<ChangeListeners, 'listen'>
  /** Who is in a room without a channel, by what stands for their connection. */
  present(room: string): Iterable<readonly [key: unknown, person: Person]>
  readonly limits: { readonly maxEventBytes: number }
  readonly log: Logger
}

function checkFunction(method: string, value: unknown, hint: string): asserts value is (...given: never[]) => unknown {
  if (typeof value === 'function') return
  throw new TuttiError(
    'INVALID_VALUE',
    `${method} was given a value of type ${typeof value} where a function belongs.`,
    {
      hint,
    },
  )
}

const optionalText = (option: string, value: unknown): string | undefined => {
  if (value === undefined || value === null) return undefined
  if (typeof value === 'string') return value
  throw new TuttiError('INVALID_VALUE', `${option} of an event is of type ${typeof value}; expected a string.`, {
    hint: 'Leave it out if there is none.',
  })
}

export const createRoomHandle = (name: string, parts: RoomHandleParts): RoomHandle => {
  const { documents, channels, changes, log } = parts
  const { maxEventBytes } = parts.limits
  const editWhole = async <R>(change: (doc: Y.Doc) => R, options: RoomEditOptions | undefined): Promise<R> => {
    const origin = options?.origin
    if (origin !== undefined) checkOrigin(origin, 'INVALID_VALUE')
    const checkedChange = (doc: Y.Doc): R => {
      const returned = change(doc)
      if (isThenable(returned)) {
        // What becomes of it is its own affair: it was told.
        returned.then(undefined, () => undefined)
        throw new TuttiError('INVALID_VALUE', 'The function given to edit is asynchronous.', {
          hint: 'Await what you need first, then call edit with a synchronous function.',
        })
      }
      return returned
    }
    const { result } = await documents.edit(name, checkedChange, { origin })
    return result
  }

  const edit = async <Sh extends Shape, R>(
    first: Sh | ((doc: Y.Doc) => R),
    second?: RoomEditOptions | ((state: Live<Sh>) => R),
    third?: RoomEditOptions,
  ): Promise<R> => {
    if (typeof first === 'function') return editWhole(first, second as RoomEditOptions | undefined)
    checkFunction('edit', second, 'Write edit((doc) => …), or edit(schema, (state) => …).')
    return editWhole((doc) => editDocument(doc, first, second), third)
  }

  const read = async <R>(fn: (doc: Y.Doc) => R): Promise<R | undefined> => {
    checkFunction('read', fn, 'Write read((doc) => …).')
    return documents.read(name, fn)
  }

  const trigger = async (event: string, data?: unknown, options?: TriggerOptions): Promise<Position> => {
    checkEventName(event)
    const except = optionalText('except', options?.except)
    const userId = optionalText('userId', options?.userId)
    const body = bodyOf(data)
    const bytes = bytesOf(body)
    if (bytes > maxEventBytes) {
      throw new TuttiError('TOO_LARGE', `The event has ${bytes} bytes of data; the limit is ${maxEventBytes}.`, {
        hint: 'Keep large things in the document, or raise maxEventBytes on the server.',
      })
    }
    return channels.trigger(name, { event, body, except, userId, from: 'server' })
  }

  const members = async (): Promise<Person[]> => {
    checkRoomName(name)
    const channel = channels.find(name)
    if (channel) return channel.people.list()
    const byId = new Map<string, Person>()
    // As `People` does: what the longest-standing connection tells.
    for (const [, person] of parts.present(name)) if (!byId.has(person.id)) byId.set(person.id, person)
    return [...byId.values()]
  }

  /** What a listener throws, or rejects with, is nobody's but its own. */
  const call = (listener: (value: never) => unknown, value: unknown): void => {
    const failed = (error: unknown): void => log.error({ room: name, err: error }, 'listener failed')
    try {
      const returned = listener(value as never)
      if (isThenable(returned)) returned.then(undefined, failed)
    } catch (error) {
      failed(error)
    }
  }

  const on = (news: keyof RoomNews, listener: (value: never) => void): (() => void) => {
    checkFunction('on', listener, 'Write on(news, (value) => …).')
    switch (news) {
      case 'event': {
        const channel = channels.open(name)
        return channel.listen(({ event, body, from, userId, at, offset }) => {
          call(listener, { event, data: dataOf(body), from, userId, at, epoch: channel.epoch, offset })
        })
      }
      case 'join':
      case 'leave': {
        const wanted = news === 'join' ? 'joined' : 'left'
        return channels.open(name).listenToPeople((what, person) => {
          if (what === wanted) call(listener, person)
        })
      }
      case 'change':
        checkRoomName(name)
        return changes.listen(name, (heard) => {
          for (const change of heard) call(listener, change)
        })
      default:
        news satisfies never
        throw new TuttiError('INVALID_VALUE', `There is no news ${JSON.stringify(news) ?? 'of this kind'} of a room.`, {
          hint: 'Listen to event, join, leave or change.',
        })
    }
  }

  return {
    name,
    edit: edit as RoomHandle['edit'],
    read,
    trigger,
    members,
    on: on as RoomHandle['on'],
  }
}
