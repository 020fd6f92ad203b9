/** An application that gets webhooks: a real HTTP server whose answers a test decides. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { until } from '../e2e/until.ts'

export interface ReceivedRequest {
  readonly url: string
  readonly headers: IncomingMessage['headers']
  readonly body: string
  readonly timeMs: number
  readonly events: readonly Readonly<Record<string, unknown>>[]
}

/** Answers a request, or does not. */
export type Responder = (request: ReceivedRequest, response: ServerResponse) => void

export interface WebhookReceiver {
  readonly url: string
  readonly port: number
  /** What came, in order; also what was answered by an error, or not at all. */
  readonly requests: readonly ReceivedRequest[]
  /** The events of `requests`, in order. */
  events(): Readonly<Record<string, unknown>>[]
  /** How the next requests are answered; 200 at first. */
  respond(responder: Responder): void
  /** Resolves once so many requests came in all. */
  count(requests: number): Promise<void>
  /** Most requests that waited for their answer at a time. */
  mostAtOnce(): number
  /** TCP connections so far. */
  connections(): number
  close(): Promise<void>
}

export const status =
  (code: number): Responder =>
  (_, response) => {
    response.writeHead(code).end()
  }

const bodyOf = async (request: IncomingMessage): Promise<string> => {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}

export const startReceiver = async (port = 0): Promise<WebhookReceiver> => {
  const requests: ReceivedRequest[] = []
  let responder: Responder = status(200)
  let [running, most, connections] = [0, 0, 0]
  const server = createServer(async (incoming, response) => {
    running++
    most = Math.max(most, running)
    response.on('close', () => running--)
    const body = await bodyOf(incoming)
    const { time_ms: timeMs, events } = JSON.parse(body)
    const request = { url: incoming.url!, headers: incoming.headers, body, timeMs, events }
    requests.push(request)
    responder(request, response)
  })
  server.on('connection', () => connections++)
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${address.port}/hook`,
    port: address.port,
    requests,
    events: () => requests.flatMap(({ events }) => events),
    respond: (next) => {
      responder = next
    },
    count: (number) => until(`${number} requests, there are ${requests.length}`, () => requests.length >= number),
    mostAtOnce: () => most,
    connections: () => connections,
    close: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
