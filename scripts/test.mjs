// @ts-check
/**
 * `npm test`: builds, sees to a browser and other tools, runs every suite and the type tests. Arguments go to vitest:
 * `npm test -- test/e2e`. The last line is `N passed, N failed[, N skipped]`.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { build } from './build.mjs'
import { chromiumHint, ensureChromium } from './chromium.mjs'
import { commandOf, ROOT } from './paths.mjs'
import { ensureTools } from './tools.mjs'

/**
 * Counts of vitest's JSON report. A file that could not even be loaded has no tests: it counts as one failure.
 * @param {string} path
 */
const readCounts = (path) => {
  const report = JSON.parse(readFileSync(path, 'utf8'))
  /** @type {{ status: string, assertionResults: unknown[] }[]} */
  const files = report.testResults
  const broken = files.filter((file) => file.status === 'failed' && file.assertionResults.length === 0).length
  return {
    passed: report.numPassedTests,
    failed: report.numFailedTests + broken,
    skipped: report.numPendingTests + report.numTodoTests,
  }
}

const run = async () => {
  await build({ stale: true })

  const chromium = ensureChromium()
  if (chromium === undefined) {
    process.stderr.write(`No Chromium here: the browser suites will be skipped. To run them: ${chromiumHint()}\n`)
    if (process.env.CI === 'true') throw new Error('CI=true skips nothing: a missing browser is a failure.')
  }

  for (const { title, hint } of ensureTools()) {
    process.stderr.write(`No ${title} here: its tests will be skipped. To run them: ${hint}\n`)
    if (process.env.CI === 'true') throw new Error(`CI=true skips nothing: ${title} is missing.`)
  }

  const folder = mkdtempSync(join(tmpdir(), 'tutti-test-'))
  const report = join(folder, 'report.json')
  try {
    const { status, error } = spawnSync(
      process.execPath,
      [
        commandOf('vitest'),
        'run',
        '--typecheck.enabled',
        '--reporter=default',
        '--reporter=json',
        `--outputFile.json=${report}`,
        ...process.argv.slice(2),
      ],
      {
        // Vite's build sets NODE_ENV to production in this process; what only development checks is tested too.
        env: { ...process.env, NODE_ENV: 'test' },
        cwd: ROOT,
        stdio: 'inherit',
      },
    )
    if (error) throw error
    const { passed, failed, skipped } = readCounts(report)
    // vitest also fails on what is no test's: an unhandled error, a type error in a source file, no test at all.
    const failures = status !== 0 && failed === 0 ? 1 : failed
    process.stdout.write(`\n${passed} passed, ${failures} failed${skipped > 0 ? `, ${skipped} skipped` : ''}\n`)
    return status ?? 1
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

try {
  process.exitCode = await run()
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`)
  process.exitCode = 1
}
