/** What has places in it that a JSON Pointer can name: maps, lists and plain values of a document, and its roots. */
import * as Y from 'yjs'
import { TuttiError } from '../../lib/errors.ts'
import { assign, elementSlot, entrySlot, plainFrom } from './assign.ts'
import { copyType, copyValue, countPlain } from './copyValue.ts'
import { isPlain, type Json, typeToJson, valueToJson } from './documentJson.ts'
import { arrayIndexOf, formatPointer } from './jsonPointer.ts'
import { type IsText, newValue, storable } from './newValue.ts'
import { checkKey, checkValue, type Path } from './patchValue.ts'
import { countLooks } from './patchWork.ts'
import {
  deleteEntry,
  element,
  entry,
  type Kind,
  nestedKind,
  replaceElements,
  type SharedType,
  setEntry,
  size,
} from './sharedType.ts'

/** What stands at a place: a shared type, or a plain value or leaf. */
export type Found = { readonly type: SharedType; readonly kind: Kind } | { readonly value: unknown }

/** What was found on its way to the place of a path, where it may have to be a shared type or must not be one. */
export interface Copy {
  shared(): unknown
  plain(): unknown
  json(): Json
}

/** The last token of a path names a place in it; `path` is the whole path. */
export interface Places {
  get(path: Path): Found | undefined
  /** Whether there is something: what `get` would tell, for less. */
  has(path: Path): boolean
  /** Puts a new value there: in a list before what has this index, else instead of what is there. */
  add(path: Path, json: Json): void
  addCopy(path: Path, copy: Copy): void
  /** Makes what is there, which must be something, read as this. */
  replace(path: Path, json: Json): void
  /** Stores a plain value in the place of another one. */
  write(path: Path, plain: unknown): void
  /** Removes what is there, which must be something. */
  remove(path: Path): void
}

export const conflict = (problem: string, hint = 'Read the document, and patch what is there.'): TuttiError =>
  new TuttiError('CONFLICT', problem, { hint })

export const nothingAt = (path: Path): TuttiError => conflict(`there is nothing at ${formatPointer(path)}.`)

export const foundOf = (value: unknown): Found =>
  value instanceof Y.AbstractType ? { type: value, kind: nestedKind(value) } : { value }

/** @param path where the copy will stand */
export const copyOf = (found: Found, path: Path): Copy => {
  const json = (): Json => {
    const whole = 'type' in found ? typeToJson(found.type, found.kind, 0) : (valueToJson(found.value, 0) ?? null)
    countPlain(whole)
    checkValue(whole, path)
    return whole
  }
  return {
    shared: () =>
      'type' in found ? copyType(found.type, found.kind, path.length) : copyValue(found.value, path.length),
    plain: () => {
      const whole = json()
      return 'type' in found ? whole : found.value
    },
    json,
  }
}

const tokenOf = (path: Path): string => path.at(-1)!

/** @param end the index behind the last one counts, and `-`, which stands for it */
const indexIn = (length: number, path: Path, end: boolean): number => {
  const token = tokenOf(path)
  const index = end && token === '-' ? length : arrayIndexOf(token)
  if (index !== undefined && index < length + (end ? 1 : 0)) return index
  if (index !== undefined || token === '-') {
    throw conflict(`there is no ${formatPointer(path)}: the array has ${length} elements.`)
  }
  throw conflict(`${formatPointer(path.slice(0, -1))} is an array, and ${JSON.stringify(token)} no index of it.`)
}

export const mapPlaces = (map: SharedType, isText: IsText): Places => ({
  get: (path) => {
    const value = entry(map, tokenOf(path))
    return value === undefined ? undefined : foundOf(value)
  },
  has: (path) => entry(map, tokenOf(path)) !== undefined,
  add: (path, json) => {
    checkKey(tokenOf(path), () => path)
    assign(entrySlot(map, tokenOf(path)), json, path, isText)
  },
  addCopy: (path, copy) => {
    checkKey(tokenOf(path), () => path)
    setEntry(map, tokenOf(path), copy.shared())
  },
  replace: (path, json) => assign(entrySlot(map, tokenOf(path)), json, path, isText),
  write: (path, plain) => setEntry(map, tokenOf(path), storable(plain)),
  remove: (path) => deleteEntry(map, tokenOf(path)),
})

export const listPlaces = (list: SharedType, isText: IsText): Places => {
  const put = (path: Path, remove: number, value: unknown): void =>
    replaceElements(list, indexIn(size(list), path, remove === 0), remove, [value])
  return {
    get: (path) => foundOf(element(list, indexIn(size(list), path, false)) ?? null),
    has: (path) => indexIn(size(list), path, false) >= 0,
    add: (path, json) => put(path, 0, newValue(json, placeIn(list, path), { isText, dropsNulls: false })),
    addCopy: (path, copy) => put(path, 0, copy.shared()),
    replace: (path, json) => {
      const index = indexIn(size(list), path, false)
      assign(elementSlot(list, index, element(list, index)), json, path, isText)
    },
    write: (path, plain) => put(path, 1, storable(plain)),
    remove: (path) => replaceElements(list, indexIn(size(list), path, false), 1, []),
  }
}

/** The path of a place that is to be, with an index instead of `-`. */
const placeIn = (list: SharedType, path: Path): Path =>
  tokenOf(path) === '-' ? [...path.slice(0, -1), `${size(list)}`] : path

/** A plain object or array is replaced whole. @param store does so */
export const plainPlaces = (value: object, store: (next: unknown) => void): Places =>
  Array.isArray(value) ? plainListPlaces(value, store) : plainObjectPlaces(value, store)

const plainListPlaces = (list: readonly unknown[], store: (next: unknown) => void): Places => {
  const put = (path: Path, remove: number, values: readonly unknown[]): void => {
    const index = indexIn(list.length, path, remove === 0)
    countLooks(list.length)
    store([...list.slice(0, index), ...values, ...list.slice(index + remove)])
  }
  return {
    get: (path) => ({ value: list[indexIn(list.length, path, false)] ?? null }),
    has: (path) => indexIn(list.length, path, false) >= 0,
    add: (path, json) => put(path, 0, [json]),
    addCopy: (path, copy) => put(path, 0, [copy.plain()]),
    replace: (path, json) => {
      const current = list[indexIn(list.length, path, false)]
      const next = plainFrom(current, json, path)
      if (next !== current) put(path, 1, [next])
    },
    write: (path, plain) => put(path, 1, [plain]),
    remove: (path) => put(path, 1, []),
  }
}

const plainObjectPlaces = (value: object, store: (next: unknown) => void): Places => {
  const object = value as Readonly<Record<string, unknown>>
  const at = (path: Path): unknown => (Object.hasOwn(object, tokenOf(path)) ? object[tokenOf(path)] : undefined)
  const put = (path: Path, next: unknown): void => {
    checkKey(tokenOf(path), () => path)
    countLooks(Object.keys(object).length)
    store({ ...object, [tokenOf(path)]: next })
  }
  const assignJson = (path: Path, json: Json): void => {
    const next = plainFrom(at(path), json, path)
    if (next !== at(path)) put(path, next)
  }
  return {
    get: (path) => (at(path) === undefined ? undefined : { value: at(path) }),
    has: (path) => at(path) !== undefined,
    add: assignJson,
    addCopy: (path, copy) => put(path, copy.plain()),
    replace: assignJson,
    write: put,
    remove: (path) => {
      countLooks(Object.keys(object).length)
      const { [tokenOf(path)]: _removed, ...rest } = object
      store(rest)
    },
  }
}

/** The places in what was found at a path; `undefined` if it has none. @param within where it was found */
export const placesIn = (found: Found, path: Path, within: Places, isText: IsText): Places | undefined => {
  if ('value' in found) {
    const { value } = found
    return isPlain(value) ? plainPlaces(value, (next) => within.write(path, next)) : undefined
  }
  if (found.kind === 'map') return mapPlaces(found.type, isText)
  return found.kind === 'list' ? listPlaces(found.type, isText) : undefined
}
