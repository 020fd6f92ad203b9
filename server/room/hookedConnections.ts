/** The connections of a server that has hooks, by what others know of them. */
import type { Caller } from '../contracts.ts'
import { hasBroken } from '../protocol/closeCode.ts'
import { ConnectionHooks } from './connectionHooks.ts'
import type { HookCalls } from './hookCalls.ts'

export class HookedConnections {
  readonly #calls: HookCalls
  readonly #maxRooms: number
  readonly #byCaller = new Map<Caller, ConnectionHooks>()
  /** Only for the hook that is told of callers by the id of their connection. */
  readonly #byId: Map<string, Caller> | undefined

  /** @param maxRooms how many rooms one may be in at the same time */
  constructor(calls: HookCalls, maxRooms: number) {
    this.#calls = calls
    this.#maxRooms = maxRooms
    this.#byId = calls.hooks.beforeEvent ? new Map() : undefined
  }

  /** To be ended by `close`. */
  open(caller: Caller): ConnectionHooks {
    const hooks = new ConnectionHooks(this.#calls, caller, this.#maxRooms)
    this.#byCaller.set(caller, hooks)
    if (this.#byId && caller.id !== undefined) this.#byId.set(caller.id, caller)
    return hooks
  }

  close(hooks: ConnectionHooks, code: number): void {
    const { caller } = hooks
    this.#byCaller.delete(caller)
    if (this.#byId && caller.id !== undefined) this.#byId.delete(caller.id)
    hooks.disconnect(code, hasBroken(code))
  }

  of(caller: Caller): ConnectionHooks | undefined {
    return this.#byCaller.get(caller)
  }

  withId(id: string): Caller | undefined {
    return this.#byId?.get(id)
  }
}
