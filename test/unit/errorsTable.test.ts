import { expect, test } from 'vitest'
import { ERRORS, type ErrorCode, TuttiError, type WireMeaning } from '../../lib/errors.ts'
import { PUSHER_CLOSE } from '../../server/protocol/closeCode.ts'
import { subscriptionRefusal } from '../../server/pusher/refusal.ts'
import { codesOf, numbersOf, readTable } from './readmeTable.ts'

test('the README has every error of the one list in its table, with close code, HTTP status and whether to retry', () => {
  const listed = readTable('Code').map(([code, close, status, again, meaning]) => {
    expect(meaning, `the meaning of ${code}`).not.toBe('')
    return [codesOf(code)[0], ...numbersOf(close), 'HTTP', ...numbersOf(status), again === 'yes']
  })
  const expected = Object.entries<WireMeaning>(ERRORS).map(([code, { close, status, retryable = false }]) => [
    code,
    ...(close === undefined ? [] : [close]),
    'HTTP',
    ...(status === undefined ? [] : [status]),
    retryable,
  ])
  expect(listed).toEqual(expected)
})

test('the README has every close code of the Pusher door in its table', () => {
  const listed = readTable('Close code').flatMap(([codes]) => numbersOf(codes))
  expect(listed).toEqual(Object.values(PUSHER_CLOSE))
})

test('the README has every kind of subscription error in its table, with each status that has a kind of its own', () => {
  const kinds = new Map<string, Set<number>>()
  for (const code of Object.keys(ERRORS) as ErrorCode[]) {
    const frame = JSON.parse(subscriptionRefusal('x', new TuttiError(code, 'No.'))) as { data: string }
    const { type, status } = JSON.parse(frame.data) as { type: string; status: number }
    if (type !== 'ServerError') kinds.set(type, (kinds.get(type) ?? new Set()).add(status))
  }
  const listed = new Map(
    readTable('`type` of a `pusher:subscription_error`').map(([type, status]) => [
      codesOf(type)[0],
      new Set(numbersOf(status)),
    ]),
  )
  expect(listed.get('ServerError')).toEqual(new Set())
  listed.delete('ServerError')
  expect(listed).toEqual(kinds)
})
