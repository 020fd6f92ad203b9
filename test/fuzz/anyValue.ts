/** JSON values of any kind, in the words that mean something to the door under test, or nearly. */
import type { Random } from './random.ts'

/** Names that are none, or that a careless program trips over. */
export const STRANGE_TEXTS = [
  '',
  ' ',
  '..',
  'a/b',
  '#',
  '#server-to-user-',
  '\u0000',
  'ä',
  '\ud800',
  'x'.repeat(300),
  '__proto__',
]

export interface Vocabulary {
  readonly words: readonly string[]
  /** Keys of objects. */
  readonly fields: readonly string[]
  /** Characters of the longest text. */
  readonly longest: number
}

const MAX_DEPTH = 4

export const anyFields = (random: Random, vocabulary: Vocabulary, depth = 0): object =>
  Object.fromEntries(
    Array.from({ length: random.between(0, 5) }, () => [
      random.pick(vocabulary.fields),
      anyValue(random, vocabulary, depth + 1),
    ]),
  )

/** `undefined`, which leaves a field out, is among them. */
export const anyValue = (random: Random, vocabulary: Vocabulary, depth = 0): unknown => {
  switch (random.between(0, depth < MAX_DEPTH ? 9 : 7)) {
    case 0:
      return null
    case 1:
      return random.between(-1, 2 ** 40)
    case 2:
      return random.pick(STRANGE_TEXTS)
    case 3:
      return random.chance(0.5)
    case 4:
      return random.pick(vocabulary.words)
    case 5:
      return random.pick(['y', 'ü']).repeat(random.between(0, vocabulary.longest))
    case 6:
      return 1e308 * random.between(-1, 1)
    case 7:
      return undefined
    case 8:
      return Array.from({ length: random.between(0, 4) }, () => anyValue(random, vocabulary, depth + 1))
    default:
      return anyFields(random, vocabulary, depth)
  }
}
