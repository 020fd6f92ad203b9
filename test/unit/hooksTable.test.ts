import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { HOOKS } from '../../server/hooks.ts'

test('the README has every hook of the one list in its table, and whether it may refuse', () => {
  const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8')
  const [, table = ''] = readme.split(/^\| Hook .*\n.*\n/m)
  const [rows = ''] = table.split('\n\n')
  const listed = rows.split('\n').map((row) => {
    const [, name = '', , refuses = ''] = row.split('|').map((cell) => cell.trim())
    return [name.replaceAll('`', ''), refuses.startsWith('yes') ? 'asked' : 'told']
  })
  expect(listed).toEqual(Object.entries(HOOKS))
})
