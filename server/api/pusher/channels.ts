/** `GET /channels…`: which channels are occupied, and what is known of one. */
import { channelNameProblem, kindOf } from '../../protocol/pusherName.ts'
import { attributesOf, checkAttributes, parseAttributes } from './attributes.ts'
import { channelNameOf } from './channelName.ts'
import type { Answer } from './contracts.ts'
import { Failure, okAnswer } from './failure.ts'

export const getChannels: Answer = (parts, { app, parameters }) => {
  const prefix = parameters.get('filter_by_prefix') ?? ''
  const attributes = parseAttributes(parameters.get('info'), ['user_count', 'subscription_count'])
  if (attributes.includes('user_count') && !prefix.startsWith('presence-')) {
    throw new Failure(400, 'user_count needs filter_by_prefix=presence-: no other channels have users.')
  }
  const rooms = app.prefix + prefix
  const answer: [string, object][] = []
  for (const channel of parts.channels.all()) {
    if (!channel.isOccupied || !channel.name.startsWith(rooms)) continue
    const name = channel.name.slice(app.prefix.length)
    // Rooms of other apps and of other doors may have names that no channel has.
    if (kindOf(name).isUser || channelNameProblem(name, app.limits.maxChannelNameLength) !== undefined) continue
    answer.push([name, attributesOf(parts, app, name, attributes)])
  }
  return okAnswer({ channels: Object.fromEntries(answer) })
}

export const getChannel: Answer = (parts, { app, parameters, path }) => {
  const name = channelNameOf(app, path[1])
  const attributes = parseAttributes(parameters.get('info'), ['user_count', 'subscription_count', 'cache'])
  checkAttributes(name, attributes)
  const isOccupied = parts.channels.find(app.prefix + name)?.isOccupied ?? false
  const asked = isOccupied ? attributes : attributes.filter((attribute) => attribute === 'cache')
  return okAnswer({ occupied: isOccupied, ...attributesOf(parts, app, name, asked) })
}

export const getUsers: Answer = ({ channels }, { app, path }) => {
  const name = channelNameOf(app, path[1])
  if (!kindOf(name).isPresence) {
    throw new Failure(400, `Users are known of presence channels only, not of ${JSON.stringify(name)}.`)
  }
  const people = channels.find(app.prefix + name)?.people.list() ?? []
  return okAnswer({ users: people.map(({ id }) => ({ id })) })
}
