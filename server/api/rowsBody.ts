/** Many rows in the body of a request: an object by id, an array, or one row a line (NDJSON). */
import { TuttiError } from '../../lib/errors.ts'
import type { Json } from './documentJson.ts'
import { parseJsonBody } from './jsonBody.ts'
import { isArray, isObject, type JsonObject, kindOf } from './patchValue.ts'
import { checkRow, checkRowName } from './rows.ts'
import { type Slices, sliced } from './slices.ts'

/** By id: the record, or `null` for a row that is to go. Of equal ids the last one counts. */
export type Rows = ReadonlyMap<string, JsonObject | null>

const EXAMPLE = '{"7": {"title": "Lamp"}, "8": {"title": "Table"}}'

const idOf = (record: Json, idField: string, place: string): string => {
  const hint = `Send objects with a field "${idField}", or name another one with ?id=.`
  if (!isObject(record)) {
    throw new TuttiError('INVALID_PATCH', `${place} is ${kindOf(record)}; expected an object.`, { hint })
  }
  const id = Object.hasOwn(record, idField) ? record[idField] : undefined
  if (typeof id === 'string') return id
  if (typeof id === 'number' && Number.isSafeInteger(id)) return String(id)
  const isTooLarge = typeof id === 'number' && Number.isInteger(id)
  const problem = `has an "${idField}" that is ${isTooLarge ? 'a whole number too large to be exact' : kindOf(id)}; expected a string or a whole number.`
  throw new TuttiError('INVALID_PATCH', `${place} ${problem}`, {
    hint: isTooLarge ? 'Send it as a string.' : hint,
  })
}

/** Collects rows, each checked. */
const rowsFrom = async (pairs: Slices<readonly [id: string, record: Json]>, root: string): Promise<Rows> => {
  const rows = new Map<string, JsonObject | null>()
  for await (const slice of pairs) {
    for (const [id, record] of slice) {
      if (record === null) {
        checkRowName(root, id)
        rows.set(id, null)
      } else {
        checkRow(root, id, record)
        rows.set(id, record)
      }
    }
  }
  return rows
}

export interface RowsBodyOptions {
  readonly root: string
  /** The field that holds the id of a row in an array or a line. */
  readonly idField: string
}

/** @throws TuttiError `INVALID_JSON`, `INVALID_PATCH` */
export const rowsFromJson = (body: Uint8Array, { root, idField }: RowsBodyOptions): Promise<Rows> => {
  const whole = parseJsonBody(body, 'an object of rows by id, or an array of rows', EXAMPLE)
  if (isArray(whole)) {
    return rowsFrom(
      sliced(whole.entries(), ([i, record]) => [idOf(record, idField, `Row ${i}`), record] as const),
      root,
    )
  }
  if (isObject(whole)) {
    return rowsFrom(
      sliced(Object.entries(whole), (row) => row),
      root,
    )
  }
  throw new TuttiError('INVALID_PATCH', `The body is ${kindOf(whole)}; expected an object or an array.`, {
    hint: `Send e.g. ${EXAMPLE}.`,
  })
}

/** Lines that are not blank, with their numbers. */
function* linesOf(body: Uint8Array): Generator<readonly [number: number, line: Uint8Array]> {
  let start = 0
  for (let number = 1; start < body.byteLength; number++) {
    const end = body.indexOf(0x0a, start)
    const line = body.subarray(start, end < 0 ? body.byteLength : end)
    start += line.byteLength + 1
    if (line.some((byte) => byte !== 0x20 && byte !== 0x09 && byte !== 0x0d)) yield [number, line]
  }
}

const parseLine = (line: Uint8Array, number: number): Json => {
  try {
    return parseJsonBody(line, 'a JSON object', '{"id": 7, "title": "Lamp"}')
  } catch (error) {
    if (!(error instanceof TuttiError)) throw error
    throw new TuttiError(error.code, error.message.replace('The body', `Line ${number}`), {
      hint: error.hint,
      cause: error,
    })
  }
}

/** @throws TuttiError `INVALID_JSON`, `INVALID_PATCH` */
export const rowsFromLines = (body: Uint8Array, { root, idField }: RowsBodyOptions): Promise<Rows> =>
  rowsFrom(
    sliced(linesOf(body), ([number, line]) => {
      const record = parseLine(line, number)
      return [idOf(record, idField, `Line ${number}`), record] as const
    }),
    root,
  )
