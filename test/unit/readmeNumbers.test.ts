import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { MAX_ROOM_NAME_BYTES } from '../../lib/protocol.ts'
import { MAX_CHANGES } from '../../server/api/batch.ts'
import { LIFETIME_MS, MAX_KEPT, MAX_KEPT_BYTES } from '../../server/api/idempotency.ts'
import { MAX_OPERATIONS } from '../../server/api/jsonPatch.ts'
import { MAX_PATCH_DEPTH } from '../../server/api/patchValue.ts'
import { MAX_VALUES } from '../../server/api/patchWork.ts'
import { LIMIT, MAX_LIMIT } from '../../server/api/rooms/list.ts'
import { MAX_EVENTS } from '../../server/api/rooms/newEvents.ts'
import { EVENT_ID_LIFETIME_MS } from '../../server/api/rooms/routes.ts'
import { parseOptions } from '../../server/options.ts'
import { TTL_MS } from '../../server/pusher/cache.ts'
import { MAX_WAITING } from '../../server/room/orderedEvents.ts'
import { MAX_ORIGIN_LENGTH } from '../../server/room/originName.ts'
import { FIRST_DELAY_MS, MAX_DELAY_MS } from '../../server/room/refusals.ts'
import { WEBHOOK_TIMES } from '../../server/webhooks/times.ts'
import { README } from './readmeTable.ts'

const options = parseOptions()
const SECOND = 1000
const MINUTE = 60 * SECOND

const PACKAGE = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  engines: { node: string }
  dependencies: Record<string, string>
  devDependencies: Record<string, string>
}

/** Of the version that the tests are run with: `^8.6.0` is 8.6, and with one part 8. */
const versionOf = (name: string, parts = 1): string => {
  const [, version = ''] = /(\d[\d.]*)$/.exec(PACKAGE.devDependencies[name] ?? PACKAGE.dependencies[name] ?? '') ?? []
  return version.split('.').slice(0, parts).join('.')
}

/** What the README says in prose, made of the numbers that the code has. */
const SENTENCES: Readonly<Record<string, readonly string[]>> = {
  'of Node and the clients that the tests run': [
    `with Node ${PACKAGE.engines.node.replace('>=', '')} or newer`,
    `\`y-websocket\` ${versionOf('y-websocket-1', 2)}, ${versionOf('y-websocket-2', 2)} and ${versionOf('y-websocket', 2)} clients`,
    `\`pusher-js\` ${versionOf('pusher-js')}, \`laravel-echo\` ${versionOf('laravel-echo')}`,
  ],
  'of names of rooms': [`1–${MAX_ROOM_NAME_BYTES} bytes of UTF-8`],
  'of the history of events': [
    `the last ${options.eventHistoryCount} events and ${options.eventHistorySeconds / 60} minutes`,
  ],
  'of the grace for a broken connection': [`has ${options.leaveGraceSeconds} s to come back`],
  'of refused addresses': [`from ${FIRST_DELAY_MS} ms to ${MAX_DELAY_MS / SECOND} s`],
  'of origin names': [`percent-encoded, 1–${MAX_ORIGIN_LENGTH} characters`],
  'of events over HTTP': [
    `within ${EVENT_ID_LIFETIME_MS / MINUTE} minutes an event with this id`,
    `A request takes up to ${MAX_EVENTS} events`,
  ],
  'of patches': [
    `at most ${MAX_VALUES.toLocaleString('en')} values`,
    `nested up to ${MAX_PATCH_DEPTH} levels`,
    `up to ${MAX_OPERATIONS.toLocaleString('en')} operations`,
  ],
  'of pages of rooms': [`A page has ${LIMIT} rooms, or as many as \`?limit=\` says, up to ${MAX_LIMIT}.`],
  'of batches': [`A batch takes up to ${MAX_CHANGES} changes`],
  'of Idempotency-Key': [
    `kept for ${LIFETIME_MS / MINUTE} minutes`,
    `the last ${MAX_KEPT.toLocaleString('en')} of them or ${MAX_KEPT_BYTES / 1024 / 1024} MiB`,
  ],
  'of cache channels': [`the last event of a back end for ${TTL_MS / MINUTE} minutes`],
  'of events that wait for a hook': [`at most ${MAX_WAITING} of them`],
  'of webhooks': [
    `anything but a 2xx within ${WEBHOOK_TIMES.attemptMs / SECOND} s`,
    `after ${[1, 2, 4].map((times) => (times * WEBHOOK_TIMES.firstRetryMs) / SECOND).join(', ')} … s`,
    `at most ${WEBHOOK_TIMES.maxRetryMs / SECOND} s`,
    `after ${WEBHOOK_TIMES.giveUpMs / MINUTE} minutes; what a restart finds has ${WEBHOOK_TIMES.giveUpMs / MINUTE} minutes`,
    `one for ${WEBHOOK_TIMES.batchMs} ms or ${WEBHOOK_TIMES.batchEvents} events`,
    `At most ${WEBHOOK_TIMES.maxRequests} at a time`,
    `within \`leaveGraceSeconds\` and ${WEBHOOK_TIMES.returnMs / SECOND} s of its start`,
  ],
}

describe('the README has the numbers', () => {
  test.each(Object.entries(SENTENCES))('%s', (_title, sentences) => {
    for (const sentence of sentences) expect(README).toContain(sentence)
  })
})
