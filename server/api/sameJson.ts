/** Whether what a document holds reads as some JSON. */
import * as Y from 'yjs'
import { isPlain, type Json, leafToJson } from './documentJson.ts'
import { isArray, isObject } from './patchValue.ts'
import { countLooks } from './patchWork.ts'
import { characters, elements, entry, type Kind, keys, nestedKind, type SharedType, xml } from './sharedType.ts'

/** Whether a value of the document reads as this JSON. Goes no deeper than the JSON does. */
export const sameJson = (value: unknown, json: Json): boolean => {
  countLooks(1)
  if (value instanceof Y.AbstractType) return sameType(value, nestedKind(value), json)
  if (!isPlain(value)) return (leafToJson(value) ?? null) === json
  if (Array.isArray(value)) return isArray(json) && sameElements(value, json)
  const object = value as Readonly<Record<string, unknown>>
  return sameEntries(
    Object.keys(object).filter((key) => object[key] !== undefined),
    (key) => object[key],
    json,
  )
}

/** The same for a type whose kind is known: that of a root is not part of it. */
export const sameType = (type: SharedType, kind: Kind, json: Json): boolean => {
  switch (kind) {
    case 'map':
      return sameEntries(keys(type), (key) => entry(type, key), json)
    case 'list':
      return isArray(json) && sameElements(elements(type), json)
    case 'text':
      return typeof json === 'string' && characters(type) === json
    case 'xml':
      return typeof json === 'string' && xml(type) === json
    default:
      return kind satisfies never
  }
}

const sameElements = (values: readonly unknown[], json: readonly Json[]): boolean =>
  values.length === json.length && values.every((value, index) => sameJson(value, json[index]!))

const sameEntries = (names: readonly string[], get: (name: string) => unknown, json: Json): boolean =>
  isObject(json) &&
  names.length === Object.keys(json).length &&
  names.every((name) => Object.hasOwn(json, name) && sameJson(get(name), json[name]!))

/** Lengths of the common start and the common end of a list and what replaces it. */
export const commonEnds = (values: readonly unknown[], json: readonly Json[]): { start: number; end: number } => {
  const shorter = Math.min(values.length, json.length)
  let start = 0
  while (start < shorter && sameJson(values[start], json[start]!)) start++
  let end = 0
  while (end < shorter - start && sameJson(values[values.length - 1 - end], json[json.length - 1 - end]!)) end++
  return { start, end }
}
