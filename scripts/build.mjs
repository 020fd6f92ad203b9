// @ts-check
/**
 * Builds dist/: the library and the server with tsc, the demo with Vite; then holds the client to its size budgets.
 * A stamp of the sources says what is up to date: `--stale` builds only the rest.
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { pathToFileURL } from 'node:url'
import { commandOf, ROOT } from './paths.mjs'

/**
 * A part of dist/: what it is made from, what it makes, and how.
 * @typedef {{ name: string, sources: string[], results: string[], make: () => void | Promise<void> }} Part
 */

const DIST = join(ROOT, 'dist')

/** Compiles beside the old output and swaps: a failed compile leaves the old one, and deleted sources leave nothing. */
const compile = () => {
  const fresh = join(DIST, `.fresh-${process.pid}`)
  try {
    run('typescript', 'tsc', ['-p', 'tsconfig.build.json', '--outDir', fresh])
    copyFileSync(join(ROOT, 'server/api/openapi.json'), join(fresh, 'server/api/openapi.json'))
    // The demo's page is public, its back end is not: it lies apart.
    for (const [from, to] of Object.entries({ lib: 'lib', server: 'server', demo: 'demoBackend' })) {
      rmSync(join(DIST, to), { recursive: true, force: true })
      renameSync(join(fresh, from), join(DIST, to))
    }
  } finally {
    rmSync(fresh, { recursive: true, force: true })
  }
}

/** The demo's own back end and simulated devices, and what they share with its page. */
const DEMO_BACKEND = ['demo/backend', 'demo/fleet', 'demo/lampFrames.ts', 'demo/schema.ts']

/** @type {Part[]} */
const PARTS = [
  {
    name: 'lib and server',
    sources: ['lib', 'server', ...DEMO_BACKEND, 'tsconfig.json', 'tsconfig.build.json', 'package-lock.json'],
    results: [
      'dist/lib/index.js',
      'dist/server/main.js',
      'dist/server/api/openapi.json',
      'dist/demoBackend/backend/index.js',
      'dist/demoBackend/fleet/main.js',
    ],
    make: compile,
  },
  {
    name: 'demo',
    sources: ['demo', 'lib', 'vite.config.ts', 'package-lock.json'],
    results: ['dist/demo/index.html'],
    make: () => run('vite', 'vite', ['build', '--logLevel', 'warn']),
  },
]

/** @type {Part} */
const SIZES = {
  name: 'sizes',
  sources: ['lib', 'scripts/size.mjs', 'README.md', 'package-lock.json'],
  results: [],
  make: async () => {
    // Loaded only here: `npm start` on an up-to-date build does not wait for a bundler to load.
    const { checkSizes, kilobytes } = await import('./size.mjs')
    for (const { what, bytes, budget } of await checkSizes()) {
      process.stderr.write(`  ${what}: ${kilobytes(bytes)} gzip (${bytes} of ${budget} bytes)\n`)
    }
  },
}

/** Runs a dependency's command; its output goes to stderr, since the standard output of `start` is the server's. */
const run = (/** @type {string} */ name, /** @type {string} */ command, /** @type {string[]} */ args) => {
  const { status, error } = spawnSync(process.execPath, [commandOf(name, command), ...args], {
    cwd: ROOT,
    stdio: ['ignore', 2, 2],
  })
  if (error) throw error
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} failed with exit code ${status}.`)
}

/**
 * @param {string} path relative to the project
 * @returns {string[]} the files under it, sorted
 */
const filesUnder = (path) => {
  const absolute = join(ROOT, path)
  if (!existsSync(absolute)) return []
  if (!statSync(absolute).isDirectory()) return [path]
  return readdirSync(absolute)
    .sort()
    .flatMap((name) => filesUnder(join(path, name)))
}

/** @param {Part} part */
const hashOf = (part) => {
  const hash = createHash('sha256')
  for (const file of part.sources.flatMap(filesUnder)) {
    hash.update(`${file}\0`)
    hash.update(readFileSync(join(ROOT, file)))
    hash.update('\0')
  }
  return hash.digest('hex')
}

const STAMP = join(DIST, '.stamp.json')

/** @returns {Record<string, string>} hash of the sources by name of the part */
const readStamp = () => (existsSync(STAMP) ? JSON.parse(readFileSync(STAMP, 'utf8')) : {})

/** @param {string} name @param {string | undefined} hash */
const writeStamp = (name, hash) => {
  const stamp = { ...readStamp(), [name]: hash }
  writeFileSync(`${STAMP}.${process.pid}`, JSON.stringify(stamp))
  renameSync(`${STAMP}.${process.pid}`, STAMP)
}

/**
 * Builds; messages go to stderr.
 * @param {{ stale?: boolean, sizes?: boolean }} [options] `stale`: only what is missing or older than its sources;
 *   `sizes: false`: leaves out the budgets, which say nothing about whether the result runs
 */
export const build = async ({ stale = false, sizes = true } = {}) => {
  mkdirSync(DIST, { recursive: true })
  for (const part of sizes ? [...PARTS, SIZES] : PARTS) {
    const hash = hashOf(part)
    const there = part.results.every((path) => existsSync(join(ROOT, path)))
    if (stale && there && readStamp()[part.name] === hash) continue
    process.stderr.write(`Building ${part.name}\n`)
    writeStamp(part.name, undefined)
    await part.make()
    writeStamp(part.name, hash)
  }
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  try {
    await build({ stale: process.argv.includes('--stale') })
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n`)
    process.exitCode = 1
  }
}
