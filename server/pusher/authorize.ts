/** Who may subscribe to a channel, and who they are there. */
import { TuttiError } from '../../lib/errors.ts'
import type { App } from '../apps.ts'
import { checkChannelAuth } from '../protocol/pusherAuth.ts'
import type { PusherMember, SubscribeRequest } from '../protocol/pusherMessage.ts'
import { channelNameProblem, kindOf, USER_CHANNEL_PREFIX } from '../protocol/pusherName.ts'
import { type PusherUser, readChannelData } from '../protocol/pusherUser.ts'

const memberOf = (app: App, channelData: string | undefined, user: PusherUser | undefined): PusherMember => {
  if (channelData !== undefined) return readChannelData(channelData, app.limits)
  if (user) return { id: user.id, info: user.info }
  throw new TuttiError('INVALID_VALUE', 'channel_data is missing; expected who joins the presence channel.', {
    hint: 'Answer the authorization with channel_data, or sign the user in first (pusher:signin).',
  })
}

/**
 * Checks a subscription.
 * @param user who is signed in on the connection
 * @returns who joins a presence channel; `undefined` on any other
 * @throws TuttiError `INVALID_ROOM`, `UNAUTHENTICATED`, `INVALID_VALUE`
 */
export const authorize = (
  app: App,
  socketId: string,
  { channel, auth, channelData }: SubscribeRequest,
  user: PusherUser | undefined,
): PusherMember | undefined => {
  const problem = channelNameProblem(channel, app.limits.maxChannelNameLength)
  if (problem !== undefined) {
    throw new TuttiError('INVALID_ROOM', `This is no name of a channel: ${problem}.`, {
      hint: `Use 1 to ${app.limits.maxChannelNameLength} letters, digits and _ - = @ , . ; only.`,
    })
  }
  const { isPrivate, isPresence, isUser } = kindOf(channel)
  if (isUser) {
    if (user !== undefined && channel === `${USER_CHANNEL_PREFIX}${user.id}`) return undefined
    throw new TuttiError('UNAUTHENTICATED', 'This is the channel of a user who is not signed in on this connection.', {
      hint: 'Send pusher:signin first.',
    })
  }
  if (isPrivate) checkChannelAuth(app, socketId, channel, channelData, auth)
  return isPresence ? memberOf(app, channelData, user) : undefined
}
