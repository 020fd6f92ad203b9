import { expect, test } from 'vitest'
import { RESOURCES } from '../../server/api/rooms/resources.ts'
import { codesOf, readTable } from './readmeTable.ts'

test('the README has every resource of a room in its table, with its methods', () => {
  const listed = readTable('Under `/rooms/<room>`').map(([path, methods = '']) => [
    (codesOf(path)[0] ?? '').replace(/^\//, '').replaceAll(/<\w+>/g, '*'),
    methods.split(', '),
  ])
  const expected = Object.entries(RESOURCES).map(([pattern, methods]) => [
    pattern,
    // Whatever has GET has HEAD.
    Object.keys(methods).filter((method) => method !== 'HEAD'),
  ])
  expect(new Map(listed as [string, string[]][])).toEqual(new Map(expected as [string, string[]][]))
})
