import { expect, test } from 'vitest'
import { HOOKS, type HookName, type Hooks } from '../../server/hooks.ts'
import type { OwnSocket, SocketEndpoint } from '../../server/index.ts'
import { HANDSHAKE_HEADERS } from '../../server/net/websocket.ts'
import { codesOf, README, readTable } from './readmeTable.ts'

type Given<K extends HookName> = Parameters<NonNullable<Hooks[K]>>[0]

/** Every field that a hook is given; the compiler holds the list to the types. */
const GIVEN: { readonly [K in HookName]: { readonly [F in keyof Given<K>]-?: true } } = {
  connect: { caller: true },
  join: { room: true, caller: true, user: true, isGuarded: true },
  roomCreated: { room: true, isNew: true },
  beforeChange: { room: true, update: true, from: true, caller: true, origin: true },
  afterChange: { room: true, changes: true },
  beforeEvent: { room: true, event: true, data: true, from: true, userId: true, except: true, caller: true },
  leave: { room: true, caller: true, user: true, hasBroken: true },
  disconnect: { caller: true, code: true },
  roomUnloaded: { room: true },
}

const OF_PATH: { readonly [K in keyof SocketEndpoint]-?: true } = {
  open: true,
  message: true,
  drain: true,
  missed: true,
  close: true,
  maxMessageBytes: true,
}

const OF_SOCKET: { readonly [K in keyof OwnSocket]-?: true } = {
  send: true,
  subscribe: true,
  unsubscribe: true,
  publish: true,
  close: true,
  terminate: true,
  id: true,
  address: true,
  query: true,
  header: true,
  data: true,
  isOpen: true,
  buffered: true,
}

test('the README has every hook of the one list in its table, and whether it may refuse', () => {
  const listed = readTable('Hook').map(([name, , refuses = '']) => [
    codesOf(name)[0],
    refuses.startsWith('yes') ? 'asked' : 'told',
  ])
  expect(listed).toEqual(Object.entries(HOOKS))
})

test('the README tells what each hook is given', () => {
  const listed = readTable('Hook').map(([name, , , given]) => [
    codesOf(name)[0],
    codesOf(given).filter((code) => !code.startsWith('{')),
  ])
  expect(listed).toEqual(Object.keys(HOOKS).map((name) => [name, Object.keys(GIVEN[name as HookName])]))
})

test('the README tells which headers of a WebSocket are kept', () => {
  const [, listed] = /Of a WebSocket the headers (.*) are kept/.exec(README) ?? []
  expect(codesOf(listed)).toEqual(HANDSHAKE_HEADERS)
})

test('the README has everything of an own socket and its path in its tables', () => {
  const names = (heading: string): (string | undefined)[] =>
    readTable(heading).flatMap(([cell]) => codesOf(cell).map((code) => code.split('(')[0]))
  expect(names('Of a path')).toEqual(Object.keys(OF_PATH))
  expect(names('Of a socket')).toEqual(Object.keys(OF_SOCKET))
})
