/** `/rooms/<room>/updates`: changes of a document by whoever has a Y.Doc of his own, as Yjs updates. */
import type { ApiResponse } from '../../contracts.ts'
import { checkBodyType } from '../jsonBody.ts'
import { queryOf } from '../query.ts'
import { editedResponse, editOptionsOf } from './documentEdit.ts'
import type { Answer, Methods } from './resource.ts'

export const UPDATE_TYPE = 'application/octet-stream'

const applyUpdate: Answer = async ({ documents }, target, request): Promise<ApiResponse> => {
  checkBodyType(request, [UPDATE_TYPE])
  queryOf(request.query, [])
  return editedResponse(await documents.apply(target.room, request.body, editOptionsOf(request, target)))
}

/** `/rooms/<room>/updates` */
export const updateMethods: Methods = { POST: applyUpdate }
