import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { APP_LIMITS, createApps, WEBHOOK_EVENTS } from '../../server/apps.ts'
import { parseOptions } from '../../server/options.ts'
import { served } from './parsedOptions.ts'
import { refusal } from './refusal.ts'

const appsOf = (apps: unknown) => parseOptions({ apps }).apps

describe('apps', () => {
  it('have defaults; the first has no prefix, any other has its id', () => {
    const apps = appsOf([
      { id: '1', key: 'k1', secret: 's1' },
      { id: '2', key: 'k2', secrets: ['new', 'old'], clientEvents: false, limits: { maxPresenceMembers: 500 } },
    ])
    expect(apps[0]).toEqual({
      id: '1',
      key: 'k1',
      secrets: ['s1'],
      prefix: '',
      enabled: true,
      clientEvents: true,
      subscriptionCount: false,
      watchlist: false,
      limits: APP_LIMITS,
      webhooks: [],
    })
    expect(apps[1]).toMatchObject({ prefix: '2/', secrets: ['new', 'old'], clientEvents: false })
    expect(apps[1]?.limits).toEqual({ ...APP_LIMITS, maxPresenceMembers: 500 })
  })

  it('may have a prefix within that of another: each guards its own rooms', () => {
    const apps = createApps(
      appsOf([
        { id: '1', key: 'k1', secret: 's', prefix: 'a/' },
        { id: '2', key: 'k2', secret: 's', prefix: 'a/b/' },
        { id: '3', key: 'k3', secret: 's', prefix: `${'p'.repeat(90)}/` },
      ]),
    )
    const rooms = ['a/private-x', 'a/b/private-x', 'a/b/#server-to-user-1', 'a/c/private-x', 'a/b', 'private-x']
    expect(rooms.map((room) => apps.guardOf(room)?.id)).toEqual(['1', '2', '2', undefined, undefined, undefined])
  })

  it('that were parsed once can be given again', () => {
    const apps = appsOf([{ id: '1', key: 'k', secret: 's', webhooks: [{ url: 'https://example.org/hook' }] }])
    expect(appsOf(apps)).toEqual(apps)
  })

  it('have webhooks with all events unless some are named', () => {
    const [app] = appsOf([
      {
        id: '1',
        key: 'k',
        secret: 's',
        webhooks: [{ url: 'http://127.0.0.1:9/a' }, { url: 'https://b.example', events: ['cache_miss'], batch: true }],
      },
    ])
    expect(app?.webhooks).toEqual([
      { url: 'http://127.0.0.1:9/a', events: WEBHOOK_EVENTS, batch: false },
      { url: 'https://b.example', events: ['cache_miss'], batch: true },
    ])
  })

  const app = { id: '1', key: 'k', secret: 'hidden' }
  it.each<[unknown, RegExp]>([
    [{}, /Option apps is a value of type object; expected an array of apps/],
    [[5], /App 0 of Option apps is 5; expected \{ id, key, secret \}/],
    [[null], /App 0 of Option apps is null/],
    [[{ ...app, id: 1 }], /id of app 0 of Option apps is 1; expected a text of 1 to 64 letters/],
    [[{ key: 'k', secret: 's' }], /id of app 0 .* is missing; expected a text of 1 to 64 letters/],
    [[{ ...app, id: 'hidden'.repeat(11) }], /id of app 0 .* is a text of 66 characters; expected/],
    [[{ ...app, key: 'a b' }], /key of app 1 .* has other characters; expected a text of 1 to 64 letters/],
    [[{ ...app, key: '' }], /key of app 1 .* is empty; expected/],
    [[{ id: '1', key: 'k' }], /secret of app 1 .* is missing; expected a text of 1 to 256 visible ASCII/],
    [[{ ...app, secret: 5 }], /secret of app 1 .* is 5; expected/],
    [[{ id: '1', key: 'k', secrets: 'hidden' }], /secrets of app 1 .* is a text of 6 characters; expected one secret/],
    [[{ id: '1', key: 'k', secrets: [] }], /secrets of app 1 .* holds 0; expected one secret, or two/],
    [[{ ...app, secrets: ['hidden'] }], /both secret and secrets/],
    [
      [{ id: '1', key: 'k', secrets: ['hidden', 'hidden2', 'hidden3'] }],
      /secrets of app 1 .* holds 3; expected one secret, or two/,
    ],
    [[{ ...app, secret: 'hid:den' }], /secret of app 1 .* has other characters; expected/],
    [[{ ...app, clientEvent: true }], /"clientEvent", which there is not\. Did you mean clientEvents/],
    [[{ ...app, clientEvents: 'yes' }], /clientEvents of app 1.* is a text of 3 characters; expected true or false/],
    [[{ ...app, limits: { maxEventByte: 1 } }], /Did you mean maxEventBytes/],
    [[{ ...app, limits: { maxEventBytes: -1 } }], /maxEventBytes of limits of app 1 .* is -1; expected a whole number/],
    [[{ ...app, limits: 'hidden' }], /limits of app 1 .* is a text of 6 characters; expected an object/],
    [[{ ...app, prefix: 5 }], /prefix of app 1 .* is 5; expected an empty text, or one like shop/],
    [[{ ...app, prefix: 'shop-' }], /prefix of app 1 .* does not end in \/; expected an empty text, or one like shop/],
    [[{ ...app, prefix: '/' }], /prefix of app 1 .* can't begin the name of a room: it has an empty segment/],
    [[{ ...app, prefix: 'a//' }], /prefix of app 1 .* an empty segment/],
    [[{ ...app, prefix: '../' }], /prefix of app 1 .* the segment "\.\."/],
    [[{ ...app, prefix: `${'p'.repeat(91)}/` }], /prefix of app 1 .* leaves no room for a channel's name of 164/],
    [[app, { ...app, id: '2', key: 'k2', prefix: '' }], /two apps with the prefix ""; expected one each/],
    [
      [
        { ...app, prefix: '2/' },
        { ...app, id: '2', key: 'k2' },
      ],
      /two apps with the prefix "2\/"/,
    ],
    [
      [app, { ...app, id: '2', key: 'k2', prefix: 'private-shop/' }],
      /prefix of app 2 .* makes rooms that need the signature of app 1/,
    ],
    [
      [
        { ...app, prefix: 'a/#x/' },
        { ...app, id: '2', key: 'k2', prefix: 'a/' },
      ],
      /prefix of app 1 .* the signature of app 2/,
    ],
    [[{ ...app, webhooks: 'hidden' }], /webhooks of app 1 .* is a text of 6 characters; expected an array/],
    [[{ ...app, webhooks: [5] }], /webhook 0 of app 1 .* is 5; expected \{ url/],
    [[{ ...app, webhooks: [{}] }], /url of webhook 0 of app 1 .* is missing; expected an address/],
    [
      [{ ...app, webhooks: [{ url: 'ftp://hid' }] }],
      /url of webhook 0 of app 1 .* is a text of 9 characters; expected/,
    ],
    [[{ ...app, webhooks: [{ url: 'http://x', events: 'x' }] }], /events of webhook 0 .* is a text of 1/],
    [
      [{ ...app, webhooks: [{ url: 'http://x', events: ['cache_miss', 'hid'] }] }],
      /events\[1\] of webhook 0 .* is a text of 3 characters that names no event; expected any of channel_occupied/,
    ],
    [[app, { ...app, key: 'other' }], /two apps with the id "1"/],
    [[app, { ...app, id: '2' }], /two apps with the key "k"/],
  ])('%j are refused, and no secret is shown', (apps, message) => {
    const error = refusal(() => appsOf(apps))
    expect(error.code).toBe('INVALID_OPTION')
    expect(error.message).toMatch(message)
    expect(error.message).toMatch(/expected|which there is not/)
    expect(error.hint).toMatch(/^[A-Z].*\.$/)
    expect(`${error.message} ${error.hint}`).not.toContain('hid')
  })
})

describe('apps on a command line', () => {
  it('come one by one, with a second secret while they are changed', () => {
    const { apps } = served(['--app', '1:k1:s1', '--app=2:k2:new:old'])
    expect(apps).toMatchObject([
      { id: '1', key: 'k1', secrets: ['s1'], prefix: '' },
      { id: '2', key: 'k2', secrets: ['new', 'old'], prefix: '2/' },
    ])
  })

  it('come from a file', () => {
    const folder = mkdtempSync(join(tmpdir(), 'tutti-apps-'))
    try {
      const file = join(folder, 'apps.json')
      writeFileSync(file, JSON.stringify([{ id: '7', key: 'k', secret: 's', prefix: 'shop/' }]))
      expect(served(['--apps', file]).apps).toMatchObject([{ id: '7', prefix: 'shop/' }])
      writeFileSync(file, '[{"secret": hidden')
      expect(refusal(() => served(['--apps', file])).message).toMatch(/is not JSON/)
      expect(refusal(() => served(['--apps', file])).message).not.toContain('hidden')
    } finally {
      rmSync(folder, { recursive: true })
    }
    expect(refusal(() => served(['--apps', '/nowhere/apps.json'])).message).toMatch(/can't be read \(ENOENT\)/)
  })

  it('come from the environment, unless a flag gives some', () => {
    expect(served([], { TUTTI_APPS: '1:k1:s1 2:k2:s2' }).apps.map(({ id }) => id)).toEqual(['1', '2'])
    expect(served([], { TUTTI_APPS: '[{"id":"3","key":"k","secret":"s"}]' }).apps.map(({ id }) => id)).toEqual(['3'])
    expect(served(['--app', '9:k:s'], { TUTTI_APPS: '1:k1:s1' }).apps.map(({ id }) => id)).toEqual(['9'])
  })

  it('have the webhook of the command line at the first app', () => {
    const { apps } = served(['--app', '1:k:s', '--app', '2:k2:s', '--webhook', 'http://127.0.0.1:8000/hook'])
    expect(apps.map(({ webhooks }) => webhooks.map(({ url }) => url))).toEqual([['http://127.0.0.1:8000/hook'], []])
    expect(refusal(() => served(['--webhook', 'http://x'])).message).toMatch(/without an app/)
  })

  it.each(['1', '1:k', '1:k:', ':k:s', '1:k:s:t:u'])('are refused as %j, which is not shown', (text) => {
    const error = refusal(() => served(['--app', text]))
    expect(error.message).toMatch(/expected id:key:secret/)
  })
})
