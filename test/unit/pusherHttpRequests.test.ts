/**
 * Requests as the SDKs of other languages write them, byte by byte and at the time at which they were signed: the order
 * of their parameters, their encodings, their paths. And requests signed by hand, from the description alone.
 */
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import process from 'node:process'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Server } from '../../server/index.ts'
import { describeWithTool } from '../e2e/tools.ts'
import { startServer } from './testServer.ts'

const KEY = '278d425bdf160c739803'
const SECRET = '7ad3773142a6692b25b8'
const APP = { id: '3', key: KEY, secret: SECRET }
/** When the requests below were signed, in seconds. */
const NOW = 1353088179
const AUTH = `auth_key=${KEY}&auth_timestamp=${NOW}&auth_version=1.0`

const start = async (): Promise<Server> => (await startServer({ apps: [APP] })).server

/** Names and data of what is published in a room. */
const heard = (server: Server, room: string): unknown[][] => {
  const events: unknown[][] = []
  server.room(room).on('event', ({ event, data }) => events.push([event, data]))
  return events
}

interface Recording {
  readonly sdk: string
  /** Method and target of the request line. */
  readonly line: string
  readonly headers: readonly string[]
  readonly body?: string
  readonly answer: string
  /** What it publishes in `chat`. */
  readonly events?: unknown[][]
}

const PYTHON = [
  'User-Agent: python-requests/2.32.3',
  'Accept-Encoding: gzip, deflate',
  'Accept: */*',
  'Connection: keep-alive',
  'X-Pusher-Library: pusher-http-python 3.3.3',
]
const PHP = ['User-Agent: GuzzleHttp/7', 'X-Pusher-Library: pusher-http-php 7.2.6', 'Content-Type: application/json']
const GO = [
  'User-Agent: Go-http-client/1.1',
  'Content-Type: application/json',
  'X-Pusher-Library: pusher-http-go 5.1.1',
]

const RECORDINGS: Recording[] = [
  {
    sdk: 'Python triggers: the signature sorted in, JSON with spaces, a socket_id that is nobody',
    line: `POST /apps/3/events?auth_key=${KEY}&auth_signature=a639806447ca103ce1a1990681495692608a9d071ca0337cc1dcc21e46fa3187&auth_timestamp=${NOW}&auth_version=1.0&body_md5=ed9c13e09b816415f91479b7e5ae3db5`,
    headers: [...PYTHON, 'Content-Type: application/json'],
    body: '{"name": "new-message", "channels": ["chat"], "data": "{\\"text\\": \\"gr\\\\u00fc\\\\u00dfe\\"}", "socket_id": "1.2"}',
    answer: '{}',
    events: [['new-message', { text: 'grüße' }]],
  },
  {
    sdk: 'Python asks for channels: the MD5 of nothing on a GET',
    line: `GET /apps/3/channels?auth_key=${KEY}&auth_signature=f3f17c61ae491cc9085db68b22076e9b772e3bcb301659d655153ee3f9782aba&auth_timestamp=${NOW}&auth_version=1.0&body_md5=d41d8cd98f00b204e9800998ecf8427e&filter_by_prefix=presence-&info=user_count`,
    headers: PYTHON,
    answer: '{"channels":{}}',
  },
  {
    sdk: 'Python terminates connections: a path without the app',
    line: `POST /users/u1/terminate_connections?auth_key=${KEY}&auth_signature=951df0dd95b7293cb933db797fbe24dec9df2e649bb6bc5e47b5517c2dda9b49&auth_timestamp=${NOW}&auth_version=1.0&body_md5=99914b932bd37a50b983c5e7c90ae93b`,
    headers: [...PYTHON, 'Content-Type: application/json'],
    body: '{}',
    answer: '{}',
  },
  {
    sdk: 'PHP triggers: the signature at the end, data before channels',
    line: `POST /apps/3/events?${AUTH}&body_md5=7c89952931a37911fa2ba7569326fb57&auth_signature=caa76ee3bd51ad903bb890c8d05c0f16f55f3e71b95bedbf4f41b56bc954f3d0`,
    headers: PHP,
    body: '{"name":"new-message","data":"{\\"text\\":\\"gr\\\\u00fc\\\\u00dfe\\"}","channels":["chat"]}',
    answer: '{}',
    events: [['new-message', { text: 'grüße' }]],
  },
  {
    sdk: 'PHP asks for two attributes: a comma that is percent-encoded and signed as it is',
    line: `GET /apps/3/channels/presence-a?${AUTH}&info=user_count%2Csubscription_count&auth_signature=cb95e8fdce356a7c0822801195ea86a96b35fda672140e65120a4cc3568caf2b`,
    headers: PHP,
    answer: '{"occupied":false}',
  },
  {
    sdk: 'PHP asks for users',
    line: `GET /apps/3/channels/presence-a/users?${AUTH}&auth_signature=baf2d614368d599454434555e21511d77c16816508aaa9a364a26de9cf7813e5`,
    headers: PHP,
    answer: '{"users":[]}',
  },
  {
    sdk: 'Go triggers a batch: the signature sorted in',
    line: `POST /apps/3/batch_events?auth_key=${KEY}&auth_signature=9ff0bb92503639c5214d13416b40aa728d6d5d5a497fdaf3bb0aaf10f7d26928&auth_timestamp=${NOW}&auth_version=1.0&body_md5=e22711224c2d82e8749f664504d545b0`,
    headers: GO,
    body: '{"batch":[{"channel":"chat","name":"one","data":"1"},{"channel":"chat","name":"two","data":"\\"2\\""}]}',
    answer: '{}',
    events: [
      ['one', 1],
      ['two', '2'],
    ],
  },
  {
    sdk: 'the documentation triggers',
    line: `POST /apps/3/events?${AUTH}&body_md5=ec365a775a4cd0599faeb73354201b6f&auth_signature=da454824c97ba181a32ccc17a72625ba02771f50b50e1e7430e47a1f3f457e6c`,
    headers: ['Content-Type: application/json'],
    body: '{"name":"foo","channels":["project-3"],"data":"{\\"some\\":\\"data\\"}"}',
    answer: '{}',
  },
]

/** Sends the bytes of a request; resolves with status and body of the answer. */
const replay = async ({ address }: Server, { line, headers, body = '' }: Recording): Promise<[number, string]> => {
  const socket = connect({ host: address.host, port: address.port })
  const host = `Host: ${address.host}:${address.port}`
  const length = body === '' ? [] : [`Content-Length: ${Buffer.byteLength(body)}`]
  socket.write(`${[`${line} HTTP/1.1`, host, ...headers, ...length].join('\r\n')}\r\n\r\n${body}`)
  const [bytes] = (await once(socket, 'data')) as [Buffer]
  socket.destroy()
  const [head = '', text = ''] = bytes.toString().split('\r\n\r\n')
  return [Number(head.split(' ')[1]), text]
}

describe('recorded requests', () => {
  // Only the clock: sockets and timers are real.
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['Date'], now: NOW * 1000 })
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  it.each(RECORDINGS)('$sdk', async (recording) => {
    const server = await start()
    const events = heard(server, 'chat')
    expect(await replay(server, recording)).toEqual([200, recording.answer])
    expect(events).toEqual(recording.events ?? [])
  })

  it.each(RECORDINGS)('are refused eleven minutes later, or with another byte: $sdk', async (recording) => {
    const server = await start()
    const events = heard(server, 'chat')
    vi.setSystemTime((NOW + 660) * 1000)
    expect(await replay(server, recording)).toEqual([401, expect.stringMatching(/more than 600 s off/)])
    vi.setSystemTime(NOW * 1000)
    const line = recording.line.replace('auth_version=1.0', 'auth_version=1.0&x=1')
    expect(await replay(server, { ...recording, line })).toEqual([401, expect.stringMatching(/auth_signature is not/)])
    if (recording.body) {
      const body = recording.body.replace('"', ' "').slice(0, -1).concat(' ')
      expect(await replay(server, { ...recording, body })).toEqual([401, expect.stringMatching(/body_md5 is not/)])
    }
    expect(events).toEqual([])
  })
})

const run = promisify(execFile)

/** Runs a program that publishes `hello` in `chat`; it gets all it needs by its environment. */
const publishBy = async (command: string, args: readonly string[]): Promise<void> => {
  const server = await start()
  const events = heard(server, 'chat')
  const body = JSON.stringify({ name: 'hello', channel: 'chat', data: '{"from":"by hand"}' })
  const { stdout } = await run(command, [...args], {
    env: { ...process.env, URL: server.url, KEY, SECRET, BODY: body, REQUEST_PATH: '/apps/3/events' },
  })
  expect(stdout.trim()).toBe('{}')
  expect(events).toEqual([['hello', { from: 'by hand' }]])
}

describeWithTool('python', 'a request signed by hand in Python', (python) => {
  it('is accepted', () =>
    publishBy(python, [
      '-c',
      `
import hashlib, hmac, os, time, urllib.request
e = os.environ
body = e["BODY"].encode()
query = "auth_key=%s&auth_timestamp=%d&auth_version=1.0&body_md5=%s" % (e["KEY"], time.time(), hashlib.md5(body).hexdigest())
text = "POST\\n%s\\n%s" % (e["REQUEST_PATH"], query)
signature = hmac.new(e["SECRET"].encode(), text.encode(), hashlib.sha256).hexdigest()
url = "%s%s?%s&auth_signature=%s" % (e["URL"], e["REQUEST_PATH"], query, signature)
request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
print(urllib.request.urlopen(request).read().decode())
`,
    ]))
})

describeWithTool('php', 'a request signed by hand in PHP', (php) => {
  it('is accepted', () =>
    publishBy(php, [
      '-r',
      `
$body = getenv('BODY');
$path = getenv('REQUEST_PATH');
$query = 'auth_key=' . getenv('KEY') . '&auth_timestamp=' . time() . '&auth_version=1.0&body_md5=' . md5($body);
$signature = hash_hmac('sha256', "POST\\n$path\\n$query", getenv('SECRET'));
$options = ['http' => ['method' => 'POST', 'header' => 'Content-Type: application/json', 'content' => $body]];
echo file_get_contents(getenv('URL') . "$path?$query&auth_signature=$signature", false, stream_context_create($options));
`,
    ]))
})

describeWithTool('openssl', 'a request signed by hand in a shell', () => {
  describeWithTool('curl', 'with curl', () => {
    it('is accepted', () =>
      publishBy('sh', [
        '-c',
        `
md5=$(printf %s "$BODY" | openssl dgst -md5 | sed 's/^.* //')
query="auth_key=$KEY&auth_timestamp=$(date +%s)&auth_version=1.0&body_md5=$md5"
signature=$(printf 'POST\\n%s\\n%s' "$REQUEST_PATH" "$query" | openssl dgst -sha256 -hmac "$SECRET" | sed 's/^.* //')
curl -sS -H 'Content-Type: application/json' --data-binary "$BODY" "$URL$REQUEST_PATH?$query&auth_signature=$signature"
`,
      ]))
  })
})
