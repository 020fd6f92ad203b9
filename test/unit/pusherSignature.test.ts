import { spawnSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { createSigner, sign } from '../../server/protocol/hmac.ts'
import { parametersOf, signatureProblem } from '../../server/protocol/pusherRequest.ts'
import { describeWithTool } from '../e2e/tools.ts'

const KEY = '278d425bdf160c739803'
const SECRET = '7ad3773142a6692b25b8'
const NOW = 1353088179

const EVENT = '{"name":"foo","channels":["project-3"],"data":"{\\"some\\":\\"data\\"}"}'

/** Known answers of the protocol: what is signed, and the signature. */
const SIGNED: [string, string][] = [
  ['1234.1234:private-foobar', '58df8b0c36d6982b82c3ecf6b4662e34fe8c25bba48f5369f135bf843651c3a4'],
  ['1234.1234:private-foobar:{"user_id":"1"}', 'dfaa2efdf7f1d9341eda3dd4402578bade68221dd3869a5ec8cd9bd633a81a84'],
  [
    '1234.1234:presence-foobar:{"user_id":10,"user_info":{"name":"Mr. Channels"}}',
    '31935e7d86dba64c2a90aed31fdc61869f9b22ba9d8863bba239c03ca481bc80',
  ],
  ['1234.1234:presence-foobar:{"user_id": "10"}', '63cdaf5fdaad0fb61ea592daf8cc2b2fbc5c62d82879a3c127600482129b634a'],
  ['1234.1234::user::{"id":"12345"}', '4708d583dada6a56435fb8bc611c77c359a31eebde13337c16ab43aa6de336ba'],
  [
    '{"time_ms":1327078148132,"events":[{"name":"channel_occupied","channel":"my-channel"}]}',
    'c19001ae3963ccb13bf618e5b16ba9848e7e74df0993aa0689168e341c6833cf',
  ],
  [
    `POST\n/apps/3/events\nauth_key=${KEY}&auth_timestamp=${NOW}&auth_version=1.0&body_md5=ec365a775a4cd0599faeb73354201b6f`,
    'da454824c97ba181a32ccc17a72625ba02771f50b50e1e7430e47a1f3f457e6c',
  ],
  [
    `GET\n/apps/3/channels\nauth_key=${KEY}&auth_timestamp=${NOW}&auth_version=1.0&filter_by_prefix=presence-&info=user_count`,
    '16819168891cb5dfd72b5c7a5d3d602605b26c6ba1930033b5e2eeeb65010291',
  ],
]

describe('known answers', () => {
  it.each(SIGNED)('%j', (text, signature) => {
    expect(sign(SECRET, text)).toBe(signature)
  })
})

const problem = (method: string, path: string, query: string, body = '', now = NOW): string | undefined => {
  const parameters = parametersOf(query)
  if (parameters === undefined) throw new Error('no query')
  return signatureProblem({ method, path, body: Buffer.from(body) }, parameters, [createSigner(SECRET)], now)
}

const AUTH = `auth_key=${KEY}&auth_timestamp=${NOW}&auth_version=1.0`

describe('recorded requests', () => {
  it.each<[string, string, string, string, string]>([
    [
      'Ruby, in the documentation',
      'POST',
      '/apps/3/events',
      `${AUTH}&body_md5=ec365a775a4cd0599faeb73354201b6f&auth_signature=da454824c97ba181a32ccc17a72625ba02771f50b50e1e7430e47a1f3f457e6c`,
      EVENT,
    ],
    [
      'Python, with the signature sorted in and the MD5 of nothing',
      'GET',
      '/apps/3/channels',
      `auth_key=${KEY}&auth_signature=f3f17c61ae491cc9085db68b22076e9b772e3bcb301659d655153ee3f9782aba&auth_timestamp=${NOW}&auth_version=1.0&body_md5=d41d8cd98f00b204e9800998ecf8427e&filter_by_prefix=presence-&info=user_count`,
      '',
    ],
    [
      'npm, with the path signed as it is and sent percent-encoded',
      'POST',
      '/apps/3/users/u%201/terminate_connections',
      `${AUTH}&body_md5=99914b932bd37a50b983c5e7c90ae93b&auth_signature=8b02fa5c413c4f47396086c5df755ac659b1097ae2b97cca6bd583d925d5699d`,
      '{}',
    ],
  ])('%s', (_, method, path, query, body) => {
    expect(problem(method, path, query, body)).toBeUndefined()
    expect(problem(method, path, query, body, NOW + 600)).toBeUndefined()
    expect(problem(method, path, query, body, NOW - 600)).toBeUndefined()
    expect(problem(method, path, query, body, NOW + 601)).toMatch(/601|600 s off/)
    expect(problem(method, path, query, body, NOW - 601)).toMatch(/600 s off/)
    expect(problem(method, path, query, `${body} `)).toMatch(/body_md5/)
    expect(problem(method, `${path}s`, query, body)).toMatch(/auth_signature is not/)
  })

  it('of PHP have their commas encoded, which is not signed', () => {
    const text = `GET\n/apps/3/channels/presence-a\n${AUTH}&info=user_count,cache`
    const path = '/apps/3/channels/presence-a'
    const signature = sign(SECRET, text)
    expect(problem('GET', path, `${AUTH}&info=user_count%2Ccache&auth_signature=${signature}`)).toBeUndefined()
    expect(problem('GET', path, `${AUTH}&info=user_count,cache&auth_signature=${signature}`)).toBeUndefined()
    expect(problem('GET', path, `${AUTH}&INFO=user_count,cache&auth_signature=${signature}`)).toBeUndefined()
  })

  it('with a query that is no UTF-8 have no parameters', () => {
    expect(parametersOf('a=%ff')).toBeUndefined()
    expect(parametersOf('%')).toBeUndefined()
  })
})

const runs = (command: string, args: string[], env: Record<string, string>): string => {
  const { stdout, status, stderr } = spawnSync(command, args, { encoding: 'utf8', env: { ...process.env, ...env } })
  if (status !== 0) throw new Error(stderr)
  return stdout.trim()
}

describeWithTool('python', 'made by hand in Python', (python) => {
  const script =
    'import hashlib, hmac, os; print(hmac.new(os.environ["KEY"].encode(), os.environ["TEXT"].encode(), hashlib.sha256).hexdigest())'
  it.each(SIGNED)('%j', (text, signature) => {
    expect(runs(python, ['-c', script], { KEY: SECRET, TEXT: text })).toBe(signature)
  })
})

describeWithTool('php', 'made by hand in PHP', (php) => {
  const script = 'echo hash_hmac("sha256", getenv("TEXT"), getenv("KEY"));'
  it.each(SIGNED)('%j', (text, signature) => {
    expect(runs(php, ['-r', script], { KEY: SECRET, TEXT: text })).toBe(signature)
  })
})

describeWithTool('openssl', 'made by hand in a shell', () => {
  const script = 'printf %s "$TEXT" | openssl dgst -sha256 -hmac "$KEY" | sed "s/^.* //"'
  it.each(SIGNED)('%j', (text, signature) => {
    expect(runs('sh', ['-c', script], { KEY: SECRET, TEXT: text })).toBe(signature)
  })
})
