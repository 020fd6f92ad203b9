import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { importProblems, read } from './imports.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))

const sources = new Map(
  ['lib', 'server', 'demo']
    .flatMap((folder) =>
      readdirSync(`${ROOT}${folder}`, { recursive: true, encoding: 'utf8' }).map((name) => `${folder}/${name}`),
    )
    .map((path) => path.replaceAll('\\', '/'))
    // demo/build/ runs in Node when the demo is built: no part of what an application would write.
    .filter((path) => path.endsWith('.ts') && !path.startsWith('demo/build/'))
    .map((path) => [path, readFileSync(`${ROOT}${path}`, 'utf8')] as const),
)

describe('the import table', () => {
  test('holds for lib, server and demo, types included', () => {
    expect(sources.size).toBeGreaterThan(10)
    expect(importProblems(sources)).toEqual([])
  })
})

describe('the reader of imports', () => {
  test('finds every form of an import', () => {
    const { imports } = read(
      'a.ts',
      `import a from './1.ts'
       import type { B } from './2.ts'
       import { type C } from './3.ts'
       import './4.ts'
       export { d } from './5.ts'
       export type { E } from './6.ts'
       export * from './7.ts'
       type F = import('./8.ts').F
       type G = typeof import('./9.ts')
       const h = () => import('./10.ts')
       // import './comment.ts'
       const text = "import './text.ts'"`,
    )
    expect(imports).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10].map((n) => `./${n}.ts`))
  })

  test('refuses an import whose target it cannot read', () => {
    expect(() => read('a.ts', 'const load = (name) => import(name)')).toThrow('not a plain string')
  })

  test('finds process members however they are written', () => {
    const { processMembers } = read(
      'a.ts',
      `import process, { argv } from 'node:process'
       const a = process.env.PORT
       const { exit } = process
       globalThis.process['exitCode'] = 1`,
    )
    expect([...processMembers].sort()).toEqual(['argv', 'env', 'exit', 'exitCode'])
  })
})

/** One broken rule each: were a rule lost, its case would find nothing. */
const broken: readonly (readonly [rule: string, files: Record<string, string>, problem: RegExp])[] = [
  ['lib never imports server', { 'lib/a.ts': `import '../server/contracts.ts'` }, /lib imports only lib/],
  ['lib/protocol.ts is a leaf', { 'lib/protocol.ts': `import type { A } from './a.ts'` }, /is a leaf/],
  ['lib runs in a browser', { 'lib/a.ts': `import 'node:fs'` }, /runs in a browser/],
  ['only connection.ts imports y-websocket', { 'lib/room.ts': `import 'y-websocket'` }, /only lib\/connection\.ts/],
  ['only offline.ts imports y-indexeddb', { 'lib/room.ts': `import('y-indexeddb')` }, /only lib\/offline\.ts/],
  ['only lit.ts imports lit', { 'lib/room.ts': `import type { A } from 'lit/directive.js'` }, /only lib\/lit\.ts/],
  ['only net imports uWebSockets.js', { 'server/index.ts': `import 'uWebSockets.js'` }, /only server\/net\//],
  ['only storage imports lmdb', { 'server/index.ts': `import 'lmdb'` }, /only server\/storage\//],
  ['storage does not know room', { 'server/storage/a.ts': `import '../room/a.ts'` }, /only through server\/contracts/],
  ['room does not know storage', { 'server/room/a.ts': `import '../storage/a.ts'` }, /only through server\/contracts/],
  ['room does not know api', { 'server/room/a.ts': `import '../api/a.ts'` }, /comes before server\/api/],
  ['contracts do not know room', { 'server/contracts.ts': `import type { A } from './room/a.ts'` }, /comes before/],
  ['api does not know net', { 'server/api/a.ts': `import '../net/a.ts'` }, /comes before/],
  ['nothing imports main', { 'server/index.ts': `import './main.ts'` }, /comes before/],
  ['the server takes little from lib', { 'server/room/a.ts': `import '../../lib/status.ts'` }, /takes from lib only/],
  [
    'one file imports the store',
    { 'server/api/a.ts': `import '../../lib/store/a.ts'` },
    /of the server imports lib\/store/,
  ],
  ['a new server file needs a place', { 'server/stray.ts': '' }, /no place in the import table/],
  ['room does not read the environment', { 'server/room/a.ts': 'process.env.HOME' }, /only server\/main\.ts/],
  ['room does not end the process', { 'server/room/a.ts': `import { exit } from 'node:process'` }, /only server\/main/],
  ['the demo does not reach into lib', { 'demo/a.ts': `import '../lib/index.ts'` }, /its own files and public entries/],
  ['the demo does not reach into its build', { 'demo/a.ts': `import './build/a.ts'` }, /its own files and public/],
  ['the demo is no server', { 'demo/a.ts': `import 'tutti/server'` }, /the demo imports only/],
  ['the demo uses no package of ours', { 'demo/a.ts': `import 'y-protocols/sync'` }, /the demo imports only/],
  ['the page takes nothing from its back end', { 'demo/a.ts': `import './backend/a.ts'` }, /its own files and public/],
  ['its back end takes nothing from the page', { 'demo/backend/a.ts': `import '../chat.ts'` }, /imports only itself/],
  ['its back end is no device', { 'demo/backend/a.ts': `import '../fleet/a.ts'` }, /imports only itself/],
  ['the devices know no document', { 'demo/fleet/a.ts': `import 'yjs'` }, /only Node's modules and ws/],
  ['the back end has no page', { 'demo/backend/a.ts': `import 'lit'` }, /only Node's modules and tutti,/],
  ['only main.ts loads the demo', { 'server/index.ts': `import '#demo'` }, /only server\/main\.ts/],
  [
    'no cycles',
    { 'lib/a.ts': `import './b.ts'`, 'lib/b.ts': `import './a.ts'` },
    /cycle: lib\/a\.ts → lib\/b\.ts → lib\/a/,
  ],
  [
    'no cycles of types',
    { 'lib/a.ts': `type A = import('./b.ts').B`, 'lib/b.ts': `import type { A } from './a.ts'` },
    /cycle/,
  ],
]

describe('each rule of the table can be broken', () => {
  test.each(broken)('%s', (_rule, files, problem) => {
    expect(importProblems(new Map(Object.entries(files))).join('\n')).toMatch(problem)
  })
})
