/**
 * What to do about a mistake in a program: the `hint` of its error. In development only, so that the words cost a
 * browser nothing; code, path and message are always there.
 */
import type { Shape } from './schema.ts'

/** How many characters two names share, less what their lengths differ: enough to find a typing mistake. */
const likeness = (a: string, b: string): number =>
  [...a].filter((character) => b.includes(character)).length - Math.abs(a.length - b.length)

const nearNames = (key: string, known: Shape): string => {
  const near = Object.keys(known).sort((a, b) => likeness(key, b) - likeness(key, a))
  return near.length > 0
    ? `Did you mean ${near.slice(0, 3).join(', ')}?`
    : 'There are no names here; a list takes indexes and its methods.'
}

/** The schema that takes values of a class. */
const TAKERS: Readonly<Record<string, string>> = {
  String: 's.string()',
  Number: 's.number(), if finite,',
  NaN: 's.number(), if finite,',
  Boolean: 's.boolean()',
  Date: 's.date(), if valid,',
  Uint8Array: 's.bytes()',
  Array: 's.list()',
  Object: 's.object(), s.record() or s.json()',
  null: '.nullable()',
  undefined: '.optional()',
}

const takerOf = (className: string): string => {
  const taker = TAKERS[className]
  return taker === undefined
    ? 'Store plain values: text, finite numbers, booleans, Date, Uint8Array, JSON.'
    : `${taker} takes ${className}.`
}

/** By the message; a function is given what its parentheses found. */
const HINTS: readonly (readonly [message: RegExp, hint: string | ((found: string) => string)])[] = [
  [/expected another key/, 'Choose another key.'],
  [/expected s\.number\(\), got (?:NaN|Number)/, 'Only finite numbers can be stored.'],
  [
    /expected s\.(?:string\(\), got String|boolean\(\), got Boolean)/,
    'Give the value itself, not an object around it.',
  ],
  [/expected .*, got (.*)/, takerOf],
  [/contains itself/, 'JSON can hold no cycle; store ids instead.'],
  [/deeper than/, 'Store it flat, by ids.'],
  [/not an id of 1 to (\d+)/, (most) => `An id is a string of 1 to ${most} characters, not __proto__.`],
  [/stored is no/, 'Another client stored it. It reads as the default; write a value to replace it.'],
  [/no such index.*\b(\d+)/, (length) => `The list has ${length} items.`],
  [/outside a text.*\b(\d+)/, (length) => `The text has length ${length}.`],
  [
    /not in the document/,
    'It was deleted, or is stored in another form. Read it again from store.state, or assign it.',
  ],
  [/was destroyed/, 'Make a new store.'],
  [/while it was rendering/, 'Write in an event or a lifecycle callback.'],
  [/asynchronous/, 'Await first, then call transact.'],
  [/schema is not an object/, 'Pass { schema: { title: s.string() } }.'],
  [/not a schema/, 'Use what s returns, as s.string().'],
  [/not a usable name/, 'Choose another name.'],
  [/default does not fit/, 'Give one that its schema takes; `cause` says what is wrong.'],
  [/has another type/, 'Use the schema that the document was made with, or another name.'],
  [/no options/, 'Pass { schema: { title: s.string() } }.'],
  [/doc is/, 'Pass one of the yjs that Tutti imports, or leave it out.'],
  [/persist is/, 'Name a database, or leave it out.'],
  [/validateRemote is|onError is|undo\.scope has/, 'Correct it, or leave it out.'],
  [/expected milliseconds/, 'Give a number of 0 or more.'],
  [/persist failed/, 'The store works without it; a reload of the page tries again.'],
  [/travels as JSON/, 'Use s.string() or s.json() instead of s.bytes().'],
  [/no name of an event/, 'Such is show-message.'],
  [/what came does not fit/, 'Whoever sends it has another schema.'],
  [/no order key/, 'Use what orderBetween returned.'],
]

/** The hint of an error's message. `unknown`: the key that is none of the `known` ones. */
const find = (message: string, unknown?: string | number, known?: Shape): string | undefined => {
  if (known) return nearNames(String(unknown), known)
  for (const [pattern, hint] of HINTS) {
    const found = pattern.exec(message)
    if (found) return typeof hint === 'string' ? hint : hint(found[1] ?? '')
  }
  return undefined
}

const given = (): typeof find | undefined => {
  try {
    // Bundlers replace the expression by its value and then drop what it leaves out.
    if (process.env.NODE_ENV !== 'production') return find
  } catch {
    // Nobody replaced it, and there is no `process` in a browser.
  }
  return undefined
}

/** `undefined` in production. */
export const hintOf: typeof find | undefined = given()

/** Whether to look for mistakes that a program makes each time it runs: such show before it is published. */
export const isDevelopment: boolean = hintOf !== undefined
