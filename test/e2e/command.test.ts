/** The built command as a user runs it: arguments in; stdout, stderr and the exit code out. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { isRunning, type NodeProcess, useNodeProcesses } from './nodeProcess.ts'
import { COMMAND } from './serverProcess.ts'
import { until } from './until.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))

const startNode = useNodeProcesses()

const run = (args: readonly string[], env: Record<string, string> = {}): NodeProcess =>
  // Nothing of the tests' own environment: a PORT there would be a PORT here.
  startNode([COMMAND, ...args], { cwd: folder, env: { PATH: process.env.PATH ?? '', ...env } })

/** Waits for the one line on stdout; the address in it. */
const addressOf = async (started: NodeProcess): Promise<string> => {
  const line = await Promise.race([
    until('the address', () => started.stdout().includes('\n')).then(() => started.stdout()),
    started.ended.then((code) => {
      throw new Error(`ended with ${code} before it listened: ${started.stderr()}`)
    }),
  ])
  const address = /^Tutti listens on (http:\/\/\S+)\n$/.exec(line)?.[1]
  if (address === undefined) throw new Error(`not the one line: ${line}`)
  return address
}

const finish = async (started: NodeProcess): Promise<{ code: number | string; stdout: string; stderr: string }> => ({
  code: await started.ended,
  stdout: started.stdout(),
  stderr: started.stderr(),
})

let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tutti-command-'))
})

afterAll(() => rm(folder, { recursive: true }))

const patch = (address: string, body: string): Promise<Response> =>
  fetch(`${address}/rooms/a/document`, {
    method: 'PATCH',
    headers: { 'content-type': 'application/merge-patch+json' },
    body,
  })

describe('tutti', () => {
  it('prints its address, and nothing else, on stdout; the log is JSON lines on stderr', async () => {
    const started = run(['serve', '--port', '0', '--data', 'memory'])
    const address = await addressOf(started)
    expect(address).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/)
    expect((await fetch(`${address}/ready`)).status).toBe(200)
    started.kill('SIGTERM')
    const { code, stdout, stderr } = await finish(started)
    expect(code).toBe(0)
    expect(stdout).toBe(`Tutti listens on ${address}\n`)
    const entries = stderr
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { level: number; msg: string })
    expect(entries.map(({ msg }) => msg)).toContain('stopping')
    expect(entries.filter(({ level }) => level > 30)).toEqual([])
  })

  it('serves without the word serve, and takes port, host, data and level from the environment', async () => {
    const data = join(folder, 'from-environment')
    const started = run([], { PORT: '0', HOST: '127.0.0.1', TUTTI_DATA: data, TUTTI_LOG: 'silent' })
    const address = await addressOf(started)
    expect((await patch(address, '{"a": 1}')).status).toBe(200)
    expect((await stat(data)).isDirectory()).toBe(true)
    started.kill('SIGTERM')
    expect((await finish(started)).stderr).toBe('')
  })

  it.each(['SIGTERM', 'SIGINT'] as const)('closes its sockets with 1001 and exits 0 on %s', async (signal) => {
    const started = run(['--port', '0', '--data', 'memory'])
    const address = await addressOf(started)
    const socket = new WebSocket(`${address.replace(/^http/, 'ws')}/a`)
    await once(socket, 'message')
    const closed = once(socket, 'close')
    const before = performance.now()
    started.kill(signal)
    expect((await closed)[0]).toBe(1001)
    expect(await started.ended).toBe(0)
    expect(performance.now() - before).toBeLessThan(5000)
  })

  it('has after a stop, and after kill -9, what it had answered for', async () => {
    const args = ['--port', '0', '--data', join(folder, 'kept')]
    const first = run(args)
    await patch(await addressOf(first), '{"a": 1}')
    first.kill('SIGTERM')
    expect(await first.ended).toBe(0)

    const second = run(args)
    await patch(await addressOf(second), '{"b": 2}')
    second.kill('SIGKILL')
    expect(await second.ended).toBe('SIGKILL')

    const third = run(args)
    const response = await fetch(`${await addressOf(third)}/rooms/a/document`)
    expect(await response.json()).toEqual({ a: 1, b: 2 })
    third.kill('SIGTERM')
    expect(await third.ended).toBe(0)
  })

  it('started by npm, ends when npm is told to stop', async () => {
    // Its own process group: to be sure that the signal reaches npm alone, and that nothing is left if this fails.
    const npm = spawn('npm', ['start', '--', '--port', '0', '--data', 'memory'], { cwd: ROOT, detached: true })
    try {
      let stdout = ''
      npm.stdout.setEncoding('utf8').on('data', (text: string) => {
        stdout += text
      })
      await until('the address', () => /http:\S+\n/.test(stdout))
      const address = /http:\S+/.exec(stdout)?.[0] ?? ''
      expect((await fetch(`${address}/health`)).status).toBe(200)
      npm.kill('SIGTERM')
      await expect
        .poll(
          () =>
            fetch(`${address}/health`).then(
              () => 'up',
              () => 'down',
            ),
          { timeout: 5000 },
        )
        .toBe('down')
    } finally {
      if (npm.pid !== undefined && isRunning(-npm.pid)) process.kill(-npm.pid, 'SIGKILL')
    }
  })

  it('exits 0 when it is told to stop while it starts', async () => {
    const started = run(['--port', '0', '--data', join(folder, 'early')])
    await until('the start', () => started.stderr() !== '' || started.stdout() !== '')
    started.kill('SIGTERM')
    expect(await started.ended).toBe(0)
  })
})

describe('tutti --help and --version', () => {
  it('print to stdout and exit 0', async () => {
    const help = await finish(run(['--help']))
    expect([help.code, help.stderr]).toEqual([0, ''])
    expect(help.stdout).toMatch(/^Usage: tutti \[serve\] \[options\]\n/)
    for (const name of ['--port', '--host', '--data', '--demo', '--help', '--version'])
      expect(help.stdout).toContain(name)

    const { version } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as { version: string }
    expect(await finish(run(['--version']))).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' })
  })
})

describe('tutti refuses', () => {
  it.each([
    [['--prot', '1'], {}, 'tutti: There is no option --prot. Did you mean --port? See tutti --help.\n'],
    [['--port', 'x'], {}, /^tutti: --port is "x"; expected a whole number from 0 to 65535\./],
    [['--port'], {}, /^tutti: --port has no value/],
    [['start'], {}, 'tutti: There is no command "start"; expected tutti [serve]. See tutti --help.\n'],
    [[], { PORT: 'http' }, /^tutti: PORT \(environment\) is "http"; expected a whole number/],
    [['--log-level', 'loud'], {}, /expected one of silent, error, warn, info, debug/],
  ])('%j with %j, on one line of stderr, with exit code 2', async (args, env, message) => {
    const { code, stdout, stderr } = await finish(run(args, env))
    expect([code, stdout]).toEqual([2, ''])
    if (typeof message === 'string') expect(stderr).toBe(message)
    else expect(stderr).toMatch(message)
    expect(stderr.match(/\n/g)).toHaveLength(1)
  })

  it('a data folder that is a file, with exit code 2', async () => {
    const file = join(folder, 'file')
    await writeFile(file, '')
    const { code, stdout, stderr } = await finish(run(['--port', '0', '--data', file]))
    expect([code, stdout]).toEqual([2, ''])
    expect(stderr).toMatch(/^tutti: [^\n]+\n$/)
  })

  it('a port in use, on one line, with exit code 1', async () => {
    const other: Server = createServer()
    other.listen(0, '127.0.0.1')
    await once(other, 'listening')
    const { port } = other.address() as { port: number }
    try {
      const { code, stdout, stderr } = await finish(run(['--port', `${port}`, '--data', 'memory']))
      expect([code, stdout]).toEqual([1, ''])
      expect(stderr).toMatch(/^tutti: [^\n]+\n$/)
      expect(stderr).toContain(String(port))
    } finally {
      other.close()
    }
  })

  it('the port and the data folder of another tutti, each on one line, with exit code 1', async () => {
    const data = join(folder, 'taken')
    const first = run(['--port', '0', '--data', data])
    const { port } = new URL(await addressOf(first))
    const samePort = await finish(run(['--port', port, '--data', 'memory']))
    expect([samePort.code, samePort.stdout]).toEqual([1, ''])
    expect(samePort.stderr).toMatch(/^tutti: [^\n]+\n$/)
    const sameData = await finish(run(['--port', '0', '--data', data]))
    expect([sameData.code, sameData.stdout]).toEqual([1, ''])
    expect(sameData.stderr).toMatch(/^tutti: The data folder [^\n]+ is in use[^\n]+\n$/)
    first.kill('SIGTERM')
    expect(await first.ended).toBe(0)
  })
})
