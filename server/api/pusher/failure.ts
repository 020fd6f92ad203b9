import type { ApiResponse } from '../../contracts.ts'

/** The request is refused; the text is what the SDKs show, word for word. */
export class Failure extends Error {
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.name = 'Failure'
    this.status = status
  }
}

/** Pusher's API answers errors as one line of text. */
export const failureAnswer = ({
  status,
  message,
}: {
  readonly status: number
  readonly message: string
}): ApiResponse => ({
  status,
  headers: { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store' },
  body: `${message.replaceAll(/\s+/g, ' ')}\n`,
})

const OK_HEADERS = { 'content-type': 'application/json' }

/** SDKs of some languages want exactly 200 and a JSON object, whatever was asked for. */
export const okAnswer = (value: object): ApiResponse => ({
  status: 200,
  headers: OK_HEADERS,
  body: JSON.stringify(value),
})

/** What was published, and nothing else was asked for. */
export const EMPTY_ANSWER: ApiResponse = { status: 200, headers: OK_HEADERS, body: '{}' }
