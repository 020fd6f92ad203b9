import { fail } from './failure.ts'
import type { GraphOptions, Shape } from './schema.ts'
import { checkShape } from './shape.ts'

/** The options of a store, as a program that no compiler has checked may give them. */
interface GivenOptions {
  readonly schema: Shape
  readonly doc?: unknown
  readonly persist?: unknown
  readonly undo?: unknown
  readonly validateRemote?: unknown
  readonly onError?: unknown
}

const MODES: readonly unknown[] = ['coerce', 'warn', 'off', undefined] satisfies (
  | GraphOptions['validateRemote']
  | undefined
)[]

const has = (value: unknown, method: string): boolean => typeof value === 'object' && value !== null && method in value

/** Throws `INVALID_SCHEMA`, `INVALID_OPTION`. */
export const checkOptions = (options: GivenOptions): void => {
  const refuse = (problem: string): never => fail('INVALID_OPTION', [], problem)
  if (typeof options !== 'object' || options === null) refuse('createStore got no options')
  const { schema, doc, persist, undo, validateRemote, onError } = options
  checkShape(schema)
  if (doc !== undefined && !has(doc, 'transact')) refuse('doc is no Y.Doc')
  const isName = typeof persist === 'string' ? persist !== '' : has(persist, 'whenLoaded')
  if (persist !== undefined && persist !== false && !isName) refuse('persist is no name and no Persistence')
  if (!MODES.includes(validateRemote)) refuse("validateRemote is not 'coerce', 'warn' or 'off'")
  if (onError !== undefined && typeof onError !== 'function') refuse('onError is no function')
  const { scope = [] } = (undo || {}) as { readonly scope?: readonly string[] }
  for (const name of scope)
    if (!Object.hasOwn(schema, name)) refuse(`undo.scope has "${name}", which is not in the schema`)
}
