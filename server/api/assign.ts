/**
 * Makes a place of a document read as some JSON, with the fewest writes: what reads so already is not written, maps and
 * lists stay the same ones, of a text only the stretch that differs changes. Whatever somebody else writes beside it at
 * the same time is kept.
 */
import * as Y from 'yjs'
import { bytesToBase64, isPlain, type Json } from './documentJson.ts'
import { bytesFrom, type IsText, newValue, storable } from './newValue.ts'
import { isArray, isObject, type JsonObject, kindOf, type Path, refusePatch } from './patchValue.ts'
import { commonEnds, sameJson } from './sameJson.ts'
import {
  characters,
  deleteEntry,
  elements,
  entry,
  type FormerKind,
  fitsFormer,
  type Kind,
  keys,
  nestedKind,
  replaceCharacters,
  replaceElements,
  type SharedType,
  setEntry,
  xml,
} from './sharedType.ts'
import { textDiff } from './textDiff.ts'

/** Where a value stands. */
export interface Slot {
  /** `undefined`: there is none. */
  readonly current: unknown
  /** Puts another value in its place. */
  set(next: unknown): void
}

export const entrySlot = (map: SharedType, key: string): Slot => ({
  current: entry(map, key),
  set: (next) => setEntry(map, key, next),
})

export const elementSlot = (list: SharedType, index: number, current: unknown): Slot => ({
  current,
  set: (next) => replaceElements(list, index, 1, [next]),
})

/** @throws TuttiError `INVALID_PATCH` for XML and what is no Base64 over bytes */
export const assign = ({ current, set }: Slot, json: Json, path: Path, isText: IsText): void => {
  if (current instanceof Y.AbstractType && assignType(current, nestedKind(current), json, path, isText)) return
  if (isPlain(current) && typeof json === 'object' && json !== null) {
    const next = plainFrom(current, json, path)
    if (next !== current) set(storable(next))
  } else if (current instanceof Uint8Array && typeof json === 'string') {
    const bytes = bytesFrom(json, path)
    if (bytesToBase64(current) !== json) set(bytes)
  } else if (typeof current === 'string' && typeof json === 'string') {
    if (current !== json) set(json)
  } else if (current === undefined || isArray(json) || isObject(json) || !sameJson(current, json)) {
    set(newValue(json, path, { isText, dropsNulls: false }))
  }
}

/** The same for a shared type whose kind is known. `false`, and nothing done, if its kind is not that of the JSON. */
export const assignType = (type: SharedType, kind: Kind, json: Json, path: Path, isText: IsText): boolean => {
  if (kind === 'xml') {
    if (typeof json === 'string' && xml(type) === json) return true
    refusePatch(path, 'is XML, which a patch cannot change.', 'Remove it, or change it as a Yjs document.')
  }
  if (kind === 'map' && isObject(json)) assignMap(type, json, path, isText)
  else if (kind === 'list' && isArray(json)) assignList(type, json, path, isText)
  else if (kind === 'text' && typeof json === 'string') assignText(type, json)
  else return false
  return true
}

export const KEEPS_TYPE = 'A root keeps its type, also when it was emptied: take another name.'

const FORMER: Readonly<Record<FormerKind, string>> = {
  map: 'an object',
  list: 'an array',
  text: 'a string',
  xml: 'XML',
  sequence: 'an array or a string',
}

/** What a root would be that reads as this; `undefined` for scalars but strings. */
const kindFor = (json: Json): Kind | undefined => {
  if (isObject(json)) return 'map'
  if (isArray(json)) return 'list'
  return typeof json === 'string' ? 'text' : undefined
}

/**
 * An emptied root can't become another type either, nor can its name become that of a root scalar: who declared it goes
 * on with it, and would hide the one and not see the other.
 *
 * @param former what it was; `undefined`: a root that never held anything
 * @throws TuttiError `INVALID_PATCH`
 */
export const checkFormer = (former: FormerKind | undefined, json: Json, path: Path): void => {
  if (former === undefined || fitsFormer(former, kindFor(json))) return
  refusePatch(path, `is a root that held ${FORMER[former]}; expected that, got ${kindOf(json)}.`, KEEPS_TYPE)
}

/** A root can't become another type: everyone who declared it would go on with the old one. */
export const assignRoot = (root: SharedType, kind: Kind, json: Json, path: Path, isText: IsText): void => {
  if (assignType(root, kind, json, path, isText)) return
  const expected = kind === 'map' ? 'an object' : kind === 'list' ? 'an array' : 'a string'
  const problem = `is a root that holds ${expected}; expected ${expected}, got ${kindOf(json)}.`
  refusePatch(path, problem, KEEPS_TYPE)
}

const assignMap = (map: SharedType, json: JsonObject, path: Path, isText: IsText): void => {
  for (const key of keys(map)) if (!Object.hasOwn(json, key)) deleteEntry(map, key)
  for (const [key, part] of Object.entries(json)) assign(entrySlot(map, key), part, [...path, key], isText)
}

const assignList = (list: SharedType, json: readonly Json[], path: Path, isText: IsText): void => {
  const values = elements(list)
  const { start, end } = commonEnds(values, json)
  const remove = values.length - start - end
  const insert = json.slice(start, json.length - end)
  if (remove === insert.length) {
    assignElements(list, start, values, insert, path, isText)
    return
  }
  const built = insert.map((part, i) => newValue(part, [...path, `${start + i}`], { isText, dropsNulls: false }))
  replaceElements(list, start, remove, built)
}

/** Elements next to each other that others take the place of. */
interface Stretch {
  readonly index: number
  readonly next: unknown[]
}

/** Of more stretches than this, those that nothing but plain values parts become one: Yjs takes its time for each. */
const MAX_STRETCHES = 100

/** As many elements for as many: shared types among them stay, and become what they are to be. */
const assignElements = (
  list: SharedType,
  start: number,
  values: readonly unknown[],
  json: readonly Json[],
  path: Path,
  isText: IsText,
): void => {
  const stretches: Stretch[] = []
  for (const [i, part] of json.entries()) {
    const index = start + i
    const set = (value: unknown): void => {
      const last = stretches.at(-1)
      if (last && last.index + last.next.length === index) last.next.push(value)
      else stretches.push({ index, next: [value] })
    }
    assign({ current: values[index], set }, part, [...path, `${index}`], isText)
  }
  const written = stretches.length > MAX_STRETCHES ? joined(stretches, values) : stretches
  for (const { index, next } of written) replaceElements(list, index, next.length, next)
}

const joined = (stretches: readonly Stretch[], values: readonly unknown[]): Stretch[] => {
  const result: Stretch[] = []
  for (const { index, next } of stretches) {
    const last = result.at(-1)
    const between = last ? values.slice(last.index + last.next.length, index) : []
    // A shared type can't be put in anew.
    if (!last || between.some((value) => value instanceof Y.AbstractType)) result.push({ index, next: [...next] })
    else for (const value of [...between, ...next]) last.next.push(value)
  }
  return result
}

const assignText = (text: SharedType, json: string): void => {
  const diff = textDiff(characters(text), json)
  if (diff !== undefined) replaceCharacters(text, diff.start, diff.end, diff.insert)
}

/** A plain value that reads as the JSON; what is equal, bytes too, is taken over, all of it if nothing differs. */
export const plainFrom = (current: unknown, json: Json, path: Path): unknown => {
  if (current instanceof Uint8Array && typeof json === 'string') {
    return bytesToBase64(current) === json ? current : bytesFrom(json, path)
  }
  if (current !== undefined && sameJson(current, json)) return current
  if (isArray(json)) {
    const parts: readonly unknown[] = Array.isArray(current) ? current : []
    return json.map((part, i) => plainFrom(parts[i], part, [...path, `${i}`]))
  }
  if (!isObject(json)) return json
  const parts = isPlain(current) && !Array.isArray(current) ? (current as Readonly<Record<string, unknown>>) : {}
  const partOf = (key: string): unknown => (Object.hasOwn(parts, key) ? parts[key] : undefined)
  return Object.fromEntries(
    Object.entries(json).map(([key, part]) => [key, plainFrom(partOf(key), part, [...path, key])]),
  )
}
