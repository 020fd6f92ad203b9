// Runs a TypeScript module of the tests in a process of its own, where Node can't by itself:
//   node test/child.mjs <module> [arguments]
// The arguments of the module begin at process.argv[3].
import { resolve } from 'node:path'
import { runnerImport } from 'vite'

await runnerImport(resolve(process.argv[2]), { configFile: false, logLevel: 'error' })
