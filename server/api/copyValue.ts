/**
 * Copies what a document holds, so that it can stand in a second place: a Yjs type belongs to one. Formats, embeds, bytes
 * and XML are kept, which JSON could not carry.
 */
import * as Y from 'yjs'
import { TuttiError } from '../../lib/errors.ts'
import { isPlain } from './documentJson.ts'
import { storable } from './newValue.ts'
import { MAX_PATCH_DEPTH } from './patchValue.ts'
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

/** Values and characters that one patch may copy: copying a place into itself again and again doubles it each time. */
export const MAX_COPIED = 8 * 1024 * 1024

/** What a patch may copy yet. */
export interface CopyBudget {
  left: number
}

/** @throws TuttiError `TOO_LARGE` */
export const spend = (budget: CopyBudget, amount: number): void => {
  budget.left -= amount
  if (budget.left >= 0) return
  throw new TuttiError('TOO_LARGE', `The patch copies more than ${MAX_COPIED} values and characters.`, {
    hint: 'Copy less at a time.',
  })
}

const checkDepth = (depth: number): void => {
  if (depth <= MAX_PATCH_DEPTH) return
  throw new TuttiError('INVALID_PATCH', `The copy would be nested deeper than ${MAX_PATCH_DEPTH} levels.`, {
    hint: 'Keep what belongs together in fewer levels.',
  })
}

/** Values and characters in a plain value. */
export const plainSize = (value: unknown): number => {
  if (typeof value === 'string') return 1 + value.length
  if (value instanceof Uint8Array) return 1 + value.byteLength
  if (!isPlain(value)) return 1
  return Object.values(value).reduce((sum: number, part) => sum + plainSize(part), 1)
}

/** @param depth where the copy will stand, in levels from the top */
export const copyValue = (value: unknown, depth: number, budget: CopyBudget): unknown => {
  checkDepth(depth)
  if (value instanceof Y.Doc) {
    spend(budget, 1)
    const { guid, collectionid, autoLoad, meta } = value
    return new Y.Doc({ guid, collectionid, autoLoad, meta })
  }
  if (!(value instanceof Y.AbstractType)) {
    spend(budget, plainSize(value))
    return storable(value)
  }
  return copyType(value, nestedKind(value), depth, budget)
}

/** The same for a shared type whose kind is known: that of a root is not part of it. */
export const copyType = (type: SharedType, kind: Kind, depth: number, budget: CopyBudget): unknown => {
  checkDepth(depth)
  spend(budget, 1)
  const copyPart = (part: unknown): unknown => copyValue(part, depth + 1, budget)
  const entries = (): [string, unknown][] => keys(type).map((key) => [key, copyPart(entry(type, key))])
  const children = (): unknown[] => elements(type).map(copyPart)
  const textLike = (text: Y.Text): Y.Text => fillText(text, entries(), deltaOf(type, copyPart, budget))
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
const deltaOf = (text: SharedType, copyPart: (part: unknown) => unknown, budget: CopyBudget): Insert[] => {
  const delta = Y.Text.prototype.toDelta.call(text) as Insert[]
  return delta.map((operation) => {
    const { insert } = operation
    spend(budget, plainSize(insert))
    return insert instanceof Y.AbstractType ? { ...operation, insert: copyPart(insert) } : operation
  })
}

/** Puts a copy of what a type holds into an empty root. */
export const copyIntoRoot = (root: SharedType, from: SharedType, kind: Kind, budget: CopyBudget): void => {
  const copyPart = (part: unknown): unknown => copyValue(part, 2, budget)
  switch (kind) {
    case 'map':
      for (const key of keys(from)) setEntry(root, key, copyPart(entry(from, key)))
      return
    case 'list':
      replaceElements(root, 0, 0, elements(from).map(copyPart))
      return
    case 'text':
      Y.Text.prototype.applyDelta.call(root, deltaOf(from, copyPart, budget))
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
