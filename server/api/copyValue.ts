/**
 * Copies what a document holds, so that it can stand in a second place: a Yjs type belongs to one. Formats, embeds, bytes
 * and XML are kept, which JSON could not carry.
 */
import * as Y from 'yjs'
import { TuttiError } from '../../lib/errors.ts'
import { isPlain } from './documentJson.ts'
import { storable } from './newValue.ts'
import { MAX_PATCH_DEPTH } from './patchValue.ts'
import { countCharacters, countWrites } from './patchWork.ts'
import {
  elements,
  entry,
  type Kind,
  keys,
  nestedKind,
  replaceElements,
  type SharedType,
  setEntry,
} from './sharedType.ts'

const checkDepth = (depth: number): void => {
  if (depth <= MAX_PATCH_DEPTH) return
  throw new TuttiError('INVALID_PATCH', `The copy would be nested deeper than ${MAX_PATCH_DEPTH} levels.`, {
    hint: 'Keep what belongs together in fewer levels.',
  })
}

/** Counts a plain value with all its parts as copied. */
export const countPlain = (value: unknown): void => {
  countWrites(1)
  if (typeof value === 'string') countCharacters(value.length)
  else if (value instanceof Uint8Array) countCharacters(value.byteLength)
  else if (isPlain(value)) for (const part of Object.values(value)) countPlain(part)
}

/** @param depth where the copy will stand, in levels from the top */
export const copyValue = (value: unknown, depth: number): unknown => {
  checkDepth(depth)
  if (value instanceof Y.Doc) {
    countWrites(1)
    const { guid, collectionid, autoLoad, meta } = value
    return new Y.Doc({ guid, collectionid, autoLoad, meta })
  }
  if (!(value instanceof Y.AbstractType)) {
    countPlain(value)
    return storable(value)
  }
  return copyType(value, nestedKind(value), depth)
}

/** The same for a shared type whose kind is known: that of a root is not part of it. */
export const copyType = (type: SharedType, kind: Kind, depth: number): unknown => {
  checkDepth(depth)
  countWrites(1)
  const copyPart = (part: unknown): unknown => copyValue(part, depth + 1)
  const entries = (): [string, unknown][] => keys(type).map((key) => [key, copyPart(entry(type, key))])
  const children = (): unknown[] => elements(type).map(copyPart)
  const textLike = (text: Y.Text): Y.Text => fillText(text, entries(), deltaOf(type, copyPart))
  switch (kind) {
    case 'map': {
      const copy = emptyMapLike(type)
      for (const [key, value] of entries()) copy.set(key, value)
      return copy
    }
    case 'list': {
      const copy = new Y.Array<unknown>()
      copy.push(children())
      return copy
    }
    case 'text':
      return textLike(new Y.Text())
    case 'xml':
      if (type instanceof Y.XmlText) return textLike(new Y.XmlText())
      if (type instanceof Y.XmlElement) return fillXml(new Y.XmlElement(type.nodeName), entries(), children())
      return fillXml(new Y.XmlFragment(), [], children())
    default:
      return kind satisfies never
  }
}

const emptyMapLike = (map: SharedType): Y.Map<unknown> =>
  map instanceof Y.XmlHook ? new Y.XmlHook(map.hookName) : new Y.Map()

type Attributes = readonly (readonly [string, unknown])[]

const fillText = (text: Y.Text, attributes: Attributes, delta: Insert[]): Y.Text => {
  for (const [key, value] of attributes) text.setAttribute(key, value)
  text.applyDelta(delta)
  return text
}

const fillXml = (node: Y.XmlElement | Y.XmlFragment, attributes: Attributes, children: unknown[]): unknown => {
  // Typed as a string; Yjs takes any value, and a document may hold any.
  if (node instanceof Y.XmlElement) for (const [key, value] of attributes) node.setAttribute(key, value as string)
  node.insert(0, children as Y.XmlElement[])
  return node
}

interface Insert {
  readonly insert: unknown
  readonly attributes?: Readonly<Record<string, unknown>>
}

/** Characters, formats and embeds; an embed that is a shared type is copied too. */
const deltaOf = (text: SharedType, copyPart: (part: unknown) => unknown): Insert[] => {
  const delta = Y.Text.prototype.toDelta.call(text) as Insert[]
  return delta.map((operation) => {
    const { insert } = operation
    countPlain(insert)
    return insert instanceof Y.AbstractType ? { ...operation, insert: copyPart(insert) } : operation
  })
}

/** Puts a copy of what a type holds into an empty root. */
export const copyIntoRoot = (root: SharedType, from: SharedType, kind: Kind): void => {
  const copyPart = (part: unknown): unknown => copyValue(part, 2)
  switch (kind) {
    case 'map':
      for (const key of keys(from)) setEntry(root, key, copyPart(entry(from, key)))
      return
    case 'list':
      replaceElements(root, 0, 0, elements(from).map(copyPart))
      return
    case 'text':
      Y.Text.prototype.applyDelta.call(root, deltaOf(from, copyPart))
      return
    case 'xml': {
      const isNode = from instanceof Y.XmlElement || from instanceof Y.XmlText || from instanceof Y.XmlHook
      replaceElements(root, 0, 0, isNode ? [copyPart(from)] : elements(from).map(copyPart))
      return
    }
    default:
      kind satisfies never
  }
}
