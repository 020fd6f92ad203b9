/** `/rooms/<room>/document`: a room's document, read and changed as JSON. */
import * as Y from 'yjs'
import { TuttiError } from '../../../lib/errors.ts'
import { EMPTY_UPDATE } from '../../../lib/protocol.ts'
import type { ApiRequest, ApiResponse } from '../../contracts.ts'
import { documentToJson } from '../documentJson.ts'
import { entityTag, isUnchanged } from '../entityTag.ts'
import { errorResponse } from '../errorResponse.ts'
import { checkBodyType, parseJsonBody } from '../jsonBody.ts'
import { applyJsonPatch } from '../jsonPatch.ts'
import { JSON_TYPE, jsonText, okHeaders } from '../jsonResponse.ts'
import { applyMergePatch } from '../mergePatch.ts'
import { negotiateType } from '../negotiation.ts'
import { queryOf } from '../query.ts'
import { editedResponse, editOptionsOf, textPaths } from './documentEdit.ts'
import type { Answer, Methods } from './resource.ts'
import { UPDATE_TYPE } from './updates.ts'

const MERGE_PATCH_TYPE = 'application/merge-patch+json'
const JSON_PATCH_TYPE = 'application/json-patch+json'
const PATCH_TYPES = [MERGE_PATCH_TYPE, JSON_PATCH_TYPE] as const

const readDocument: Answer = async ({ documents }, { room }, request): Promise<ApiResponse> => {
  queryOf(request.query, [])
  const type = negotiateType(request.header('accept'), [JSON_TYPE, UPDATE_TYPE])
  const representation = type === JSON_TYPE ? 'json' : 'update'
  const headersAt = (revision: string): Record<string, string> => ({
    ...okHeaders(type),
    vary: 'Accept',
    etag: entityTag(revision, representation),
  })
  // Without the document, which may have to be loaded.
  const known = await documents.revision(room)
  if (isUnchanged(request, known, representation)) {
    const { 'content-type': _type, ...headers } = headersAt(known)
    return { status: 304, headers, body: '' }
  }
  const { revision, result } =
    type === JSON_TYPE
      ? await documents.view(room, (doc) => jsonText(documentToJson(doc)))
      : await documents.view(room, (doc) => Y.encodeStateAsUpdate(doc))
  const body = result ?? (type === JSON_TYPE ? '{}\n' : EMPTY_UPDATE)
  return { status: 200, headers: headersAt(revision), body }
}

/** What the body of a request does to a document. */
const patchOf = (request: ApiRequest): ((doc: Y.Doc) => void) => {
  const type = checkBodyType(request, PATCH_TYPES)
  const texts = textPaths(request.query)
  if (type === MERGE_PATCH_TYPE) {
    const patch = parseJsonBody(request.body, 'a JSON object', '{"title": "New"}')
    return (doc) => applyMergePatch(doc, patch, { texts })
  }
  const example = '[{"op": "replace", "path": "/title", "value": "New"}]'
  const patch = parseJsonBody(request.body, 'a JSON array', example)
  return (doc) => applyJsonPatch(doc, patch, { texts })
}

const patchDocument: Answer = async ({ documents }, target, request): Promise<ApiResponse> => {
  try {
    const patch = patchOf(request)
    return editedResponse(await documents.edit(target.room, patch, editOptionsOf(request, target)))
  } catch (error) {
    if (!(error instanceof TuttiError && error.code === 'UNSUPPORTED_TYPE')) throw error
    return errorResponse(error, { 'accept-patch': PATCH_TYPES.join(', ') })
  }
}

/** `/rooms/<room>/document` */
export const documentMethods: Methods = { GET: readDocument, HEAD: readDocument, PATCH: patchDocument }
