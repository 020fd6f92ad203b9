/** Back ends of a Pusher app: npm's pusher, and requests signed by hand that may be wrong in any way. */
import { createHash, createHmac } from 'node:crypto'
import Pusher from 'pusher'
import type { Server } from '../../server/index.ts'

export interface Credentials {
  readonly id: string
  readonly key: string
  readonly secret: string
}

interface MasterKey {
  readonly encryptionMasterKeyBase64?: string
}

export const sdkOf = ({ address }: Server, app: Credentials, more: MasterKey & { secret?: string } = {}): Pusher =>
  // Its types want a cluster or a host, and the master key beside neither.
  new Pusher({
    appId: app.id,
    key: app.key,
    secret: app.secret,
    host: address.host,
    port: String(address.port),
    useTLS: false,
    ...more,
  } as Pusher.Options)

/** What a `GET` of the SDK answers. */
export const read = async (pusher: Pusher, path: string, params?: Record<string, string>): Promise<unknown> =>
  (await pusher.get({ path, ...(params && { params }) })).json()

/** The signature that the documentation describes. */
export const signatureOf = (
  method: string,
  path: string,
  parameters: Readonly<Record<string, string>>,
  secret: string,
): string => {
  const text = Object.keys(parameters)
    .sort()
    .map((name) => `${name}=${parameters[name]}`)
    .join('&')
  return createHmac('sha256', secret).update(`${method}\n${path}\n${text}`).digest('hex')
}

export interface Sent {
  method?: string
  path: string
  query?: Record<string, string>
  body?: string
  secret?: string
  key?: string
  /** Changes the parameters after they were signed. */
  tamper?: (query: Record<string, string>) => void
}

export interface Answered {
  readonly status: number
  readonly text: string
  readonly headers: Headers
}

export const sendSigned = async (server: Server, app: Credentials, sent: Sent): Promise<Answered> => {
  const { method = 'POST', path, body, secret = app.secret, key = app.key, tamper } = sent
  const query: Record<string, string> = {
    auth_key: key,
    auth_timestamp: String(Math.floor(Date.now() / 1000)),
    auth_version: '1.0',
    ...(body === undefined ? {} : { body_md5: createHash('md5').update(body).digest('hex') }),
    ...sent.query,
  }
  query.auth_signature = signatureOf(method, path, query, secret)
  tamper?.(query)
  const response = await fetch(`${server.url}${path}?${new URLSearchParams(query)}`, { method, body: body ?? null })
  return { status: response.status, text: await response.text(), headers: response.headers }
}
