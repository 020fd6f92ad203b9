/** What `info=` asks for of a channel. */
import type { App } from '../../apps.ts'
import { channelNameProblem, kindOf } from '../../protocol/pusherName.ts'
import type { PusherApiParts } from './contracts.ts'
import { Failure } from './failure.ts'

export const ATTRIBUTES = ['user_count', 'subscription_count', 'cache'] as const

export type Attribute = (typeof ATTRIBUTES)[number]

/** @throws Failure 400 for what is no name of a channel */
export const checkChannelName = ({ limits }: App, name: unknown): string => {
  if (typeof name !== 'string') throw new Failure(400, 'A channel is no text; expected the name of a channel.')
  const problem = channelNameProblem(name, limits.maxChannelNameLength)
  if (problem !== undefined)
    throw new Failure(400, `${JSON.stringify(name.slice(0, 200))} is no name of a channel: ${problem}.`)
  return name
}

/**
 * @param info as it came: names with commas between
 * @throws Failure 400 for what nobody knows
 */
export const parseAttributes = (info: unknown, known: readonly Attribute[]): readonly Attribute[] => {
  if (info === undefined || info === null || info === '') return []
  if (typeof info !== 'string') throw new Failure(400, `info is no text; expected any of ${known.join(',')}.`)
  return info.split(',').map((part) => {
    const attribute = known.find((candidate) => candidate === part.trim())
    if (attribute !== undefined) return attribute
    throw new Failure(400, `info asks for ${JSON.stringify(part.slice(0, 40))}; expected any of ${known.join(',')}.`)
  })
}

/** @throws Failure 400 for an attribute that this kind of channel does not have */
export const checkAttributes = (channel: string, attributes: readonly Attribute[]): void => {
  const { isPresence, isCache } = kindOf(channel)
  for (const attribute of attributes) {
    if (attribute === 'user_count' && !isPresence) {
      throw new Failure(400, `user_count is known of presence channels only, not of "${channel}".`)
    }
    if (attribute === 'subscription_count' && isPresence) {
      throw new Failure(400, `subscription_count is known of all but presence channels, not of "${channel}".`)
    }
    if (attribute === 'cache' && !isCache) {
      throw new Failure(400, `cache is known of cache channels only, not of "${channel}".`)
    }
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
      case 'subscription_count':
        answer.subscription_count = pusher.subscriptionCount(app, channel)
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
