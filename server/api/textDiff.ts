export interface TextDiff {
  /** First differing UTF-16 unit. */
  readonly start: number
  /** End of what goes, in the old text. */
  readonly end: number
  readonly insert: string
}

const isHigh = (unit: number): boolean => unit >= 0xd800 && unit <= 0xdbff
const isLow = (unit: number): boolean => unit >= 0xdc00 && unit <= 0xdfff

/** Whether a cut at `index` goes through a surrogate pair. */
const splitsPair = (text: string, index: number): boolean =>
  index > 0 && index < text.length && isHigh(text.charCodeAt(index - 1)) && isLow(text.charCodeAt(index))

/**
 * The one stretch in which two texts differ, or `undefined` if they are equal. Its borders never go through a surrogate
 * pair, in neither text: Yjs replaces both halves of a pair it has to split, and only where it splits it.
 */
export const textDiff = (before: string, after: string): TextDiff | undefined => {
  if (before === after) return undefined
  const shorter = Math.min(before.length, after.length)
  let start = 0
  while (start < shorter && before.charCodeAt(start) === after.charCodeAt(start)) start++
  if (splitsPair(before, start) || splitsPair(after, start)) start--
  let same = 0
  const most = shorter - start
  while (same < most && before.charCodeAt(before.length - 1 - same) === after.charCodeAt(after.length - 1 - same)) {
    same++
  }
  if (splitsPair(before, before.length - same) || splitsPair(after, after.length - same)) same--
  return { start, end: before.length - same, insert: after.slice(start, after.length - same) }
}
