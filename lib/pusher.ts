/**
 * Recovery of missed events for an unmodified `pusher-js`. The wire keeps no place in an ordinary event for its number:
 * the server tells the position at each subscription, the events that follow are counted here, and the next
 * subscription of the same channel says how far it came.
 */

/** What is used of a `Pusher` of pusher-js. */
export interface PusherLike {
  readonly connection: {
    readonly socket_id: string
    bind_global(callback: (event: string, frame: unknown) => void): unknown
    unbind_global(callback: (event: string, frame: unknown) => void): unknown
  }
  // A method, so that a class with a narrower type of data is one too.
  send_event(name: string, data: unknown, channel?: string): boolean
  unsubscribe(name: string): void
}

export interface RecoverOptions {
  /**
   * A channel was subscribed anew and what happened meanwhile can't be told: the server keeps too few events, or was
   * started anew. The application should read again what it shows.
   */
  onGap?(channel: string): void
}

interface Frame {
  readonly event?: unknown
  readonly channel?: unknown
  readonly data?: unknown
}

interface Recovery {
  readonly epoch: string
  readonly offset: number
  readonly recovered: boolean
  /** The next event is the cached one of a `cache-` channel, which is not counted. */
  readonly cached?: boolean
}

interface Place {
  readonly epoch: string
  readonly offset: number
  readonly socket_id: string
  /** Events since. */
  count: number
  isCachedNext: boolean
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null

/**
 * Lets a `Pusher` of pusher-js get what it missed while its connection was cut, in order and nothing twice. With another
 * server than Tutti it does nothing.
 *
 *     const pusher = new Pusher('key', { cluster: '', wsHost: 'localhost', wsPort: 1234, forceTLS: false })
 *     recoverMissedEvents(pusher, { onGap: (channel) => reload(channel) })
 *
 * Call it right after `new Pusher`, before anything was subscribed.
 * @returns the function that ends it
 */
export const recoverMissedEvents = (pusher: PusherLike, { onGap }: RecoverOptions = {}): (() => void) => {
  const { connection, send_event: send, unsubscribe } = pusher
  const places = new Map<string, Place>()

  const subscribed = (channel: string, data: unknown): void => {
    const recovery = isRecord(data) ? (data.recovery as Recovery | undefined) : undefined
    if (recovery === undefined) return
    const isGap = places.has(channel) && !recovery.recovered
    const { epoch, offset, cached = false } = recovery
    places.set(channel, { epoch, offset, socket_id: connection.socket_id, count: 0, isCachedNext: cached })
    // Not before pusher-js has taken the channel for subscribed.
    if (isGap) queueMicrotask(() => onGap?.(channel))
  }

  // Called before pusher-js reads the frame: what a listener of the application throws, or unsubscribes, comes after.
  const heard = (kind: string, frame: unknown): void => {
    if (kind !== 'message') return
    const { event, channel, data } = frame as Frame
    if (typeof event !== 'string' || typeof channel !== 'string') return
    if (event === 'pusher_internal:subscription_succeeded') subscribed(channel, data)
    const place = places.get(channel)
    if (place === undefined || /^pusher(_internal)?:/.test(event)) return
    if (place.isCachedNext) place.isCachedNext = false
    else place.count++
  }

  const sendWithPlace: PusherLike['send_event'] = (name, data, channel) => {
    const named = isRecord(data) ? (data.channel as string) : ''
    const place = places.get(named)
    if (name === 'pusher:unsubscribe') places.delete(named)
    if (name !== 'pusher:subscribe' || place === undefined) return send.call(pusher, name, data, channel)
    const { epoch, offset, count, socket_id } = place
    return send.call(pusher, name, { ...(data as object), recover: { epoch, offset, count, socket_id } }, channel)
  }

  // While the connection is being made no channel counts as subscribed, and pusher-js sends nothing.
  const forget = (channel: string): void => {
    places.delete(channel)
    unsubscribe.call(pusher, channel)
  }

  connection.bind_global(heard)
  pusher.send_event = sendWithPlace
  pusher.unsubscribe = forget
  return () => {
    connection.unbind_global(heard)
    // Back to the methods of the class.
    pusher.send_event = send
    pusher.unsubscribe = unsubscribe
  }
}
