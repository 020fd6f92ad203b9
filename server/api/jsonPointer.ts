/** JSON Pointer (RFC 6901). */

/** The reference tokens of a pointer; `undefined` if it is none. The whole document is the empty list. */
export const parsePointer = (pointer: string): string[] | undefined => {
  if (pointer === '') return []
  if (!pointer.startsWith('/') || /~(?![01])/.test(pointer)) return undefined
  return pointer
    .slice(1)
    .split('/')
    .map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'))
}

export const formatPointer = (tokens: readonly string[]): string =>
  tokens.map((token) => `/${token.replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')

/** The index that a token is in an array; `undefined` if it is none. */
export const arrayIndexOf = (token: string): number | undefined =>
  /^(0|[1-9]\d{0,14})$/.test(token) ? Number(token) : undefined
