import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { HOOKS, hooksTable } from '../../server/hooks.ts'

const README = readFileSync(new URL('../../README.md', import.meta.url), 'utf8')

test.runIf(README.includes('<!-- hooks -->'))('the README has exactly the hooks table of the one list', () => {
  const parts = README.split(/<!-- \/?hooks -->/)
  expect(parts, 'README.md has <!-- hooks --> and <!-- /hooks --> once each').toHaveLength(3)
  expect(parts[1]?.trim()).toBe(hooksTable())
})

test('the table has a row for each hook', () => {
  const rows = hooksTable().split('\n').slice(2)
  expect(rows.map((row) => row.split('`')[1])).toEqual(Object.keys(HOOKS))
})
