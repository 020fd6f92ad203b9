import { execFile, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { build } from 'vite'
import { afterAll, beforeAll, expect, test } from 'vitest'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string }
const WINDOWS = process.platform === 'win32'

const run = promisify(execFile)
const require = createRequire(import.meta.url)

const npm = (args: readonly string[], cwd: string): Promise<{ stdout: string }> =>
  run('npm', [...args, '--no-audit', '--no-fund', '--no-update-notifier'], { cwd, shell: WINDOWS })

/** An application's folder, empty but for its manifest and what `npm install <tarball>` put there. */
let app: string
let packed: { filename: string; files: { path: string }[] }

beforeAll(async () => {
  app = mkdtempSync(join(tmpdir(), 'tutti-app-'))
  // `npm test` has built what `prepack` would build: packing again here must not change dist under other tests.
  const { stdout } = await npm(['pack', '--json', '--ignore-scripts', '--pack-destination', app], ROOT)
  packed = (JSON.parse(stdout) as [typeof packed])[0]
  writeFileSync(join(app, 'package.json'), JSON.stringify({ name: 'app', private: true, type: 'module' }))
  await npm(['install', '--prefer-offline', `./${packed.filename}`], app)
}, 300_000)

afterAll(() => rmSync(app, { recursive: true, force: true }))

const inNode = async (code: string): Promise<unknown> => {
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', code], { cwd: app })
  return JSON.parse(stdout)
}

test('the tarball holds what the entries need and nothing else', () => {
  const paths = packed.files.map(({ path }) => path)
  const wanted =
    /^(package\.json|README\.md|LICENSE|dist\/(lib|server)\/.+\.(js|d\.ts)|dist\/server\/api\/openapi\.json|dist\/demo\/.+|dist\/demoBackend\/.+\.(js|d\.ts))$/
  expect(paths.filter((path) => !wanted.test(path))).toEqual([])
  expect(paths.filter((path) => /\.map$|\.test\.|(^|\/)\./.test(path))).toEqual([])
  for (const entry of ['lib/index', 'lib/lit', 'lib/pusher', 'server/index', 'server/main']) {
    expect(paths).toContain(`dist/${entry}.js`)
    expect(paths).toContain(`dist/${entry}.d.ts`)
  }
  expect(paths).toContain('dist/demo/index.html')
  expect(paths).toContain('dist/demoBackend/backend/index.js')
  expect(paths).toContain('README.md')
  expect(paths).toContain('LICENSE')
})

test('peers come with it, once each', () => {
  const installed = readdirSync(join(app, 'node_modules'), { recursive: true, encoding: 'utf8' }).map(
    (path) => `node_modules/${path.replaceAll('\\', '/')}`,
  )
  for (const name of ['yjs', 'lit']) {
    const copies = installed.filter((path) => path.endsWith(`node_modules/${name}/package.json`))
    expect(copies).toEqual([`node_modules/${name}/package.json`])
  }
})

test.each([
  ['tutti', ['connect', 'createStore', 's', 'TuttiError']],
  ['tutti/lit', ['live', 'Reactive', 'StoreController']],
  ['tutti/pusher', ['recoverMissedEvents']],
  ['tutti/server', ['createServer', 'TuttiError']],
])('%s is imported by Node', async (entry, names) => {
  const keys = await inNode(`console.log(JSON.stringify(Object.keys(await import('${entry}'))))`)
  expect(keys).toEqual(expect.arrayContaining(names))
})

test('what is not an entry is not imported', async () => {
  await expect(inNode(`await import('tutti/dist/lib/index.js')`)).rejects.toThrow('ERR_PACKAGE_PATH_NOT_EXPORTED')
})

test('the command tells its version', async () => {
  const { stdout } = await run(join(app, 'node_modules', '.bin', 'tutti'), ['--version'], { cwd: app, shell: WINDOWS })
  expect(stdout.trim()).toBe(version)
})

test('the command serves the packed demo', async () => {
  const main = join(app, 'node_modules', 'tutti', 'dist', 'server', 'main.js')
  const child = spawn(process.execPath, [main, '--port', '0', '--data', 'memory', '--demo', '--log-level', 'error'], {
    cwd: app,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = new Promise((resolve) => child.once('exit', resolve))
  try {
    const line = await new Promise<string>((resolve, reject) => {
      child.stdout.once('data', (chunk: Buffer) => resolve(chunk.toString()))
      child.once('exit', (code) => reject(new Error(`The server ended with ${code}.`)))
    })
    const address = /http:\/\/\S+/.exec(line)?.[0]
    if (address === undefined) throw new Error(`No address in "${line}".`)
    const page = await fetch(address)
    expect(page.status).toBe(200)
    expect(await page.text()).toMatch(/<!doctype html>/i)
    // The demo's own back end came along.
    const application = (await (await fetch(new URL('/application.json', address))).json()) as { port: number }
    expect((await fetch(`http://127.0.0.1:${application.port}/`)).status).toBe(404)
  } finally {
    child.kill('SIGTERM')
    await ended
  }
})

const FRONT_END = `import { html, LitElement } from 'lit'
import { connect, createStore, s } from 'tutti'
import { Reactive } from 'tutti/lit'
const store = createStore({ schema: { count: s.number().default(0) } })
connect(store, { url: 'ws://127.0.0.1:1234', room: 'counter' })
class CounterButton extends Reactive(LitElement) {
  override render() { return html\`<button @click=\${() => { store.state.count++ }}>\${store.state.count}</button>\` }
}
customElements.define('counter-button', CounterButton)
document.body.append(new CounterButton())
`

test('a ten-line front end is bundled by Vite', async () => {
  const folder = join(app, 'front')
  mkdirSync(folder)
  writeFileSync(join(folder, 'main.ts'), FRONT_END)
  writeFileSync(join(folder, 'index.html'), '<!doctype html><body><script type="module" src="./main.ts"></script>')
  const warnings: string[] = []
  await build({
    root: folder,
    configFile: false,
    logLevel: 'silent',
    build: { outDir: join(folder, 'out'), rolldownOptions: { onwarn: (warning) => warnings.push(warning.message) } },
  })
  expect(warnings).toEqual([])
  const assets = readdirSync(join(folder, 'out', 'assets')).filter((name) => name.endsWith('.js'))
  const code = assets.map((name) => readFileSync(join(folder, 'out', 'assets', name), 'utf8')).join('\n')
  expect(code).toContain('counter-button')
  // Nothing of Node, and no bare import left for the browser to trip over.
  expect(code).not.toMatch(/from\s*["'](?![./])|import\s*\(\s*["'](?![./])|["']node:/)
})

test('its types hold in a strict project', { timeout: 60_000 }, async () => {
  const folder = join(app, 'typed')
  mkdirSync(folder)
  writeFileSync(
    join(folder, 'main.ts'),
    `${FRONT_END}
import { createServer } from 'tutti/server'
const server = await createServer({ port: 0, data: 'memory' })
const url: string = server.url
// @ts-expect-error a number is not a string
const text: string = store.state.count
// @ts-expect-error an option that is not there
await createServer({ prot: 1 })
console.log(url, text)
`,
  )
  const compilerOptions = {
    target: 'ES2022',
    module: 'NodeNext',
    lib: ['ES2023', 'DOM', 'DOM.Iterable'],
    types: [],
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    noImplicitOverride: true,
    skipLibCheck: false,
    noEmit: true,
  }
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['main.ts'] }))
  const tsc = join(dirname(require.resolve('typescript/package.json')), 'bin', 'tsc')
  const output = await run(process.execPath, [tsc, '-p', folder, '--pretty', 'false']).then(
    ({ stdout }) => stdout,
    (error: { stdout: string }) => error.stdout,
  )
  expect(output).toBe('')
})
