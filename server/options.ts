/**
 * The one list of the server's options. Types, defaults, validation, command-line flags, environment variables,
 * `--help` and the README's table all derive from `LIST`.
 */
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { TuttiError } from '../lib/errors.ts'
import { type AppOptions, appFromText, parseApps } from './appOptions.ts'
import type { App } from './apps.ts'
import { nearNames } from './nearNames.ts'

const KIB = 1024
const MIB = 1024 * KIB

interface Option<T> {
  readonly default: T
  /** What a value must be, as it reads after "expected". */
  readonly expected: string
  /** Placeholder in `--help`; a flag without one takes no value. */
  readonly placeholder?: string
  /** Environment variable; a flag wins over it. */
  readonly env?: string
  readonly unit?: 'bytes'
  readonly meaning: string
  accepts(value: unknown): value is T
  /** A value written as text, for a flag or an environment variable; what can't be read stays as it is. */
  fromText(text: string): unknown
}

type Extra = Pick<Option<unknown>, 'env' | 'unit' | 'meaning'>

const wholeNumber = (byDefault: number, min: number, max: number, extra: Extra): Option<number> => ({
  ...extra,
  default: byDefault,
  expected: `a whole number from ${min} to ${max}`,
  placeholder: '<number>',
  accepts: (value): value is number => Number.isInteger(value) && (value as number) >= min && (value as number) <= max,
  fromText: (text) => (/^\d{1,15}$/.test(text) ? Number(text) : text),
})

const bytes = (byDefault: number, min: number, max: number, meaning: string): Option<number> =>
  wholeNumber(byDefault, min, max, { unit: 'bytes', meaning })

const text = (byDefault: string, placeholder: string, expected: string, extra: Extra): Option<string> => ({
  ...extra,
  default: byDefault,
  expected,
  placeholder,
  accepts: (value): value is string => typeof value === 'string' && value !== '' && !value.includes('\0'),
  fromText: (text) => text,
})

const word = <W extends string>(byDefault: W, words: readonly W[], extra: Extra): Option<W> => ({
  ...extra,
  default: byDefault,
  expected: `one of ${words.join(', ')}`,
  placeholder: '<word>',
  accepts: (value): value is W => (words as readonly unknown[]).includes(value),
  fromText: (text) => text,
})

const flag = (extra: Extra): Option<boolean> => ({
  ...extra,
  default: false,
  expected: 'true or false',
  accepts: (value): value is boolean => typeof value === 'boolean',
  fromText: (text) => (text === 'true' ? true : text === 'false' ? false : text),
})

export const LOG_LEVELS = ['silent', 'error', 'warn', 'info', 'debug'] as const

/** The word that stands for "keep nothing on disk" where a folder may be given. */
export const MEMORY = 'memory'

const LIST = {
  port: wholeNumber(1234, 0, 65535, {
    env: 'PORT',
    meaning: 'Port to listen on; 0 takes any free one.',
  }),
  host: text('127.0.0.1', '<address>', 'an address or host name', {
    env: 'HOST',
    meaning: 'Address to listen on; `0.0.0.0` for every IPv4 interface, `::` for every interface.',
  }),
  data: text('./tutti-data', '<folder>', `a folder, or the word "${MEMORY}"`, {
    env: 'TUTTI_DATA',
    meaning: `Folder of the documents; the word \`${MEMORY}\` keeps nothing on disk.`,
  }),
  open: flag({
    meaning: 'Open the rooms of apps that need a signature (`private-…`, `presence-…`) to the other doors.',
  }),
  demo: flag({ meaning: 'Serve the demo page at `/`.' }),
  logLevel: word('info', LOG_LEVELS, {
    env: 'TUTTI_LOG',
    meaning: `Least severe entry of the log on stderr: ${LOG_LEVELS.map((level) => `\`${level}\``).join(', ')}.`,
  }),
  // 256 MiB × 8 stays below the 32-bit length that uWebSockets.js takes.
  maxMessageBytes: bytes(2 * MIB, KIB, 256 * MIB, 'Largest WebSocket message; a larger one is closed with 4413.'),
  payloadFactor: wholeNumber(4, 1, 8, {
    meaning: 'A message over `maxMessageBytes` times this is cut off while it arrives, without a close code.',
  }),
  maxBodyBytes: bytes(8 * MIB, KIB, 256 * MIB, 'Largest body of an HTTP request; a larger one is answered 413.'),
  maxDocumentBytes: bytes(
    128 * MIB,
    KIB,
    2048 * MIB,
    'Largest document, as stored; what goes beyond is refused with 4413, or 1013 while it is being compacted.',
  ),
  maxConnections: wholeNumber(100_000, 1, 10_000_000, { meaning: 'Open WebSockets of the whole server.' }),
  maxRoomsPerConnection: wholeNumber(1000, 1, 100_000, {
    meaning: 'Rooms and channels that one connection may join.',
  }),
  maxJoinsPerSecond: wholeNumber(100, 1, 1_000_000, {
    meaning: 'Rooms and channels that one connection may join in a second, beyond `maxRoomsPerConnection` at once.',
  }),
  maxEventBytes: bytes(
    64 * KIB,
    KIB,
    64 * MIB,
    'Data of one event; what comes by the Pusher doors keeps to the limits of the app.',
  ),
  maxEventsPerSecond: wholeNumber(100, 1, 1_000_000, {
    meaning: 'Events that one connection may send in a second, and at once after a second of rest.',
  }),
  eventHistoryCount: wholeNumber(100, 0, 100_000, {
    meaning: 'Last events of a room that are kept for readers that come back.',
  }),
  eventHistorySeconds: wholeNumber(300, 0, 86_400, { meaning: 'Seconds that an event is kept for them.' }),
  eventHistoryBytes: bytes(
    64 * MIB,
    0,
    65_536 * MIB,
    'Events kept, of all rooms together; beyond, rooms published to least recently lose theirs first.',
  ),
  leaveGraceSeconds: wholeNumber(3, 0, 3600, {
    meaning: 'Seconds in which someone whose connection broke may come back without a leave and a join.',
  }),
  maxAwarenessEntries: wholeNumber(4, 1, 1000, {
    meaning: 'Awareness client ids that one session may own; the ids of a re-rolled Y.Doc count.',
  }),
  maxAwarenessBytes: bytes(64 * KIB, 256, 16 * MIB, 'Awareness state that one session may hold, as JSON.'),
  maxBackpressureBytes: bytes(
    MIB,
    64 * KIB,
    256 * MIB,
    'Bytes waiting for one slow reader; beyond, it is caught up from storage once it reads again.',
  ),
  documentCacheBytes: bytes(
    64 * MIB,
    0,
    65_536 * MIB,
    'Documents (by encoded size) kept open for reconnects and back-end edits; each takes about 15 × that in memory.',
  ),
  webhookQueueEvents: wholeNumber(10_000, 1, 1_000_000, {
    meaning: 'Events that wait for one webhook of an app; beyond, the oldest are dropped.',
  }),
  webhookQueueBytes: bytes(
    64 * MIB,
    64 * KIB,
    65_536 * MIB,
    'Memory of the events that wait for one webhook; beyond, the oldest are dropped.',
  ),
  hookTimeoutSeconds: wholeNumber(5, 1, 3600, {
    meaning: 'Seconds that a hook has to answer; one that does not refuses what it was asked about.',
  }),
  roomIdleSeconds: wholeNumber(10, 0, 86_400, { meaning: 'Seconds that a room without a session stays loaded.' }),
}

type Name = keyof typeof LIST

/** The apps, which are more than one value: one option of `createServer`, three flags. */
const APPS = {
  env: 'TUTTI_APPS',
  meaning: 'Pusher apps, an array; on the command line a JSON file with it.',
  variable: 'The variable holds the array, or `id:key:secret …`.',
  app: 'One app; repeatable. A second secret may follow while they are changed.',
  webhook: 'Post all news of the first app to this address.',
}
const APP_FLAGS = { apps: '<file>', app: '<id:key:secret>', webhook: '<url>' }
type AppFlag = keyof typeof APP_FLAGS

type Values = { readonly [K in Name]: (typeof LIST)[K] extends Option<infer T> ? T : never }

/** Every option with its value: what `parseOptions` makes of a `ServerOptions`. */
export interface Options extends Values {
  readonly apps: readonly App[]
}

/** Options of `createServer`, each with a default; the README's table says what each one means. */
export type ServerOptions = { readonly [K in Name]?: Values[K] | undefined } & {
  readonly apps?: readonly AppOptions[] | undefined
}

const NAMES = Object.keys(LIST) as Name[]

/** The flag of an option without its dashes: `maxBodyBytes` is `--max-body-bytes`. */
const flagOf = (name: Name): string => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)

const shown = (value: unknown): string => {
  if (typeof value === 'string') return JSON.stringify(value.length > 80 ? `${value.slice(0, 80)}…` : value)
  if (typeof value === 'number' || typeof value === 'boolean' || value === null) return String(value)
  return Array.isArray(value) ? 'an array' : `a value of type ${typeof value}`
}

/** The value if it is one of this option; `INVALID_OPTION` under the name its giver used. */
const checked = (name: Name, value: unknown, givenAs: string): Values[Name] => {
  const option: Option<unknown> = LIST[name]
  if (option.accepts(value)) return value as Values[Name]
  throw new TuttiError('INVALID_OPTION', `${givenAs} is ${shown(value)}; expected ${option.expected}.`, {
    path: [name],
    hint: `Give ${option.expected}, or leave it out for ${shown(option.default)}.`,
  })
}

const withDefaults = (given: ReadonlyMap<Name, Values[Name]>, apps: readonly App[]): Options => ({
  // Each entry was checked against its own line of LIST.
  ...(Object.fromEntries(NAMES.map((name) => [name, given.get(name) ?? LIST[name].default])) as Values),
  apps,
})

const meant = (near: readonly string[]): string => (near.length === 0 ? '' : ` Did you mean ${near.join(' or ')}?`)

/**
 * Checks the options given to `createServer` and fills in the defaults. A key that is `undefined` counts as not given.
 * @throws TuttiError `INVALID_OPTION` naming the option, what was given and what was expected.
 */
export const parseOptions = (input: unknown = {}): Options => {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) {
    throw new TuttiError('INVALID_OPTION', `The options are ${shown(input)}; expected an object.`, {
      hint: `Give an object with any of: ${NAMES.join(', ')}.`,
    })
  }
  const given = new Map<Name, Values[Name]>()
  let apps: readonly App[] = []
  for (const [key, value] of Object.entries(input)) {
    if (key === 'apps') {
      if (value !== undefined) apps = parseApps(value, 'Option apps')
      continue
    }
    const name = NAMES.find((known) => known === key)
    if (name === undefined) {
      const known = [...NAMES, 'apps']
      throw new TuttiError('INVALID_OPTION', `There is no option ${shown(key)}.${meant(nearNames(key, known))}`, {
        path: [key],
        hint: `The options are: ${known.join(', ')}.`,
      })
    }
    if (value !== undefined) given.set(name, checked(name, value, `Option ${name}`))
  }
  return withDefaults(given, apps)
}

/** What a command line asks for. */
export type Command =
  | { readonly name: 'help' }
  | { readonly name: 'version' }
  | { readonly name: 'serve'; readonly options: Options }

const SEE_HELP = 'See tutti --help.'

/** What flags and the variable say of apps, in the order it was said. */
interface GivenApps {
  apps: AppOptions[]
  webhooks: string[]
}

const jsonApps = (text: string, givenAs: string): AppOptions[] => {
  let apps: unknown
  try {
    apps = JSON.parse(text)
  } catch (cause) {
    // Not the parser's own message: it quotes the text, which has secrets in it.
    throw new TuttiError('INVALID_OPTION', `${givenAs} is not JSON; expected an array of apps.`, {
      path: ['apps'],
      hint: 'Write [{ "id": "1", "key": "…", "secret": "…" }].',
      cause,
    })
  }
  parseApps(apps, givenAs)
  return apps as AppOptions[]
}

const appsOfFile = (file: string): AppOptions[] => {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (cause) {
    const reason = cause instanceof Error && 'code' in cause ? cause.code : cause
    throw new TuttiError('INVALID_OPTION', `--apps: the file ${shown(file)} can't be read (${reason}).`, {
      path: ['apps'],
      hint: 'Give the name of a JSON file with an array of apps.',
      cause,
    })
  }
  return jsonApps(text, `The file ${file}`)
}

const appsOfVariable = (text: string): AppOptions[] => {
  const givenAs = `${APPS.env} (environment)`
  if (text.trim().startsWith('[')) return jsonApps(text, givenAs)
  return text
    .split(/[\s,]+/)
    .filter((part) => part !== '')
    .map((part) => appFromText(part, givenAs))
}

const takeApps = (given: GivenApps, flagName: AppFlag, value: string): void => {
  if (flagName === 'webhook') given.webhooks.push(value)
  else given.apps.push(...(flagName === 'app' ? [appFromText(value, '--app')] : appsOfFile(value)))
}

const appsOf = ({ apps: [first, ...others], webhooks }: GivenApps): readonly App[] => {
  if (first === undefined && webhooks.length > 0) {
    throw new TuttiError('INVALID_OPTION', '--webhook was given without an app; expected --app or --apps as well.', {
      path: ['apps'],
      hint: SEE_HELP,
    })
  }
  if (first === undefined) return []
  const withWebhooks = { ...first, webhooks: [...(first.webhooks ?? []), ...webhooks.map((url) => ({ url }))] }
  return parseApps([withWebhooks, ...others], 'the command line')
}

/**
 * Reads a command line (without node and script) and an environment. A flag wins over a variable, the last of equal
 * flags wins, an empty variable counts as not set.
 * @throws TuttiError `INVALID_OPTION` naming the flag or variable, what was given and what was expected.
 */
export const commandFrom = (argv: readonly string[], env: Readonly<Record<string, string | undefined>>): Command => {
  const flags = new Map(NAMES.map((name) => [flagOf(name), name]))
  const { tokens } = parseArgs({
    args: [...argv],
    // Checked below instead: parseArgs' own errors know neither near names nor what a value must be.
    strict: false,
    tokens: true,
    allowPositionals: true,
    options: {
      help: { type: 'boolean', short: 'h' },
      version: { type: 'boolean', short: 'v' },
      ...Object.fromEntries(
        NAMES.map((name) => [flagOf(name), { type: isSwitch(name) ? ('boolean' as const) : ('string' as const) }]),
      ),
      ...Object.fromEntries(Object.keys(APP_FLAGS).map((name) => [name, { type: 'string' as const }])),
    },
  })

  const given = new Map<Name, Values[Name]>()
  for (const name of NAMES) {
    const variable = (LIST[name] as Option<unknown>).env
    const value = variable === undefined ? undefined : env[variable]
    if (value) given.set(name, checked(name, LIST[name].fromText(value), `${variable} (environment)`))
  }

  const flagApps: GivenApps = { apps: [], webhooks: [] }
  let asked: 'help' | 'version' | undefined
  let positionals = 0
  for (const token of tokens) {
    if (token.kind === 'option-terminator') continue
    if (token.kind === 'positional') {
      positionals++
      if (positionals > 1 || token.value !== 'serve') {
        throw new TuttiError('INVALID_OPTION', `There is no command ${shown(token.value)}; expected tutti [serve].`, {
          hint: SEE_HELP,
        })
      }
      continue
    }
    const { name: flagName, rawName, value, inlineValue } = token
    if (flagName === 'help' || flagName === 'version') {
      asked ??= flagName
      continue
    }
    if (isAppFlag(flagName)) {
      const placeholder = APP_FLAGS[flagName]
      takeApps(flagApps, flagName, flagValue(rawName, value, inlineValue, placeholder, placeholder, 'apps'))
      continue
    }
    const name = flags.get(flagName)
    if (name === undefined) {
      const known = [...flags.keys(), ...Object.keys(APP_FLAGS), 'help', 'version']
      const near = nearNames(flagName, known).map((candidate) => `--${candidate}`)
      throw new TuttiError('INVALID_OPTION', `There is no option ${rawName}.${meant(near)}`, { hint: SEE_HELP })
    }
    if (isSwitch(name)) {
      given.set(name, checked(name, value === undefined ? true : LIST[name].fromText(value), rawName))
      continue
    }
    const { expected, placeholder = '' }: Option<unknown> = LIST[name]
    const text = flagValue(rawName, value, inlineValue, expected, placeholder, name)
    given.set(name, checked(name, LIST[name].fromText(text), rawName))
  }
  if (asked !== undefined) return { name: asked }
  const variable = env[APPS.env]
  // As with every option, a flag wins over the variable.
  if (flagApps.apps.length === 0 && variable) flagApps.apps = appsOfVariable(variable)
  return { name: 'serve', options: withDefaults(given, appsOf(flagApps)) }
}

const isAppFlag = (name: string): name is AppFlag => Object.hasOwn(APP_FLAGS, name)

const flagValue = (
  rawName: string,
  value: string | undefined,
  isInline: boolean | undefined,
  expected: string,
  placeholder: string,
  name: string,
): string => {
  if (value !== undefined && (isInline || !value.startsWith('--'))) return value
  throw new TuttiError('INVALID_OPTION', `${rawName} has no value; expected ${expected}.`, {
    path: [name],
    hint: `Write ${rawName} ${placeholder}. ${SEE_HELP}`,
  })
}

const isSwitch = (name: Name): boolean => LIST[name].placeholder === undefined

/** `2097152` as `2 MiB`; a number that is no whole multiple stays as it is. */
const sized = (count: number): string => {
  if (count > 0 && count % MIB === 0) return `${count / MIB} MiB`
  if (count > 0 && count % KIB === 0) return `${count / KIB} KiB`
  return String(count)
}

const describeDefault = (option: Option<unknown>): string =>
  option.unit === 'bytes' ? `${option.default} (${sized(option.default as number)})` : String(option.default)

/** What `tutti --help` prints. */
export const helpText = (): string => {
  const rows = NAMES.map((name) => {
    const option: Option<unknown> = LIST[name]
    const left = `--${flagOf(name)}${option.placeholder === undefined ? '' : ` ${option.placeholder}`}`
    const env = option.env === undefined ? '' : `${option.env}, `
    const right = isSwitch(name) ? option.meaning : `${option.meaning} [${env}${describeDefault(option)}]`
    return [left, right.replaceAll('`', '')] as const
  })
  const plain = (text: string): string => text.replaceAll('`', '')
  rows.push(
    [`--apps ${APP_FLAGS.apps}`, plain(`${APPS.meaning} [${APPS.env}] ${APPS.variable}`)],
    [`--app ${APP_FLAGS.app}`, plain(APPS.app)],
    [`--webhook ${APP_FLAGS.webhook}`, plain(APPS.webhook)],
  )
  rows.push(['-h, --help', 'Print this.'], ['-v, --version', 'Print the version.'])
  const width = Math.max(...rows.map(([left]) => left.length))
  return [
    'Usage: tutti [serve] [options]',
    '',
    'Starts the Tutti server. In brackets: the environment variable, if there is one, and the default.',
    '',
    ...rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`),
    '',
  ].join('\n')
}

/** The options table of the README, as Markdown. */
export const optionsTable = (): string => {
  const rows = NAMES.map((name) => {
    const option: Option<unknown> = LIST[name]
    const flagCell = `\`--${flagOf(name)}${option.placeholder === undefined ? '' : ` ${option.placeholder}`}\``
    const envCell = option.env === undefined ? '' : `\`${option.env}\``
    const defaultCell = option.unit === 'bytes' ? sized(option.default as number) : `\`${String(option.default)}\``
    return `| \`${name}\` | ${flagCell} | ${envCell} | ${defaultCell} | ${option.meaning} |`
  })
  const apps = [
    `| \`apps\` | \`--apps ${APP_FLAGS.apps}\` | \`${APPS.env}\` | none | ${APPS.meaning} ${APPS.variable} |`,
    `| | \`--app ${APP_FLAGS.app}\` | | | ${APPS.app} |`,
    `| | \`--webhook ${APP_FLAGS.webhook}\` | | | ${APPS.webhook} |`,
  ]
  const head = ['| Option | Flag | Environment | Default | Meaning |', '| --- | --- | --- | --- | --- |']
  return [...head, ...rows, ...apps].join('\n')
}
