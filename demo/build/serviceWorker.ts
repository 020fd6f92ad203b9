import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Plugin } from 'vite'

const SOURCE = fileURLToPath(new URL('./serviceWorker.js', import.meta.url))

/**
 * Adds `serviceWorker.js`, which keeps the built page on this device: a reload without a server shows it. The list of
 * files and a version made of their contents are written into it.
 */
export const serviceWorker = (): Plugin => ({
  name: 'demo:service-worker',
  apply: 'build',
  generateBundle(_options, bundle) {
    const hash = createHash('sha256')
    const files = ['./', './favicon.svg']
    for (const [name, file] of Object.entries(bundle).sort(([a], [b]) => (a < b ? -1 : 1))) {
      if (name.endsWith('.map')) continue
      hash.update(name).update(file.type === 'chunk' ? file.code : file.source)
      if (name !== 'index.html') files.push(`./${name}`)
    }
    const source = readFileSync(SOURCE, 'utf8')
      .replace("'VERSION'", JSON.stringify(hash.digest('hex').slice(0, 12)))
      .replace("['FILES']", JSON.stringify(files))
    this.emitFile({ type: 'asset', fileName: 'serviceWorker.js', source })
  },
})
