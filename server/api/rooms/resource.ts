/** What a room has under its path, as the parts of the room door see it. */
import type { Admission, ApiRequest, ApiResponse, Caller, Documents, Person, Position } from '../../contracts.ts'
import type { Channels } from '../../room/channels.ts'
import type { Rooms } from '../../room/rooms.ts'
import type { Answers } from '../answers.ts'
import type { EventEncoder } from './eventStream.ts'

/** What the room door works on. */
export interface RoomDoorParts {
  readonly documents: Documents
  readonly rooms: Pick<Rooms, 'list' | 'inUse' | 'find' | 'describe' | 'delete'>
  readonly channels: Pick<Channels, 'all' | 'open' | 'find' | 'forget' | 'trigger'>
  /** Who is in a room, each once. */
  membersOf(room: string): Promise<Person[]>
  /** `undefined`: everyone may use every room. */
  readonly admission?: Admission | undefined
  /** Whether the application has an own socket under this name, which is then no room's. */
  isSocket?(room: string): boolean
  readonly limits: { readonly maxEventBytes: number }
}

/** The parts with what the door itself remembers. */
export interface RoomDoor extends RoomDoorParts {
  /** Where events went that were given an `id`. */
  readonly published: Answers<Position>
  readonly encodeEvent: EventEncoder
}

/** A room that a path names, and what of it. */
export interface RoomTarget {
  readonly room: string
  /** The decoded segments that follow the resource's word: the `<root>` and `<id>` of `document/<root>/<id>`. */
  readonly rest: readonly string[]
  /** Who asks. */
  readonly caller: Caller
}

export type Answer = (door: RoomDoor, target: RoomTarget, request: ApiRequest) => ApiResponse | Promise<ApiResponse>

/** What can be done with a resource, by method; `HEAD` stands beside `GET`. */
export type Methods = Readonly<Record<string, Answer>>
