import { gzipSync } from 'node:zlib'
import type { Plugin } from 'vite'

const kilobytes = (bytes: number): string => `${(bytes / 1024).toFixed(1)} KB`

/** Prints the script of the first view, compressed, and fails the build over the limit (bytes). */
export const sizeReport = (limit: number): Plugin => ({
  name: 'demo:size-report',
  apply: 'build',
  writeBundle(_options, bundle) {
    let script = 0
    for (const file of Object.values(bundle)) {
      if (file.type === 'chunk') script += gzipSync(file.code).byteLength
    }
    this.info(`script of the first view: ${kilobytes(script)} gzip, of at most ${kilobytes(limit)}`)
    if (script > limit) this.error(`the first view needs ${kilobytes(script)} of script, over ${kilobytes(limit)}`)
  },
})
