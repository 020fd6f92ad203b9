/** RFC 6902 on plain JSON, word for word: what the server's own, which works on Yjs types, is compared with. */
import { isDeepStrictEqual } from 'node:util'

export type PlainOperation =
  | { readonly op: 'add' | 'replace' | 'test'; readonly path: string; readonly value: unknown }
  | { readonly op: 'remove'; readonly path: string }
  | { readonly op: 'move' | 'copy'; readonly from: string; readonly path: string }

const tokensOf = (pointer: string): string[] =>
  pointer
    .split('/')
    .slice(1)
    .map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'))

type Tree = Record<string, unknown> | unknown[]

const child = (value: unknown, token: string): unknown => {
  if (Array.isArray(value) && !/^(0|[1-9]\d*)$/.test(token)) throw new Error(`${token} is no index`)
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, token)) throw new Error(`no ${token}`)
  return (value as Record<string, unknown>)[token]
}

const get = (root: unknown, pointer: string): unknown => tokensOf(pointer).reduce(child, root)

/** Changes the container of a place. */
const at = (root: unknown, pointer: string, change: (container: Tree, token: string) => void): void => {
  const tokens = tokensOf(pointer)
  const container = tokens.slice(0, -1).reduce(child, root)
  if (typeof container !== 'object' || container === null) throw new Error('it has no parts')
  change(container as Tree, tokens.at(-1)!)
}

const add = (root: unknown, pointer: string, value: unknown): unknown => {
  if (pointer === '') return value
  at(root, pointer, (container, token) => {
    if (!Array.isArray(container)) container[token] = value
    else if (token === '-') container.push(value)
    else if (/^(0|[1-9]\d*)$/.test(token) && Number(token) <= container.length)
      container.splice(Number(token), 0, value)
    else throw new Error(`${token} is no index`)
  })
  return root
}

const remove = (root: unknown, pointer: string): void =>
  at(root, pointer, (container, token) => {
    child(container, token)
    if (Array.isArray(container)) container.splice(Number(token), 1)
    else delete container[token]
  })

const applyOne = (root: unknown, operation: PlainOperation): unknown => {
  switch (operation.op) {
    case 'add':
      return add(root, operation.path, structuredClone(operation.value))
    case 'remove':
      remove(root, operation.path)
      return root
    case 'replace':
      if (operation.path === '') return structuredClone(operation.value)
      get(root, operation.path)
      remove(root, operation.path)
      return add(root, operation.path, structuredClone(operation.value))
    case 'move': {
      const { from, path } = operation
      const value = get(root, from)
      if (path === from) return root
      if (path.startsWith(`${from}/`)) throw new Error('into itself')
      remove(root, from)
      return add(root, path, value)
    }
    case 'copy':
      return add(root, operation.path, structuredClone(get(root, operation.from)))
    case 'test':
      if (!isDeepStrictEqual(get(root, operation.path), operation.value)) throw new Error('the test failed')
      return root
  }
}

/** Returns the patched JSON and leaves what it was given; throws where an operation fails. */
export const applyPlainPatch = (json: unknown, operations: readonly PlainOperation[]): unknown =>
  operations.reduce(applyOne, structuredClone(json))
