/**
 * Reads and writes Yjs types by what their content tells. The only file of this door that touches Yjs internals.
 *
 * A root that came as bytes is an untyped `Y.AbstractType`: an update names a root but not its type. `doc.getMap(name)`
 * would settle the type for everybody who shares the Y.Doc, for as long as it stays in memory, and throws if somebody
 * settled another one. Here a root is therefore never converted: its kind is told from its items, which makes the
 * outcome depend on the document alone and not on who asked before, and it is written by the methods of `Y.Map`,
 * `Y.Array` and `Y.Text` called on the untyped object. They use only members that `Y.AbstractType` has (`doc`, `_map`,
 * `_start`, `_length`, `_searchMarker`); Yjs is pinned to 13.6, and the tests run every one of them this way.
 */
import * as Y from 'yjs'
import { countCharacters, countLooks, countWay } from './patchWork.ts'

/** Any Yjs type; written this way for Yjs's own type argument. */
export type SharedType = Y.Doc['share'] extends Map<string, infer T> ? T : never

/** What a type is, as JSON sees it. */
export type Kind = 'map' | 'list' | 'text' | 'xml'

// Content numbers of the update format.
const CONTENT_STRING = 4
const CONTENT_EMBED = 5
const CONTENT_TYPE = 7

const isXml = (type: unknown): boolean =>
  type instanceof Y.XmlFragment || type instanceof Y.XmlText || type instanceof Y.XmlHook

/** The kind of a type inside another one; its class is part of the bytes. */
export const nestedKind = (type: SharedType): Kind => {
  if (type instanceof Y.XmlFragment || type instanceof Y.XmlText) return 'xml'
  if (type instanceof Y.Text) return 'text'
  if (type instanceof Y.Map) return 'map'
  return 'list'
}

/**
 * The kind of a root: a map if it has keyed entries, text if it holds only characters, formats and embeds, XML if it
 * holds only elements, else a list. `undefined` for an empty root, which is as good as none.
 */
export const rootKind = (root: SharedType | undefined): Kind | undefined => {
  if (root === undefined) return undefined
  for (const item of root._map.values()) {
    if (!item.deleted) return 'map'
    countLooks(1)
  }
  let characters = false
  let elements = false
  let types = false
  for (let item = root._start; item !== null; item = item.right) {
    countLooks(1)
    // Formats are not countable; only what they mark makes a root text.
    if (item.deleted || !item.countable) continue
    const ref = item.content.getRef()
    if (ref === CONTENT_STRING || ref === CONTENT_EMBED) characters = true
    else if (ref !== CONTENT_TYPE) return 'list'
    else if (isXml(item.content.getContent()[0])) elements = true
    else types = true
  }
  // `Y.Text` takes a type as an embed, and nothing but `Y.Text` holds characters.
  if (characters) return 'text'
  if (types) return 'list'
  return elements ? 'xml' : undefined
}

/** What an emptied root was: deleted items keep their place, among keys or in a row, but not what they were. */
export type FormerKind = Kind | 'sequence'

/** What a root without content was; `undefined` if it never held anything, or was both by turns. */
export const formerKind = (root: SharedType | undefined): 'map' | 'sequence' | undefined => {
  if (root === undefined || (root._start === null) === (root._map.size === 0)) return undefined
  return root._start === null ? 'map' : 'sequence'
}

/** Whether an emptied root can be this again; `undefined`: what no root can be. */
export const fitsFormer = (former: FormerKind, kind: Kind | undefined): boolean =>
  former === kind || (former === 'sequence' && kind !== undefined && kind !== 'map')

/** The value under a key: a shared type or a plain value; `undefined` if there is none. */
export const entry = (type: SharedType, key: string): unknown => {
  const item = type._map.get(key)
  // An item of several values (an old client's) shows its last one, as Y.Map does.
  return item === undefined || item.deleted ? undefined : item.content.getContent()[item.length - 1]
}

/** Keys of a map; one whose value is `undefined` counts as missing, as in JSON. */
export const keys = (type: SharedType): string[] => {
  countLooks(type._map.size)
  return [...type._map.keys()].filter((key) => entry(type, key) !== undefined)
}

export const elements = (type: SharedType): unknown[] => {
  countLooks(type._length)
  const found: unknown[] = []
  for (let item = type._start; item !== null; item = item.right) {
    if (item.deleted || !item.countable) continue
    for (const value of item.content.getContent()) found.push(value)
  }
  return found
}

/** Elements of a list. */
export const size = (type: SharedType): number => type._length

/**
 * A list whose places Yjs finds from those it found before, as it does in a `Y.Array`: an untyped root has no such marks,
 * and each index would be counted from the start.
 */
const marked = (list: SharedType): SharedType => {
  list._searchMarker ??= []
  return list
}

const itemsIn = (list: SharedType): number => {
  let count = 0
  for (let item = list._start; item !== null; item = item.right) count++
  return count
}

/** The element at an index below `size`. */
export const element = (type: SharedType, index: number): unknown => {
  countWay(type, () => itemsIn(type), 0)
  return Y.Array.prototype.get.call(marked(type), index)
}

/** The characters of a text; formats and embeds have none. */
export const characters = (type: SharedType): string => {
  countCharacters(type._length)
  return Y.Text.prototype.toString.call(type)
}

/**
 * XML as Yjs writes it; `undefined` if it can't be written: nested so deep that the stack ends, or with an attribute
 * that is an object without a text form. Any client can make either.
 */
export const xml = (type: SharedType): string | undefined => {
  countLooks(type._length)
  try {
    if (isXml(type)) return String(type)
    return elements(type)
      .map((child) => String(child))
      .join('')
  } catch (error) {
    if (error instanceof RangeError || error instanceof TypeError) return undefined
    throw error
  }
}

export const setEntry = (type: SharedType, key: string, value: unknown): void => {
  Y.Map.prototype.set.call(type, key, value)
}

export const deleteEntry = (type: SharedType, key: string): void => Y.Map.prototype.delete.call(type, key)

export const replaceElements = (type: SharedType, index: number, remove: number, insert: unknown[]): void => {
  const list = marked(type)
  // Cut at both ends, and what is new.
  countWay(list, () => itemsIn(list), 3)
  if (remove > 0) Y.Array.prototype.delete.call(list, index, remove)
  if (insert.length > 0) Y.Array.prototype.insert.call(list, index, insert)
}

/**
 * Replaces the characters from `start` up to `end` (counted in UTF-16 units, without embeds). What is new takes the
 * format of the last character that goes; an embed beside the replaced characters stays.
 */
export const replaceCharacters = (type: SharedType, start: number, end: number, insert: string): void => {
  const from = characterPosition(type, start, end > start ? 'before' : 'after')
  const to = end > start ? characterPosition(type, end, 'after') : from
  // Insert behind what goes, then delete: the other way round its format is gone.
  if (insert !== '') Y.Text.prototype.insert.call(type, to, insert)
  if (to > from) Y.Text.prototype.delete.call(type, from, to - from)
}

/** Index in a `Y.Text`, where an embed counts as one, right before character `count` or right after the one before. */
const characterPosition = (type: SharedType, count: number, side: 'before' | 'after'): number => {
  let index = 0
  let seen = 0
  for (let item = type._start; item !== null; item = item.right) {
    if (item.deleted || !item.countable) continue
    countLooks(1)
    const isText = item.content.getRef() === CONTENT_STRING
    if (side === 'after' && seen === count) return index
    if (isText && (side === 'after' ? seen + item.length >= count : seen + item.length > count)) {
      return index + count - seen
    }
    if (isText) seen += item.length
    index += item.length
  }
  return index
}

/** Removes everything a root holds. */
export const clear = (root: SharedType, kind: Kind): void => {
  for (const key of root._map.keys()) if (!root._map.get(key)?.deleted) deleteEntry(root, key)
  if (root._length === 0) return
  // Each of the two counts what it deletes in its own way: a list by items, a text without formats.
  if (kind === 'text') Y.Text.prototype.delete.call(root, 0, root._length)
  else Y.Array.prototype.delete.call(root, 0, root._length)
}
