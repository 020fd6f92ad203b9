import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

const built = (path: string): string => fileURLToPath(new URL(`./dist/${path}`, import.meta.url))

export default defineConfig({
  resolve: {
    // The public names mean the built code, as an application meets it; unit tests import the sources by path.
    alias: [
      { find: /^tutti$/, replacement: built('lib/index.js') },
      { find: /^tutti\/lit$/, replacement: built('lib/lit.js') },
      { find: /^tutti\/pusher$/, replacement: built('lib/pusher.js') },
      { find: /^tutti\/server$/, replacement: built('server/index.js') },
    ],
  },
  test: {
    include: ['test/{unit,contract,e2e,fuzz,package}/**/*.test.ts'],
    // Real processes, each file its own: native addons (uWebSockets.js, lmdb) and signals don't like threads.
    pool: 'forks',
    // Files that start servers and browsers starve each other on a small machine.
    maxWorkers: 2,
    testTimeout: 20_000,
    hookTimeout: 60_000,
    teardownTimeout: 10_000,
    // `npm test` adds --typecheck.enabled; a run of one file then needs no compiler.
    typecheck: { include: ['test/types/**/*.test-d.ts'] },
    // Built code runs as Node runs it, and shares its one copy of yjs with the tests.
    server: { deps: { external: [/\/dist\/(lib|server)\//] } },
  },
})
