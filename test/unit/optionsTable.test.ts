import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { optionsTable } from '../../server/options.ts'

it('the README has exactly the options table of the one list', () => {
  const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8')
  const parts = readme.split(/<!-- \/?options -->/)
  expect(parts, 'README.md has <!-- options --> and <!-- /options --> once').toHaveLength(3)
  expect(parts[1]?.trim()).toBe(optionsTable())
})
