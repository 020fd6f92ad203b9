/** An application of one's own, as the demo's form meets it: it takes a post, and pushes to everyone through Tutti. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface Application {
  readonly port: number
  close(): void
}

const MAX_FORM_BYTES = 4096

/** `undefined`: too long. */
const readForm = async (request: IncomingMessage): Promise<URLSearchParams | undefined> => {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.byteLength
    if (bytes > MAX_FORM_BYTES) return undefined
    chunks.push(chunk)
  }
  return new URLSearchParams(Buffer.concat(chunks).toString())
}

/** As a client of this server wrote it; `undefined`: none, or one that can't be. */
const hostOf = ({ headers: { host } }: IncomingMessage): string | undefined => {
  const url = `http://${host}`
  return host !== undefined && URL.canParse(url) ? new URL(url).hostname : undefined
}

/** Only the page of the same host posts here: any other site's form would speak in the rooms of whoever visits it. */
const isOwnPage = (request: IncomingMessage): boolean => {
  const { origin } = request.headers
  return origin !== undefined && URL.canParse(origin) && new URL(origin).hostname === hostOf(request)
}

// #region application
/** A browser posted the form: one request, and everyone has it. */
const push = async (tutti: string, form: URLSearchParams): Promise<Response> =>
  fetch(`${tutti}/rooms/${encodeURIComponent(form.get('room') ?? '')}/events`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      event: 'message',
      data: { name: 'The application', text: form.get('text') },
    }),
  })
// #endregion

/** Why Tutti did not take it, in words. */
const refusalOf = async (pushed: Response): Promise<string> => {
  const error: unknown = await pushed.json()
  const { message, hint } = { message: `It answered ${pushed.status}.`, hint: '', ...(error as object) }
  return `Tutti refused it: ${message} ${hint}`.trim()
}

const answer = async (tutti: string, request: IncomingMessage, response: ServerResponse): Promise<void> => {
  const { method, url, headers } = request
  const say = (status: number, text: string): void => {
    response.writeHead(status, {
      'content-type': 'text/plain; charset=utf-8',
      ...(isOwnPage(request) && { 'access-control-allow-origin': headers.origin }),
      vary: 'origin',
    })
    response.end(text)
  }
  if (hostOf(request) === undefined) return say(400, 'The header Host names no host.\n')
  if (url !== '/announcements') return say(404, 'There is /announcements.\n')
  if (method !== 'POST') return say(405, 'Post a form with room and text.\n')
  if (!isOwnPage(request)) return say(403, 'Only the page of this host posts here.\n')
  const form = await readForm(request)
  if (form === undefined) return say(413, `Post at most ${MAX_FORM_BYTES} bytes.\n`)
  if (!form.get('room') || !form.get('text')?.trim()) return say(400, 'Post a form with room and text.\n')
  const pushed = await push(tutti, form)
  say(pushed.ok ? 200 : 502, pushed.ok ? 'Pushed to everyone.\n' : `${await refusalOf(pushed)}\n`)
}

/**
 * Starts it on a free port of `host`.
 * @param tutti where the server is, once it is there
 * @param failed told of what no client is to hear
 */
export const startApplication = async (
  host: string,
  tutti: () => string,
  failed: (error: unknown) => void,
): Promise<Application> => {
  const server = createServer((request, response) => {
    answer(tutti(), request, response).catch((error: unknown) => {
      failed(error)
      if (!response.headersSent) response.writeHead(502)
      response.end()
    })
  })
  server.listen(0, host)
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    port,
    close: () => {
      server.close()
      server.closeAllConnections()
    },
  }
}
