import type { ApiResponse } from '../../contracts.ts'

type Headers = Readonly<Record<string, string>>

/** The request is refused; the text is what the SDKs show, word for word. */
export class Failure extends Error {
  readonly status: number
  readonly headers: Headers

  constructor(status: number, message: string, headers: Headers = {}) {
    super(message)
    this.name = 'Failure'
    this.status = status
    this.headers = headers
  }
}

const FAILURE_HEADERS: Headers = {
  'content-type': 'text/plain; charset=utf-8',
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
}

/** Pusher's API answers errors as one line of text. */
export const failureAnswer = ({ status, message, headers }: Failure): ApiResponse => ({
  status,
  headers: { ...FAILURE_HEADERS, ...headers },
  body: `${message.replaceAll(/\s+/g, ' ')}\n`,
})

const OK_HEADERS: Headers = { 'content-type': 'application/json' }

/** SDKs of some languages want exactly 200 and a JSON object, whatever was asked for. */
export const okAnswer = (value: object): ApiResponse => ({
  status: 200,
  headers: OK_HEADERS,
  body: JSON.stringify(value),
})

/** What was published, and nothing else was asked for. */
export const EMPTY_ANSWER: ApiResponse = { status: 200, headers: OK_HEADERS, body: '{}' }
