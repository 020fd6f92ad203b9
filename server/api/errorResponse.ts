import { meaningOf, TuttiError } from '../../lib/errors.ts'
import type { ApiResponse, Logger } from '../contracts.ts'

/** Seconds after which a client may try again what the server could not do now. */
const RETRY_AFTER = 1

/** HTTP status of an error's code; 500 for one that has none. */
export const statusOf = (error: TuttiError): number => meaningOf(error.code).status ?? 500

/** An error as callers of the HTTP door see it. */
export const errorBody = ({ code, message, hint }: TuttiError): { code: string; message: string; hint: string } => ({
  code,
  message,
  hint,
})

/** The answer to a request that was refused: `{ code, message, hint }` as JSON, under the status of the code. */
export const errorResponse = (error: TuttiError, headers: Readonly<Record<string, string>> = {}): ApiResponse => {
  const status = statusOf(error)
  return {
    status,
    headers: {
      'content-type': 'application/json',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      ...(status === 503 ? { 'retry-after': String(RETRY_AFTER) } : {}),
      ...headers,
    },
    body: `${JSON.stringify(errorBody(error))}\n`,
  }
}

const withoutDetails = (code: 'INTERNAL' | 'STORAGE_FAILED', message: string, hint: string): ApiResponse =>
  errorResponse(new TuttiError(code, message, { hint }))

/**
 * The answer to a request that threw. What the caller did wrong is told; what went wrong in here is logged and told
 * without details.
 */
export const failureResponse = (
  error: unknown,
  request: { method: string; path: string },
  log: Logger,
): ApiResponse => {
  const status = error instanceof TuttiError ? statusOf(error) : 500
  if (error instanceof TuttiError && status < 500) return errorResponse(error)
  if (error instanceof TuttiError && (error.code === 'TRY_LATER' || error.code === 'GOING_AWAY')) {
    return errorResponse(error)
  }
  log.error({ err: error, method: request.method, path: request.path }, 'request failed')
  return status === 503
    ? withoutDetails('STORAGE_FAILED', 'The server could not read or store the document.', 'Try again in a moment.')
    : withoutDetails('INTERNAL', 'The server failed to answer this request.', 'Its log says why.')
}
