import { fileURLToPath } from 'node:url'
import { defineConfig, type Plugin } from 'vite'
import { codeRegions } from './demo/build/codeRegions.ts'
import { serviceWorker } from './demo/build/serviceWorker.ts'
import { sizeReport } from './demo/build/sizeReport.ts'
import { tuttiServer } from './demo/build/tuttiServer.ts'

const source = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

/** The package says that its modules have no effect on import; those of the demo define elements. */
const keepElements: Plugin = {
  name: 'demo:keep-elements',
  transform: (_code, id) => (id.startsWith(source('./demo/')) ? { moduleSideEffects: true } : undefined),
}

/** The demo: `vite` serves it with a server behind the same port, `vite build` writes dist/demo. */
export default defineConfig({
  root: source('./demo'),
  base: './',
  resolve: {
    // The public entries, from source: the demo needs no build of the library.
    alias: [
      { find: /^tutti$/, replacement: source('./lib/index.ts') },
      { find: /^tutti\/lit$/, replacement: source('./lib/lit.ts') },
    ],
    dedupe: ['yjs', 'lit'],
  },
  build: {
    outDir: source('./dist/demo'),
    emptyOutDir: true,
    // The first versions with light-dark(): with older targets the minifier would rewrite every colour.
    target: ['chrome123', 'firefox120', 'safari17.5'],
    modulePreload: { polyfill: false },
    license: { fileName: 'licenses.txt' },
  },
  plugins: [
    keepElements,
    codeRegions(),
    serviceWorker(),
    sizeReport(150 * 1024),
    tuttiServer(process.env.TUTTI_DATA ?? 'memory'),
  ],
})
