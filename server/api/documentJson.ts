import * as Y from 'yjs'
import { TuttiError } from '../../lib/errors.ts'
import {
  characters,
  elements,
  entry,
  type Kind,
  keys,
  nestedKind,
  rootKind,
  type SharedType,
  xml,
} from './sharedType.ts'

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }

/** Levels that a document may be nested and still be shown as JSON; keeps the stack of whoever reads it. */
export const MAX_JSON_DEPTH = 1000

const tooDeep = (): TuttiError =>
  new TuttiError(
    'TOO_LARGE',
    `The document is nested deeper than ${MAX_JSON_DEPTH} levels; JSON is shown up to that.`,
    {
      hint: 'Read it as a Yjs update, with "Accept: application/octet-stream".',
    },
  )

/** Sets an own property whatever its name: plain assignment of `__proto__` would set the prototype. */
export const setOwn = (target: Record<string, Json>, key: string, value: Json): void => {
  if (key === '__proto__') {
    Object.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true })
  } else target[key] = value
}

export const bytesToBase64 = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64')

/**
 * A value without parts as JSON: bytes as Base64, a subdocument as its guid, a bigint as a number while that is exact
 * and else as decimal digits, NaN and the infinities as `null`. `undefined` stays, for its parent to decide.
 */
export const leafToJson = (value: unknown): null | boolean | number | string | undefined => {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return value
    case 'number':
      return Number.isFinite(value) ? value : null
    case 'bigint':
      return Number.isSafeInteger(Number(value)) ? Number(value) : value.toString()
    default:
      if (value instanceof Uint8Array) return bytesToBase64(value)
      if (value instanceof Y.Doc) return value.guid
      return value === null ? null : undefined
  }
}

/** Whether a value is an object or array with parts, as `s.json` stores it. */
export const isPlain = (value: unknown): value is Readonly<Record<string, unknown>> | readonly unknown[] =>
  typeof value === 'object' &&
  value !== null &&
  !(value instanceof Uint8Array) &&
  !(value instanceof Y.AbstractType) &&
  !(value instanceof Y.Doc)

/** @param depth levels above it that count, too */
export const valueToJson = (value: unknown, depth: number): Json | undefined => {
  if (depth > MAX_JSON_DEPTH) throw tooDeep()
  if (value instanceof Y.AbstractType) return typeToJson(value, nestedKind(value), depth)
  if (!isPlain(value)) return leafToJson(value)
  if (Array.isArray(value)) return value.map((element) => valueToJson(element, depth + 1) ?? null)
  const json: Record<string, Json> = {}
  for (const [key, part] of Object.entries(value)) {
    const partJson = valueToJson(part, depth + 1)
    if (partJson !== undefined) setOwn(json, key, partJson)
  }
  return json
}

const mapToJson = (type: SharedType, depth: number): Record<string, Json> => {
  const json: Record<string, Json> = {}
  for (const key of keys(type)) {
    const value = valueToJson(entry(type, key), depth + 1)
    if (value !== undefined) setOwn(json, key, value)
  }
  return json
}

/** The same for a shared type whose kind is known: that of a root is not part of it. */
export const typeToJson = (type: SharedType, kind: Kind, depth: number): Json => {
  switch (kind) {
    case 'map':
      return mapToJson(type, depth)
    case 'list':
      return elements(type).map((element) => valueToJson(element, depth + 1) ?? null)
    case 'text':
      return characters(type)
    case 'xml':
      return xmlToJson(type)
    default:
      return kind satisfies never
  }
}

const xmlToJson = (type: SharedType): string => {
  const text = xml(type)
  if (text !== undefined) return text
  throw new TuttiError('INVALID_VALUE', 'The document holds XML that has no text form.', {
    hint: 'Read it as a Yjs update, with "Accept: application/octet-stream".',
  })
}

/**
 * The JSON of a document: one key per root that has content. Root scalars of a store live in the root map with the
 * empty name and appear as top-level keys; a named root wins over an equal key there. A root with the empty name that
 * is no map appears under `""`.
 *
 * Maps become objects, arrays arrays, texts their characters, XML its text form; for leaves see `leafToJson`.
 * Does not change the document, nor settle the type of any root.
 * @throws TuttiError `TOO_LARGE` if it is nested deeper than `MAX_JSON_DEPTH`, `INVALID_VALUE` for XML without a text
 * form.
 */
export const documentToJson = (doc: Y.Doc): Record<string, Json> => {
  const scalars = doc.share.get('')
  const json: Record<string, Json> = scalars !== undefined && rootKind(scalars) === 'map' ? mapToJson(scalars, 1) : {}
  for (const [name, root] of doc.share) {
    const kind = rootKind(root)
    if (kind === undefined || (name === '' && kind === 'map')) continue
    setOwn(json, name, typeToJson(root, kind, 1))
  }
  return json
}
