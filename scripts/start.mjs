// @ts-check
/** `npm start`: builds what is missing or older than its sources, then is the server, with the demo. */
import { join } from 'node:path'
import process from 'node:process'
import { pathToFileURL } from 'node:url'
import { build } from './build.mjs'
import { endWithNpm } from './endWithNpm.mjs'
import { ROOT } from './paths.mjs'

const main = join(ROOT, 'dist', 'server', 'main.js')

endWithNpm()

try {
  await build({ stale: true, sizes: false })
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`)
  process.exit(1)
}

// In this process rather than a child of it: signals, exit code and `kill -9` then need no passing on.
process.argv = [process.execPath, main, '--demo', ...process.argv.slice(2)]
await import(pathToFileURL(main).href)
