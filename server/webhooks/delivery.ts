/** One attempt to hand events to an application: an HTTP request, signed the way Pusher signs its webhooks. */
import type { App } from '../apps.ts'
import { sign } from '../protocol/hmac.ts'
import { percentDecoded } from '../protocol/percentDecoded.ts'
import type { Clock } from './clock.ts'

/** What of an answer's body is read, so that the connection can be used again; a longer one costs the connection. */
const MAX_ANSWER_BYTES = 64 * 1024

/** What an attempt led to. `isTaken`: the application answered 2xx. */
export type Answer = { readonly isTaken: true } | { readonly isTaken: false; readonly reason: string }

export interface DeliveryParts {
  readonly app: App
  readonly url: string
  readonly clock: Clock
  /** How long the application has to answer, in ms. */
  readonly timeoutMs: number
}

export interface Delivery {
  /** The URL without what may be secret in it. */
  readonly shownUrl: string
  /** Sends events, each the JSON of one. Never rejects. */
  post(events: readonly string[]): Promise<Answer>
  /** Breaks off what is under way. */
  abort(): void
}

/** A `%` that encodes nothing stands for itself. */
const decoded = (text: string): string => percentDecoded(text) ?? text

/** `fetch` takes no credentials in a URL. */
const authorizationOf = ({ username, password }: URL): Record<string, string> => {
  if (username === '' && password === '') return {}
  const credentials = Buffer.from(`${decoded(username)}:${decoded(password)}`)
  return { authorization: `Basic ${credentials.toString('base64')}` }
}

/** `fetch` says no more than that it failed; its cause knows why. */
const reasonOf = (error: unknown): string => {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
  if (!(cause instanceof Error)) return String(cause)
  // Where several addresses were tried, the message is empty and the code is that of the last one.
  return cause.message || ('code' in cause ? String(cause.code) : cause.name)
}

const drain = async (response: Response): Promise<void> => {
  let bytes = 0
  for await (const chunk of response.body ?? []) {
    bytes += chunk.byteLength
    if (bytes > MAX_ANSWER_BYTES) return
  }
}

export const createDelivery = ({ app, url, clock, timeoutMs }: DeliveryParts): Delivery => {
  const target = new URL(url)
  const headers = {
    // Exactly: with a charset, the check of Pusher's own SDKs fails.
    'content-type': 'application/json',
    'user-agent': 'Tutti',
    'x-pusher-key': app.key,
    ...authorizationOf(target),
  }
  target.username = ''
  target.password = ''
  const running = new Set<AbortController>()

  const post = async (events: readonly string[]): Promise<Answer> => {
    // Stamped at each attempt: Pusher's SDKs refuse what is more than 5 minutes off.
    const body = `{"time_ms":${clock.now()},"events":[${events.join(',')}]}`
    const abortion = new AbortController()
    let isLate = false
    const timer = setTimeout(() => {
      isLate = true
      abortion.abort()
    }, timeoutMs)
    running.add(abortion)
    let answer: Answer | undefined
    try {
      const response = await fetch(target, {
        method: 'POST',
        headers: { ...headers, 'x-pusher-signature': sign(app.secrets[0], body) },
        body,
        // A redirected POST would arrive as a GET, or at a place that nobody configured.
        redirect: 'manual',
        signal: abortion.signal,
      })
      answer = response.ok ? { isTaken: true } : { isTaken: false, reason: `it answered ${response.status}` }
      await drain(response)
      return answer
    } catch (error) {
      // Its status was the answer, whatever became of the rest.
      if (answer) return answer
      return { isTaken: false, reason: isLate ? `no answer within ${timeoutMs} ms` : reasonOf(error) }
    } finally {
      clearTimeout(timer)
      running.delete(abortion)
    }
  }

  return {
    shownUrl: `${target.origin}${target.pathname}`,
    post,
    abort: () => {
      for (const abortion of running) abortion.abort()
    },
  }
}
