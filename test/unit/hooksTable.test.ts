import { expect, test } from 'vitest'
import { HOOKS } from '../../server/hooks.ts'
import { codesOf, readTable } from './readmeTable.ts'

test('the README has every hook of the one list in its table, and whether it may refuse', () => {
  const listed = readTable('Hook').map(([name, , refuses = '']) => [
    codesOf(name)[0],
    refuses.startsWith('yes') ? 'asked' : 'told',
  ])
  expect(listed).toEqual(Object.entries(HOOKS))
})
