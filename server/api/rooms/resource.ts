/** What a room has under its path, as the parts of the room door see it. */
import type { ApiRequest, ApiResponse, Documents } from '../../contracts.ts'

/** What the room door works on. */
export interface RoomDoorParts {
  readonly documents: Documents
}

/** A room that a path names, and what of it. */
export interface RoomTarget {
  readonly room: string
  /** The decoded segments that follow the resource's word: the `<root>` and `<id>` of `document/<root>/<id>`. */
  readonly rest: readonly string[]
}

export type Answer = (
  parts: RoomDoorParts,
  target: RoomTarget,
  request: ApiRequest,
) => ApiResponse | Promise<ApiResponse>

/** What can be done with a resource, by method; `HEAD` stands beside `GET`. */
export type Methods = Readonly<Record<string, Answer>>
