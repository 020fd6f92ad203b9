/**
 * What to do about a mistake in a program: the `hint` of its error. In development only, so that the words cost a
 * browser nothing; code, path and message are always there.
 */
import type { Shape } from './schema.ts'

/** How many characters two names share, less what their lengths differ: enough to find a typing mistake. */
const likeness = (a: string, b: string): number =>
  [...a].filter((character) => b.includes(character)).length - Math.abs(a.length - b.length)

/** The schema that takes values of a class. */
const TAKERS: Readonly<Record<string, string>> = {
  String: 's.string()',
  Number: 's.number(), if finite,',
  Boolean: 's.boolean()',
  Date: 's.date(), if valid,',
  Uint8Array: 's.bytes()',
  Array: 's.list()',
  Object: 's.object(), s.record() or s.json()',
  null: '.nullable()',
  undefined: '.optional()',
}

const HINTS = {
  unknownKey: (key: string, known: Shape): string => {
    const near = Object.keys(known).sort((a, b) => likeness(key, b) - likeness(key, a))
    return near.length > 0 ? `Did you mean ${near.slice(0, 3).join(', ')}?` : 'Nothing is known here.'
  },
  invalidValue: (className: string): string => {
    const taker = TAKERS[className]
    return taker === undefined
      ? 'Store plain values: text, finite numbers, booleans, Date, Uint8Array, JSON.'
      : `${taker} takes ${className}.`
  },
  cycle: 'JSON can hold no cycle; store ids instead.',
  tooDeep: 'Store it flat, by ids.',
  invalidId: (longest: number): string => `An id is a string of 1 to ${longest} characters, not __proto__.`,
  misfit: 'Another client stored it. It reads as the default; write a value to replace it.',
  listIndex: (length: number): string => `The list has ${length} items.`,
  textRange: (length: number): string => `The text has length ${length}.`,
  detached: 'It was deleted, or is stored in another form. Read it again from store.state, or assign it as a whole.',
  destroyed: 'Make a new store.',
  writeInRender: 'Write in an event or a lifecycle callback.',
  asynchronous: 'Await first, then call transact.',
  noShape: 'Pass { schema: { title: s.string() } }.',
  noSchema: 'Use what s returns, as s.string().',
  unusableName: 'Choose another name.',
  otherType: 'Use the schema that the document was made with, or another name.',
  noPersistence: 'Name a database, or leave it out.',
}

const given = (): Partial<typeof HINTS> => {
  try {
    // Bundlers replace the expression by its value and then drop what it leaves out.
    if (process.env.NODE_ENV !== 'production') return HINTS
  } catch {
    // Nobody replaced it, and there is no `process` in a browser.
  }
  return {}
}

/** Empty in production. */
export const hints: Partial<typeof HINTS> = given()
