/** What objects and records have in common: both are kept as a `Y.Map`. */
import * as Y from 'yjs'
import { readPlain } from './graph.ts'
import { isPlain } from './parse.ts'
import type { Node, Schema, Stored } from './schema.ts'
import { build } from './write.ts'

export const buildMap = (stored: Stored, schemaOf: (key: string) => Schema | undefined): Y.Map<unknown> | undefined =>
  isPlain(stored)
    ? new Y.Map(Object.entries(stored).map(([key, value]) => [key, build(schemaOf(key), value)]))
    : undefined

export const copyMap = (node: Node, keys: Iterable<string>): Record<string, unknown> => {
  const result: Record<string, unknown> = {}
  for (const key of keys) {
    const value = readPlain(node, key)
    if (value !== undefined && key !== '__proto__') result[key] = value
  }
  return result
}
