import type uWS from 'uWebSockets.js'
import type { ApiRequest } from '../contracts.ts'

/**
 * A request as the doors see it. Not an object literal: for one with a getter V8 makes a hidden class each time, which
 * takes more than all the rest of a small request, and outlives it.
 */
export class HttpRequest implements ApiRequest {
  readonly method: string
  readonly path: string
  readonly query: string
  readonly header: (name: string) => string
  body: Uint8Array = NO_BYTES
  #response: uWS.HttpResponse | undefined

  constructor(req: uWS.HttpRequest, response: uWS.HttpResponse, readsHeaders: (path: string) => boolean) {
    this.method = req.getMethod().toUpperCase()
    this.path = req.getUrl()
    // Typed as a string, but undefined where there is no `?`.
    this.query = (req.getQuery() as string | undefined) ?? ''
    this.header = readsHeaders(this.path) ? headerOf(req) : noHeader
    this.#response = response
  }

  get address(): string {
    return this.#response ? Buffer.from(this.#response.getRemoteAddressAsText()).toString() : ''
  }

  /** The response must not be touched any more. */
  get isOver(): boolean {
    return this.#response === undefined
  }

  end(): void {
    this.#response = undefined
  }
}

const NO_BYTES = new Uint8Array()

const noHeader = (): string => ''

const headerOf = (req: uWS.HttpRequest): ((name: string) => string) => {
  // The request is dead after this turn.
  const headers = new Map<string, string>()
  req.forEach((name, value) => {
    headers.set(name, value)
  })
  return (name) => headers.get(name) ?? ''
}
