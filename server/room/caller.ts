import type { Caller } from '../contracts.ts'

/** What a handshake and an HTTP request have in common. */
type Asking = Pick<Caller, 'address' | 'path' | 'query' | 'header'>

/** A class for its getter, which in an object literal would cost V8 a hidden class for each caller. */
class AskingCaller implements Caller {
  readonly door: Caller['door']
  readonly address: string
  readonly path: string
  readonly query: string
  readonly header: Caller['header']
  readonly state: Caller['state'] = {}
  readonly #socket: { readonly id: string } | undefined

  constructor(door: Caller['door'], asking: Asking, socket: { readonly id: string } | undefined) {
    this.door = door
    this.address = asking.address
    this.path = asking.path
    this.query = asking.query
    this.header = (name) => asking.header(name)
    this.#socket = socket
  }

  get id(): string | undefined {
    return this.#socket?.id
  }
}

/** @param socket the connection, if it is one; its id is made only when someone asks for it */
export const callerOf = (door: Caller['door'], asking: Asking, socket?: { readonly id: string }): Caller =>
  new AskingCaller(door, asking, socket)
