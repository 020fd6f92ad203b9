/** What a path names, and what can be done with it. */
import { TuttiError } from '../../lib/errors.ts'
import type { ApiRequest, ApiResponse } from '../contracts.ts'
import { errorResponse } from './errorResponse.ts'

export interface Route {
  readonly methods: readonly string[]
  /** What the path was read as, where that may not be what was meant. */
  readonly reading?: { readonly subject: string; readonly hint: string } | undefined
  answer(request: ApiRequest): ApiResponse | Promise<ApiResponse>
}

export const READ_METHODS = ['GET', 'HEAD']

/** The answer of a route, or what tells that there is none, or none for this method. */
export const answerRoute = (route: Route | undefined, request: ApiRequest): ApiResponse | Promise<ApiResponse> => {
  if (route === undefined) {
    const hint = 'See /openapi.json for what there is.'
    return errorResponse(new TuttiError('NOT_FOUND', 'There is nothing under this path.', { hint }))
  }
  const { method } = request
  if (route.methods.includes(method)) return route.answer(request)
  const allow = route.methods.join(', ')
  const { subject = '', hint = '' } = route.reading ?? {}
  const place = subject === '' ? 'here' : `for ${subject}, as which the path was read`
  const message = `The method ${method} is not known ${place}; expected ${route.methods.join(' or ')}.`
  return errorResponse(new TuttiError('METHOD_NOT_ALLOWED', message, { hint: `Use ${allow}. ${hint}`.trim() }), {
    allow,
  })
}
