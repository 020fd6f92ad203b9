// @ts-check
/** Measures what the client entries cost a browser, holds them to their budgets, and README to the measured figures. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { gzipSync } from 'node:zlib'
import { build } from 'vite'
import { ROOT } from './paths.mjs'

/** An application has these anyway, or loads them when needed: they are not counted. */
const YJS = ['yjs', 'y-websocket', 'y-protocols', 'lib0', 'y-indexeddb']

/** @typedef {{ name: string, what: string, bytes: number, budget: number }} Size */

const ENTRY = 'virtual:entry'

/**
 * Bundles what a line of code imports for the browser. Chunks that only `import()` reaches are loaded when needed and
 * not counted.
 * @param {string} code
 * @param {(id: string) => boolean} external by what an import says, and again by the path it resolves to
 * @returns {Promise<number>} bytes after gzip
 */
const bundle = async (code, external) => {
  const result = await build({
    root: ROOT,
    configFile: false,
    logLevel: 'error',
    // As in the build of an application: that of a library leaves it open.
    define: { 'process.env.NODE_ENV': '"production"' },
    plugins: [
      {
        name: 'entry',
        enforce: 'pre',
        resolveId: (id) => (id.endsWith(ENTRY) ? `\0${ENTRY}` : undefined),
        load: (id) => (id === `\0${ENTRY}` ? code : undefined),
      },
    ],
    build: {
      write: false,
      target: 'es2022',
      minify: true,
      // Not as an application's page: that would add Vite's own loader of preloads.
      lib: { entry: ENTRY, formats: ['es'], fileName: 'entry' },
      rolldownOptions: {
        external,
        // As in the build of a page, where what a later chunk shares with the first one stays in the first.
        preserveEntrySignatures: 'allow-extension',
        // Vite leaves the white space and comments of libraries for applications to remove.
        output: { minify: true, comments: false },
      },
    },
  })
  const outputs = (Array.isArray(result) ? result : [result]).flatMap((one) => ('output' in one ? one.output : []))
  const chunks = new Map(outputs.flatMap((one) => (one.type === 'chunk' ? [[one.fileName, one]] : [])))
  let bytes = 0
  const files = new Set([...chunks.values()].filter((chunk) => chunk.isEntry).map((chunk) => chunk.fileName))
  // A set visits what is added while it is walked.
  for (const file of files) {
    const chunk = chunks.get(file)
    if (chunk === undefined) continue
    bytes += gzipSync(chunk.code, { level: 9 }).length
    for (const imported of chunk.imports) files.add(imported)
  }
  if (bytes === 0) throw new Error(`Bundling ${code} gave nothing to measure.`)
  return bytes
}

/** @param {readonly string[]} packages @returns {(id: string) => boolean} */
const isOneOf = (packages) => (id) => packages.some((name) => id === name || id.startsWith(`${name}/`))

/** @param {string} entry a file of dist/lib */
const moduleOf = (entry) => JSON.stringify(join(ROOT, 'dist/lib', entry))

/** An application that makes a store of some kinds: the others are not in its bundle. @param {string[]} kinds */
const storeOf = (...kinds) =>
  `import { createStore, s } from ${moduleOf('index.js')}
  export { createStore }
  export const kinds = [${kinds.map((kind) => `s.${kind}`).join()}]`

/**
 * What the client costs, minified and gzipped: a store of few kinds and of all, everything, and what is an extra.
 * @returns {Promise<readonly Size[]>}
 */
export const measureSizes = async () => {
  const { s } = await import(pathToFileURL(join(ROOT, 'dist/lib/index.js')).href)
  const few = await bundle(storeOf('object', 'string', 'boolean', 'list'), isOneOf(YJS))
  const core = await bundle(storeOf(...Object.keys(s)), isOneOf(YJS))
  const everything = `export * from ${moduleOf('index.js')}`
  const client = await bundle(everything, isOneOf(YJS))
  const withLit = await bundle(`${everything}\nexport * from ${moduleOf('lit.js')}`, isOneOf([...YJS, 'lit']))
  const pusher = await bundle(`export * from ${moduleOf('pusher.js')}`, () => false)
  return [
    { name: 'core', what: 'a store with every kind of s', bytes: core, budget: 8 * 1024 },
    { name: 'few', what: "a store with the kinds of README's first example", bytes: few, budget: 7 * 1024 },
    { name: 'client', what: 'all of tutti', bytes: client, budget: 17 * 1024 },
    // What `tutti` itself brings is not counted again.
    { name: 'lit', what: 'tutti/lit', bytes: withLit - client, budget: 1024 },
    { name: 'pusher', what: 'tutti/pusher', bytes: pusher, budget: 1024 },
  ]
}

/** @param {number} bytes */
export const kilobytes = (bytes) => `${(bytes / 1024).toFixed(1)} KB`

/** zlib differs by a few bytes between versions of Node; a figure at a rounding edge must not. */
const ZLIB_SLACK = 24

/**
 * What is wrong with README's figures: `<!-- size:core -->7.4 KB<!-- /size -->`, wherever they stand.
 * @param {readonly Size[]} sizes
 * @param {string} readme
 * @returns {string[]}
 */
export const readmeProblems = (sizes, readme) =>
  sizes.flatMap(({ name, what, bytes }) => {
    const right = [bytes - ZLIB_SLACK, bytes, bytes + ZLIB_SLACK].map(kilobytes)
    const stated = [...readme.matchAll(new RegExp(`<!-- size:${name} -->(.*?)<!-- /size -->`, 'gs'))]
    const write = `<!-- size:${name} -->${kilobytes(bytes)}<!-- /size -->`
    if (stated.length === 0) return [`README.md does not state the size of ${what}. Write: ${write}`]
    return stated
      .filter((match) => !right.includes(/** @type {string} */ (match[1])))
      .map((match) => `README.md says "${match[1]}" for ${what}, measured ${bytes} bytes. Write: ${write}`)
  })

/**
 * Throws if a size is over its budget or README says another one.
 * @returns {Promise<readonly Size[]>}
 */
export const checkSizes = async () => {
  const sizes = await measureSizes()
  const problems = sizes
    .filter(({ bytes, budget }) => bytes > budget)
    .map(({ what, bytes, budget }) => `${what} is ${bytes} bytes gzip; its budget is ${budget} (scripts/size.mjs).`)
  const readme = join(ROOT, 'README.md')
  if (existsSync(readme)) problems.push(...readmeProblems(sizes, readFileSync(readme, 'utf8')))
  if (problems.length > 0) throw new Error(problems.join('\n'))
  return sizes
}
