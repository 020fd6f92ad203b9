/** Times and numbers of webhooks; the first four are Pusher's. */
export const WEBHOOK_TIMES = {
  /** How long an application has to answer. */
  attemptMs: 4000,
  /** How long delivery of an event is tried. */
  giveUpMs: 300_000,
  /** How long events are collected where they are sent in batches. */
  batchMs: 250,
  /** As many events are sent at once without waiting for more. */
  batchEvents: 20,
  /** Before the second attempt, at most; doubled before each further one. */
  firstRetryMs: 1000,
  /** Between two attempts, at most. */
  maxRetryMs: 60_000,
  /** Requests to one URL at a time. */
  maxRequests: 8,
  /**
   * After a start, and the leave grace besides: how long those who were there before it have to come back. Stock Pusher
   * clients try after 1, 16 and 46 s.
   */
  returnMs: 20_000,
  /** How long a stop waits for requests under way. */
  stopMs: 1000,
} as const

export type WebhookTimes = { readonly [K in keyof typeof WEBHOOK_TIMES]: number }
