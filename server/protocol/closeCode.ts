/** Codes that WebSockets end with, and those by which the Pusher protocol says what was wrong. */

/**
 * Whether a connection that ended with this code broke, so that its client may be back in a moment. Whoever leaves a
 * page or calls `close()` says good-bye: 1000, 1001 or no code at all (RFC 6455, 7.4.1).
 */
export const hasBroken = (code: number): boolean => code !== 1000 && code !== 1001 && code !== 1005

/**
 * The codes of the Pusher protocol that this server closes with. What pusher-js 8 does on each was measured: on
 * 4000–4099 it stays away until the application connects anew, on 4100–4199 and 1001 it is back after one second.
 *
 * Not among them: 4000, only TLS is served (TLS ends before this server); 4200, reconnect at once, 4201, no pong, and
 * 4202, inactive: a client comes back on these without any delay, hundreds of times a second where it is refused again,
 * and a peer that does not answer pings is cut without a close frame, which it could not read (1006).
 */
export const PUSHER_CLOSE = {
  /** There is no app with this key. */
  noApp: 4001,
  /** `enabled` of the app is `false`. */
  disabled: 4003,
  /** The app has its `maxConnections`. */
  overQuota: 4004,
  /** The path is not `/app/<key>`. */
  path: 4005,
  /** `protocol` is no number. */
  version: 4006,
  /** `protocol` is a number, but none that is spoken here. */
  unsupportedProtocol: 4007,
  /** `protocol` is missing. */
  noProtocol: 4008,
  /** A hook refused the connection, or the application ended those of a user. Also of `pusher:error`: a sign-in failed. */
  unauthorised: 4009,
  /** The server has its `maxConnections`, or failed on this one. */
  overCapacity: 4100,
  /** The server is stopping. */
  goingAway: 1001,
} as const

/**
 * The codes of `pusher:error`, which ends nothing. Its `code` is `null` for anything else; a failed sign-in is told with
 * `PUSHER_CLOSE.unauthorised`. What pusher-js does on each: its connection calls those who listen to `error`.
 */
export const PUSHER_ERROR = {
  /** More client events than the app allows in a second. */
  clientEventRate: 4301,
  /** A watchlist with more users than the app allows. */
  watchlist: 4302,
} as const
