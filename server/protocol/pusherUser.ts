/** What an application signed about a user: `channel_data` of a presence channel, `user_data` of a sign-in. */
import { TuttiError } from '../../lib/errors.ts'
import { MAX_DEPTH, nestsWithin } from './bounds.ts'
import type { PusherMember } from './pusherMessage.ts'

export interface UserLimits {
  /** Characters. */
  readonly maxUserIdLength: number
  /** Bytes, as JSON. */
  readonly maxUserInfoBytes: number
}

/** A user who is signed in. */
export interface PusherUser extends PusherMember {
  /** Ids of the users whose coming and going they want to hear of. */
  readonly watchlist: readonly string[]
}

const USER_ID_HINT = "Give the user's id as text."

type Fields = Readonly<Record<string, unknown>>

const kindOf = (value: unknown): string =>
  value === undefined ? 'missing' : value === null ? 'null' : `of type ${typeof value}`

const invalid = (message: string, hint: string, cause?: unknown): TuttiError =>
  new TuttiError('INVALID_VALUE', message, { hint, cause })

const readObject = (name: string, text: string): Fields => {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw invalid(`${name} is not JSON.`, `Sign and send ${name} as the text of a JSON object.`, cause)
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields
  throw invalid(`${name} is no JSON object.`, `Sign and send ${name} as the text of a JSON object.`)
}

/** An id as text: applications sign numbers as well. */
const idOf = (name: string, value: unknown, { maxUserIdLength }: UserLimits): string => {
  const id = typeof value === 'number' && Number.isFinite(value) ? String(value) : value
  if (typeof id !== 'string') throw invalid(`${name} is ${kindOf(value)}; expected text.`, USER_ID_HINT)
  if (id === '') throw invalid(`${name} is empty.`, USER_ID_HINT)
  if (id.length > maxUserIdLength) {
    throw invalid(`${name} has ${id.length} characters; at most ${maxUserIdLength} are allowed.`, USER_ID_HINT)
  }
  if (/\p{Surrogate}/u.test(id)) throw invalid(`${name} holds half a surrogate pair.`, USER_ID_HINT)
  return id
}

/** @returns `null` if nothing is told, as clients expect it */
const infoOf = (value: unknown, { maxUserInfoBytes }: UserLimits): unknown => {
  if (value === undefined || value === null) return null
  if (!nestsWithin(value, MAX_DEPTH)) throw invalid(`user_info nests deeper than ${MAX_DEPTH}.`, 'Make it flatter.')
  const bytes = Buffer.byteLength(JSON.stringify(value))
  if (bytes > maxUserInfoBytes) {
    throw invalid(`user_info has ${bytes} bytes; at most ${maxUserInfoBytes} are allowed.`, 'Tell less of the user.')
  }
  return value
}

/**
 * The member that `channel_data` of a presence channel tells of.
 * @throws TuttiError `INVALID_VALUE`
 */
export const readChannelData = (text: string, limits: UserLimits): PusherMember => {
  const { user_id: id, user_info: info } = readObject('channel_data', text)
  return { id: idOf('user_id', id, limits), info: infoOf(info, limits) }
}

/** What is left of a list when what is no id, and what stands there twice, is taken away. */
const watchlistOf = (value: unknown): string[] =>
  Array.isArray(value) ? [...new Set(value.filter((id) => typeof id === 'string' && id !== ''))] : []

/**
 * The user that `user_data` of a sign-in tells of.
 * @throws TuttiError `INVALID_VALUE`
 */
export const readUserData = (text: string, limits: UserLimits): PusherUser => {
  const { id, user_info: info, watchlist } = readObject('user_data', text)
  if (typeof id !== 'string') throw invalid(`id of user_data is ${kindOf(id)}; expected text.`, USER_ID_HINT)
  return { id: idOf('id of user_data', id, limits), info: infoOf(info, limits), watchlist: watchlistOf(watchlist) }
}
