import { TuttiError } from '../../lib/errors.ts'
import type { ApiRequest, ApiResponse, Logger } from '../contracts.ts'
import { errorResponse, failureResponse } from './errorResponse.ts'
import type { RoomDoorParts } from './rooms/resource.ts'
import { matchRoom } from './rooms/route.ts'
import type { StaticFiles } from './staticFiles.ts'

export interface ApiParts extends RoomDoorParts {
  readonly log: Logger
  /** Whether new connections and requests are taken; `false` once the server is stopping. */
  ready(): boolean
  /** Files under `/`, for paths that are nothing else. */
  readonly staticFiles?: StaticFiles
}

/**
 * Answers one HTTP request; never rejects. The answer to `HEAD` carries the body that `GET` would have: whoever writes
 * it to the network sends its length and leaves it out.
 */
export type Api = (request: ApiRequest) => Promise<ApiResponse>

const stateResponse = (status: number, state: string): ApiResponse => ({
  status,
  headers: { 'content-type': 'application/json', 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' },
  body: `${JSON.stringify({ status: state })}\n`,
})

interface Route {
  readonly methods: readonly string[]
  answer(request: ApiRequest): ApiResponse | Promise<ApiResponse>
}

const READ_METHODS = ['GET', 'HEAD']

const matchState = (path: string, ready: () => boolean): Route | undefined => {
  if (path === '/health') return { methods: READ_METHODS, answer: () => stateResponse(200, 'ok') }
  if (path !== '/ready') return undefined
  const answer = (): ApiResponse => (ready() ? stateResponse(200, 'ready') : stateResponse(503, 'stopping'))
  return { methods: READ_METHODS, answer }
}

const matchRooms = (path: string, parts: RoomDoorParts): Route | undefined => {
  const route = matchRoom(path)
  if (route === undefined) return undefined
  const { methods } = route
  return { methods: Object.keys(methods), answer: (request) => methods[request.method]!(parts, route, request) }
}

const matchFile = (path: string, files: StaticFiles | undefined): Route | undefined => {
  const file = files?.find(path)
  return file === undefined ? undefined : { methods: READ_METHODS, answer: (request) => file.answer(request) }
}

/**
 * The HTTP doors as one function: `/rooms/<room>/document`, `/health`, `/ready` and static files. There are no CORS
 * headers: this door is for back ends, and a page of another origin must not read rooms with its visitor's network.
 */
export const createApi = (parts: ApiParts): Api => {
  const { log, ready, staticFiles } = parts
  const answer = async (request: ApiRequest): Promise<ApiResponse> => {
    const { method, path } = request
    const route = matchState(path, ready) ?? matchRooms(path, parts) ?? matchFile(path, staticFiles)
    if (route === undefined) {
      const hint = 'There is /rooms/<room>/document, /health and /ready.'
      return errorResponse(new TuttiError('NOT_FOUND', 'There is nothing under this path.', { hint }))
    }
    if (!route.methods.includes(method)) {
      const allow = route.methods.join(', ')
      const message = `The method ${method} is not known here; expected ${route.methods.join(' or ')}.`
      return errorResponse(new TuttiError('METHOD_NOT_ALLOWED', message, { hint: `Use ${allow}.` }), { allow })
    }
    return route.answer(request)
  }
  return async (request) => {
    try {
      return await answer(request)
    } catch (error) {
      return failureResponse(error, request, log)
    }
  }
}
