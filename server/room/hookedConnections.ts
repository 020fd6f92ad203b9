/** The connections of a server that has hooks, by what others know of them. */
import type { Caller } from '../contracts.ts'
import { hasBroken } from '../protocol/closeCode.ts'
import { ConnectionHooks } from './connectionHooks.ts'
import type { HookCalls } from './hookCalls.ts'

export class HookedConnections {
  readonly #calls: HookCalls
  readonly #maxRooms: number
  readonly #byCaller = new Map<Caller, ConnectionHooks>()

  /** @param maxRooms how many rooms one may be in at the same time */
  constructor(calls: HookCalls, maxRooms: number) {
    this.#calls = calls
    this.#maxRooms = maxRooms
  }

  /** To be ended by `close`. */
  open(caller: Caller): ConnectionHooks {
    const hooks = new ConnectionHooks(this.#calls, caller, this.#maxRooms)
    this.#byCaller.set(caller, hooks)
    return hooks
  }

  close(hooks: ConnectionHooks, code: number): void {
    const { caller } = hooks
    this.#byCaller.delete(caller)
    hooks.disconnect(code, hasBroken(code))
  }

  of(caller: Caller): ConnectionHooks | undefined {
    return this.#byCaller.get(caller)
  }
}
