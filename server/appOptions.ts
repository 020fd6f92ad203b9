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

/** Where a value stands in the options, in words and as a path. */
interface Place {
  readonly name: string
  readonly path: readonly (string | number)[]
}

const TOKEN = /^[A-Za-z0-9_-]{1,64}$/
const SECRET = /^[!-9;-~]{1,256}$/

const at = (field: string, { name, path }: Place): Place => ({ name: `${field} of ${name}`, path: [...path, field] })

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

// A secret may stand where something else should: no value of an app is ever shown but numbers and names of fields.
const shown = (value: unknown): string => {
  if (value === undefined) return 'missing'
  if (value === null || typeof value === 'boolean' || typeof value === 'number') return String(value)
  if (typeof value === 'string') return value === '' ? 'empty' : `a text of ${value.length} characters`
  return Array.isArray(value) ? 'an array' : `a value of type ${typeof value}`
}

const fail = (
  { name, path }: Place,
  problem: string,
  expected: string,
  hint = `Give ${expected}, or leave it out.`,
): never => {
  throw new TuttiError('INVALID_OPTION', `${name} ${problem}; expected ${expected}.`, { path, hint })
}

const checkNames = (place: Place, fields: Fields, known: readonly string[]): void => {
  for (const name of Object.keys(fields)) {
    if (known.includes(name)) continue
    const near = nearNames(name, known)
    const meant = near.length > 0 ? ` Did you mean ${near.join(' or ')}?` : ''
    const message = `${place.name} has a field ${JSON.stringify(name)}, which there is not.${meant}`
    throw new TuttiError('INVALID_OPTION', message, {
      path: [...place.path, name],
      hint: `The fields are: ${known.join(', ')}.`,
    })
  }
}

const flagOf = (fields: Fields, name: string, byDefault: boolean, place: Place): boolean => {
  const value = fields[name] ?? byDefault
  return typeof value === 'boolean' ? value : fail(at(name, place), `is ${shown(value)}`, 'true or false')
}

const tokenOf = (fields: Fields, name: 'id' | 'key', place: Place): string => {
  const value = fields[name]
  if (typeof value === 'string' && TOKEN.test(value)) return value
  const isOfOthers = typeof value === 'string' && value !== '' && value.length <= 64
  const problem = isOfOthers ? 'has other characters' : `is ${shown(value)}`
  const expected = 'a text of 1 to 64 letters, digits, _ or -'
  return fail(at(name, place), problem, expected, 'Choose one: clients and back ends give the same.')
}

const parseLimits = (value: unknown, place: Place): AppLimits => {
  if (value === undefined) return APP_LIMITS
  if (!isFields(value)) return fail(place, `is ${shown(value)}`, 'an object of limits by name')
  checkNames(place, value, Object.keys(APP_LIMITS))
  for (const [name, limit] of Object.entries(value)) {
    const isLimit = Number.isInteger(limit) && (limit as number) >= 0 && (limit as number) <= MAX_LIMIT
    if (!isLimit) fail(at(name, place), `is ${shown(limit)}`, `a whole number from 0 to ${MAX_LIMIT}`)
  }
  return { ...APP_LIMITS, ...(value as Partial<AppLimits>) }
}

const parseWebhook = (value: unknown, place: Place): Webhook => {
  if (!isFields(value)) return fail(place, `is ${shown(value)}`, '{ url, events?, batch? }')
  checkNames(place, value, ['url', 'events', 'batch'])
  const { url, events = WEBHOOK_EVENTS } = value
  const isUrl = typeof url === 'string' && URL.canParse(url) && /^https?:$/.test(new URL(url).protocol)
  if (!isUrl) {
    const hint = 'Give the address that the application takes webhooks at.'
    return fail(at('url', place), `is ${shown(url)}`, 'an address that starts with http:// or https://', hint)
  }
  const expected = `any of ${WEBHOOK_EVENTS.join(', ')}`
  if (!Array.isArray(events)) return fail(at('events', place), `is ${shown(events)}`, `an array of ${expected}`)
  const unknown = events.findIndex((event) => !WEBHOOK_EVENTS.includes(event))
  if (unknown >= 0) {
    const hint = 'Take it out, or leave events out for all.'
    fail(at(`events[${unknown}]`, place), `is ${shown(events[unknown])} that names no event`, expected, hint)
  }
  return { url, events, batch: flagOf(value, 'batch', false, place) }
}

const parseSecrets = (fields: Fields, place: Place): App['secrets'] => {
  const { secret, secrets } = fields
  const hint = 'Give secret: one text, or secrets: one or two.'
  if (secret !== undefined && secrets !== undefined) {
    return fail(place, 'has both secret and secrets', 'one of them', hint)
  }
  const list: unknown = secrets ?? [secret]
  const own = at(secrets === undefined ? 'secret' : 'secrets', place)
  const isList = Array.isArray(list) && (list.length === 1 || list.length === 2)
  if (!isList) {
    const problem = Array.isArray(list) ? `holds ${list.length}` : `is ${shown(list)}`
    return fail(own, problem, 'one secret, or two while they are changed', hint)
  }
  const isWrong = (text: unknown): boolean => typeof text !== 'string' || !SECRET.test(text)
  if (list.some(isWrong)) {
    const wrong: unknown = list.find(isWrong)
    const isOfOthers = typeof wrong === 'string' && wrong !== '' && wrong.length <= 256
    const problem = isOfOthers ? 'has other characters' : `is ${shown(wrong)}`
    return fail(own, problem, 'a text of 1 to 256 visible ASCII characters without a colon', hint)
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

const parsePrefix = (prefix: unknown, place: Place): string => {
  const refuse = (problem: string): never =>
    fail(place, problem, 'an empty text, or one like shop/', 'End it with /, as in shop/, or leave it out.')
  if (typeof prefix !== 'string') return refuse(`is ${shown(prefix)}`)
  // Else a channel of another app, whose prefix this one begins with, could be called as a room of this one.
  if (prefix !== '' && !prefix.endsWith('/')) return refuse('does not end in /')
  const problem = roomNameProblem(`${prefix}x`)
  if (problem !== undefined) return refuse(`can't begin the name of a room: ${problem}`)
  if (roomNameProblem(`${prefix}${LONGEST_CHANNEL}`) === undefined) return prefix
  return refuse(`leaves no room for a channel's name of ${LONGEST_CHANNEL.length} characters`)
}

const parseApp = (value: unknown, index: number, givenAs: string): App => {
  const unnamed: Place = { name: `app ${index} of ${givenAs}`, path: ['apps', index] }
  if (!isFields(value)) {
    const hint = 'The README lists what else it may have.'
    return fail({ ...unnamed, name: `App ${index} of ${givenAs}` }, `is ${shown(value)}`, '{ id, key, secret }', hint)
  }
  const id = tokenOf(value, 'id', unnamed)
  const place: Place = { ...unnamed, name: `app ${id} of ${givenAs}` }
  checkNames(place, value, APP_FIELDS)
  const { webhooks = [], prefix = index === 0 ? '' : `${id}/` } = value
  const hooks = at('webhooks', place)
  if (!Array.isArray(webhooks)) return fail(hooks, `is ${shown(webhooks)}`, 'an array of { url, events?, batch? }')
  return {
    id,
    key: tokenOf(value, 'key', place),
    secrets: parseSecrets(value, place),
    prefix: parsePrefix(prefix, at('prefix', place)),
    enabled: flagOf(value, 'enabled', true, place),
    clientEvents: flagOf(value, 'clientEvents', true, place),
    subscriptionCount: flagOf(value, 'subscriptionCount', false, place),
    watchlist: flagOf(value, 'watchlist', false, place),
    limits: parseLimits(value.limits, at('limits', place)),
    webhooks: webhooks.map((hook: unknown, number) =>
      parseWebhook(hook, { name: `webhook ${number} of ${place.name}`, path: [...hooks.path, number] }),
    ),
  }
}

/** No app has its channels among rooms that need the signature of another. */
const checkReach = (apps: readonly App[], givenAs: string): void => {
  for (const [index, { id, prefix }] of apps.entries()) {
    const other = apps.find((app) => app.prefix !== prefix && isGuarded(app, prefix))
    if (!other) continue
    const place: Place = { name: `prefix of app ${id} of ${givenAs}`, path: ['apps', index, 'prefix'] }
    const hint = 'Choose one that does not begin with private-, presence- or #.'
    fail(place, `makes rooms that need the signature of app ${other.id}`, 'rooms of its own', hint)
  }
}

/**
 * @param givenAs names the option, flag or file in messages
 * @throws TuttiError `INVALID_OPTION` naming the app and its field, never a secret
 */
export const parseApps = (value: unknown, givenAs: string): readonly App[] => {
  const place: Place = { name: givenAs, path: ['apps'] }
  if (!Array.isArray(value)) {
    return fail(place, `is ${shown(value)}`, 'an array of apps', 'Write [{ id, key, secret }], or leave it out.')
  }
  const apps = value.map((app: unknown, index) => parseApp(app, index, givenAs))
  for (const field of ['id', 'key', 'prefix'] as const) {
    const seen = new Set<string>()
    for (const app of apps) {
      if (seen.has(app[field])) {
        const hint = `Give each app a ${field} of its own.`
        fail(place, `has two apps with the ${field} "${app[field]}"`, 'one each', hint)
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
    const place: Place = { name: givenAs, path: ['apps'] }
    return fail(
      place,
      `has ${text.split(':').length} parts between colons`,
      'id:key:secret',
      'Write id:key:secret, or id:key:secret:secret while the secrets are changed.',
    )
  }
  return { id, key, secrets }
}
