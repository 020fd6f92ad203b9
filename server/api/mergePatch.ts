/**
 * JSON Merge Patch (RFC 7396) on a document. The whole patch is planned before the first write, so that a patch that is
 * refused changes nothing, and what is equal already is not written.
 */
import * as Y from 'yjs'
import { TuttiError } from '../../lib/errors.ts'
import { checkFormer, KEEPS_TYPE } from './assign.ts'
import { bytesToBase64, isPlain, type Json } from './documentJson.ts'
import { bytesFrom, type IsText, newValue, storable, textsAt } from './newValue.ts'
import { checkValue, isArray, isObject, type JsonObject, kindOf, type Path, refusePatch } from './patchValue.ts'
import { countWrites, withinLimit } from './patchWork.ts'
import { commonEnds, sameJson } from './sameJson.ts'
import {
  characters,
  clear,
  deleteEntry,
  elements,
  entry,
  formerKind,
  nestedKind,
  replaceCharacters,
  replaceElements,
  rootKind,
  type SharedType,
  setEntry,
  xml,
} from './sharedType.ts'
import { textDiff } from './textDiff.ts'

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
    throw new TuttiError('INVALID_PATCH', `The patch is ${kindOf(patch)}; expected an object.`, {
      hint: 'Send an object whose keys name what to change, e.g. {"title": "New"}.',
    })
  }
  withinLimit(() => {
    checkValue(patch, [], countWrites)
    for (const write of planPatch(doc, patch, textsAt(options.texts ?? []))) write()
  })
}

type Write = () => void

const planPatch = (doc: Y.Doc, patch: JsonObject, isText: IsText): Write[] => {
  const writes: Write[] = []

  const build = (value: Json, path: Path): unknown => newValue(value, path, { isText, dropsNulls: true })
  const buildElements = (values: readonly Json[], path: Path, start = 0): unknown[] =>
    values.map((element, i) => newValue(element, [...path, `${start + i}`], { isText, dropsNulls: false }))

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
    writes.push(() => replaceElements(list, start, remove, buildElements(insert, path, start)))
  }

  const planMap = (map: SharedType, value: JsonObject, path: Path): void => {
    for (const [key, part] of Object.entries(value)) planEntry(map, key, part, [...path, key])
  }

  const planXml = (type: SharedType, value: Json, path: Path): void => {
    if (typeof value === 'string' && xml(type) === value) return
    refusePatch(path, 'is XML, which a patch cannot change.', 'Remove it with null, or change it as a Yjs document.')
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
      else set(() => build(value, path))
    } else if (isPlain(current) && typeof value === 'object') {
      const merged = mergePlain(current, value, path)
      if (merged !== current) set(() => storable(merged))
    } else if (current instanceof Uint8Array && typeof value === 'string') {
      const bytes = bytesFrom(value, path)
      if (bytesToBase64(current) !== value) set(() => bytes)
    } else if (typeof current === 'string' && typeof value === 'string') {
      if (current !== value) set(() => value)
    } else if (typeof value === 'object' || current === undefined || !sameJson(current, value)) {
      set(() => build(value, path))
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
        const problem = `is a root that holds ${expected}; expected ${expected} or null, got ${kindOf(value)}.`
        refusePatch(path, problem, KEEPS_TYPE)
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
      const former = formerKind(root)
      checkFormer(former, value, path)
      if (isObject(value)) {
        const parts = Object.entries(value).filter(([, part]) => part !== null)
        for (const [name, part] of parts) {
          writes.push(() => setEntry(doc.get(key), name, build(part, [key, name])))
        }
        return
      }
      if (isArray(value)) {
        if (value.length === 0) return
        writes.push(() => replaceElements(doc.get(key), 0, 0, buildElements(value, path)))
        return
      }
      if (typeof value === 'string' && (isText(path) || former !== undefined)) {
        if (value !== '') writes.push(() => replaceCharacters(doc.get(key), 0, 0, value))
        return
      }
    }
    if (!scalarsAreMap) {
      const problem = 'would be a root scalar, but the root with the empty name, where those live, is not a map.'
      refusePatch(path, problem, 'Put it into an object.')
    }
    if (scalars === undefined) writes.push(() => setEntry(doc.get(''), key, build(value, path)))
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
