// @ts-check
/**
 * `npm run check`: the build with its size budgets, types, lint and format, the import table, the package. All run,
 * whatever fails before.
 */
import { spawnSync } from 'node:child_process'
import process from 'node:process'
import { build } from './build.mjs'
import { commandOf, ROOT } from './paths.mjs'

/** @param {string} name @param {string} command @param {string[]} args */
const run = (name, command, args) => {
  const { status, error } = spawnSync(process.execPath, [commandOf(name, command), ...args], {
    cwd: ROOT,
    stdio: 'inherit',
  })
  if (error) throw error
  return status === 0
}

/** @type {[title: string, check: () => boolean | Promise<boolean>][]} */
const CHECKS = [
  // First: benches import the built code, and so its types.
  ['build', () => build({ stale: true }).then(() => true)],
  ['types', () => run('typescript', 'tsc', ['--noEmit'])],
  ['lint and format', () => run('@biomejs/biome', 'biome', ['ci', '--error-on-warnings', '.'])],
  ['import table', () => run('vitest', 'vitest', ['run', 'test/unit/imports.test.ts', '--reporter=dot'])],
  ['package', () => run('publint', 'publint', ['--strict'])],
]

/** @type {[title: string, passed: boolean][]} */
const results = []
for (const [title, check] of CHECKS) {
  process.stdout.write(`\n== ${title}\n`)
  try {
    results.push([title, await check()])
  } catch (error) {
    process.stdout.write(`${error instanceof Error ? error.message : error}\n`)
    results.push([title, false])
  }
}

process.stdout.write('\n')
for (const [title, passed] of results) process.stdout.write(`${passed ? 'ok    ' : 'FAILED'} ${title}\n`)
process.exitCode = results.every(([, passed]) => passed) ? 0 : 1
