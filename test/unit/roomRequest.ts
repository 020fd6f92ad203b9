/** Requests to the room door of a server that runs, over a real socket. */

export interface Asked {
  readonly method?: string
  readonly type?: string
  readonly headers?: Readonly<Record<string, string>>
  /** Bytes or text as they are; anything else as JSON. */
  readonly body?: unknown
}

export interface Answered {
  readonly status: number
  readonly tag: string
  readonly headers: Headers
  readonly text: string
  /** Parsed. */
  readonly json: unknown
}

const bodyOf = (body: unknown): BodyInit | undefined => {
  if (body === undefined) return undefined
  return typeof body === 'string' || body instanceof Uint8Array ? (body as BodyInit) : JSON.stringify(body)
}

const jsonIn = (text: string, headers: Headers): unknown =>
  headers.get('content-type') === 'application/json' && text !== '' ? JSON.parse(text) : undefined

/** @param path what follows `/rooms/` */
export const requestTo =
  (url: string) =>
  async (path: string, { method = 'GET', type, headers = {}, body }: Asked = {}): Promise<Answered> => {
    const sent = bodyOf(body)
    const response = await fetch(`${url.replace('ws', 'http')}/rooms/${path}`, {
      method,
      headers: { ...(type === undefined ? {} : { 'content-type': type }), ...headers },
      ...(sent === undefined ? {} : { body: sent }),
    })
    const text = await response.text()
    const tag = response.headers.get('etag') ?? ''
    return { status: response.status, tag, headers: response.headers, text, json: jsonIn(text, response.headers) }
  }

export const MERGE = 'application/merge-patch+json'
export const JSON_PATCH = 'application/json-patch+json'
export const BYTES = 'application/octet-stream'
