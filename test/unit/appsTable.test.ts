import { expect, test } from 'vitest'
import { APP_FIELDS, parseApps } from '../../server/appOptions.ts'
import { APP_LIMITS, WEBHOOK_EVENTS } from '../../server/apps.ts'
import { codesOf, README, readTable } from './readmeTable.ts'

const [app] = parseApps([{ id: '1', key: 'k', secret: 's' }], 'the test')

test('the README has every key of an app in its table, and its default if it is a switch', () => {
  const table = readTable('Key of an app')
  expect(table.map(([key]) => codesOf(key)[0])).toEqual(APP_FIELDS)
  const switches = table.flatMap(([key, byDefault]) => {
    const [word] = codesOf(byDefault)
    return word === 'true' || word === 'false' ? [[codesOf(key)[0], word === 'true']] : []
  })
  expect(switches).toEqual(Object.entries(app ?? {}).filter(([, value]) => typeof value === 'boolean'))
})

test('the README has every limit of an app in its table, with its default', () => {
  const listed = readTable('Limit of an app').map(([name, byDefault]) => [codesOf(name)[0], Number(byDefault)])
  expect(listed).toEqual(Object.entries(APP_LIMITS))
})

test('the README names every event of webhooks', () => {
  const [, webhooks = ''] = README.split('### Webhooks\n')
  const [first = ''] = webhooks.split('The flag sends all of them')
  expect(codesOf(first).filter((word) => word.includes('_'))).toEqual(WEBHOOK_EVENTS)
})
