/** Names of Pusher channels and what their prefixes mean. */

export interface ChannelKind {
  /** Subscribing needs the application's signature. */
  readonly isPrivate: boolean
  /** It has members. Private as well. */
  readonly isPresence: boolean
  /** Its data is encrypted end to end: the server passes it through. Private as well. */
  readonly isEncrypted: boolean
  /** The last event of a back end is kept for those who subscribe later. */
  readonly isCache: boolean
  /** `#server-to-user-<id>`: what is sent to one signed-in user. */
  readonly isUser: boolean
}

/** What a server sends to one signed-in user goes through the channel with this prefix and the user's id. */
export const USER_CHANNEL_PREFIX = '#server-to-user-'

const NAME = /^[A-Za-z0-9_\-=@,.;]+$/

/** Says what is wrong with the name of a channel, or `undefined` if it is one. */
export const channelNameProblem = (name: string, maxLength: number): string | undefined => {
  if (name === '') return 'it is empty'
  if (name.length > maxLength) return `it has ${name.length} characters; at most ${maxLength} are allowed`
  const rest = name.startsWith(USER_CHANNEL_PREFIX) ? name.slice(USER_CHANNEL_PREFIX.length) : name
  // A user id may have any characters but control characters: it is no part of the channel's own name.
  if (name !== rest) return rest === '' ? 'it names no user' : undefined
  return NAME.test(name) ? undefined : 'it may have letters, digits and _ - = @ , . ; only'
}

export const kindOf = (name: string): ChannelKind => {
  const isPresence = name.startsWith('presence-')
  const isEncrypted = name.startsWith('private-encrypted-')
  const isPrivate = isPresence || name.startsWith('private-')
  return {
    isPrivate,
    isPresence,
    isEncrypted,
    isCache: /^(private-encrypted-|private-|presence-)?cache-/.test(name),
    isUser: name.startsWith(USER_CHANNEL_PREFIX),
  }
}
