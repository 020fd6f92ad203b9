/** Answers that tell what was asked for. */
import { TuttiError } from '../../lib/errors.ts'
import type { ApiResponse } from '../contracts.ts'

export const JSON_TYPE = 'application/json'

export const okHeaders = (contentType: string): Record<string, string> => ({
  'content-type': contentType,
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
})

/** @throws TuttiError `TOO_LARGE` for what has more characters than a string can have */
export const jsonText = (value: unknown): string => {
  try {
    return `${JSON.stringify(value)}\n`
  } catch (cause) {
    // The only thing that fails on plain JSON.
    if (!(cause instanceof RangeError)) throw cause
    throw new TuttiError('TOO_LARGE', 'The answer is too large to be shown as JSON.', {
      hint: 'Read a document as a Yjs update, with "Accept: application/octet-stream".',
      cause,
    })
  }
}

export const jsonResponse = (value: unknown, headers: Readonly<Record<string, string>> = {}): ApiResponse => ({
  status: 200,
  headers: { ...okHeaders(JSON_TYPE), ...headers },
  body: jsonText(value),
})
