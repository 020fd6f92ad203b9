/** A Pusher client of few words, over a real socket, which sends what a test wants and keeps what it gets. */
import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import { afterEach } from 'vitest'
import { type ClientOptions, WebSocket } from 'ws'
import type { AppOptions } from '../../server/appOptions.ts'
import { until } from '../e2e/until.ts'
import { PusherRules } from './pusherRecorder.ts'

export const APP = { id: '1', key: 'key', secret: 'secret' } satisfies AppOptions

export const signed = (text: string, secret: string = APP.secret): string =>
  `${APP.key}:${createHmac('sha256', secret).update(text).digest('hex')}`

export interface Frame {
  readonly event: string
  readonly channel?: string
  /** Parsed where it is JSON. */
  readonly data: unknown
  readonly user_id?: string
}

interface Succeeded {
  readonly presence?: { readonly ids: string[]; readonly hash: Record<string, unknown>; readonly count: number }
  readonly recovery?: {
    readonly epoch: string
    readonly offset: number
    readonly recovered: boolean
    readonly cached?: true
  }
}

const parsed = (data: unknown): unknown => {
  if (typeof data !== 'string') return data
  try {
    return JSON.parse(data)
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    return data
  }
}

const clients: PusherClient[] = []
afterEach(() => {
  for (const client of clients.splice(0)) client.socket.terminate()
})

export interface SubscribeFields {
  /** Signed with the test app's secret. */
  readonly channelData?: object
  readonly recover?: unknown
  readonly auth?: string
}

export class PusherClient {
  readonly socket: WebSocket
  readonly frames: Frame[] = []
  readonly #rules: PusherRules
  #closed: { code: number; reason: string } | undefined

  constructor(url: string, options: ClientOptions = {}) {
    this.#rules = new PusherRules(url)
    this.socket = new WebSocket(url, options)
    this.socket.on('message', (bytes, isBinary) => {
      this.#rules.fromServer(bytes, isBinary)
      const frame = JSON.parse(String(bytes)) as Frame
      this.frames.push({ ...frame, data: parsed(frame.data) })
    })
    this.socket.on('close', (code, reason) => {
      this.#closed = { code, reason: String(reason) }
      this.#rules.closed(code)
    })
    this.socket.on('error', (error) => {
      this.#closed ??= { code: 1006, reason: error.message }
    })
    clients.push(this)
  }

  /** Resolves when the connection is established. */
  static async connect(url: string, query = 'protocol=7&client=js&version=8.6.0&flash=false'): Promise<PusherClient> {
    const client = new PusherClient(`${url}/app/${APP.key}?${query}`)
    await client.find('pusher:connection_established')
    return client
  }

  get id(): string {
    const established = this.frames[0]?.data as { socket_id: string }
    return established.socket_id
  }

  get closed(): { readonly code: number; readonly reason: string } | undefined {
    return this.#closed
  }

  sendText(text: string): void {
    this.#rules.fromClient(text)
    this.socket.send(text)
  }

  send(event: string, data: unknown, channel?: string): void {
    this.sendText(JSON.stringify({ event, data, channel }))
  }

  subscribing(channel: string, { channelData, recover, auth }: SubscribeFields = {}): void {
    const text = channelData && JSON.stringify(channelData)
    const isPublic = !/^(private|presence)-/.test(channel)
    const proof = signed(`${this.id}:${channel}${text === undefined ? '' : `:${text}`}`)
    this.send('pusher:subscribe', { auth: auth ?? (isPublic ? '' : proof), channel, channel_data: text, recover })
  }

  async subscribe(channel: string, fields: SubscribeFields = {}): Promise<Succeeded> {
    const from = this.frames.length
    this.subscribing(channel, fields)
    const { data } = await this.find('pusher_internal:subscription_succeeded', channel, from)
    return data as Succeeded
  }

  signIn(userData: object): void {
    const text = JSON.stringify(userData)
    this.send('pusher:signin', { auth: signed(`${this.id}::user::${text}`), user_data: text })
  }

  /** The first frame of an event, waited for. */
  async find(event: string, channel?: string, from = 0): Promise<Frame> {
    const found = (): Frame | undefined =>
      this.frames.slice(from).find((frame) => frame.event === event && (!channel || frame.channel === channel))
    await until(`${event} ${channel ?? ''}, or the close: ${JSON.stringify(this.frames.slice(-3))}`, () =>
      Boolean(found() ?? this.#closed),
    )
    const frame = found()
    if (!frame) throw new Error(`closed with ${JSON.stringify(this.#closed)} before ${event}`)
    return frame
  }

  /** Resolves when the server has answered everything sent so far. */
  async settled(): Promise<void> {
    const from = this.frames.length
    this.send('pusher:ping', {})
    await this.find('pusher:pong', undefined, from)
  }

  /** Names and data of the application's events, in order. */
  events(channel: string): unknown[][] {
    return this.frames
      .filter((frame) => frame.channel === channel && !frame.event.startsWith('pusher'))
      .map(({ event, data }) => [event, data])
  }

  /** Frames of one channel, or of none, by name, the protocol's too. */
  names(channel?: string): string[] {
    return this.frames.filter((frame) => frame.channel === channel).map(({ event }) => event)
  }

  async close(code?: number): Promise<void> {
    this.socket.close(code)
    await once(this.socket, 'close')
  }

  /** Breaks the connection. */
  async cut(): Promise<void> {
    this.socket.terminate()
    if (this.socket.readyState !== WebSocket.CLOSED) await once(this.socket, 'close')
  }
}
