/**
 * Webhooks: tells applications over HTTP what happens in their channels. An event is in the journal before its first
 * attempt and leaves it once an attempt was answered 2xx, or it was given up: it is delivered at least once, also over
 * a restart, and twice where the answer to an attempt was lost. The journal knows as well what was told to be so, see
 * `Standings`.
 */
import type { App, AppNews, Webhook, WebhookEvent } from '../apps.ts'
import type { Journal, JournalEntry, Logger } from '../contracts.ts'
import type { ChannelObserver } from '../room/channel.ts'
import { createChannelNews } from './channelNews.ts'
import { type Clock, systemClock } from './clock.ts'
import { Courier, type CourierCounts } from './courier.ts'
import { createDelivery, type Delivery } from './delivery.ts'
import type { Parcel } from './lane.ts'
import type { News } from './news.ts'
import { SparseLog } from './sparseLog.ts'
import { encodeStanding, endOf, type Standing, Standings, standingOf, type Turn, turnOf } from './standing.ts'
import { WEBHOOK_TIMES, type WebhookTimes } from './times.ts'

export interface WebhooksParts {
  readonly apps: readonly App[]
  /** Closed with the webhooks. */
  readonly journal: Journal
  readonly log: Logger
  readonly limits: {
    /** Events that wait for one webhook. */
    readonly webhookQueueEvents: number
    /** Their bytes. */
    readonly webhookQueueBytes: number
    readonly leaveGraceSeconds: number
  }
  /** For tests. */
  readonly times?: Partial<WebhookTimes>
  readonly clock?: Clock
  random?(): number
}

/** Counts of one webhook since the server started. */
export interface WebhookCounts extends CourierCounts {
  readonly app: string
  /** Its URL without what may be secret in it. */
  readonly url: string
}

export interface Webhooks extends Required<AppNews> {
  /** For all channels of the server. */
  readonly observer: ChannelObserver
  counts(): WebhookCounts[]
  /**
   * Hears and sends nothing any more. Requests under way have a second to end; what was not delivered stays in the
   * journal.
   */
  close(): Promise<void>
}

/** A webhook of an app, at work. */
interface Line {
  readonly app: App
  readonly url: string
  readonly events: ReadonlySet<WebhookEvent>
  readonly delivery: Delivery
  readonly courier: Courier
  readonly logs: readonly SparseLog[]
}

/** A record of the journal: the event's JSON, for which webhook, and in which channel it happened. */
type Stored = readonly [app: string, url: string, channel: string, text: string]

const isStored = (value: unknown): value is Stored =>
  Array.isArray(value) && value.length === 4 && value.every((part) => typeof part === 'string')

const decodeRecord = (record: string): Stored | Standing | undefined => {
  try {
    const value: unknown = JSON.parse(record)
    return isStored(value) ? value : standingOf(value)
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

const readOrClose = async (journal: Journal): Promise<JournalEntry[]> => {
  try {
    return await journal.read()
  } catch (error) {
    await journal.close()
    throw error
  }
}

/**
 * Starts the webhooks of all apps with what is left in the journal.
 * @throws TuttiError `STORAGE_FAILED` if the journal can't be read
 */
export const openWebhooks = async (parts: WebhooksParts): Promise<Webhooks> => {
  const { journal, log, clock = systemClock } = parts
  const times: WebhookTimes = { ...WEBHOOK_TIMES, ...parts.times }
  const unstored = new SparseLog(clock, (count, fields) =>
    log.error({ ...fields, count }, 'the journal of the webhooks failed; events would not survive a restart'),
  )

  // The journal may be the application's: what it throws at once is heard like what it rejects with.
  const append = async (entries: readonly JournalEntry[]): Promise<void> => journal.append(entries)
  const remove = async (ids: readonly number[]): Promise<void> => journal.remove(ids)
  const close = async (): Promise<void> => journal.close()

  const done = (ids: readonly number[]): void => {
    // What stays in the journal by such a failure is delivered again after a restart.
    remove(ids).catch((err: unknown) => unstored.note(1, { err }))
  }

  const createLine = (app: App, webhook: Webhook): Line => {
    const delivery = createDelivery({ app, url: webhook.url, clock, timeoutMs: times.attemptMs })
    const sparse = (message: string): SparseLog =>
      new SparseLog(clock, (count, fields) =>
        log.warn({ app: app.id, url: delivery.shownUrl, ...fields, count }, message),
      )
    const failures = sparse('a webhook failed; it will be tried again')
    const givenUp = sparse(`events of a webhook were given up after ${times.giveUpMs / 1000} s`)
    const dropped = sparse('too many events wait for a webhook; the oldest were dropped')
    const courier = new Courier({
      isBatching: webhook.batch,
      limits: parts.limits,
      times,
      clock,
      random: parts.random ?? Math.random,
      post: delivery.post,
      done,
      failed: (reason) => failures.note(1, { reason }),
      givenUp: (count, channel) => givenUp.note(count, { channel }),
      dropped: (count) => dropped.note(count, {}),
    })
    const events = new Set(webhook.events)
    return { app, url: webhook.url, events, delivery, courier, logs: [failures, givenUp, dropped] }
  }

  const standings = new Standings()
  const lines = parts.apps.flatMap((app) => app.webhooks.map((webhook) => createLine(app, webhook)))

  const resume = (entries: readonly JournalEntry[]): void => {
    const strays: number[] = []
    const expiresAt = clock.now() + times.giveUpMs
    for (const { id, record } of entries) {
      const stored = decodeRecord(record)
      if (stored && 'user' in stored) {
        if (lines.some(({ app }) => app.id === stored.app)) standings.restore(stored, id)
        else done([id])
        continue
      }
      const line = stored && lines.find(({ app, url }) => app.id === stored[0] && url === stored[1])
      if (!line) {
        strays.push(id)
        continue
      }
      const parcel: Parcel = { id, channel: stored[2], text: stored[3], expiresAt }
      line.courier.expect(parcel)
      line.courier.take(parcel)
    }
    if (strays.length === 0) return
    log.warn({ count: strays.length }, 'events were left of webhooks that are configured no more; they are dropped')
    done(strays)
  }

  const left = await readOrClose(journal)
  let nextId = (left.at(-1)?.id ?? 0) + 1
  resume(left)

  let isClosing = false
  /** Tells the ends of what has not come back. */
  const tellMissing = (missing: readonly Standing[]): void => {
    for (const standing of missing) {
      const line = lines.find(({ app }) => app.id === standing.app)
      if (line) tell(line.app, endOf(standing))
    }
  }

  /** Puts what has begun into the journal, with the news of it, or takes out what has ended. */
  const keepStanding = (app: App, turn: Turn, entries: JournalEntry[]): void => {
    const [begins, ends]: readonly [WebhookEvent, WebhookEvent] =
      turn.user === '' ? ['channel_occupied', 'channel_vacated'] : ['member_added', 'member_removed']
    if (!turn.isBegun) {
      const id = standings.end(turn)
      if (id !== undefined) done([id])
    } else if (lines.some((line) => line.app === app && (line.events.has(begins) || line.events.has(ends)))) {
      const id = nextId++
      standings.begin(turn, id)
      entries.push({ id, record: encodeStanding(turn) })
    }
  }

  const tell = (app: App, news: News): void => {
    if (isClosing) return
    const turn = turnOf(app.id, news)
    if (turn?.isBegun && standings.hasReturned(turn)) return
    if (news.name === 'channel_vacated') tellMissing(standings.missingIn({ app: app.id, channel: news.channel }))
    const entries: JournalEntry[] = []
    const parcels: [Line, Parcel][] = []
    let text: string | undefined
    for (const line of lines) {
      if (line.app !== app || !line.events.has(news.name)) continue
      text ??= JSON.stringify(news)
      const parcel: Parcel = { id: nextId++, channel: news.channel, text, expiresAt: clock.now() + times.giveUpMs }
      line.courier.expect(parcel)
      parcels.push([line, parcel])
      entries.push({
        id: parcel.id,
        record: JSON.stringify([app.id, line.url, news.channel, text] satisfies Stored),
      })
    }
    if (turn) keepStanding(app, turn, entries)
    if (entries.length === 0) return
    const take = () => {
      for (const [{ courier }, parcel] of parcels) courier.take(parcel)
    }
    append(entries).then(take, (err: unknown) => {
      unstored.note(entries.length, { err })
      take()
    })
  }

  const callOffReturn = standings.hasDoubts
    ? clock.after(parts.limits.leaveGraceSeconds * 1000 + times.returnMs, () => tellMissing(standings.missing()))
    : () => undefined

  const channelNews = createChannelNews({ apps: parts.apps.filter(({ webhooks }) => webhooks.length > 0), clock, tell })

  const stop = async (): Promise<void> => {
    isClosing = true
    channelNews.stop()
    callOffReturn()
    const stopped = Promise.all(lines.map(({ courier }) => courier.stop()))
    const callOff = clock.after(times.stopMs, () => {
      for (const { delivery } of lines) delivery.abort()
    })
    await stopped
    callOff()
    await close().catch((err: unknown) => unstored.note(1, { err }))
    for (const { logs } of lines) for (const sparse of logs) sparse.flush()
    unstored.flush()
    const waiting = lines.reduce((sum, { courier }) => sum + courier.counts.waiting, 0)
    if (waiting > 0) log.info({ waiting }, 'webhooks stopped with events that were not delivered yet')
  }

  let closing: Promise<void> | undefined
  return {
    observer: channelNews.observer,
    cacheMiss: (app, channel) => tell(app, { name: 'cache_miss', channel }),
    clientEvent: (app, channel, event, data, socket_id, userId) =>
      tell(app, {
        name: 'client_event',
        channel,
        event,
        data,
        socket_id,
        ...(userId === undefined ? {} : { user_id: userId }),
      }),
    counts: () =>
      lines.map(({ app, delivery, courier }) => ({ app: app.id, url: delivery.shownUrl, ...courier.counts })),
    close: () => {
      closing ??= stop()
      return closing
    },
  }
}
