/** What the Pusher door is to the rest of the server. Types only. */
import type { App, AppNews } from '../apps.ts'
import type { Caller, Door, Position } from '../contracts.ts'

/** The last event that a back end published in a `cache-` channel. */
export interface CachedEvent {
  /** What a client got as `data`. */
  readonly data: string
  /** Whole seconds for which it is still kept, at least 1. */
  readonly ttl: number
}

/** Users who are signed in (`pusher:signin`), by app. */
export interface PusherUsers {
  /** Ids of those with a connection, each once. */
  idsOf(app: App): string[]
  /**
   * Closes the connections that are signed in as a user with 4009, which keeps their clients away until the
   * application connects anew.
   * @returns how many there were
   */
  terminate(app: App, userId: string): number
  /**
   * Publishes an event in the user's channel, `#server-to-user-<id>`. A user without a connection misses it.
   * @throws TuttiError what a hook refuses it with
   */
  sendToUser(
    app: App,
    userId: string,
    event: { readonly event: string; readonly body: string; readonly caller?: Caller | undefined },
  ): Position | Promise<Position>
}

export interface PusherDoor {
  /**
   * The door for a WebSocket's raw path and query; `undefined` if they are not Pusher's: `/app/<key>` of an app, or
   * any path under `/app/` with the parameter `protocol`, which only Pusher's clients send.
   */
  door(path: string, query: string): Door | undefined
  readonly users: PusherUsers
  /** The cached event of a `cache-` channel. */
  cacheOf(app: App, channel: string): CachedEvent | undefined
  /** Connections subscribed to a channel, of all doors. */
  subscriptionCount(app: App, channel: string): number
  /** Tells an observer. Returns the function that ends it. */
  observe(news: AppNews): () => void
  /** Ends its timers. */
  close(): void
}
