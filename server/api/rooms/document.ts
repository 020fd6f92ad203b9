/** `/rooms/<room>/document`: a room's document, read and changed as JSON. */
import * as Y from 'yjs'
import { TuttiError } from '../../../lib/errors.ts'
import { EMPTY_UPDATE } from '../../../lib/protocol.ts'
import type { ApiResponse } from '../../contracts.ts'
import { documentToJson } from '../documentJson.ts'
import { errorResponse } from '../errorResponse.ts'
import { checkBodyType, parseJsonBody } from '../jsonBody.ts'
import { JSON_TYPE, jsonResponse, jsonText, okHeaders } from '../jsonResponse.ts'
import { applyMergePatch } from '../mergePatch.ts'
import { negotiateType } from '../negotiation.ts'
import { decodeQueryPart, queryPairs } from '../query.ts'
import type { Answer, Methods } from './resource.ts'

const UPDATE_TYPE = 'application/octet-stream'
const PATCH_TYPE = 'application/merge-patch+json'

/**
 * The paths of `?text=a.b`, repeatable. The dots are taken before the percent-decoding: `%2E` is a dot within a key.
 */
const textPaths = (query: string): string[][] =>
  queryPairs(query).map(({ name, value }) => {
    if (name !== 'text') {
      throw new TuttiError('INVALID_REQUEST', `There is no query parameter "${name}"; expected "text".`, {
        hint: 'Write ?text=<path> for a string that becomes a Y.Text, e.g. ?text=body&text=notes.n1.title.',
      })
    }
    return value.split('.').map(decodeQueryPart)
  })

const readDocument: Answer = async ({ documents }, { room }, request): Promise<ApiResponse> => {
  const type = negotiateType(request.header('accept'), [JSON_TYPE, UPDATE_TYPE])
  const body =
    type === JSON_TYPE
      ? ((await documents.read(room, (doc) => jsonText(documentToJson(doc)))) ?? '{}\n')
      : ((await documents.read(room, (doc) => Y.encodeStateAsUpdate(doc))) ?? EMPTY_UPDATE)
  return { status: 200, headers: { ...okHeaders(type), vary: 'Accept' }, body }
}

const patchDocument: Answer = async ({ documents }, { room, caller }, request): Promise<ApiResponse> => {
  try {
    checkBodyType(request, [PATCH_TYPE])
  } catch (error) {
    if (error instanceof TuttiError) return errorResponse(error, { 'accept-patch': PATCH_TYPE })
    throw error
  }
  const texts = textPaths(request.query)
  const patch = parseJsonBody(request.body, 'a JSON object', '{"title": "New"}')
  const { changed } = await documents.edit(room, (doc) => applyMergePatch(doc, patch, { texts }), { caller })
  return jsonResponse({ changed })
}

/** `/rooms/<room>/document` */
export const documentMethods: Methods = { GET: readDocument, HEAD: readDocument, PATCH: patchDocument }
