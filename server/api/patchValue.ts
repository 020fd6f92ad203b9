/** The JSON of a patch, checked before anything of it is written. */
import { TuttiError } from '../../lib/errors.ts'
import type { Json } from './documentJson.ts'

/** Levels that a patch may be nested. */
export const MAX_PATCH_DEPTH = 200

export type JsonObject = { readonly [key: string]: Json }
/** Keys and indices from the top of the document. */
export type Path = readonly string[]

export const isObject = (value: Json): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

export const isArray = (value: Json): value is readonly Json[] => Array.isArray(value)

/** What a value is, in the text of an error. */
export const kindOf = (value: unknown): string => {
  if (value === undefined) return 'missing'
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'an array'
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`
}

/** @throws TuttiError `INVALID_PATCH`, always */
export const refusePatch = (path: Path, problem: string, hint: string): never => {
  const place = path.length === 0 ? 'The patch' : `"${path.join('.')}"`
  throw new TuttiError('INVALID_PATCH', `${place} ${problem}`, { path, hint })
}

/** Half of a surrogate pair: as UTF-8 it becomes another character, and other clients would hold another text. */
const LONE_SURROGATE = /\p{Surrogate}/u

/** Refuses a leaf that must not reach a document; `path` is made only for a refusal. */
const checkLeaf = (value: Json, path: () => Path): void => {
  if (typeof value === 'string' && LONE_SURROGATE.test(value)) {
    refusePatch(path(), 'holds half a surrogate pair; a string must be valid Unicode.', 'Send whole characters.')
  }
  if (typeof value === 'number' && !Number.isFinite(value)) {
    refusePatch(path(), 'is a number out of range; expected one that a 64-bit float can hold.', 'Send it as a string.')
  }
}

/** @throws TuttiError `INVALID_PATCH` for what can't be a key of a document */
export const checkKey = (key: string, path: () => Path): void => {
  if (key === '__proto__') refusePatch(path(), 'is no key that a document can have.', 'Take another key.')
  if (LONE_SURROGATE.test(key)) {
    refusePatch(path(), 'has half a surrogate pair in its key; a key must be valid Unicode.', 'Take another key.')
  }
}

const ignore = (): void => undefined

/**
 * Checks a whole value that a patch brings; walks without recursion, as a body may be nested as deep as it is long.
 * @param at where it is to stand
 * @param count is told of the values that are in it, itself included
 * @throws TuttiError `INVALID_PATCH`, and what `count` throws
 */
export const checkValue = (whole: Json, at: Path = [], count: (values: number) => void = ignore): void => {
  count(1)
  if (typeof whole !== 'object' || whole === null) {
    checkLeaf(whole, () => at)
    return
  }
  const open: { value: JsonObject | readonly Json[]; path: Path }[] = [{ value: whole, path: at }]
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
      count(parent.length)
      for (let index = 0; index < parent.length; index++) visit(index, parent[index]!)
    } else {
      const keys = Object.keys(parent)
      count(keys.length)
      for (const key of keys) {
        checkKey(key, () => [...path, key])
        visit(key, parent[key]!)
      }
    }
  }
}
