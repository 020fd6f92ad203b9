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
  body: Uint8Array = NO_BYTES
  /** Two headers tell different lengths of the body: whoever is on the way here may have gone by the other one. */
  readonly isAmbiguous: boolean
  readonly #headers: ReadonlyMap<string, string>
  #response: uWS.HttpResponse | undefined

  constructor(req: uWS.HttpRequest, response: uWS.HttpResponse, readsHeaders: (path: string) => boolean) {
    this.method = req.getMethod().toUpperCase()
    this.path = req.getUrl()
    // Typed as a string, but undefined where there is no `?`.
    this.query = (req.getQuery() as string | undefined) ?? ''
    this.#headers = readsHeaders(this.path) ? headersOf(req) : lengthOf(req)
    this.isAmbiguous = this.header(LENGTH).includes(',')
    this.#response = response
  }

  header(name: string): string {
    return this.#headers.get(name) ?? ''
  }

  hasHeader(name: string): boolean {
    return this.#headers.has(name)
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

const NO_HEADERS: ReadonlyMap<string, string> = new Map()

const LENGTH = 'content-length'

const headersOf = (req: uWS.HttpRequest, only?: string): ReadonlyMap<string, string> => {
  // The request is dead after this turn.
  const headers = new Map<string, string>()
  req.forEach((name, value) => {
    if (only !== undefined && name !== only) return
    const before = name === LENGTH ? headers.get(name) : undefined
    headers.set(name, before === undefined || before === value ? value : `${before}, ${value}`)
  })
  return headers
}

/** All that must be known of the headers that nobody reads. */
const lengthOf = (req: uWS.HttpRequest): ReadonlyMap<string, string> =>
  req.getHeader(LENGTH) === '' ? NO_HEADERS : headersOf(req, LENGTH)
