/** Apps as they are written in options, in a file or on a command line: checked, with defaults. */
import { TuttiError } from '../lib/errors.ts'
import { roomNameProblem } from '../lib/protocol.ts'
import {
  APP_LIMITS,
  type App,
  type AppLimits,
  isGuarded,
  MAX_LIMIT,
  WEBHOOK_EVENTS,
  type Webhook,
  type WebhookEvent,
} from './apps.ts'
import { nearNames } from './nearNames.ts'

export interface WebhookOptions {
  /** Where news are posted to: http or https. */
  readonly url: string
  /** Which news. Default all. */
  readonly events?: readonly WebhookEvent[]
  /** Whether news are collected for up to 250 ms or 20 events. Default false. */
  readonly batch?: boolean
}

/** A Pusher app: whoever knows a secret is its back end. */
export interface AppOptions {
  /** Digits by convention: some server SDKs take nothing else. */
  readonly id: string
  /** Public: what browsers connect with. */
  readonly key: string
  readonly secret?: string
  /** Instead of `secret`: one, or two while they are changed. The first signs, each is accepted. */
  readonly secrets?: readonly string[]
  /**
   * Channel `x` of the app is room `<prefix>x`. Empty, or ending in `/`: names of channels have none, so that no channel
   * of one app is the room of another's. Default none for the first app, `<id>/` for any other.
   */
  readonly prefix?: string
  /**
   * `false`: its clients are refused with 4003, its back end with 403, and its webhooks are silent; its `private-` and
   * `presence-` rooms stay closed. Default true.
   */
  readonly enabled?: boolean
  /** Whether clients may send events to each other. Default true. */
  readonly clientEvents?: boolean
  /** Whether subscribers are told how many they are. Default false. */
  readonly subscriptionCount?: boolean
  /** Whether users are told which of the users they watch are online. Default false. */
  readonly watchlist?: boolean
  /** Pusher's documented limits, each can be changed. */
  readonly limits?: Partial<AppLimits>
  readonly webhooks?: readonly WebhookOptions[]
}

type Fields = Readonly<Record<string, unknown>>

const TOKEN = /^[A-Za-z0-9_-]{1,64}$/
const SECRET = /^[!-9;-~]{1,256}$/

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const fail = (
  where: string,
  problem: string,
  expected: string,
  path: readonly (string | number)[],
  hint = 'An app is { id, key, secret }; the README lists what else it may have.',
): never => {
  throw new TuttiError('INVALID_OPTION', `${where} ${problem}; expected ${expected}.`, { path, hint })
}

// A secret may stand where something else should: no value of an app is ever shown but the names of its fields.
const checkNames = (where: string, fields: Fields, known: readonly string[], path: readonly (string | number)[]) => {
  for (const name of Object.keys(fields)) {
    if (known.includes(name)) continue
    const near = nearNames(name, known)
    const meant = near.length > 0 ? ` Did you mean ${near.join(' or ')}?` : ''
    throw new TuttiError(
      'INVALID_OPTION',
      `${where} has a field ${JSON.stringify(name)}, which there is not.${meant}`,
      {
        path: [...path, name],
        hint: `The fields are: ${known.join(', ')}.`,
      },
    )
  }
}

const flagOf = (
  fields: Fields,
  name: string,
  byDefault: boolean,
  where: string,
  path: readonly (string | number)[],
) => {
  const value = fields[name] ?? byDefault
  if (typeof value === 'boolean') return value
  return fail(`${name} of ${where}`, `is a ${typeof value}`, 'true or false', [...path, name])
}

const parseLimits = (value: unknown, where: string, path: readonly (string | number)[]): AppLimits => {
  if (value === undefined) return APP_LIMITS
  if (!isFields(value)) return fail(`limits of ${where}`, 'are no object', 'names and numbers', path)
  checkNames(`limits of ${where}`, value, Object.keys(APP_LIMITS), path)
  for (const [name, limit] of Object.entries(value)) {
    const isLimit = Number.isInteger(limit) && (limit as number) >= 0 && (limit as number) <= MAX_LIMIT
    if (!isLimit) fail(`${name} of ${where}`, 'is none', `a whole number from 0 to ${MAX_LIMIT}`, [...path, name])
  }
  return { ...APP_LIMITS, ...(value as Partial<AppLimits>) }
}

const parseWebhook = (value: unknown, where: string, path: readonly (string | number)[]): Webhook => {
  if (!isFields(value)) return fail(where, 'is no object', '{ url, events?, batch? }', path)
  checkNames(where, value, ['url', 'events', 'batch'], path)
  const { url, events = WEBHOOK_EVENTS } = value
  const isUrl = typeof url === 'string' && URL.canParse(url) && /^https?:$/.test(new URL(url).protocol)
  if (!isUrl)
    return fail(`url of ${where}`, 'is none', 'an address that starts with http:// or https://', [...path, 'url'])
  const isKnown = Array.isArray(events) && events.every((event) => WEBHOOK_EVENTS.includes(event))
  if (!isKnown) return fail(`events of ${where}`, 'are not', `any of ${WEBHOOK_EVENTS.join(', ')}`, [...path, 'events'])
  return { url, events, batch: flagOf(value, 'batch', false, where, path) }
}

const parseSecrets = (fields: Fields, where: string, path: readonly (string | number)[]): App['secrets'] => {
  const { secret, secrets } = fields
  if (secret !== undefined && secrets !== undefined) {
    return fail(where, 'has both secret and secrets', 'one of them', path)
  }
  const list: unknown = secrets ?? [secret]
  const isList = Array.isArray(list) && (list.length === 1 || list.length === 2)
  if (!isList || !list.every((text) => typeof text === 'string' && SECRET.test(text))) {
    const expected =
      'one secret, or two while they are changed, each of 1 to 256 visible ASCII characters without a colon'
    return fail(where, 'has no such secret', expected, [...path, 'secret'])
  }
  return list as [string, ...string[]]
}

/** What an app may have; the README's table is checked against it. */
export const APP_FIELDS = [
  'id',
  'key',
  'secret',
  'secrets',
  'prefix',
  'enabled',
  'clientEvents',
  'subscriptionCount',
  'watchlist',
  'limits',
  'webhooks',
]

/** The longest name of a channel, by the protocol. */
const LONGEST_CHANNEL = 'x'.repeat(APP_LIMITS.maxChannelNameLength)

/** Says what is wrong with a prefix, if anything is. */
const prefixProblem = (prefix: unknown): string | undefined => {
  if (typeof prefix !== 'string') return `is of type ${typeof prefix}`
  // Else a channel of another app, whose prefix this one begins with, could be called as a room of this one.
  if (prefix !== '' && !prefix.endsWith('/')) return 'does not end in /'
  if (roomNameProblem(`${prefix}x`) !== undefined)
    return `can't begin the name of a room: ${roomNameProblem(`${prefix}x`)}`
  if (roomNameProblem(`${prefix}${LONGEST_CHANNEL}`) === undefined) return undefined
  return `leaves no room for a channel's name of ${LONGEST_CHANNEL.length} characters`
}

const parseApp = (value: unknown, index: number, givenAs: string): App => {
  const path = ['apps', index]
  if (!isFields(value)) return fail(`App ${index} of ${givenAs}`, 'is no object', '{ id, key, secret }', path)
  const { id, key, webhooks = [] } = value
  if (typeof id !== 'string' || !TOKEN.test(id)) {
    return fail(`id of app ${index} of ${givenAs}`, 'is none', 'a text of 1 to 64 letters, digits, _ or -', [
      ...path,
      'id',
    ])
  }
  const where = `app ${id} of ${givenAs}`
  checkNames(where, value, APP_FIELDS, path)
  if (typeof key !== 'string' || !TOKEN.test(key)) {
    return fail(`key of ${where}`, 'is none', 'a text of 1 to 64 letters, digits, _ or -', [...path, 'key'])
  }
  const { prefix = index === 0 ? '' : `${id}/` } = value
  const problem = prefixProblem(prefix)
  if (typeof prefix !== 'string' || problem !== undefined) {
    const hint = 'End it with /, as in shop/, or leave it out.'
    return fail(`prefix of ${where}`, `${problem}`, 'an empty text, or one like shop/', [...path, 'prefix'], hint)
  }
  if (!Array.isArray(webhooks)) return fail(`webhooks of ${where}`, 'are no array', 'an array', [...path, 'webhooks'])
  return {
    id,
    key,
    secrets: parseSecrets(value, where, path),
    prefix,
    enabled: flagOf(value, 'enabled', true, where, path),
    clientEvents: flagOf(value, 'clientEvents', true, where, path),
    subscriptionCount: flagOf(value, 'subscriptionCount', false, where, path),
    watchlist: flagOf(value, 'watchlist', false, where, path),
    limits: parseLimits(value.limits, where, [...path, 'limits']),
    webhooks: webhooks.map((hook: unknown, number) =>
      parseWebhook(hook, `webhook ${number} of ${where}`, [...path, 'webhooks', number]),
    ),
  }
}

/** No app has its channels among rooms that need the signature of another. */
const checkReach = (apps: readonly App[], givenAs: string): void => {
  for (const [index, { id, prefix }] of apps.entries()) {
    const other = apps.find((app) => app.prefix !== prefix && isGuarded(app, prefix))
    if (!other) continue
    const problem = `makes rooms that need the signature of app ${other.id}`
    const hint = 'Choose one that does not begin with private-, presence- or #.'
    fail(`prefix of app ${id} of ${givenAs}`, problem, 'rooms of its own', ['apps', index, 'prefix'], hint)
  }
}

/**
 * @param givenAs names the option, flag or file in messages
 * @throws TuttiError `INVALID_OPTION` naming the app and its field, never a secret
 */
export const parseApps = (value: unknown, givenAs: string): readonly App[] => {
  if (!Array.isArray(value)) return fail(givenAs, 'is no array', 'an array of apps', ['apps'])
  const apps = value.map((app: unknown, index) => parseApp(app, index, givenAs))
  for (const field of ['id', 'key', 'prefix'] as const) {
    const seen = new Set<string>()
    for (const app of apps) {
      const hint = `Give each app a ${field} of its own.`
      if (seen.has(app[field])) {
        fail(givenAs, `has two apps with the ${field} "${app[field]}"`, 'one each', ['apps'], hint)
      }
      seen.add(app[field])
    }
  }
  checkReach(apps, givenAs)
  return apps
}

/**
 * Reads `id:key:secret`, or `id:key:secret:secret` while the secrets are changed.
 * @throws TuttiError `INVALID_OPTION`, which does not show the text: it has a secret in it
 */
export const appFromText = (text: string, givenAs: string): AppOptions => {
  const [id = '', key = '', ...secrets] = text.split(':')
  if (id === '' || key === '' || secrets.length < 1 || secrets.length > 2 || secrets.includes('')) {
    return fail(givenAs, `has ${text.split(':').length} parts between colons`, 'id:key:secret', ['apps'])
  }
  return { id, key, secrets }
}
