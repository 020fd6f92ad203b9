// @ts-check
/** `npm run bench`: runs every test/bench/*.bench.mjs in turn, each in a process of its own. `npm run bench -- memory` runs those whose name holds the word. */
import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { build } from './build.mjs'
import { ROOT } from './paths.mjs'

const words = process.argv.slice(2)
const folder = join(ROOT, 'test', 'bench')
const benches = readdirSync(folder)
  .filter((file) => file.endsWith('.bench.mjs') && (words.length === 0 || words.some((word) => file.includes(word))))
  .sort()

if (benches.length === 0) {
  process.stderr.write(`No bench in test/bench has one of these words in its name: ${words.join(', ')}\n`)
  process.exit(1)
}

await build({ stale: true, sizes: false })

/** @type {string[]} */
const failed = []
for (const file of benches) {
  process.stdout.write(`\n== ${file.replace('.bench.mjs', '')}\n`)
  const { status } = spawnSync(process.execPath, ['--expose-gc', join(folder, file)], { cwd: ROOT, stdio: 'inherit' })
  if (status !== 0) failed.push(file)
}
if (failed.length > 0) {
  process.stderr.write(`\nFailed: ${failed.join(', ')}\n`)
  process.exitCode = 1
}
