/** How the demo's textareas find out what was written. */
import { expect, test } from 'vitest'
import { textEdit } from '../../demo/textEdit.ts'

const applied = (before: string, after: string, caret: number): string => {
  const { index, removed, inserted } = textEdit(before, after, caret)
  return before.slice(0, index) + inserted + before.slice(index + removed)
}

test('a letter doubled is inserted where the caret ends', () => {
  expect(textEdit('aaa', 'aaaa', 2)).toEqual({ index: 1, removed: 0, inserted: 'a' })
  expect(textEdit('aaa', 'aaaa', 4)).toEqual({ index: 3, removed: 0, inserted: 'a' })
})

test('of several equal letters the one before the caret is deleted', () => {
  expect(textEdit('aaaa', 'aaa', 1)).toEqual({ index: 1, removed: 1, inserted: '' })
})

test('one half of a surrogate pair that differs takes the other half along', () => {
  expect(textEdit('x😀y', 'x😁y', 3)).toEqual({ index: 1, removed: 2, inserted: '😁' })
  // These two share their second half.
  expect(textEdit('\u{1F600}', '\u{1FA00}', 2)).toEqual({ index: 0, removed: 2, inserted: '\u{1FA00}' })
})

test('every edit leads from the one text to the other, with whole surrogate pairs', () => {
  const letters = ['a', 'b', '\n', '😀', '😁', '\u{1FA00}']
  // Every pair of texts of up to three of these letters, and every caret.
  const texts = ['', ...letters, ...letters.flatMap((a) => letters.flatMap((b) => [a + b, `${a}${b}${a}`]))]
  for (const before of texts) {
    for (const after of texts) {
      for (let caret = 0; caret <= after.length; caret += 1) {
        const { index, removed, inserted } = textEdit(before, after, caret)
        if (applied(before, after, caret) !== after) expect(applied(before, after, caret)).toBe(after)
        const parts = [before.slice(0, index), before.slice(index, index + removed), inserted]
        // With the flag `u` only a half without its other half is a surrogate.
        if (parts.some((part) => /[\ud800-\udfff]/u.test(part))) expect(parts).toBe('whole pairs')
      }
    }
  }
})
