// @ts-check
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The project's folder. */
export const ROOT = fileURLToPath(new URL('..', import.meta.url))

const require = createRequire(import.meta.url)

/**
 * The script behind a dependency's command, to run as `node <script>`: no shell and no `.cmd` file on Windows.
 * @param {string} name of the package
 * @param {string} [command] if it is not the package's name
 */
export const commandOf = (name, command = name) => {
  const manifest = join(ROOT, 'node_modules', name, 'package.json')
  const bin = require(manifest).bin
  return join(dirname(manifest), typeof bin === 'string' ? bin : bin[command])
}
