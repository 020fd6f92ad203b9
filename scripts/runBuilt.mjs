// @ts-check
import { join } from 'node:path'
import process from 'node:process'
import { pathToFileURL } from 'node:url'
import { build } from './build.mjs'
import { endWithNpm } from './endWithNpm.mjs'
import { ROOT } from './paths.mjs'

/**
 * Builds what is missing or older than its sources, then is a built command; a build that fails ends the process.
 * @param {string} command its file, relative to dist/
 * @param {string[]} [args] if they are not those of this process
 */
export const runBuilt = async (command, args = process.argv.slice(2)) => {
  endWithNpm()

  try {
    await build({ stale: true, sizes: false })
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n`)
    process.exit(1)
  }

  // In this process rather than a child of it: signals, exit code and `kill -9` then need no passing on.
  const main = join(ROOT, 'dist', command)
  process.argv = [process.execPath, main, ...args]
  await import(pathToFileURL(main).href)
}
