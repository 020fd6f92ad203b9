/**
 * The hooks of one connection, in order:
 *
 *     connect --> for each room: join --> leave --> disconnect
 *
 * Whoever was let in is also told of, whatever happened in between: a connection that ends while `join` is being asked
 * leaves once that has let it in.
 */
import { TuttiError } from '../../lib/errors.ts'
import type { Caller, Person } from '../contracts.ts'
import type { HookCalls } from './hookCalls.ts'

interface Stay {
  readonly user: Person | undefined
  /** Settles as the join hook answers; `undefined` once it has let in. */
  joining: Promise<void> | undefined
}

export class ConnectionHooks {
  readonly caller: Caller
  readonly #calls: HookCalls
  readonly #maxRooms: number
  /** `false`: not let in, or gone. */
  #isConnected = true
  #connecting: Promise<void> | undefined
  readonly #stays = new Map<string, Stay>()
  /** Settles when everything that was told is done; `undefined`: it is. */
  #tail: Promise<void> | undefined

  /** @param maxRooms how many rooms it may be in at the same time */
  constructor(calls: HookCalls, caller: Caller, maxRooms: number) {
    this.#calls = calls
    this.caller = caller
    this.#maxRooms = maxRooms
  }

  /** Asks whether the connection is let in; to be called once. Throws, or rejects with, a TuttiError if not. */
  connect(): Promise<void> | undefined {
    const { connect } = this.#calls.hooks
    if (!connect) return undefined
    try {
      this.#connecting = this.#calls.permit('connect', () => connect({ caller: this.caller }))
    } catch (error) {
      this.#isConnected = false
      throw error
    }
    return this.#connecting
  }

  /**
   * Asks whether the connection may use a room, unless it is there already.
   * @param isGuarded only `true` lets it in
   * @throws TuttiError, or rejects with one, if not
   */
  join(room: string, isGuarded: boolean, user?: Person): Promise<void> | undefined {
    const before = this.#stays.get(room)
    if (before) return before.joining
    if (this.#stays.size >= this.#maxRooms) {
      throw new TuttiError('RATE_LIMITED', `This connection is in its ${this.#maxRooms} rooms.`, {
        hint: 'Leave some, or raise maxRoomsPerConnection on the server.',
      })
    }
    const ask = (): Promise<void> | undefined => {
      if (!this.#isConnected) throw new TuttiError('FORBIDDEN', 'The connection has ended.')
      return askToJoin(this.#calls, { room, caller: this.caller, user, isGuarded })
    }
    // It may have left a moment ago.
    const answer = this.#tail ? this.#tail.then(ask) : ask()
    const stay: Stay = { user, joining: undefined }
    stay.joining = answer?.then(
      () => {
        stay.joining = undefined
      },
      (error: unknown) => {
        if (this.#stays.get(room) === stay) this.#stays.delete(room)
        throw error
      },
    )
    this.#stays.set(room, stay)
    return stay.joining
  }

  /** The connection uses a room no more. */
  leave(room: string, hasBroken: boolean): void {
    const stay = this.#stays.get(room)
    if (!stay) return
    this.#stays.delete(room)
    const { leave } = this.#calls.hooks
    if (!leave) return
    const { caller } = this
    const { user } = stay
    this.#afterwards(stay.joining, () => this.#calls.tell('leave', () => leave({ room, caller, user, hasBroken })))
  }

  /** The connection has ended; nothing is told of one that `connect` refused. */
  disconnect(code: number, hasBroken: boolean): void {
    if (!this.#isConnected) return
    this.#isConnected = false
    for (const room of [...this.#stays.keys()]) this.leave(room, hasBroken)
    const { disconnect } = this.#calls.hooks
    if (!disconnect) return
    const { caller } = this
    const tell = (): Promise<void> | undefined => this.#calls.tell('disconnect', () => disconnect({ caller, code }))
    this.#afterwards(this.#connecting, tell)
  }

  /** Tells something after what was told before, and if `condition` does not reject. */
  #afterwards(condition: Promise<void> | undefined, tell: () => Promise<void> | undefined): void {
    const told =
      condition || this.#tail
        ? Promise.allSettled([condition, this.#tail]).then(([outcome]) =>
            outcome.status === 'fulfilled' ? tell() : undefined,
          )
        : tell()
    if (!told) return
    const tail = told.finally(() => {
      if (this.#tail === tail) this.#tail = undefined
    })
    this.#tail = tail
    this.#calls.track(tail)
  }
}

interface Asked {
  readonly room: string
  readonly caller: Caller
  readonly user: Person | undefined
  readonly isGuarded: boolean
}

export const notLetIn = (room: string): TuttiError =>
  new TuttiError('FORBIDDEN', `The room ${JSON.stringify(room)} needs the signature of an app.`, {
    hint: 'Use the Pusher protocol; a back end may send the secret of the app as a bearer token.',
  })

/** Asks the join hook, if there is one. Throws or rejects with a TuttiError if it does not let in. */
export const askToJoin = (calls: HookCalls, asked: Asked): Promise<void> | undefined => {
  const { join } = calls.hooks
  const judge = (answer: unknown): void => {
    if (asked.isGuarded && answer !== true) throw notLetIn(asked.room)
  }
  const answer = join && calls.ask('join', () => join(asked))
  if (answer instanceof Promise) return answer.then(judge)
  judge(answer)
  return undefined
}
