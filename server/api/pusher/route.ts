/** Door 3: Pusher's HTTP API, `/apps/<id>/…`, for the server SDKs of every language. */
import { TuttiError } from '../../../lib/errors.ts'
import type { App } from '../../apps.ts'
import type { ApiRequest, ApiResponse } from '../../contracts.ts'
import { createSigner, type Signer } from '../../protocol/hmac.ts'
import { percentDecoded } from '../../protocol/percentDecoded.ts'
import { type Parameters, parametersOf, signatureProblem } from '../../protocol/pusherRequest.ts'
import { statusOf } from '../errorResponse.ts'
import { getChannel, getChannels, getUsers } from './channels.ts'
import type { Answer, PusherApiParts } from './contracts.ts'
import { postBatch, postEvent } from './events.ts'
import { Failure, failureAnswer } from './failure.ts'
import { terminateConnections } from './users.ts'

interface Method {
  readonly method: 'GET' | 'POST'
  readonly answer: Answer
}

/** By the path after `/apps/<id>/`; `*` stands for the one part that is free. */
const METHODS: ReadonlyMap<string, Method> = new Map<string, Method>([
  ['events', { method: 'POST', answer: postEvent }],
  ['batch_events', { method: 'POST', answer: postBatch }],
  ['channels', { method: 'GET', answer: getChannels }],
  ['channels/*', { method: 'GET', answer: getChannel }],
  ['channels/*/users', { method: 'GET', answer: getUsers }],
  ['users/*/terminate_connections', { method: 'POST', answer: terminateConnections }],
])

const APPS_PREFIX = '/apps/'
/** The Python SDK leaves `/apps/<id>` out here: the app is known by `auth_key`. */
const USERS_PREFIX = '/users/'

const patternOf = (path: readonly string[]): string => path.map((part, index) => (index === 1 ? '*' : part)).join('/')

/** SDKs put the id of a user into the path as it is: it may have slashes. */
const partsOf = (path: string): readonly string[] => {
  const parts = path.split('/')
  const [first] = parts
  const last = parts.at(-1)
  const isUser = first === 'users' && last === 'terminate_connections' && parts.length > 3
  return isUser ? [first, parts.slice(1, -1).join('/'), last] : parts
}

/** @param id as the path names it; `undefined`: it does not */
const appOf = ({ apps }: PusherApiParts, id: string | undefined, parameters: Parameters): App => {
  if (id !== undefined && apps.byId(id) === undefined) throw new Failure(404, `There is no app ${JSON.stringify(id)}.`)
  const key = parameters.get('auth_key')
  if (key === undefined) throw new Failure(401, 'auth_key is missing; expected the key of the app.')
  const app = apps.byKey(key)
  if (app === undefined || (id !== undefined && app.id !== id)) {
    throw new Failure(401, 'auth_key is not the key of this app.')
  }
  return app
}

/** What a path of this door names: the app, if it does, and the rest. */
interface Target {
  readonly id: string | undefined
  readonly rest: string
}

/** Whether a raw path is one of this door, whose signatures are in the query: it reads no header. */
export const isPusherPath = (path: string): boolean => path.startsWith(APPS_PREFIX)

const targetOf = (path: string): Target | undefined => {
  if (path.startsWith(USERS_PREFIX)) return { id: undefined, rest: path.slice(1) }
  if (!isPusherPath(path)) return undefined
  const slash = path.indexOf('/', APPS_PREFIX.length)
  const end = slash < 0 ? path.length : slash
  return { id: path.slice(APPS_PREFIX.length, end), rest: path.slice(end + 1) }
}

/** Whether it is for whoever sent the request to hear: what a hook says of an event, or that the server is stopping. */
const isTold = (error: TuttiError): boolean =>
  statusOf(error) < 500 || error.code === 'TRY_LATER' || error.code === 'GOING_AWAY'

const errorAnswer = (error: TuttiError): ApiResponse =>
  failureAnswer(new Failure(statusOf(error), `${error.message} ${error.hint}`.trim()))

/**
 * The answer that says an error to a request that was not read, as this door says it; `undefined` if the raw path is
 * another door's.
 */
export const unreadAnswer = (error: TuttiError, path: string): ApiResponse | undefined =>
  targetOf(path) && errorAnswer(error)

/** Throws what is no fault of the request. */
const refusalAnswer = (error: unknown): ApiResponse => {
  if (error instanceof Failure) return failureAnswer(error)
  if (!(error instanceof TuttiError) || !isTold(error)) throw error
  return errorAnswer(error)
}

/**
 * The answer to a request of this door, at once if nothing makes it wait; `undefined` if the path is another door's.
 * Throws or rejects with what is no fault of the request.
 */
export type PusherApi = (request: ApiRequest) => ApiResponse | Promise<ApiResponse> | undefined

export const createPusherApi = (parts: PusherApiParts): PusherApi => {
  const signersOf = new Map<App, readonly Signer[]>(
    parts.apps.all.map((app) => [app, app.secrets.map((secret) => createSigner(secret))]),
  )

  const answerSigned = (request: ApiRequest, { id, rest }: Target): ApiResponse | Promise<ApiResponse> => {
    const parameters = parametersOf(request.query)
    if (parameters === undefined) throw new Failure(400, 'The query is not percent-encoded UTF-8.')
    const app = appOf(parts, id, parameters)
    const problem = signatureProblem(request, parameters, signersOf.get(app) ?? [], parts.now())
    if (problem !== undefined) throw new Failure(401, `${problem}.`)
    if (!app.enabled) throw new Failure(403, 'The app is disabled; its option enabled is false.')
    const path = partsOf(percentDecoded(rest) ?? rest)
    const found = METHODS.get(patternOf(path))
    if (found === undefined) throw new Failure(404, 'There is nothing under this path.')
    const { method, answer } = found
    if (request.method !== method) {
      throw new Failure(405, `The method is ${request.method}; expected ${method}.`, { allow: method })
    }
    return answer(parts, { app, parameters, request, path })
  }

  return (request) => {
    const target = signersOf.size > 0 ? targetOf(request.path) : undefined
    if (target === undefined) return undefined
    try {
      const answered = answerSigned(request, target)
      return answered instanceof Promise ? answered.catch(refusalAnswer) : answered
    } catch (error) {
      return refusalAnswer(error)
    }
  }
}
