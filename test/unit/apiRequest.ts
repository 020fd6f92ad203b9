/** Requests to the room door of a real server. */
export interface RequestOptions {
  readonly headers?: Record<string, string>
  /** Bytes or text as they are; anything else as JSON. */
  readonly body?: unknown
}

export interface Answered {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  /** The body as JSON; `undefined` if there is none. */
  // biome-ignore lint/suspicious/noExplicitAny: what a test expects of it is the test's
  readonly json: any
}

/** Sends a request; a body that is neither text nor bytes goes as JSON. */
export const request = async (
  base: string,
  method: string,
  target: string,
  { headers = {}, body }: RequestOptions = {},
): Promise<Answered> => {
  const isRaw = body === undefined || typeof body === 'string' || body instanceof Uint8Array
  const response = await fetch(`${base}${target}`, {
    method,
    headers: isRaw ? headers : { 'content-type': 'application/json', ...headers },
    body: isRaw ? ((body ?? null) as BodyInit | null) : JSON.stringify(body),
  })
  const text = await response.text()
  const isJson = response.headers.get('content-type') === 'application/json' && text !== ''
  return { status: response.status, headers: response.headers, text, json: isJson ? JSON.parse(text) : undefined }
}
