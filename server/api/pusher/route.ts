/** Door 3: Pusher's HTTP API, `/apps/<id>/…`, for the server SDKs of every language. */
import { TuttiError } from '../../../lib/errors.ts'
import type { App } from '../../apps.ts'
import type { ApiRequest, ApiResponse } from '../../contracts.ts'
import { type Parameters, parametersOf, signatureProblem } from '../../protocol/pusherRequest.ts'
import { getChannel, getChannels, getUsers } from './channels.ts'
import type { Answer, PusherApiParts } from './contracts.ts'
import { postBatch, postEvent } from './events.ts'
import { Failure, failureAnswer } from './failure.ts'
import { terminateConnections } from './users.ts'

/** By the number of parts of a path and its fixed ones: `*` stands for any. */
const ROUTES: Readonly<Record<string, Readonly<Record<string, Answer>>>> = {
  events: { POST: postEvent },
  batch_events: { POST: postBatch },
  channels: { GET: getChannels },
  'channels/*': { GET: getChannel },
  'channels/*/users': { GET: getUsers },
  'users/*/terminate_connections': { POST: terminateConnections },
}

const APPS_PREFIX = '/apps/'
/** The Python SDK leaves `/apps/<id>` out here: the app is known by `auth_key`. */
const USERS_PREFIX = '/users/'

const decodePart = (part: string): string => {
  try {
    return decodeURIComponent(part)
  } catch (error) {
    if (!(error instanceof URIError)) throw error
    throw new Failure(400, 'The path is not percent-encoded UTF-8.')
  }
}

const patternOf = (path: readonly string[]): string => path.map((part, index) => (index === 1 ? '*' : part)).join('/')

const appOf = ({ apps }: PusherApiParts, id: string | undefined, parameters: Parameters): App => {
  const key = parameters.get('auth_key')
  if (id !== undefined && apps.byId(id) === undefined) throw new Failure(404, `There is no app ${JSON.stringify(id)}.`)
  if (key === undefined) throw new Failure(401, 'auth_key is missing; expected the key of the app.')
  const app = apps.byKey(key)
  if (app === undefined || (id !== undefined && app.id !== id)) {
    throw new Failure(401, 'auth_key is not the key of this app.')
  }
  return app
}

const answerSigned = (
  parts: PusherApiParts,
  request: ApiRequest,
  id: string | undefined,
  encoded: readonly string[],
): ApiResponse | Promise<ApiResponse> => {
  const parameters = parametersOf(request.query)
  if (parameters === undefined) throw new Failure(400, 'The query is not percent-encoded UTF-8.')
  const app = appOf(parts, id, parameters)
  const { method, path: rawPath, body } = request
  const problem = signatureProblem({ method, path: rawPath, parameters, body }, app.secrets, parts.now())
  if (problem !== undefined) throw new Failure(401, `${problem}.`)
  const path = encoded.map(decodePart)
  const methods = ROUTES[patternOf(path)]
  if (methods === undefined) throw new Failure(404, 'There is nothing under this path.')
  const answer = methods[method]
  if (answer === undefined)
    throw new Failure(405, `The method is ${method}; expected ${Object.keys(methods).join(' or ')}.`)
  return answer(parts, { app, parameters, request, path })
}

const STATUS_OF_REFUSAL = 403

/**
 * The answer to a request of this door; `undefined` if the path is another door's. Rejects with what is no fault of the
 * request.
 */
export const answerPusher = (parts: PusherApiParts, request: ApiRequest): Promise<ApiResponse> | undefined => {
  const { path } = request
  const isUsers = path.startsWith(USERS_PREFIX)
  if (parts.apps.all.length === 0 || !(isUsers || path.startsWith(APPS_PREFIX))) return undefined
  const [id, ...rest] = path.slice((isUsers ? '/' : APPS_PREFIX).length).split('/')
  return answer(parts, request, isUsers ? undefined : id, isUsers ? [id!, ...rest] : rest)
}

const answer = async (
  parts: PusherApiParts,
  request: ApiRequest,
  id: string | undefined,
  path: readonly string[],
): Promise<ApiResponse> => {
  try {
    return await answerSigned(parts, request, id, path)
  } catch (error) {
    if (error instanceof Failure) return failureAnswer(error)
    // What a hook says of an event, or a room that the name does not make.
    if (error instanceof TuttiError && (error.code === 'FORBIDDEN' || error.code === 'INVALID_ROOM')) {
      const status = error.code === 'FORBIDDEN' ? STATUS_OF_REFUSAL : 400
      return failureAnswer({ status, message: error.message })
    }
    throw error
  }
}
