import type { App } from '../../apps.ts'
import { channelNameProblem, USER_CHANNEL_PREFIX } from '../../protocol/pusherName.ts'
import { Failure } from './failure.ts'

/** Characters of a refused name that are shown. */
const SHOWN = 200

/** @throws Failure 400 for what is no name of a channel */
export const channelNameOf = ({ limits }: App, name: unknown): string => {
  if (typeof name !== 'string') throw new Failure(400, 'A channel is missing or no text; expected its name.')
  // A user's channel is as long as the user's id may be.
  const maxLength = name.startsWith(USER_CHANNEL_PREFIX)
    ? USER_CHANNEL_PREFIX.length + limits.maxUserIdLength
    : limits.maxChannelNameLength
  const problem = channelNameProblem(name, maxLength)
  if (problem === undefined) return name
  throw new Failure(400, `${JSON.stringify(name.slice(0, SHOWN))} is no name of a channel: ${problem}.`)
}
