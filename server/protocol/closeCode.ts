/**
 * Whether a connection that ended with this code broke, so that its client may be back in a moment. Whoever leaves a
 * page or calls `close()` says good-bye: 1000, 1001 or no code at all (RFC 6455, 7.4.1).
 */
export const hasBroken = (code: number): boolean => code !== 1000 && code !== 1001 && code !== 1005
