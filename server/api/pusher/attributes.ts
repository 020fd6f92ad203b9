/** What `info=` asks for of a channel. */
import type { App } from '../../apps.ts'
import { kindOf } from '../../protocol/pusherName.ts'
import type { PusherApiParts } from './contracts.ts'
import { Failure } from './failure.ts'

export type Attribute = 'user_count' | 'subscription_count' | 'cache'

/**
 * @param info as it came: names with commas between
 * @throws Failure 400 for what nobody knows
 */
export const parseAttributes = (info: unknown, known: readonly Attribute[]): readonly Attribute[] => {
  if (info === undefined || info === null || info === '') return NONE
  if (typeof info !== 'string') throw new Failure(400, `info is no text; expected any of ${known.join(',')}.`)
  return info.split(',').map((part) => {
    const attribute = known.find((candidate) => candidate === part.trim())
    if (attribute !== undefined) return attribute
    throw new Failure(400, `info asks for ${JSON.stringify(part.slice(0, 40))}; expected any of ${known.join(',')}.`)
  })
}

const NONE: readonly Attribute[] = []

/** @throws Failure 400 for an attribute that this kind of channel does not have */
export const checkAttributes = (channel: string, attributes: readonly Attribute[]): void => {
  if (attributes.length === 0) return
  const { isPresence, isCache } = kindOf(channel)
  if (attributes.includes('user_count') && !isPresence) {
    throw new Failure(400, `user_count is known of presence channels only, not of ${JSON.stringify(channel)}.`)
  }
  if (attributes.includes('cache') && !isCache) {
    throw new Failure(400, `cache is known of cache channels only, not of ${JSON.stringify(channel)}.`)
  }
}

/** The attributes of a channel, checked before. */
export const attributesOf = (
  { channels, pusher }: PusherApiParts,
  app: App,
  channel: string,
  attributes: readonly Attribute[],
): Record<string, unknown> => {
  const answer: Record<string, unknown> = {}
  for (const attribute of attributes) {
    switch (attribute) {
      case 'user_count':
        answer.user_count = channels.find(app.prefix + channel)?.people.count ?? 0
        break
      // Presence channels have a user_count in its place. Left out, not refused: SDKs' own examples ask for both of one.
      case 'subscription_count':
        if (!kindOf(channel).isPresence) answer.subscription_count = pusher.subscriptionCount(app, channel)
        break
      case 'cache':
        answer.cache = pusher.cacheOf(app, channel) ?? null
        break
      default:
        attribute satisfies never
    }
  }
  return answer
}
