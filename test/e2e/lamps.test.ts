/** The street lamps of the demo from both ends of their socket: the server's, as a process, and the devices'. */
import { once } from 'node:events'
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { decodeLevels, encodeLevels, HELLO, type LampLevel, type StreetNews } from '../../demo/lampFrames.ts'
import { FLEET, fleetOf, killFleet } from './fleet.ts'
import { isRunning, type NodeProcess, useNodeProcesses } from './nodeProcess.ts'
import { COMMAND, freePort, type ServerProcess, startServerProcess } from './serverProcess.ts'
import { until } from './until.ts'

const require = createRequire(import.meta.url)

const runNode = useNodeProcesses()

/** The devices' command, as `npm run lamps` runs it once all is built. */
const runFleet = (...args: string[]): NodeProcess => runNode([FLEET, ...args])

const servers: ServerProcess[] = []

/** A server for one test. */
const startServer = async (...more: Parameters<typeof startServerProcess>): Promise<ServerProcess> => {
  const server = await startServerProcess(...more)
  servers.push(server)
  return server
}

afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop('SIGKILL')
})

/** A gateway of the tests' own. */
const openGateway = async (server: ServerProcess, query = '') => {
  const socket = new WebSocket(`${server.url}/lamps${query}`)
  const texts: string[] = []
  const levels: LampLevel[] = []
  const frames: number[] = []
  socket.on('message', (message: Buffer, isBinary) => {
    if (!isBinary) {
      texts.push(message.toString())
      return
    }
    frames.push(message.byteLength)
    levels.push(...(decodeLevels(message) ?? []))
  })
  const closed = once(socket, 'close').then(([code, reason]) => ({ code, reason: String(reason) }))
  await once(socket, 'open')
  await until('the greeting', () => texts.length > 0)
  expect(texts[0]).toBe(HELLO)
  const news = (): StreetNews[] => texts.slice(1).map((text) => JSON.parse(text) as StreetNews)
  return {
    socket,
    frames,
    closed,
    news,
    /** What its lamps are to show, of one room, by lamp. */
    levels: (room: string): Record<number, number> => {
      const number = news().findLast((each) => each.room === room)?.street
      return Object.fromEntries(
        levels.filter(({ street }) => street === number).map(({ lamp, level }) => [lamp, level]),
      )
    },
    confirm: (room: string, ...shown: [lamp: number, level: number][]): void => {
      const street = news().findLast((each) => each.room === room)!.street
      socket.send(encodeLevels(shown.map(([lamp, level]) => ({ street, lamp, level }))))
    },
    close: async (): Promise<void> => {
      socket.close()
      await closed
    },
  }
}

interface StreetDocument {
  readonly lamps?: Record<string, { on?: boolean; level?: number; shown?: number }>
  readonly street?: { hasGateway?: boolean }
}

const api = (server: Pick<ServerProcess, 'port'>, room: string, part = ''): string =>
  `http://127.0.0.1:${server.port}/rooms/${encodeURIComponent(room)}${part}`

const readDocument = async (server: Pick<ServerProcess, 'port'>, room: string): Promise<StreetDocument> =>
  (await (await fetch(api(server, room, '/document'))).json()) as StreetDocument

const patch = async (server: Pick<ServerProcess, 'port'>, room: string, change: object): Promise<void> => {
  const response = await fetch(api(server, room, '/document'), {
    method: 'PATCH',
    headers: { 'content-type': 'application/merge-patch+json' },
    body: JSON.stringify(change),
  })
  expect(response.status).toBe(200)
}

const sequence = async (server: ServerProcess, room: string): Promise<number> =>
  ((await (await fetch(api(server, room))).json()) as { sequence: number }).sequence

const allLamps = (lamp: object): Record<string, object> =>
  Object.fromEntries(Array.from({ length: 24 }, (_, index) => [String(index + 1), lamp]))

describe('/lamps', () => {
  let server: ServerProcess
  let rooms = 0

  beforeAll(async () => {
    server = await startServerProcess({ data: 'memory' }, '--demo')
    // The tests are the devices.
    await killFleet(server)
  })

  afterAll(async () => {
    await server?.stop()
  })

  const newRoom = (): string => {
    rooms += 1
    return `street/${rooms}`
  }

  test('tells nobody of a room that asks for a signature: it asks for none itself', async () => {
    const rooms = ['private-street', 'app/presence-street']
    for (const room of rooms) await patch(server, room, { lamps: { 1: { on: true } } })
    const open = newRoom()
    await patch(server, open, { lamps: { 1: { on: true } } })
    const gateway = await openGateway(server)
    await until('the news of a street', () => gateway.news().some(({ room }) => room === open))
    expect(gateway.news().filter(({ room }) => rooms.includes(room))).toEqual([])
    await gateway.close()
  })

  test('tells a gateway the streets and what their lamps are to show, four bytes a lamp', async () => {
    const room = newRoom()
    await patch(server, room, { lamps: { 1: { on: true, level: 40 }, 2: { on: false, level: 90 }, 3: { on: true } } })
    const gateway = await openGateway(server)
    await until('the levels', () => Object.keys(gateway.levels(room)).length === 24)
    expect(
      gateway
        .news()
        .filter(({ there }) => there)
        .map((each) => each.room),
    ).toContain(room)
    expect(gateway.frames.every((bytes) => bytes % (24 * 4) === 0)).toBe(true)
    // Off is dark whatever the level; a level that nobody set is the schema's.
    expect(gateway.levels(room)).toMatchObject({ 1: 40, 2: 0, 3: 70, 4: 0 })

    gateway.frames.length = 0
    await patch(server, room, { lamps: { 1: { level: 41 } } })
    await until('the change', () => gateway.levels(room)[1] === 41)
    expect(gateway.frames).toEqual([4])
    await patch(server, room, { lamps: { 2: { on: true }, 3: { on: false } } })
    await until('both changes', () => gateway.levels(room)[2] === 90 && gateway.levels(room)[3] === 0)
    expect(gateway.frames).toEqual([4, 8])
    await gateway.close()
  })

  test('tells of a street that begins while the gateway is there', async () => {
    const room = newRoom()
    const gateway = await openGateway(server)
    await patch(server, room, { title: 'no lamps yet' })
    await patch(server, room, { lamps: { 1: { on: true, level: 7 } } })
    await until('the street', () => gateway.levels(room)[1] === 7)
    await gateway.close()
  })

  test('writes what is confirmed into the document, many lamps as one change', async () => {
    const room = newRoom()
    await patch(server, room, { lamps: allLamps({ on: true, level: 50 }) })
    const gateway = await openGateway(server)
    await until(
      'the gateway in the document',
      async () => (await readDocument(server, room)).street?.hasGateway === true,
    )
    const before = await sequence(server, room)
    for (let lamp = 1; lamp <= 24; lamp += 1) gateway.confirm(room, [lamp, 50])
    await until('the confirmations', async () => (await readDocument(server, room)).lamps?.[24]?.shown === 50)
    const { lamps = {} } = await readDocument(server, room)
    expect(Object.values(lamps).map(({ shown }) => shown)).toEqual(Array(24).fill(50))
    expect(await sequence(server, room)).toBe(before + 1)

    // What it says already is not written again.
    gateway.confirm(room, [1, 50], [2, 50])
    gateway.confirm(room, [3, 20])
    await until('the third', async () => (await readDocument(server, room)).lamps?.[3]?.shown === 20)
    expect(await sequence(server, room)).toBe(before + 2)

    // What passed for a change, in a channel beside the room's own: not what confirms anything else, before or with it.
    for (let lamp = 1; lamp <= 24; lamp += 1) gateway.confirm(room, [lamp, lamp === 3 ? 20 : 50])
    await patch(server, room, { lamps: { 5: { level: 51 } } })
    await until('the frame', () => gateway.levels(room)[5] === 51)
    gateway.confirm(room, [5, 51], [6, 50])
    await until('the fifth', async () => (await readDocument(server, room)).lamps?.[5]?.shown === 51)
    const { street } = gateway.news().find((each) => each.room === room)!
    const json = JSON.stringify({ street, lamp: 5, level: 51 }).length
    let told: { event: string; data: unknown }[] = []
    await until('the event', async () => {
      const answer = await fetch(`${api(server, `${room}/lamps`, '/events')}?after=0`)
      told = ((await answer.json()) as { events: typeof told }).events
      return told.length > 0
    })
    expect(told.map(({ event, data }) => [event, data])).toEqual([['confirmed', { lamps: 1, out: 4, back: 4, json }]])
    await gateway.close()
  })

  test('writes a flood of confirmations at most every tenth of a second, the last one included', async () => {
    const room = newRoom()
    await patch(server, room, { lamps: { 1: { on: true, level: 50 } } })
    const gateway = await openGateway(server)
    await until(
      'the gateway in the document',
      async () => (await readDocument(server, room)).street?.hasGateway === true,
    )
    const before = await sequence(server, room)
    const start = performance.now()
    for (let level = 1; level <= 100; level += 1) {
      gateway.confirm(room, [1, level])
      await new Promise((resolve) => setImmediate(resolve))
    }
    await until('the last level', async () => (await readDocument(server, room)).lamps?.[1]?.shown === 100)
    const tenths = Math.ceil((performance.now() - start) / 100)
    expect((await sequence(server, room)) - before).toBeLessThanOrEqual(tenths + 1)
    await gateway.close()
  })

  test('says in the document that no gateway is there any more, but not of one that only reconnects', async () => {
    const room = newRoom()
    await patch(server, room, { lamps: { 1: { on: true } } })
    const hasGateway = async (): Promise<boolean | undefined> => (await readDocument(server, room)).street?.hasGateway
    const first = await openGateway(server)
    await until('the gateway', async () => (await hasGateway()) === true)
    const before = await sequence(server, room)
    await first.close()
    const second = await openGateway(server)
    await until('the levels', () => second.levels(room)[1] === 70)
    expect(await sequence(server, room)).toBe(before)
    await second.close()
    await until('the end', async () => (await hasGateway()) === false)
    expect(await sequence(server, room)).toBe(before + 1)
  })

  test('gives a gateway of one room that street alone, and takes nothing of others from it', async () => {
    const [own, other] = [newRoom(), newRoom()]
    for (const room of [own, other]) await patch(server, room, { lamps: { 1: { on: true, level: 30 } } })
    const gateway = await openGateway(server, `?room=${encodeURIComponent(own)}`)
    const all = await openGateway(server)
    await until('the levels', () => gateway.levels(own)[1] === 30 && all.levels(other)[1] === 30)
    expect(gateway.news().map(({ room }) => room)).toEqual([own])
    const foreign = all.news().find(({ room }) => room === other)!.street
    gateway.socket.send(encodeLevels([{ street: foreign, lamp: 1, level: 99 }]))
    gateway.confirm(own, [1, 30])
    await until('the confirmation', async () => (await readDocument(server, own)).lamps?.[1]?.shown === 30)
    expect((await readDocument(server, other)).lamps?.[1]?.shown).toBeUndefined()
    await Promise.all([gateway.close(), all.close()])
  })

  test.each([
    ['text', 'lamp 3 is at 40'],
    ['three bytes', Uint8Array.of(0, 1, 3)],
    ['no bytes', new Uint8Array()],
    ['a lamp that is not there', Uint8Array.of(0, 1, 25, 3)],
    ['a level over 100', Uint8Array.of(0, 1, 3, 101)],
  ])('closes with 4409 and says what was expected: %s', async (_what, message) => {
    const gateway = await openGateway(server)
    gateway.socket.send(message)
    const { code, reason } = await gateway.closed
    expect(code).toBe(4409)
    expect(reason).toMatch(/^Expected binary frames of 4 bytes for each lamp/)
  })

  test('takes levels that are no percentage as the nearest one', async () => {
    const room = newRoom()
    const lamps = { 1: { on: true, level: 1000 }, 2: { on: true, level: -3 }, 3: { on: true, level: 20.6 } }
    await patch(server, room, { lamps })
    const gateway = await openGateway(server)
    await until('the levels', () => Object.keys(gateway.levels(room)).length === 24)
    expect(gateway.levels(room)).toMatchObject({ 1: 100, 2: 0, 3: 21 })
    await gateway.close()
  })

  test('a document whose lamps are something else harms nobody', async () => {
    const [odd, room] = [newRoom(), newRoom()]
    const gateway = await openGateway(server)
    await patch(server, odd, { lamps: { 1: 'bright', 2: { on: 'yes', level: 'much' } } })
    await patch(server, room, { lamps: { 1: { on: true, level: 5 } } })
    await until('the other street', () => gateway.levels(room)[1] === 5)
    gateway.confirm(room, [1, 5])
    await until('its confirmation', async () => (await readDocument(server, room)).lamps?.[1]?.shown === 5)
    await gateway.close()
  })
})

describe('the simulated lamps', () => {
  test('npm run lamps is their command', () => {
    const { scripts } = require('../../package.json') as { scripts: Record<string, string> }
    expect(scripts.lamps).toBe('node scripts/lamps.mjs')
  })

  test('--help prints to stdout and exits 0', async () => {
    const run = runFleet('--help')
    expect(await run.ended).toBe(0)
    expect(run.stdout()).toMatch(/^Usage: npm run lamps -- \[options\]\n/)
    for (const flag of ['--url', '--room', '--help']) expect(run.stdout()).toContain(flag)
    expect(run.stderr()).toBe('')
  })

  test.each([
    [['--prot', '1'], /^lamps: Unknown option '--prot'/],
    [['street'], /^lamps: Unexpected argument 'street'/],
    [['--url', 'not an address'], /^lamps: --url is "not an address"; expected an address such as ws:/],
    [['--url', 'ftp://example.org'], /^lamps: --url is "ftp:\/\/example\.org"; expected an address/],
    [['--url'], /^lamps: Option '--url <value>' argument missing/],
    [['--room', ''], /^lamps: --room is empty/],
  ])('%j is refused on one line of stderr, with exit code 2', async (args, message) => {
    const run = runFleet(...args)
    expect(await run.ended).toBe(2)
    expect(run.stdout()).toBe('')
    expect(run.stderr()).toMatch(message)
    expect(run.stderr()).toMatch(/See npm run lamps -- --help\n$/)
    expect(run.stderr().match(/\n/g)).toHaveLength(1)
  })

  test('say so where the server has no street lamps, with exit code 1', async () => {
    const server = await startServer({ data: 'memory' })
    const run = runFleet('--url', server.url)
    expect(await run.ended).toBe(1)
    expect(run.stderr()).toMatch(/^lamps: The server at ws:\S+ has no street lamps; start it with --demo/)
  })

  test.each([
    ['the first', []],
    // Where Node has none unless asked for one: the package ws is the other.
    ["Node's own", 'WebSocket' in globalThis ? [] : ['--experimental-websocket']],
  ])(
    'with %s WebSocket wait for a server that is not there yet, and come back after it was away',
    async (_whose, flags) => {
      const port = await freePort()
      const run = runNode([...flags, FLEET, '--url', `http://127.0.0.1:${port}/?room=copied`])
      await until('the first attempt', () => run.stdout().includes('No server at ws://127.0.0.1'))
      for (const round of [1, 2]) {
        const server = await startServer({ data: 'memory', port }, '--demo')
        await killFleet(server)
        await patch(server, 'main', { lamps: { 1: { on: true, level: 60 } } })
        await until(
          `the confirmation, round ${round}`,
          async () => (await readDocument(server, 'main')).lamps?.[1]?.shown === 60,
          15_000,
        )
        await server.stop('SIGKILL')
      }
      run.kill('SIGTERM')
      expect(await run.ended).toBe(0)
      expect(run.stderr().replace(/^\(node:.*\n/gm, '')).toBe('')
    },
    60_000,
  )

  test('without any WebSocket say what to do, with exit code 1', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'tutti-fleet-'))
    try {
      // Away from the package ws, as where the installed package does not bring it.
      await cp(dirname(dirname(FLEET)), folder, { recursive: true })
      await writeFile(join(folder, 'package.json'), '{ "type": "module" }')
      // From Node 22 on there is one, unless it is switched off.
      const flags = 'WebSocket' in globalThis ? ['--no-experimental-websocket'] : []
      const run = runNode([...flags, join(folder, 'fleet', 'main.js')])
      expect(await run.ended).toBe(1)
      expect(run.stderr()).toMatch(/^lamps: Node.js \d+\.\S+ has no WebSocket of its own, .* npm install ws\n$/)
      expect(run.stdout()).toBe('')
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  })

  test.each(['SIGTERM', 'SIGKILL'] as const)('started by a server, they end with it on %s', async (signal) => {
    const server = await startServer({ data: 'memory' }, '--demo')
    const pid = await fleetOf(server)
    await patch(server, 'main', { lamps: { 1: { on: true, level: 60 } } })
    await until('a confirmation', async () => (await readDocument(server, 'main')).lamps?.[1]?.shown === 60)
    await server.stop(signal)
    await until('the end of the fleet', () => !isRunning(pid))
  })

  test('started by a server that ends before they are there, they end too', async () => {
    const server = await startServer({ data: 'memory' }, '--demo')
    const pid = await fleetOf(server)
    await server.stop('SIGKILL')
    await until('the end of the fleet', () => !isRunning(pid))
  })

  test('are no part of a server without the demo', async () => {
    const server = await startServer({ data: 'memory' })
    expect((await fetch(`http://127.0.0.1:${server.port}/application.json`)).status).toBe(404)
    await server.stop()
    expect(server.stderr()).not.toContain('fleet')
  })

  test('leave the standard output of the server its one line', async () => {
    const run = runNode([COMMAND, '--demo', '--port', '0', '--data', 'memory', '--log-level', 'silent'])
    await until('the address', () => run.stdout().includes('\n'))
    const url = /http:\S+/.exec(run.stdout())![0]
    try {
      const server = { port: Number(new URL(url).port) }
      await patch(server, 'main', { lamps: { 1: { on: true, level: 60 } } })
      await until('a confirmation', async () => (await readDocument(server, 'main')).lamps?.[1]?.shown === 60)
    } finally {
      run.kill('SIGTERM')
      await run.ended
    }
    expect(run.stdout()).toBe(`Tutti listens on ${url}\n`)
    expect(run.stderr()).toBe('')
  })
})

describe('the application of the demo', () => {
  let server: ServerProcess

  beforeAll(async () => {
    server = await startServerProcess({ data: 'memory' }, '--demo')
  })

  afterAll(async () => {
    await server?.stop()
  })

  const address = async (): Promise<string> => {
    const answer = await fetch(`http://127.0.0.1:${server.port}/application.json`)
    const { port } = (await answer.json()) as { port: number }
    return `http://127.0.0.1:${port}/announcements`
  }

  const post = async (form: Record<string, string>, origin = `http://127.0.0.1:${server.port}`) =>
    fetch(await address(), { method: 'POST', headers: { origin }, body: new URLSearchParams(form) })

  test('pushes a posted form into the room with one request', async () => {
    const response = await post({ room: 'hall/1', text: 'Doors open' })
    expect(response.status).toBe(200)
    expect(response.headers.get('access-control-allow-origin')).toBe(`http://127.0.0.1:${server.port}`)
    const events = await fetch(`${api(server, 'hall/1', '/events')}?after=0`)
    expect(JSON.stringify(await events.json())).toContain('{"name":"The application","text":"Doors open"}')
  })

  test.each([
    ['of another site', { room: 'a', text: 'b' }, 'http://elsewhere.example', 403],
    ['without a text', { room: 'a', text: ' ' }, undefined, 400],
    ['without a room', { text: 'b' }, undefined, 400],
    ['that is too long', { room: 'a', text: 'b'.repeat(5000) }, undefined, 413],
    ['for a room that cannot be', { room: 'a//b', text: 'c' }, undefined, 502],
  ] as [string, Record<string, string>, string | undefined, number][])(
    'refuses a form %s, in words',
    async (_what, form, origin, status) => {
      const response = await post(form, origin)
      expect(response.status).toBe(status)
      const text = await response.text()
      expect(text.length).toBeGreaterThan(10)
      // Words, whatever the server itself said.
      expect(text).not.toContain('{')
    },
  )

  test('answers 400 to a request whose Host is none', async () => {
    const { hostname, port, pathname, origin } = new URL(await address())
    const socket = connect(Number(port), hostname)
    socket.end(
      `POST ${pathname} HTTP/1.1\r\nHost: bad host\r\nOrigin: ${origin}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`,
    )
    let answer = ''
    for await (const piece of socket.setEncoding('utf8')) answer += piece
    expect(answer).toMatch(/^HTTP\/1\.1 400 /)
    expect(answer).toContain('The header Host names no host.')
  })
})
