/**
 * Rows: records of an application's own database in a document, each a Y.Map under its id in a root. A row is written
 * as it is to read, by its differences: what is equal already costs nothing, and what others write beside it stays.
 */
import type * as Y from 'yjs'
import { assign, entrySlot } from './assign.ts'
import type { Json } from './documentJson.ts'
import type { IsText } from './newValue.ts'
import { checkKey, checkValue, isObject, type JsonObject, kindOf, type Path, refusePatch } from './patchValue.ts'
import { countWrites, withinLimit } from './patchWork.ts'
import { RootPlaces } from './rootPlaces.ts'
import { sameJson } from './sameJson.ts'
import { deleteEntry, entry, type SharedType } from './sharedType.ts'

/** Characters of a row's id, as stores take them. */
const MAX_ID_LENGTH = 256

/** What the rows of a request are put into. */
export interface Table {
  readonly root: string
  /** Whether a new string at this path within a row becomes a Y.Text. */
  readonly isText: IsText
}

const checkName = (name: string, path: Path, noun: string): void => {
  if (name === '') refusePatch(path, `has an empty ${noun}.`, 'Give each row an id, in a root with a name.')
  if (name.length > MAX_ID_LENGTH) {
    refusePatch(
      path,
      `has ${noun === 'id' ? 'an' : 'a'} ${noun} of more than ${MAX_ID_LENGTH} characters.`,
      'Use a shorter one.',
    )
  }
  checkKey(name, () => path)
}

/** @throws TuttiError `INVALID_PATCH` for what can't be a row, or its id, or the root of rows; `TOO_LARGE` */
export function checkRow(root: string, id: string, record: Json): asserts record is JsonObject {
  checkRowName(root, id)
  const path = [root, id]
  if (!isObject(record)) refusePatch(path, `is ${kindOf(record)}; expected an object.`, 'Send a row as an object.')
  withinLimit(() => checkValue(record, path, countWrites))
}

/** @throws TuttiError `INVALID_PATCH` */
export const checkRowName = (root: string, id: string): void => {
  checkName(root, [root], 'name')
  checkName(id, [root, id], 'id')
}

/** What holds the rows; `undefined` if there is nothing of that name. */
const rowsIn = (doc: Y.Doc, { root, isText }: Table): SharedType | undefined => {
  const found = new RootPlaces(doc, isText).get([root])
  if (found === undefined) return undefined
  if ('type' in found && found.kind === 'map') return found.type
  const noun = 'value' in found ? kindOf(found.value) : found.kind === 'list' ? 'an array' : 'a string'
  return refusePatch([root], `is ${noun}; expected an object, whose keys are the ids of rows.`, 'Take another name.')
}

const newRowsIn = (doc: Y.Doc, { root, isText }: Table): SharedType => {
  new RootPlaces(doc, isText).checkMap([root])
  return doc.get(root)
}

/**
 * Makes a row, checked before, read as this record, inside the caller's transaction.
 * @returns whether it did not already
 * @throws TuttiError `INVALID_PATCH`
 */
export const putRow = (doc: Y.Doc, table: Table, id: string, record: JsonObject): boolean => {
  const { root, isText } = table
  const slot = entrySlot(rowsIn(doc, table) ?? newRowsIn(doc, table), id)
  if (slot.current !== undefined && sameJson(slot.current, record)) return false
  assign(slot, record, [root, id], (path) => isText(path.slice(2)))
  return true
}

/** @returns whether it was there */
export const deleteRow = (doc: Y.Doc, table: Table, id: string): boolean => {
  const rows = rowsIn(doc, table)
  if (rows === undefined || entry(rows, id) === undefined) return false
  deleteEntry(rows, id)
  return true
}
