// @ts-check
/** `npm run lamps`: builds what is missing or older than its sources, then is the simulated street lamps. */
import { join } from 'node:path'
import process from 'node:process'
import { pathToFileURL } from 'node:url'
import { build } from './build.mjs'
import { endWithNpm } from './endWithNpm.mjs'
import { ROOT } from './paths.mjs'

endWithNpm()

try {
  await build({ stale: true, sizes: false })
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`)
  process.exit(1)
}

await import(pathToFileURL(join(ROOT, 'dist', 'demoBackend', 'fleet', 'main.js')).href)
