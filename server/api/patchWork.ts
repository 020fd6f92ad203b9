/**
 * How much one patch may do: it is carried out without a pause, and everyone else waits. What is counted is what takes
 * time, wherever it happens: values written or copied, and, at much less each, values that are only looked at.
 *
 * The count is not handed from function to function: a patch is over in one turn of the event loop, and a walk that
 * somebody forgot to count would be a way round the limit.
 */
import { TuttiError } from '../../lib/errors.ts'

/** Values (entries of objects, elements of arrays) that one patch may write or copy, and operations it may have. */
export const MAX_VALUES = 50_000
/** Values of the document that it may look at besides: about the same time, measured. */
const MAX_LOOKS = 500_000
/** Characters looked at that count as one value looked at. */
const CHARACTERS = 25

/** Items of a list that Yjs goes through in the time of one look, where it has to find an index among them: measured. */
const ITEMS = 100

/** What the patch under way may do yet; without one, there is no limit. */
let writes = Number.POSITIVE_INFINITY
let looks = Number.POSITIVE_INFINITY
/** Items of the lists that it went into. */
let items = new WeakMap<object, number>()

const tooMuch = (): TuttiError => {
  const limit = MAX_VALUES.toLocaleString('en')
  return new TuttiError(
    'TOO_LARGE',
    `This is too much at once: a patch, or a row, may write or copy ${limit} values, and go through about as much.`,
    { hint: 'Send several; rows (PUT …/document/<root>) are taken in any number.' },
  )
}

/** Does the work of one patch, or checks one row, within the limit. @throws TuttiError `TOO_LARGE` */
export const withinLimit = <R>(work: () => R): R => {
  writes = MAX_VALUES
  looks = MAX_LOOKS
  items = new WeakMap()
  try {
    return work()
  } finally {
    writes = Number.POSITIVE_INFINITY
    looks = Number.POSITIVE_INFINITY
  }
}

/** @throws TuttiError `TOO_LARGE` */
export const countWrites = (values: number): void => {
  writes -= values
  if (writes < 0) throw tooMuch()
}

/** @throws TuttiError `TOO_LARGE` */
export const countLooks = (values: number): void => {
  looks -= values
  if (looks < 0) throw tooMuch()
}

/** @throws TuttiError `TOO_LARGE` */
export const countCharacters = (characters: number): void => countLooks(Math.ceil(characters / CHARACTERS))

/**
 * Counts the way to an index of a list. Yjs walks over all that hangs together there, so it is long in a list of many
 * items, deleted ones too.
 * @param count how many there are, before the patch changed anything
 * @param more how many this one makes
 * @throws TuttiError `TOO_LARGE`
 */
export const countWay = (list: object, count: () => number, more: number): void => {
  if (looks === Number.POSITIVE_INFINITY) return
  const length = (items.get(list) ?? count()) + more
  items.set(list, length)
  countLooks(Math.ceil(length / ITEMS))
}
