/** The middle that differs between two texts. */
export interface TextEdit {
  readonly index: number
  readonly removed: number
  readonly inserted: string
}

const isHighSurrogate = (code: number): boolean => code >= 0xd800 && code <= 0xdbff
const isLowSurrogate = (code: number): boolean => code >= 0xdc00 && code <= 0xdfff

/**
 * How `before` became `after`, where the caret stands after the edit at `caret`: of several equal answers (a letter
 * doubled) the one that ends there. Never splits a surrogate pair.
 */
export const textEdit = (before: string, after: string, caret: number): TextEdit => {
  const longest = Math.min(before.length, after.length)
  let end = 0
  const most = Math.min(longest, after.length - Math.min(caret, after.length))
  while (end < most && before[before.length - 1 - end] === after[after.length - 1 - end]) end += 1
  let start = 0
  while (start < longest - end && before[start] === after[start]) start += 1
  if (start > 0 && isHighSurrogate(before.charCodeAt(start - 1))) start -= 1
  if (end > 0 && isLowSurrogate(before.charCodeAt(before.length - end))) end -= 1
  return {
    index: start,
    removed: before.length - end - start,
    inserted: after.slice(start, after.length - end),
  }
}
