/** What the Pusher HTTP door is made of. Types only. */
import type { App, Apps } from '../../apps.ts'
import type { ApiRequest, ApiResponse, Caller } from '../../contracts.ts'
import type { Parameters } from '../../protocol/pusherRequest.ts'
import type { PusherDoor } from '../../pusher/contracts.ts'
import type { Channels } from '../../room/channels.ts'

export interface PusherApiParts {
  readonly apps: Apps
  readonly channels: Channels
  readonly pusher: Pick<PusherDoor, 'users' | 'cacheOf' | 'subscriptionCount'>
  /** Who asks, for the hook that is asked about events; `undefined`: there is none. */
  readonly callerOf?: ((request: ApiRequest) => Caller) | undefined
  /** Seconds since 1970. */
  now(): number
}

/** A request of an app's back end, signed. */
export interface AppRequest {
  readonly app: App
  readonly parameters: Parameters
  readonly request: ApiRequest
  /** The decoded parts of the path after `/apps/<id>`. */
  readonly path: readonly string[]
}

export type Answer = (parts: PusherApiParts, request: AppRequest) => ApiResponse | Promise<ApiResponse>
