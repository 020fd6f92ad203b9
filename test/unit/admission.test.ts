import { describe, expect, test } from 'vitest'
import { parseApps } from '../../server/appOptions.ts'
import { type App, createApps } from '../../server/apps.ts'
import type { Caller } from '../../server/contracts.ts'
import type { Hooks } from '../../server/hooks.ts'
import { createAdmission } from '../../server/room/admission.ts'
import { callerOf } from '../../server/room/caller.ts'
import { HookCalls } from '../../server/room/hookCalls.ts'
import { HookedConnections } from '../../server/room/hookedConnections.ts'
import { createMemoryLog } from './memoryLog.ts'

const app = (id: string, prefix: string, ...secrets: [string, ...string[]]): App =>
  parseApps([{ id, key: `key${id}`, secrets, prefix }], 'the test')[0]!

const FIRST = app('1', '', 'first-secret')
const SECOND = app('2', '2/', 'second-secret', 'second-secret-before')

const request = (authorization = ''): Caller =>
  callerOf('http', {
    address: '127.0.0.1',
    path: '/',
    query: '',
    header: (name) => (name === 'authorization' ? authorization : ''),
  })

interface Setting {
  readonly apps?: readonly App[]
  readonly isOpen?: boolean
  readonly hooks?: Hooks
}

/** Asks about a room: `true`, or the code that it is refused with. */
const ask = async (room: string, caller: Caller, { apps = [FIRST, SECOND], isOpen = false, hooks }: Setting = {}) => {
  const calls = hooks && new HookCalls({ hooks, timeoutSeconds: 5, log: createMemoryLog() })
  const hooked = calls && new HookedConnections(calls, 100)
  const admission = createAdmission({ apps: createApps(apps), isOpen, calls, hooked })
  if (!admission) return 'nobody asks'
  try {
    await admission.admit(room, caller)
    return true
  } catch (error) {
    return (error as { code?: unknown }).code
  }
}

describe('without apps and hooks', () => {
  test('nobody asks', async () => {
    expect(await ask('private-x', request(), { apps: [] })).toBe('nobody asks')
    expect(await ask('private-x', request(), { isOpen: true })).toBe('nobody asks')
  })
})

describe('a room that needs the signature of an app', () => {
  const closed = [
    'private-x',
    'presence-x',
    'private-encrypted-x',
    '#server-to-user-1',
    '2/private-x',
    '2/presence-a/b',
  ]
  const others = ['x', 'a/private-x', 'xprivate-x', 'Private-x', '2/x', '3/private-x']

  test.each(closed)('%s is closed to other doors', async (room) => {
    expect(await ask(room, request())).toBe('FORBIDDEN')
    expect(await ask(room, request('Bearer nonsense'))).toBe('FORBIDDEN')
    expect(await ask(room, request('Basic first-secret'))).toBe('FORBIDDEN')
    expect(await ask(room, request(), { hooks: {} })).toBe('FORBIDDEN')
  })

  test.each(others)('%s is none', async (room) => {
    expect(await ask(room, request())).toBe(true)
  })

  test('is open to whoever shows a secret of its own app', async () => {
    expect(await ask('private-x', request('Bearer first-secret'))).toBe(true)
    expect(await ask('private-x', request('bearer   first-secret '))).toBe(true)
    expect(await ask('2/private-x', request('Bearer second-secret'))).toBe(true)
    expect(await ask('2/private-x', request('Bearer second-secret-before'))).toBe(true)
    expect(await ask('private-x', request('Bearer second-secret'))).toBe('FORBIDDEN')
    expect(await ask('2/private-x', request('Bearer first-secret'))).toBe('FORBIDDEN')
  })

  test('is open to everyone on a server that is', async () => {
    for (const room of closed)
      expect(await ask(room, request(), { isOpen: true, hooks: { join: () => undefined } })).toBe(true)
  })

  test('is open where the hook says true, and only then', async () => {
    const answers: [Hooks['join'], unknown][] = [
      [() => true, true],
      [async () => true, true],
      [() => undefined, 'FORBIDDEN'],
      [async () => undefined, 'FORBIDDEN'],
      [() => false, 'FORBIDDEN'],
      [
        () => {
          throw new Error('no')
        },
        'FORBIDDEN',
      ],
    ]
    for (const [join, outcome] of answers) expect(await ask('private-x', request(), { hooks: { join } })).toBe(outcome)
  })

  test('is told as such to the hook, with who asks', async () => {
    const seen: unknown[] = []
    const join: Hooks['join'] = (context) => {
      seen.push([context.room, context.isGuarded, context.user, context.caller.door, context.caller.id])
      return true
    }
    await ask('2/presence-x', request(), { hooks: { join } })
    await ask('x', request(), { hooks: { join } })
    await ask('private-x', request(), { hooks: { join }, isOpen: true })
    expect(seen).toEqual([
      ['2/presence-x', true, undefined, 'http', undefined],
      ['x', false, undefined, 'http', undefined],
      ['private-x', false, undefined, 'http', undefined],
    ])
  })
})

describe('any other room', () => {
  test('is closed only where the hook says so', async () => {
    expect(await ask('x', request(), { hooks: { join: () => undefined } })).toBe(true)
    expect(await ask('x', request(), { hooks: { join: async () => true } })).toBe(true)
    expect(await ask('x', request(), { hooks: { join: () => false } })).toBe('FORBIDDEN')
    expect(await ask('x', request(), { hooks: { join: async () => false } })).toBe('FORBIDDEN')
  })

  test('is open to a back end of an app that it belongs to by its name, which no hook is asked about', async () => {
    let asked = 0
    const hooks: Hooks = {
      join: () => {
        asked++
        return false
      },
    }
    expect(await ask('x', request('Bearer first-secret'), { hooks })).toBe(true)
    expect(await ask('2/x', request('Bearer second-secret'), { hooks })).toBe(true)
    expect(asked).toBe(0)
    expect(await ask('x', request('Bearer second-secret'), { hooks })).toBe('FORBIDDEN')
    expect(await ask('2/x', request('Bearer first-secret'), { hooks })).toBe('FORBIDDEN')
    expect(asked).toBe(2)
  })
})

describe('a connection', () => {
  const hook = (hooks: Hooks) => {
    const calls = new HookCalls({ hooks, timeoutSeconds: 5, log: createMemoryLog() })
    const hooked = new HookedConnections(calls, 2)
    const admission = createAdmission({ apps: createApps([]), isOpen: false, calls, hooked })
    const caller: Caller = { ...request(), door: 'room' }
    return { admission: admission!, hooked, caller, hooks: hooked.open(caller) }
  }

  test('is asked about once for each room, until it leaves', async () => {
    const log: string[] = []
    const { admission, caller } = hook({
      join: async ({ room }) => void log.push(`join ${room}`),
      leave: async ({ room }) => {
        await new Promise((resolve) => setImmediate(resolve))
        log.push(`leave ${room}`)
      },
    })
    await Promise.all([admission.admit('a', caller), admission.admit('a', caller)])
    await admission.admit('a', caller)
    admission.left?.('a', caller)
    // The leave is told before the next join is asked.
    await admission.admit('a', caller)
    expect(log).toEqual(['join a', 'leave a', 'join a'])
  })

  test('may be in so many rooms at once', async () => {
    const { admission, caller } = hook({ join: () => undefined })
    await admission.admit('a', caller)
    await admission.admit('b', caller)
    expect(() => admission.admit('c', caller)).toThrow(/2 rooms/)
    admission.left?.('a', caller)
    await admission.admit('c', caller)
  })

  test('that has ended joins nothing', async () => {
    const { admission, caller, hooked, hooks } = hook({ join: () => undefined })
    hooked.close(hooks, 1000)
    expect(() => admission.admit('a', caller)).toThrow(/has ended/)
  })
})
