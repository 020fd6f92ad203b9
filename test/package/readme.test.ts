import 'fake-indexeddb/auto'
import { execFile, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { createServer, type Server } from 'tutti/server'
import { afterAll, describe, expect, onTestFinished, test, vi } from 'vitest'
import { WebSocket } from 'ws'
import { checkOf, isAnswer, readCommands, readSnippets, readSteps, type Snippet } from './snippets.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const README = readFileSync(join(ROOT, 'README.md'), 'utf8')
const PACKAGE = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  name: string
  scripts: Record<string, string>
}
/** Where the README's snippets expect a server. */
const ADDRESS = '127.0.0.1:1234'

const run = promisify(execFile)
const snippets = readSnippets(README)

const folders: string[] = []
const newFolder = (prefix: string): string => {
  const folder = mkdtempSync(prefix)
  folders.push(folder)
  return folder
}
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})

const require = createRequire(import.meta.url)
const tsc = join(dirname(require.resolve('typescript/package.json')), 'bin', 'tsc')

/** Complaints of the compiler about the snippets, by the README's own line numbers. */
const compile = async (all: readonly Snippet[]): Promise<string> => {
  // Inside the project, so that `tutti` is this package by its `exports`; a name with a dot is in nobody's way.
  const folder = newFolder(join(ROOT, 'test', 'package', '.snippets-'))
  for (const { line, code } of all) {
    writeFileSync(join(folder, `README-${line}.ts`), `${'\n'.repeat(line - 1)}${code}\nexport {}\n`)
  }
  const compilerOptions = {
    target: 'ES2022',
    // As front ends are compiled: packages that are no ES modules have their types as they say there.
    module: 'ESNext',
    moduleResolution: 'Bundler',
    lib: ['ES2023', 'DOM', 'DOM.Iterable'],
    types: [],
    strict: true,
    noUncheckedIndexedAccess: true,
    exactOptionalPropertyTypes: true,
    noImplicitOverride: true,
    skipLibCheck: true,
    noEmit: true,
  }
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['*.ts'] }))
  try {
    await run(process.execPath, [tsc, '-p', folder, '--pretty', 'false'])
    return ''
  } catch (error) {
    const { stdout } = error as { stdout?: string }
    if (stdout === undefined) throw error
    return stdout
  }
}

/** The server that the README has its reader start. */
const startServer = (): Promise<Server> => {
  const apps = [{ id: '1', key: 'app-key', secret: 'app-secret' }]
  return createServer({ port: 0, data: 'memory', logLevel: 'error', apps })
}

const at = ({ address: { host, port } }: Server, code: string): string => code.replaceAll(ADDRESS, `${host}:${port}`)

/** Between what is printed and what else is known of a request. */
const MARK = '\u001e'

/**
 * Runs shell snippets, one after the other in one shell, against a server of their own. Returns what is wrong with the
 * answers, by the README's own line numbers: what it says, and what the server said.
 */
const runShell = async (all: readonly Snippet[]): Promise<{ readme: string[]; server: string[] }> => {
  const server = await startServer()
  try {
    const steps = all.flatMap(readSteps)
    const statuses = join(newFolder(join(tmpdir(), 'tutti-readme-')), 'statuses')
    const script = [
      // A function, so that the snippets need not ask for the status themselves.
      `curl() { command curl -w '%{stderr}\\nstatus %{http_code}\\n' "$@" 2>>'${statuses}'; }`,
      ...steps.map(({ code }) => `${code}\nprintf '\\036%s\\036' "$(cat '${statuses}')"; : >'${statuses}'`),
    ].join('\n')
    const cwd = newFolder(join(tmpdir(), 'tutti-readme-'))
    const { stdout } = await run('sh', ['-c', at(server, script)], { cwd })
    const printed = stdout.split(MARK)
    const readme: string[] = []
    const said: string[] = []
    for (const [i, { line, status, answer }] of steps.entries()) {
      const got = printed[2 * i]?.trim() ?? ''
      // Several, where the answer to one request is the body of another one.
      const codes = [...(printed[2 * i + 1] ?? '').matchAll(/^status (\d+)$/gm)].map(([, code]) => Number(code))
      const last = codes.pop() ?? 0
      const isOk = (code: number): boolean => code >= 200 && code < 300
      if (codes.every(isOk) && (status === undefined ? isOk(last) : last === status) && isAnswer(got, answer)) continue
      readme.push(`line ${line}: ${status ?? '2xx'} ${answer}`)
      said.push(`line ${line}: ${[...codes, last].join(', ')} ${got}`)
    }
    return { readme, server: said }
  } finally {
    await server.close()
  }
}

const of = (check: ReturnType<typeof checkOf>): Snippet[] => snippets.filter((snippet) => checkOf(snippet) === check)

/** Starts the built command with these arguments, on a free port and in a folder of its own, and stops it again. */
const startAndStop = async (args: readonly string[]): Promise<{ printed: string; code: number | null }> => {
  const cwd = newFolder(join(tmpdir(), 'tutti-readme-'))
  const file = args[args.indexOf('--apps') + 1]
  if (args.includes('--apps') && file) {
    const [apps, ...others] = of('apps')
    expect(others).toEqual([])
    writeFileSync(join(cwd, file), apps?.code ?? '')
  }
  const port = args.indexOf('--port')
  const freed = args.map((value, index) => (port >= 0 && index === port + 1 ? '0' : value))
  const child = spawn(process.execPath, [join(ROOT, 'dist', 'server', 'main.js'), ...freed], {
    cwd,
    env: { ...process.env, ...(port < 0 ? { PORT: '0' } : {}), TUTTI_LOG: 'error' },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve))
  let printed = ''
  const listening = new Promise<void>((resolve) => {
    child.stdout.on('data', (chunk: Buffer) => {
      printed += chunk.toString()
      if (printed.includes('\n')) resolve()
    })
  })
  await Promise.race([listening, ended])
  child.kill('SIGTERM')
  return { printed, code: await ended }
}

describe('every snippet of the README', () => {
  test('is of a kind that is checked', () => {
    expect(snippets.length).toBeGreaterThan(5)
    for (const snippet of snippets) checkOf(snippet)
  })

  test('in TypeScript compiles against the package', { timeout: 60_000 }, async () => {
    expect(await compile([...of('compile'), ...of('execute')])).toBe('')
  })

  test.each(of('execute'))('in TypeScript at line $line runs', async ({ line, code }) => {
    const server = await startServer()
    // Node has one from version 22 on.
    vi.stubGlobal('WebSocket', WebSocket)
    vi.spyOn(console, 'log').mockReturnValue()
    const complaints = [vi.spyOn(console, 'warn').mockReturnValue(), vi.spyOn(console, 'error').mockReturnValue()]
    onTestFinished(async () => {
      await server.close()
      vi.unstubAllGlobals()
      vi.restoreAllMocks()
    })
    // Inside the project, as for the compiler.
    const file = join(newFolder(join(ROOT, 'test', 'package', '.snippets-')), `README-${line}.ts`)
    writeFileSync(file, `${at(server, code)}\nexport {}\n`)
    await import(file)
    expect(complaints.flatMap(({ mock }) => mock.calls)).toEqual([])
  })

  test.each(of('run'))('in shell at line $line is answered by a server as it says', async (snippet) => {
    const { readme, server } = await runShell([snippet])
    expect(server).toEqual(readme)
  })

  test('in shell is answered so too when it follows on all before it', { timeout: 30_000 }, async () => {
    const { readme, server } = await runShell(of('run'))
    expect(server).toEqual(readme)
  })

  test('in shell names only commands that exist', async () => {
    for (const command of of('commands').flatMap(readCommands)) {
      switch (command.type) {
        case 'script':
          expect(Object.keys(PACKAGE.scripts)).toContain(command.name)
          break
        case 'install':
          expect([undefined, PACKAGE.name]).toContain(command.package)
          break
        case 'program':
          expect(existsSync(join(ROOT, command.path)), command.path).toBe(true)
          break
        case 'tutti': {
          const { printed, code } = await startAndStop(command.args)
          expect(printed).toMatch(/^\S.*http:\/\/\S+:\d+\S*.*\n$/)
          expect(code).toBe(0)
          break
        }
      }
    }
  })

  test.each(of('django'))('in Python at line $line is the code of the application that is run', ({ code }) => {
    const application = readFileSync(join(ROOT, 'demo', 'backends', 'django', 'chat.py'), 'utf8')
    expect(application).toContain(code)
  })

  test('says of npm scripts in its prose only what exists', () => {
    const named = [...README.matchAll(/`npm (?:run )?([a-z:]+)(?: [^`]*)?`/g)].map((match) => match[1] as string)
    expect(named.length).toBeGreaterThan(0)
    for (const name of named)
      if (name !== 'install' && name !== 'pack') expect(Object.keys(PACKAGE.scripts)).toContain(name)
  })
})

describe('what holds the snippets', () => {
  test('refuses a kind that nothing checks, and a fence without an end', () => {
    const [snippet] = readSnippets('text\n```ruby\nputs 1\n```\n')
    expect(snippet).toEqual({ kind: 'ruby', line: 3, code: 'puts 1' })
    expect(() => checkOf(snippet as Snippet)).toThrow('nothing would check it')
    expect(() => readSnippets('```ts\nlet a')).toThrow('never closed')
  })

  test('refuses a command it does not know', () => {
    expect(() => readCommands({ kind: 'sh', line: 1, code: 'npm install && rm -r x' })).toThrow('"rm -r x"')
  })

  test('finds an error of types at its line of the README', { timeout: 60_000 }, async () => {
    const [snippet] = readSnippets(
      "\n\n```ts\nimport { createStore, s } from 'tutti'\nconst { state } = createStore({ schema: { n: s.number() } })\nstate.n = 'one'\n```\n",
    )
    expect(await compile([snippet as Snippet])).toMatch(/README-4\.ts\(6,1\): error TS2322/)
  })

  test('tells an answer that is another one than the README says', async () => {
    const code = [
      `curl -sS http://${ADDRESS}/no/such/path`,
      '# {"code":"NOT_FOUND",…}',
      `curl -sS http://${ADDRESS}/rooms/a/document`,
      '# {"title":"Sold"}',
      `curl -sS http://${ADDRESS}/no/such/path | curl -sS http://${ADDRESS}/health -d @-`,
      '# 405',
      `curl -sS http://${ADDRESS}/health`,
      '# 200 { "status": "o…" }',
    ].join('\n')
    const { readme, server } = await runShell([{ kind: 'sh run', line: 1, code }])
    expect(readme).toEqual(['line 2: 2xx {"code":"NOT_FOUND",…}', 'line 4: 2xx {"title":"Sold"}', 'line 6: 405 '])
    expect(server).toEqual([
      expect.stringMatching(/^line 2: 404 {"code":"NOT_FOUND"/),
      'line 4: 200 {}',
      expect.stringMatching(/^line 6: 404, 405 /),
    ])
  })

  test('refuses a request without an answer', () => {
    const code = 'curl -sS http://a/\n\ncurl -sS \\\n  http://b/\n# 200'
    expect(() => readSteps({ kind: 'sh run', line: 1, code })).toThrow('2 requests before line 5')
    expect(() => readSteps({ kind: 'sh run', line: 1, code: '# 200\ncurl -sS http://a/' })).toThrow('1 requests')
  })
})
