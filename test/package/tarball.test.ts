import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { run } from './npm.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const FRONT_END = `import { connect, createStore, s } from 'tutti'

const todo = s.object({ text: s.string(), done: s.boolean().default(false) })
const store = createStore({ schema: { title: s.string().default('Untitled'), todos: s.list(todo) } })
const room = connect(store, { url: 'ws://127.0.0.1:1234', room: 'board/42' })

store.effect(() => {
  document.title = \`\${store.state.title} (\${room.status.unsyncedChanges})\`
})
store.state.todos.push({ text: 'Buy milk' })
`

let folder: string
let files: string[]

/** The tarball, as an empty application gets it. */
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tutti-package-'))
  const packed = await run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder], { cwd: ROOT })
  const listing: unknown = JSON.parse(packed)
  // npm 12 and later: an object by package name; before: an array.
  const [entry] = Object.values(listing as object) as [{ filename: string; files: { path: string }[] }]
  files = entry.files.map(({ path }) => path)
  await writeFile(join(folder, 'package.json'), '{ "name": "application", "private": true, "type": "module" }\n')
  await run('npm', ['install', '--no-audit', '--no-fund', join(folder, entry.filename)], { cwd: folder })
}, 240_000)

afterAll(() => rm(folder, { recursive: true, force: true }))

test('the package holds what its entries need and no more', async () => {
  const allowed = /^(package\.json|README\.md|LICENSE|dist\/(lib|server)\/.+\.(js|d\.ts)|dist\/demo\/.+)$/
  expect(files.filter((path) => !allowed.test(path))).toEqual([])
  expect(files.filter((path) => /test|bench|\.map$/.test(path))).toEqual([])
  for (const path of ['lib/index', 'lib/lit', 'server/index', 'server/main', 'server/room/compactionWorker']) {
    expect(files).toContain(`dist/${path}.js`)
  }
  expect(files).toContain('dist/demo/index.html')
})

test('every public entry is imported by Node', async () => {
  const script = `
    const names = {}
    for (const entry of ['tutti', 'tutti/lit', 'tutti/server']) names[entry] = Object.keys(await import(entry)).sort()
    console.log(JSON.stringify(names))`
  const stdout = await run(process.execPath, ['--input-type=module', '-e', script], { cwd: folder })
  const names: Record<string, string[]> = JSON.parse(stdout.trim().split('\n').at(-1)!)
  expect(names.tutti).toEqual(expect.arrayContaining(['TuttiError', 'connect', 'createStore', 'orderBetween', 's']))
  expect(names['tutti/lit']).toEqual(['Reactive', 'StoreController', 'live'])
  expect(names['tutti/server']).toEqual(expect.arrayContaining(['TuttiError', 'createServer']))
})

test('a server of the package runs, and its command tells its version', async () => {
  const script = `
    import { createServer } from 'tutti/server'
    const server = await createServer({ port: 0, data: './data', demo: true, logLevel: 'silent' })
    await server.room('room').edit((doc) => doc.getMap('').set('title', 'Sold'))
    const answers = await Promise.all(['/rooms/room/document', '/'].map((path) => fetch(server.url + path)))
    console.log(answers.map((answer) => answer.status).join(), await answers[0].text())
    await server.close()`
  const stdout = await run(process.execPath, ['--input-type=module', '-e', script], { cwd: folder })
  expect(stdout.trim()).toBe('200,200 {"title":"Sold"}')
  const { version } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as { version: string }
  expect((await run('npm', ['exec', '--no', '--', 'tutti', '--version'], { cwd: folder })).trim()).toBe(version)
})

test('Vite bundles a front end of ten lines, and TypeScript knows its types', async () => {
  await writeFile(join(folder, 'main.ts'), FRONT_END)
  await writeFile(join(folder, 'index.html'), '<!doctype html><script type="module" src="/main.ts"></script>')
  const vite = join(ROOT, 'node_modules/vite/bin/vite.js')
  await run(process.execPath, [vite, 'build', '--logLevel', 'warn'], { cwd: folder })
  expect(await readFile(join(folder, 'dist/index.html'), 'utf8')).toContain('assets/')

  await cp(join(ROOT, 'node_modules/typescript'), join(folder, 'node_modules/typescript'), { recursive: true })
  await cp(join(ROOT, 'node_modules/@typescript'), join(folder, 'node_modules/@typescript'), { recursive: true })
  const compilerOptions = { strict: true, noEmit: true, target: 'es2022', module: 'nodenext', lib: ['es2023', 'dom'] }
  await writeFile(
    join(folder, 'tsconfig.json'),
    JSON.stringify({ compilerOptions: { ...compilerOptions, types: [], skipLibCheck: true }, files: ['main.ts'] }),
  )
  await run(process.execPath, [join(folder, 'node_modules/typescript/bin/tsc'), '-p', folder], { cwd: folder })
  // And it must be able to fail.
  await writeFile(join(folder, 'main.ts'), FRONT_END.replace("text: 'Buy milk'", 'text: 5'))
  const wrong = run(process.execPath, [join(folder, 'node_modules/typescript/bin/tsc'), '-p', folder], { cwd: folder })
  await expect(wrong).rejects.toThrow('TS2322')
})
