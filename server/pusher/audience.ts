/** Who hears an app's channels by the Pusher protocol. Frames are made once for each event, however many hear it. */
import type { Person, RoomEvent } from '../contracts.ts'
import { eventFrame, memberAddedFrame, memberRemovedFrame } from '../protocol/pusherMessage.ts'
import { kindOf } from '../protocol/pusherName.ts'
import type { Audience } from '../room/channel.ts'

export interface AudienceParts {
  /** Of the app. */
  readonly prefix: string
  /** The connection of this id has not been sent an event of a room, since the event names it. */
  excepted(socketId: string, room: string, offset: number): void
}

/** A client gets bytes as base64. */
export const textOf = (body: string | Uint8Array): string =>
  typeof body === 'string' ? body : Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('base64')

export const frameOf = ({ event, body, userId }: RoomEvent, channel: string): string =>
  eventFrame(event, channel, textOf(body), kindOf(channel).isPresence ? userId : undefined)

export const createAudience = ({ prefix, excepted }: AudienceParts): Audience => {
  const channelOf = (room: string): string => room.slice(prefix.length)
  return {
    key: `p${prefix}`,
    encode: (event, room) => frameOf(event, channelOf(room)),
    encodePerson: (news: 'joined' | 'left' | 'present', person: Person, room: string) => {
      const channel = channelOf(room)
      // The protocol has no word for a member who tells something else: a second `member_added` counts as a join.
      if (news === 'present' || !kindOf(channel).isPresence) return undefined
      return news === 'joined' ? memberAddedFrame(channel, person) : memberRemovedFrame(channel, person.id)
    },
    excepted: ({ except, offset }, room) => {
      if (except !== undefined) excepted(except, room, offset)
    },
  }
}

/** The same for the room of a user's own channel, which may have another name than the channel. */
export const userAudience = (audience: Audience, channel: string): Audience => ({
  key: audience.key,
  encode: (event) => frameOf(event, channel),
  encodePerson: () => undefined,
})
