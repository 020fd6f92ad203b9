/** `/rooms/<room>/document/<root>/<id>` and `/rooms/<room>/document/<root>`: rows of a document, one or many. */
import type * as Y from 'yjs'
import type { ApiResponse, Edited } from '../../contracts.ts'
import { checkBodyType, parseJsonBody } from '../jsonBody.ts'
import { JSON_TYPE } from '../jsonResponse.ts'
import { textsAt } from '../newValue.ts'
import { queryOf, queryPairs } from '../query.ts'
import { checkRow, checkRowName, deleteRow, putRow, type Table } from '../rows.ts'
import { type Rows, rowsFromJson, rowsFromLines } from '../rowsBody.ts'
import { nextTurn, startSlice } from '../slices.ts'
import { editedResponse, editOptionsOf, textPaths } from './documentEdit.ts'
import type { Answer, Methods } from './resource.ts'

const LINES_TYPES = ['application/x-ndjson', 'application/jsonl'] as const

const writeRow: Answer = async ({ documents }, target, request): Promise<ApiResponse> => {
  const [root, id] = target.rest as [string, string]
  checkBodyType(request, [JSON_TYPE])
  const table: Table = { root, isText: textsAt(textPaths(request.query)) }
  const record = parseJsonBody(request.body, 'a JSON object', '{"title": "Lamp"}')
  checkRow(root, id, record)
  const edited = await documents.edit(
    target.room,
    (doc) => putRow(doc, table, id, record),
    editOptionsOf(request, target),
  )
  return editedResponse(edited)
}

const removeRow: Answer = async ({ documents }, target, request): Promise<ApiResponse> => {
  const [root, id] = target.rest as [string, string]
  queryOf(request.query, [])
  checkRowName(root, id)
  const table: Table = { root, isText: () => false }
  const edited = await documents.edit(target.room, (doc) => deleteRow(doc, table, id), editOptionsOf(request, target))
  return editedResponse(edited)
}

/** `?id=` once, and the rest for `textPaths`. */
const readQuery = (query: string): { idField: string; texts: string[][] } => {
  const isId = ({ name }: { readonly name: string }): boolean => name === 'id'
  const pairs = queryPairs(query)
  const idField = queryOf(
    pairs
      .filter(isId)
      .map(({ value }) => `id=${value}`)
      .join('&'),
    ['id'],
  ).id
  const texts = pairs.filter((pair) => !isId(pair)).map(({ name, value }) => `${encodeURIComponent(name)}=${value}`)
  return { idField: idField ?? 'id', texts: textPaths(texts.join('&')) }
}

/**
 * Writes many rows, some in each turn of the event loop, and answers when all are durable. Everything is checked before
 * the first is written. Each row is whole; all of them together are not one change.
 */
const writeRows: Answer = async ({ documents }, target, request): Promise<ApiResponse> => {
  const [root] = target.rest as [string]
  const type = checkBodyType(request, [JSON_TYPE, ...LINES_TYPES])
  const { idField, texts } = readQuery(request.query)
  const table: Table = { root, isText: textsAt(texts) }
  const { expect, ...options } = editOptionsOf(request, target)
  const read = type === JSON_TYPE ? rowsFromJson : rowsFromLines
  const rows: Rows = await read(request.body, { root, idField })

  const all = [...rows]
  /**
   * Writes the rows from one on. Called again, it writes the same ones, however long that takes then.
   * @returns the first that is not written yet, and how many were not so already
   */
  const sliceFrom = (start: number) => {
    let planned: number | undefined
    return (doc: Y.Doc): { readonly end: number; readonly news: number } => {
      const isOver = startSlice()
      let end = start
      let news = 0
      while (end < (planned ?? all.length)) {
        const [id, record] = all[end++]!
        const isNews = record === null ? deleteRow(doc, table, id) : putRow(doc, table, id, record)
        if (isNews) news++
        if (planned === undefined && isOver()) break
      }
      planned = end
      return { end, news }
    }
  }

  let position = 0
  let written = 0
  let edited: Edited | undefined
  do {
    const { result, ...outcome } = await documents.edit(
      target.room,
      sliceFrom(position),
      edited === undefined ? { ...options, expect } : options,
    )
    edited = outcome
    position = result.end
    written += result.news
    await nextTurn()
  } while (position < all.length)
  return editedResponse({ ...edited, changed: written > 0 }, { rows: rows.size, written })
}

/** `/rooms/<room>/document/<root>/<id>` */
export const rowMethods: Methods = { PUT: writeRow, DELETE: removeRow }
/** `/rooms/<room>/document/<root>` */
export const rowsMethods: Methods = { PUT: writeRows }
