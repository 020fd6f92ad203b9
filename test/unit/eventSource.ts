/** A reader of Server-Sent Events: what a browser's EventSource does with the bytes, without coming back by itself. */
import { type ClientRequest, type IncomingMessage, request } from 'node:http'
import { afterEach } from 'vitest'

export interface ServerSentEvent {
  /** `message` where the server names none. */
  readonly type: string
  readonly data: string
  readonly lastEventId: string
}

const open: ClientRequest[] = []
afterEach(() => {
  for (const asked of open.splice(0)) asked.destroy()
})

export class EventReader {
  readonly events: ServerSentEvent[] = []
  readonly status: number
  readonly headers: IncomingMessage['headers']
  /** How the stream ended: as it should, or cut off. */
  ended: 'whole' | 'cut' | undefined
  lastEventId = ''
  comments = 0
  readonly #response: IncomingMessage
  #rest = ''

  constructor(response: IncomingMessage) {
    this.#response = response
    this.status = response.statusCode ?? 0
    this.headers = response.headers
    response.setEncoding('utf8')
    response.on('data', (text: string) => this.#take(text))
    response.on('end', () => {
      this.ended = 'whole'
    })
    response.on('error', () => {
      this.ended ??= 'cut'
    })
  }

  static async open(url: string, headers: Record<string, string> = {}): Promise<EventReader> {
    return new Promise((resolve, reject) => {
      const asked = request(url, { headers: { accept: 'text/event-stream', ...headers }, agent: false })
      open.push(asked)
      asked.on('response', (response) => resolve(new EventReader(response)))
      asked.on('error', reject)
      asked.end()
    })
  }

  /** The data of the events of one type, parsed. */
  // biome-ignore lint/suspicious/noExplicitAny: what a test expects of it is the test's
  data(type = 'message'): any[] {
    return this.events.filter((event) => event.type === type).map(({ data }) => JSON.parse(data))
  }

  /** Reads no more, so that the server has to wait. */
  pause(): void {
    this.#response.pause()
  }

  resume(): void {
    this.#response.resume()
  }

  close(): void {
    this.#response.destroy()
  }

  #take(text: string): void {
    const blocks = (this.#rest + text).split('\n\n')
    this.#rest = blocks.pop() ?? ''
    for (const block of blocks) this.#read(block)
  }

  /** HTML standard, 9.2.6. */
  #read(block: string): void {
    let type = 'message'
    const data: string[] = []
    for (const line of block.split(/\r\n|\r|\n/)) {
      const colon = line.indexOf(':')
      const field = colon < 0 ? line : line.slice(0, colon)
      const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '')
      if (line === '') continue
      if (field === '') this.comments++
      else if (field === 'data') data.push(value)
      else if (field === 'event') type = value
      else if (field === 'id') this.lastEventId = value
      else throw new Error(`a field that was not expected: ${line}`)
    }
    if (data.length > 0) this.events.push({ type, data: data.join('\n'), lastEventId: this.lastEventId })
  }
}
