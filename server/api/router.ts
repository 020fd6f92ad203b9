import type { TuttiError } from '../../lib/errors.ts'
import type { Apps } from '../apps.ts'
import type { ApiRequest, ApiResponse, Logger } from '../contracts.ts'
import { answerBatch } from './batch.ts'
import { errorResponse, failureResponse } from './errorResponse.ts'
import { createIdempotency } from './idempotency.ts'
import { JSON_TYPE } from './jsonResponse.ts'
import type { PusherApiParts } from './pusher/contracts.ts'
import { createPusherApi, isPusherPath, unreadAnswer } from './pusher/route.ts'
import type { RoomDoorParts } from './rooms/resource.ts'
import { createRoomRoutes } from './rooms/routes.ts'
import { answerRoute, READ_METHODS, type Route } from './route.ts'
import type { StaticFiles } from './staticFiles.ts'

export interface ApiParts extends RoomDoorParts {
  readonly log: Logger
  /** The OpenAPI file, as text. */
  readonly openApi: string
  /** Whether new connections and requests are taken; `false` once the server is stopping. */
  ready(): boolean
  /** Pusher's HTTP API, for its apps. */
  readonly pusher?: PusherApiParts
  /** Files under `/`, for paths that are nothing else. */
  readonly staticFiles?: StaticFiles
}

/**
 * Answers one HTTP request, at once if nothing makes it wait; never throws or rejects. The answer to `HEAD` carries the body that `GET` would have: whoever writes
 * it to the network sends its length and leaves it out.
 */
export type Api = (request: ApiRequest) => ApiResponse | Promise<ApiResponse>

/** Whether the answer to a request to this raw path may depend on its headers. */
export const readsHeaders = (path: string): boolean => !isPusherPath(path)

/** Makes the answer that says an error to a request to a raw path, of which nothing else was read. */
export const createErrorAnswer =
  ({ all }: Pick<Apps, 'all'>) =>
  (error: TuttiError, path: string): ApiResponse =>
    (all.length > 0 ? unreadAnswer(error, path) : undefined) ?? errorResponse(error)

const jsonText = (status: number, body: string): ApiResponse => ({
  status,
  headers: { 'content-type': JSON_TYPE, 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' },
  body,
})

const stateResponse = (status: number, state: string): ApiResponse =>
  jsonText(status, `${JSON.stringify({ status: state })}\n`)

/** The routes that stand for themselves, by path. */
const fixedRoutes = ({ openApi, ready }: ApiParts): ReadonlyMap<string, Route> =>
  new Map<string, Route>([
    ['/health', { methods: READ_METHODS, answer: () => stateResponse(200, 'ok') }],
    [
      '/ready',
      {
        methods: READ_METHODS,
        answer: () => (ready() ? stateResponse(200, 'ready') : stateResponse(503, 'stopping')),
      },
    ],
    ['/openapi.json', { methods: READ_METHODS, answer: () => jsonText(200, openApi) }],
  ])

const matchFile = (path: string, files: StaticFiles | undefined): Route | undefined => {
  const file = files?.find(path)
  return file === undefined ? undefined : { methods: READ_METHODS, answer: (request) => file.answer(request) }
}

/**
 * The HTTP doors as one function: `/rooms`, `/batch`, `/openapi.json`, `/health`, `/ready` and static files. There are
 * no CORS headers: this door is for back ends, and a page of another origin must not read rooms with its visitor's
 * network.
 */
export const createApi = (parts: ApiParts): Api => {
  const { log, pusher, staticFiles } = parts
  const fixed = fixedRoutes(parts)
  const idempotency = createIdempotency()
  const matchRooms = createRoomRoutes(parts, idempotency)
  const answerPusher = pusher && createPusherApi(pusher)
  const batch: Route = {
    methods: ['POST'],
    answer: (request) => idempotency.answer(request, () => answerBatch(request, matchRooms, log)),
  }

  const answer = (request: ApiRequest): ApiResponse | Promise<ApiResponse> => {
    const { path } = request
    const byPusher = answerPusher?.(request)
    if (byPusher) return byPusher
    const route =
      fixed.get(path) ??
      (path === '/batch' ? batch : undefined) ??
      matchRooms(path, request.method) ??
      matchFile(path, staticFiles)
    return answerRoute(route, request)
  }
  return (request) => {
    const failed = (error: unknown): ApiResponse => failureResponse(error, request, log)
    try {
      const answered = answer(request)
      return answered instanceof Promise ? answered.catch(failed) : answered
    } catch (error) {
      return failed(error)
    }
  }
}
