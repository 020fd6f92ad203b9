import type { Person } from '../contracts.ts'

const isPlain = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/**
 * Whose presence an awareness state is: the `id` of its `user`, the key that editor bindings for Yjs use as well; what
 * else stands there is what the person tells. A client that names no user is a person of its own, and so is one whose
 * id is no text or number, is empty, or has more than `maxIdLength` characters.
 */
export const personOf = (client: number, state: object, maxIdLength: number): Person => {
  const { user } = state as { readonly user?: unknown }
  if (!isPlain(user)) return { id: String(client), info: null }
  const { id, ...info } = user
  const isId = (typeof id === 'string' && id !== '') || (typeof id === 'number' && Number.isFinite(id))
  const text = isId ? String(id) : ''
  return {
    id: text !== '' && text.length <= maxIdLength ? text : String(client),
    info: Object.keys(info).length > 0 ? info : null,
  }
}
