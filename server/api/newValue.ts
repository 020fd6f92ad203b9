/** JSON as values that a document stores: objects become Y.Map, arrays Y.Array, and strings, if asked for, Y.Text. */
import * as Y from 'yjs'
import { bytesToBase64, isPlain, type Json } from './documentJson.ts'
import { isArray, isObject, type Path, refusePatch } from './patchValue.ts'

/** Whether a new string at this path becomes a Y.Text. */
export type IsText = (path: Path) => boolean

export const textsAt = (paths: readonly Path[]): IsText => {
  if (paths.length === 0) return () => false
  const texts = new Set(paths.map((path) => JSON.stringify(path)))
  return (path) => texts.has(JSON.stringify(path))
}

export interface NewValueOptions {
  readonly isText: IsText
  /** Leave out the nulls of objects, but not those within an array: what a merge patch calls for (RFC 7396). */
  readonly dropsNulls: boolean
}

export const newValue = (value: Json, path: Path, options: NewValueOptions): unknown => {
  const { isText, dropsNulls } = options
  if (typeof value === 'string' && isText(path)) return new Y.Text(value)
  if (isArray(value)) {
    const inArray = { isText, dropsNulls: false }
    const list = new Y.Array<unknown>()
    list.push(value.map((element, index) => newValue(element, [...path, `${index}`], inArray)))
    return list
  }
  if (!isObject(value)) return value
  const map = new Y.Map<unknown>()
  for (const [key, part] of Object.entries(value)) {
    if (part !== null || !dropsNulls) map.set(key, newValue(part, [...path, key], options))
  }
  return map
}

/**
 * Yjs tells a plain object by its `constructor` and refuses one that has a key of that name: such an object becomes a
 * Y.Map, and so do those right below it.
 */
export const storable = (value: unknown): unknown => {
  if (!isPlain(value) || Array.isArray(value) || !Object.hasOwn(value, 'constructor')) return value
  const map = new Y.Map<unknown>()
  for (const [key, part] of Object.entries(value)) map.set(key, storable(part))
  return map
}

/**
 * Bytes stay bytes: a string set over them is their Base64.
 * @throws TuttiError `INVALID_PATCH` for another string
 */
export const bytesFrom = (value: string, path: Path): Uint8Array => {
  const bytes = Buffer.from(value, 'base64')
  if (bytesToBase64(bytes) !== value) {
    refusePatch(
      path,
      'holds bytes; expected them as Base64 with padding.',
      'Encode them, or remove the key with null first.',
    )
  }
  return new Uint8Array(bytes)
}
