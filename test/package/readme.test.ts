/**
 * Every fenced snippet of the README is compiled or run:
 *
 *  ```ts      compiled against the built package, each as a module of its own
 *  ```sh run  run by a shell, against a server on the address it names
 *  ```sh      commands that other tests run: they must be among `TESTED`
 */
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createServer, type Server } from '../../dist/server/index.js'
import { run } from './npm.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const readme = await readFile(join(ROOT, 'README.md'), 'utf8')
const snippets = [...readme.matchAll(/^```(.*)\n([\s\S]*?)^```$/gm)].map(([, kind, code]) => ({
  kind: kind!.trim(),
  code: code!,
}))

/** What the continuous integration, the tarball test and the command's test run. */
const TESTED = [
  'npm install && npm start',
  'npm install && npm test',
  'npm install tutti',
  'npx tutti --port 1234 --data ./tutti-data',
]

let folder: string
let server: Server
beforeAll(async () => {
  folder = join(ROOT, 'node_modules/.readme')
  await rm(folder, { recursive: true, force: true })
  await mkdir(folder, { recursive: true })
  server = await createServer({ port: 0, data: 'memory', logLevel: 'silent' })
})
afterAll(async () => {
  await server.close()
  await rm(folder, { recursive: true, force: true })
})

test('every snippet is of a kind that is tested', () => {
  expect(snippets.length).toBeGreaterThan(8)
  for (const { kind } of snippets) expect(['ts', 'sh', 'sh run']).toContain(kind)
  for (const { kind, code } of snippets) {
    if (kind === 'sh') for (const line of code.trim().split('\n')) expect(TESTED).toContain(line)
  }
})

test('the first screen keeps its lengths: the client in ten lines, the server in four', () => {
  const [client, first] = snippets.filter(({ kind }) => kind === 'ts')
  expect(client!.code.trim().split('\n').length).toBeLessThanOrEqual(10)
  expect(first!.code.trim().split('\n').length).toBeLessThanOrEqual(4)
})

test('every TypeScript snippet compiles', async () => {
  const sources = snippets.filter(({ kind }) => kind === 'ts')
  await Promise.all(sources.map(({ code }, i) => writeFile(join(folder, `snippet${i}.ts`), `${code}\nexport {}\n`)))
  const config = {
    extends: '../../tsconfig.json',
    compilerOptions: {
      paths: {
        tutti: ['../../dist/lib/index.d.ts'],
        'tutti/lit': ['../../dist/lib/lit.d.ts'],
        'tutti/server': ['../../dist/server/index.d.ts'],
      },
      noUnusedLocals: false,
      noUncheckedIndexedAccess: false,
    },
    include: ['*.ts'],
    exclude: [],
  }
  await writeFile(join(folder, 'tsconfig.json'), JSON.stringify(config))
  await run(process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', folder], { cwd: ROOT })
  expect((await readdir(folder)).length).toBe(sources.length + 1)
})

test('every shell snippet that is marked so runs', async () => {
  const commands = snippets.filter(({ kind }) => kind === 'sh run')
  expect(commands.length).toBeGreaterThan(0)
  const cwd = await mkdtemp(join(tmpdir(), 'tutti-readme-'))
  try {
    for (const { code } of commands) {
      const script = code.replaceAll('http://127.0.0.1:1234', server.url).replaceAll('curl ', 'curl --fail-with-body ')
      const stdout = await run('sh', ['-ec', script], { cwd })
      expect(stdout).toContain('{"changed":true}')
      expect(stdout).toContain('"notes":{"welcome":{"text":"Hello from curl"}}')
    }
    expect((await readFile(join(cwd, 'document.bin'))).byteLength).toBeGreaterThan(20)
  } finally {
    await rm(cwd, { recursive: true, force: true })
  }
})
