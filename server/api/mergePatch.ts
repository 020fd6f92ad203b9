/**
 * JSON Merge Patch (RFC 7396) on a document. The whole patch is planned before the first write, so that a patch that is
 * refused changes nothing, and what is equal already is not written.
 */
import * as Y from 'yjs'
import { TuttiError } from '../../lib/errors.ts'
import { bytesToBase64, isPlain, type Json, leafToJson } from './documentJson.ts'
import {
  characters,
  clear,
  deleteEntry,
  elements,
  entry,
  keys,
  nestedKind,
  replaceCharacters,
  replaceElements,
  rootKind,
  type SharedType,
  setEntry,
  wasSequence,
  xml,
} from './sharedType.ts'
import { textDiff } from './textDiff.ts'

/** Levels that a patch may be nested. */
export const MAX_PATCH_DEPTH = 200

type JsonObject = { readonly [key: string]: Json }
type Path = readonly string[]

const isObject = (value: Json): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const isArray = (value: Json): value is readonly Json[] => Array.isArray(value)

const nameOf = (value: unknown): string => {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'an array'
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`
}

const refuse = (path: Path, problem: string, hint: string): never => {
  const place = path.length === 0 ? 'The patch' : `"${path.join('.')}"`
  throw new TuttiError('INVALID_PATCH', `${place} ${problem}`, { path, hint })
}

/** Half of a surrogate pair: as UTF-8 it becomes another character, and other clients would hold another text. */
const LONE_SURROGATE = /\p{Surrogate}/u

/** Refuses a leaf that must not reach a document; `path` is made only for a refusal. */
const checkLeaf = (value: Json, path: () => Path): void => {
  if (typeof value === 'string' && LONE_SURROGATE.test(value)) {
    refuse(path(), 'holds half a surrogate pair; a string must be valid Unicode.', 'Send whole characters.')
  }
  if (typeof value === 'number' && !Number.isFinite(value)) {
    refuse(path(), 'is a number out of range; expected one that a 64-bit float can hold.', 'Send it as a string.')
  }
}

const checkKey = (key: string, path: () => Path): void => {
  if (key === '__proto__') refuse(path(), 'is no key that a document can have.', 'Take another key.')
  if (LONE_SURROGATE.test(key)) {
    refuse(path(), 'has half a surrogate pair in its key; a key must be valid Unicode.', 'Take another key.')
  }
}

/** Checks a whole patch; walks without recursion, as a body may be nested as deep as it is long. */
const checkPatch = (patch: JsonObject): void => {
  const open: { value: JsonObject | readonly Json[]; path: Path }[] = [{ value: patch, path: [] }]
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { value: parent, path } = next
    if (path.length >= MAX_PATCH_DEPTH) {
      throw new TuttiError('INVALID_PATCH', `The patch is nested deeper than ${MAX_PATCH_DEPTH} levels.`, {
        hint: 'Send what is nested so deep as one string.',
      })
    }
    const visit = (key: string | number, value: Json): void => {
      if (typeof value === 'object' && value !== null) open.push({ value, path: [...path, `${key}`] })
      else checkLeaf(value, () => [...path, `${key}`])
    }
    if (isArray(parent)) {
      for (let index = 0; index < parent.length; index++) visit(index, parent[index]!)
    } else {
      for (const key of Object.keys(parent)) {
        checkKey(key, () => [...path, key])
        visit(key, parent[key]!)
      }
    }
  }
}

/** Whether a value of the document reads as this JSON. Goes no deeper than the JSON does. */
const sameJson = (value: unknown, json: Json): boolean => {
  if (value instanceof Y.AbstractType) {
    switch (nestedKind(value)) {
      case 'map':
        return sameEntries(keys(value), (key) => entry(value, key), json)
      case 'list':
        return isArray(json) && sameElements(elements(value), json)
      case 'text':
        return typeof json === 'string' && characters(value) === json
      case 'xml':
        return typeof json === 'string' && xml(value) === json
    }
  }
  if (!isPlain(value)) return (leafToJson(value) ?? null) === json
  if (Array.isArray(value)) return isArray(json) && sameElements(value, json)
  const object = value as Readonly<Record<string, unknown>>
  return sameEntries(
    Object.keys(object).filter((key) => object[key] !== undefined),
    (key) => object[key],
    json,
  )
}

const sameElements = (values: readonly unknown[], json: readonly Json[]): boolean =>
  values.length === json.length && values.every((value, index) => sameJson(value, json[index]!))

const sameEntries = (names: readonly string[], get: (name: string) => unknown, json: Json): boolean =>
  isObject(json) &&
  names.length === Object.keys(json).length &&
  names.every((name) => Object.hasOwn(json, name) && sameJson(get(name), json[name]!))

/** Lengths of the common start and the common end of a list and what replaces it. */
const commonEnds = (values: readonly unknown[], json: readonly Json[]): { start: number; end: number } => {
  const shorter = Math.min(values.length, json.length)
  let start = 0
  while (start < shorter && sameJson(values[start], json[start]!)) start++
  let end = 0
  while (end < shorter - start && sameJson(values[values.length - 1 - end], json[json.length - 1 - end]!)) end++
  return { start, end }
}

/** Bytes stay bytes: a string set over them is their Base64. */
const bytesFrom = (value: string, path: Path): Uint8Array => {
  const bytes = Buffer.from(value, 'base64')
  if (bytesToBase64(bytes) !== value) {
    refuse(
      path,
      'holds bytes; expected them as Base64 with padding.',
      'Encode them, or remove the key with null first.',
    )
  }
  return new Uint8Array(bytes)
}

export interface MergePatchOptions {
  /** Paths (keys from the top) of strings that become a Y.Text where no string stands yet. */
  readonly texts?: readonly Path[]
}

/**
 * Applies a merge patch to a document, inside the caller's transaction. Where the document reads as the patch wants it
 * already, nothing is written.
 *
 * - At the top, a key names a root, or a root scalar: an entry of the root map with the empty name.
 * - An object merges, `null` removes (a root: clears it), an array replaces all but its common start and end.
 * - New objects become Y.Map and new arrays Y.Array. A plain object or array in the document stays plain.
 * - A string set over a Y.Text changes only the stretch that differs.
 *
 * @throws TuttiError `INVALID_PATCH` before anything was written: the patch is not an object or nested too deep, or
 * names a place that cannot take its value.
 */
export const applyMergePatch = (doc: Y.Doc, patch: Json, options: MergePatchOptions = {}): void => {
  if (!isObject(patch)) {
    throw new TuttiError('INVALID_PATCH', `The patch is ${nameOf(patch)}; expected an object.`, {
      hint: 'Send an object whose keys name what to change, e.g. {"title": "New"}.',
    })
  }
  checkPatch(patch)
  const texts = new Set((options.texts ?? []).map((path) => JSON.stringify(path)))
  const isText = (path: Path): boolean => texts.size > 0 && texts.has(JSON.stringify(path))
  for (const write of planPatch(doc, patch, isText)) write()
}

/**
 * Yjs tells a plain object by its `constructor` and refuses one that has a key of that name: such an object becomes a
 * Y.Map, and so do those right below it.
 */
const storable = (value: unknown): unknown => {
  if (!isPlain(value) || Array.isArray(value) || !Object.hasOwn(value, 'constructor')) return value
  const map = new Y.Map<unknown>()
  for (const [key, part] of Object.entries(value)) map.set(key, storable(part))
  return map
}

type Write = () => void

const planPatch = (doc: Y.Doc, patch: JsonObject, isText: (path: Path) => boolean): Write[] => {
  const writes: Write[] = []

  /** A new value. Nulls in an object say "remove" and are left out; in an array they are values (RFC 7396). */
  const build = (value: Json, path: Path, inArray: boolean): unknown => {
    if (typeof value === 'string' && isText(path)) return new Y.Text(value)
    if (isArray(value)) {
      const list = new Y.Array<unknown>()
      list.push(value.map((element, index) => build(element, [...path, `${index}`], true)))
      return list
    }
    if (!isObject(value)) return value
    const map = new Y.Map<unknown>()
    for (const [key, part] of Object.entries(value)) {
      if (inArray || part !== null) map.set(key, build(part, [...path, key], inArray))
    }
    return map
  }

  const planText = (text: SharedType, value: string): void => {
    const diff = textDiff(characters(text), value)
    if (diff !== undefined) writes.push(() => replaceCharacters(text, diff.start, diff.end, diff.insert))
  }

  const planList = (list: SharedType, value: readonly Json[], path: Path): void => {
    const values = elements(list)
    const { start, end } = commonEnds(values, value)
    const remove = values.length - start - end
    const insert = value.slice(start, value.length - end)
    if (remove === 0 && insert.length === 0) return
    writes.push(() => {
      const built = insert.map((element, index) => build(element, [...path, `${start + index}`], true))
      replaceElements(list, start, remove, built)
    })
  }

  const planMap = (map: SharedType, value: JsonObject, path: Path): void => {
    for (const [key, part] of Object.entries(value)) planEntry(map, key, part, [...path, key])
  }

  const planXml = (type: SharedType, value: Json, path: Path): void => {
    if (typeof value === 'string' && xml(type) === value) return
    refuse(path, 'is XML, which a patch cannot change.', 'Remove it with null, or change it as a Yjs document.')
  }

  const planEntry = (parent: SharedType, key: string, value: Json, path: Path): void => {
    const current = entry(parent, key)
    const set = (next: () => unknown): void => {
      writes.push(() => setEntry(parent, key, next()))
    }
    if (value === null) {
      if (current !== undefined) writes.push(() => deleteEntry(parent, key))
    } else if (current instanceof Y.AbstractType) {
      const kind = nestedKind(current)
      if (kind === 'map' && isObject(value)) planMap(current, value, path)
      else if (kind === 'list' && isArray(value)) planList(current, value, path)
      else if (kind === 'text' && typeof value === 'string') planText(current, value)
      else if (kind === 'xml') planXml(current, value, path)
      else set(() => build(value, path, false))
    } else if (isPlain(current) && typeof value === 'object') {
      const merged = mergePlain(current, value, path)
      if (merged !== current) set(() => storable(merged))
    } else if (current instanceof Uint8Array && typeof value === 'string') {
      const bytes = bytesFrom(value, path)
      if (bytesToBase64(current) !== value) set(() => bytes)
    } else if (typeof current === 'string' && typeof value === 'string') {
      if (current !== value) set(() => value)
    } else if (typeof value === 'object' || current === undefined || !sameJson(current, value)) {
      set(() => build(value, path, false))
    }
  }

  const planTop = (key: string, value: Json): void => {
    const scalars = doc.share.get('')
    const scalarsKind = rootKind(scalars)
    const scalarsAreMap = scalarsKind === 'map' || scalarsKind === undefined
    // With an empty name, a map is the root scalars themselves and none of them.
    const root = key === '' && scalarsAreMap ? undefined : doc.share.get(key)
    const kind = rootKind(root)
    const path = [key]
    const isScalar = scalarsKind === 'map' && scalars !== undefined && entry(scalars, key) !== undefined

    if (root !== undefined && kind !== undefined) {
      const planned = writes.length
      if (value === null) writes.push(() => clear(root, kind))
      else if (kind === 'map' && isObject(value)) planMap(root, value, path)
      else if (kind === 'list' && isArray(value)) planList(root, value, path)
      else if (kind === 'text' && typeof value === 'string') planText(root, value)
      else if (kind === 'xml') planXml(root, value, path)
      else {
        const expected = kind === 'map' ? 'an object' : kind === 'list' ? 'an array' : 'a string'
        const problem = `is a root that holds ${expected}; expected ${expected} or null, got ${nameOf(value)}.`
        refuse(path, problem, 'Clear it with null first, or take another key.')
      }
      // A root scalar of the same name was hidden by the root and must not come up when that ends empty.
      if (writes.length > planned && isScalar) {
        writes.push(() => {
          if (rootKind(root) === undefined) deleteEntry(scalars, key)
        })
      }
      return
    }

    if (value === null && !isScalar) return
    if (!isScalar && key !== '') {
      if (isObject(value)) {
        const parts = Object.entries(value).filter(([, part]) => part !== null)
        for (const [name, part] of parts) {
          writes.push(() => setEntry(doc.get(key), name, build(part, [key, name], false)))
        }
        return
      }
      if (isArray(value)) {
        if (value.length === 0) return
        writes.push(() => {
          const built = value.map((element, index) => build(element, [key, `${index}`], true))
          replaceElements(doc.get(key), 0, 0, built)
        })
        return
      }
      // Where characters or elements stood before, a root scalar would be hidden as soon as somebody types again.
      if (typeof value === 'string' && (isText(path) || wasSequence(root))) {
        if (value !== '') writes.push(() => replaceCharacters(doc.get(key), 0, 0, value))
        return
      }
    }
    if (!scalarsAreMap) {
      const problem = 'would be a root scalar, but the root with the empty name, where those live, is not a map.'
      refuse(path, problem, 'Put it into an object, or clear the root with the empty name: {"": null}.')
    }
    if (scalars === undefined) writes.push(() => setEntry(doc.get(''), key, build(value, path, false)))
    else planEntry(scalars, key, value, path)
  }

  for (const [key, value] of Object.entries(patch)) planTop(key, value)
  return writes
}

/** A merge patch on a plain value; gives back the same object if nothing changes. What stays, bytes too, is kept. */
const mergePlain = (current: unknown, patch: Json, path: Path): unknown => {
  if (isArray(patch)) {
    if (!Array.isArray(current)) return patch
    const { start, end } = commonEnds(current, patch)
    if (current.length === patch.length && start + end === patch.length) return current
    const after = current.length - end
    return [...current.slice(0, start), ...patch.slice(start, patch.length - end), ...current.slice(after)]
  }
  if (!isObject(patch)) {
    if (current instanceof Uint8Array && typeof patch === 'string') {
      return bytesToBase64(current) === patch ? current : bytesFrom(patch, path)
    }
    return current !== undefined && sameJson(current, patch) ? current : patch
  }
  const isBase = isPlain(current) && !Array.isArray(current)
  const base: Readonly<Record<string, unknown>> = isBase ? (current as Readonly<Record<string, unknown>>) : {}
  const next: Record<string, unknown> = { ...base }
  let changed = !isBase
  for (const [key, part] of Object.entries(patch)) {
    const before = Object.hasOwn(base, key) ? base[key] : undefined
    if (part === null) {
      if (before === undefined) continue
      delete next[key]
      changed = true
      continue
    }
    const after = mergePlain(before, part, [...path, key])
    if (after === before) continue
    next[key] = after
    changed = true
  }
  return changed ? next : current
}
