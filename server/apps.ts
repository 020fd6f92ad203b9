/** Apps: who may use the Pusher doors, and how. An app is a key and its secrets; its channels are rooms. */

/** The largest number that a limit may be: more than a server could reach. */
export const MAX_LIMIT = 1_000_000_000

/** What Pusher documents as its limits; each can be raised. */
export const APP_LIMITS = {
  /** Characters of a channel's name. */
  maxChannelNameLength: 164,
  /** Characters of an event's name. */
  maxEventNameLength: 200,
  /** Bytes of an event's data. */
  maxEventBytes: 10_240,
  /** Channels that one request may publish to. */
  maxChannelsPerEvent: 100,
  /** Events of one batch. */
  maxBatchEvents: 10,
  /** Members of a presence channel, by user id. */
  maxPresenceMembers: 100,
  /** Characters of a user id. */
  maxUserIdLength: 128,
  /** Bytes of a member's user_info, as JSON. */
  maxUserInfoBytes: 1024,
  /** Client events that one connection may send in a second. */
  maxClientEventsPerSecond: 10,
  /** User ids that one user may watch. */
  maxWatchlist: 100,
  /** Connections of clients at a time; none by default but the server's own. */
  maxConnections: MAX_LIMIT,
} as const

export type AppLimits = { readonly [K in keyof typeof APP_LIMITS]: number }

export const WEBHOOK_EVENTS = [
  'channel_occupied',
  'channel_vacated',
  'member_added',
  'member_removed',
  'client_event',
  'cache_miss',
  'subscription_count',
] as const

export type WebhookEvent = (typeof WEBHOOK_EVENTS)[number]

export interface Webhook {
  readonly url: string
  /** Which news are sent. Default all. */
  readonly events: readonly WebhookEvent[]
  /** Whether news are collected for up to 250 ms or 20 events. */
  readonly batch: boolean
}

export interface App {
  /** Digits by convention: some server SDKs take nothing else. */
  readonly id: string
  /** Public. */
  readonly key: string
  /** One, or two while a key is rotated: the first signs, each is accepted. */
  readonly secrets: readonly [string, ...string[]]
  /** Channel `x` of the app is the room `<prefix>x`. Empty or ends in `/`, unlike that of any other app. */
  readonly prefix: string
  /** While it is not, its clients and its back end are refused and its webhooks silent; its rooms stay guarded. */
  readonly enabled: boolean
  readonly clientEvents: boolean
  readonly subscriptionCount: boolean
  readonly watchlist: boolean
  readonly limits: AppLimits
  readonly webhooks: readonly Webhook[]
}

/** What happens in the Pusher door and nowhere else. Told at once; must not throw. */
export interface AppNews {
  /** Someone subscribed to a `cache-` channel that has no cached event. */
  cacheMiss?(app: App, channel: string): void
  /**
   * A client event was published.
   * @param body exactly what the others get as `data`
   * @param userId on presence channels only
   */
  clientEvent?(
    app: App,
    channel: string,
    event: string,
    body: string,
    socketId: string,
    userId: string | undefined,
  ): void
}

/** The apps of a server. */
export interface Apps {
  readonly all: readonly App[]
  byId(id: string): App | undefined
  byKey(key: string): App | undefined
  /**
   * The app whose signature a room needs: its name, without the app's prefix, starts with `private-` or `presence-`, or
   * with `#`, which is kept for what a server sends to one user. Such a room is closed to the other doors.
   */
  guardOf(room: string): App | undefined
  /** The app that a room belongs to by its name: that with the longest prefix of those it begins with. */
  ownerOf(room: string): App | undefined
}

const GUARDED = /^(private-|presence-|#)/

/** Whether a room, or rooms that begin like this, are the app's and need its signature. */
export const isGuarded = ({ prefix }: Pick<App, 'prefix'>, room: string): boolean =>
  room.startsWith(prefix) && GUARDED.test(room.slice(prefix.length))

export const createApps = (all: readonly App[]): Apps => {
  const byId = new Map(all.map((app) => [app.id, app]))
  const byKey = new Map(all.map((app) => [app.key, app]))
  const byPrefix = [...all].sort((a, b) => b.prefix.length - a.prefix.length)
  return {
    all,
    byId: (id) => byId.get(id),
    byKey: (key) => byKey.get(key),
    guardOf: (room) => all.find((app) => isGuarded(app, room)),
    ownerOf: (room) => byPrefix.find(({ prefix }) => room.startsWith(prefix)),
  }
}
