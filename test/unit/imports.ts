/** The import table of the project: who may import whom, types included. `imports.test.ts` holds the code to it. */
import { dirname, join } from 'node:path/posix'
import { parseSync } from 'vite'

/** Source text by path from the project's folder, with `/`. */
export type Sources = ReadonlyMap<string, string>

/** Folders and files by rank: each may import itself and what has a lower rank; equal ranks don't know each other. */
const LAYERS: readonly (readonly string[])[] = [
  ['lib/protocol.ts', 'lib/errors.ts'],
  ['lib/eventProtocol.ts'],
  ['server/protocol/'],
  ['server/contracts.ts'],
  // Leaves that say what a server can be told and how it tells: no part of a room.
  ['server/nearNames.ts', 'server/log.ts', 'server/apps.ts', 'server/hooks.ts'],
  ['server/appOptions.ts'],
  ['server/options.ts'],
  ['server/storage/', 'server/cluster/', 'server/room/'],
  ['server/pusher/', 'server/webhooks/', 'server/sockets/'],
  ['server/api/'],
  ['server/net/'],
  ['server/index.ts'],
  ['server/main.ts'],
]

/** Asks `process.env.NODE_ENV`, which bundlers replace, for what is said in development only. */
const DEVELOPMENT_FILE = 'lib/store/hints.ts'
/** The one file of the server that may look into `lib/store/`: it gives a back end the typed view of a document. */
const EDIT_FILE = 'server/room/handle.ts'

/** Packages that only these files or folders may import. */
const GUARDED: Readonly<Record<string, string>> = {
  'y-websocket': 'lib/connection.ts',
  'y-indexeddb': 'lib/offline.ts',
  lit: 'lib/lit.ts',
  'uWebSockets.js': 'server/net/',
  lmdb: 'server/storage/',
  // The demo's back end, for `--demo` alone.
  '#demo': 'server/main.ts',
}

/** What the demo may import besides its own files: what an application would; it has yjs as Tutti's peer. */
const DEMO_PACKAGES = ['tutti', 'tutti/lit', 'lit', 'yjs']
/** Its parts that run in Node, each with the packages that it may import; they share `DEMO_SHARED` with the page. */
const DEMO_NODE: Readonly<Record<string, readonly string[]>> = {
  'demo/backend/': ['tutti', 'tutti/server', 'yjs'],
  'demo/fleet/': ['ws'],
}
const DEMO_SHARED = ['demo/schema.ts', 'demo/lampFrames.ts']
/** A command of its own. */
const FLEET_COMMAND = 'demo/fleet/main.ts'

/** Members of `process` that belong to the command alone. */
const PROCESS_MEMBERS = ['env', 'argv', 'exit', 'exitCode', 'execArgv']

interface Reading {
  readonly imports: readonly string[]
  /** Members of `process` that are named, like `env`. */
  readonly processMembers: readonly string[]
}

type Tree = Readonly<Record<string, unknown>>

const isTree = (value: unknown): value is Tree => typeof value === 'object' && value !== null

/** Every node of a syntax tree. */
function* nodes(value: unknown): Generator<Tree> {
  if (Array.isArray(value)) for (const item of value) yield* nodes(item)
  else if (isTree(value)) {
    if (typeof value.type === 'string') yield value
    for (const child of Object.values(value)) yield* nodes(child)
  }
}

const textOf = (literal: unknown): string | undefined => {
  if (!isTree(literal)) return undefined
  if (literal.type === 'TSLiteralType') return textOf(literal.literal)
  // `require(`@scope/${platform}`)`: the table goes by how a name begins.
  if (literal.type === 'TemplateLiteral') {
    const [first] = literal.quasis as { value: { cooked: string } }[]
    return first?.value.cooked || undefined
  }
  return typeof literal.value === 'string' ? literal.value : undefined
}

const nameOf = (node: unknown): string | undefined =>
  isTree(node) && typeof node.name === 'string' ? node.name : textOf(node)

const isProcess = (node: unknown): boolean =>
  isTree(node) &&
  ((node.type === 'Identifier' && node.name === 'process') ||
    (node.type === 'MemberExpression' && nameOf(node.object) === 'globalThis' && nameOf(node.property) === 'process'))

/** What a file imports, in whatever form: `import`, `import type`, `export … from`, `import()`, `import('…').T`. */
export const read = (path: string, source: string): Reading => {
  const { program, errors } = parseSync(path, source)
  if (errors.length > 0) throw new Error(`${path} does not parse: ${errors[0]?.message}`)
  const imports: string[] = []
  const processMembers: string[] = []
  const note = (literal: unknown): void => {
    const specifier = textOf(literal)
    // What can't be read can't be checked: a computed import would go around the table.
    if (specifier === undefined) throw new Error(`${path}: the target of an import is not a plain string.`)
    imports.push(specifier)
  }
  for (const node of nodes(program)) {
    switch (node.type) {
      case 'ImportDeclaration':
        note(node.source)
        if (/^(node:)?process$/.test(textOf(node.source) ?? '')) {
          for (const item of node.specifiers as Tree[]) {
            if (item.type === 'ImportSpecifier') processMembers.push(nameOf(item.imported) ?? '')
          }
        }
        break
      case 'ExportAllDeclaration':
      case 'ImportExpression':
      case 'TSImportType':
        note(node.source ?? node.argument)
        break
      case 'ExportNamedDeclaration':
        if (node.source !== null && node.source !== undefined) note(node.source)
        break
      case 'TSExternalModuleReference':
        note(node.expression)
        break
      case 'CallExpression':
        if (isTree(node.callee) && node.callee.name === 'require') note((node.arguments as Tree[])[0])
        break
      case 'MemberExpression':
        if (isProcess(node.object)) processMembers.push(nameOf(node.property) ?? '')
        break
      case 'VariableDeclarator':
        if (isProcess(node.init) && isTree(node.id) && node.id.type === 'ObjectPattern') {
          for (const property of node.id.properties as Tree[]) processMembers.push(nameOf(property.key) ?? '')
        }
        break
    }
  }
  return { imports, processMembers }
}

/** The file that a relative import means, or `undefined` for a package. */
const resolve = (from: string, specifier: string): string | undefined =>
  specifier.startsWith('.') ? join(dirname(from), specifier) : undefined

/** `./board.ts?region=…` is text that the build takes from a file, not a use of the module. */
const isText = (specifier: string): boolean => specifier.startsWith('.') && specifier.includes('?')

const covers = (place: string, path: string): boolean => (place.endsWith('/') ? path.startsWith(place) : path === place)

const packageOf = (specifier: string): string =>
  specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/')

const layerOf = (path: string): { place: string; rank: number } | undefined => {
  for (const [rank, places] of LAYERS.entries()) {
    const place = places.find((candidate) => covers(candidate, path))
    if (place !== undefined) return { place, rank }
  }
  return undefined
}

const serverProblem = (from: string, to: string): string | undefined => {
  if (to.startsWith('lib/store/') || to === 'lib/store.ts') {
    return from === EDIT_FILE ? undefined : `only ${EDIT_FILE} of the server imports lib/store`
  }
  if (to.startsWith('lib/') && layerOf(to) === undefined) {
    return 'the server takes from lib only protocol.ts, eventProtocol.ts, errors.ts and, for edit, store/'
  }
  if (!to.startsWith('lib/') && !to.startsWith('server/')) return 'the server imports only lib and server'
  const [a, b] = [layerOf(from), layerOf(to)]
  if (a === undefined) return `${from} has no place in the import table`
  if (b === undefined) return `${to} has no place in the import table`
  if (a.place === b.place || b.rank < a.rank) return undefined
  return a.rank === b.rank
    ? `${a.place} and ${b.place} meet only through server/contracts.ts`
    : `${a.place} comes before ${b.place}`
}

const fileProblem = (from: string, to: string): string | undefined => {
  if (from.startsWith('lib/')) {
    if (!to.startsWith('lib/')) return 'lib imports only lib'
    const own = layerOf(from)
    const rank = layerOf(to)?.rank ?? Number.POSITIVE_INFINITY
    return own === undefined || rank < own.rank ? undefined : `${from} is a leaf`
  }
  if (from.startsWith('server/')) return serverProblem(from, to)
  const [a, b] = [demoPartOf(from), demoPartOf(to)]
  if (a !== undefined) {
    return a === b || DEMO_SHARED.includes(to) ? undefined : `${a} imports only itself and ${DEMO_SHARED.join(', ')}`
  }
  const own = to.startsWith('demo/') && !to.startsWith('demo/build/') && b === undefined
  return own ? undefined : 'the demo imports only its own files and public entries'
}

/** The part of the demo that runs in Node, if it is one. */
const demoPartOf = (path: string): string | undefined => Object.keys(DEMO_NODE).find((part) => path.startsWith(part))

const packageProblem = (from: string, specifier: string): string | undefined => {
  const name = packageOf(specifier)
  const part = demoPartOf(from)
  if (part !== undefined) {
    const packages = DEMO_NODE[part] ?? []
    return specifier.startsWith('node:') || packages.includes(specifier)
      ? undefined
      : `${part} imports only Node's modules and ${packages.join(', ')}`
  }
  if (from.startsWith('demo/')) {
    const allowed = name === 'tutti' ? DEMO_PACKAGES.includes(specifier) : DEMO_PACKAGES.includes(name)
    return allowed ? undefined : `the demo imports only ${DEMO_PACKAGES.join(', ')}`
  }
  if (name === 'tutti') return 'lib and server import each other by path, not by the public name'
  const guard = name.startsWith('@lit/') ? GUARDED.lit : GUARDED[name]
  if (guard !== undefined && !covers(guard, from)) return `only ${guard} imports ${name}`
  if (from.startsWith('lib/') && specifier.startsWith('node:')) return 'lib runs in a browser'
  return undefined
}

/** The first cycle found from each file that is on one, as `a → b → a`; type imports count. */
const cycles = (graph: ReadonlyMap<string, readonly string[]>): string[] => {
  const found: string[] = []
  const done = new Set<string>()
  const visit = (path: string, trail: readonly string[]): void => {
    const start = trail.indexOf(path)
    if (start >= 0) found.push([...trail.slice(start), path].join(' → '))
    if (start >= 0 || done.has(path)) return
    for (const next of graph.get(path) ?? []) visit(next, [...trail, path])
    done.add(path)
  }
  for (const path of graph.keys()) visit(path, [])
  return found
}

/** Everything in the sources that breaks the table, one line each. */
export const importProblems = (sources: Sources): string[] => {
  const problems: string[] = []
  const graph = new Map<string, readonly string[]>()
  for (const [path, source] of sources) {
    const { imports, processMembers } = read(path, source)
    const files: string[] = []
    for (const specifier of imports) {
      if (isText(specifier)) continue
      const to = resolve(path, specifier)
      if (to !== undefined) files.push(to)
      const problem = to === undefined ? packageProblem(path, specifier) : fileProblem(path, to)
      if (problem !== undefined) problems.push(`${path} imports ${specifier}: ${problem}`)
    }
    if (path.startsWith('server/') && layerOf(path) === undefined) {
      problems.push(`${path} has no place in the import table`)
    }
    if (path !== 'server/main.ts' && path !== FLEET_COMMAND) {
      const forbidden = path.startsWith('server/')
        ? processMembers.filter((member) => PROCESS_MEMBERS.includes(member))
        : processMembers.filter((member) => !(path === DEVELOPMENT_FILE && member === 'env'))
      for (const member of forbidden) problems.push(`${path} names process.${member}: only server/main.ts does`)
    }
    graph.set(path, files)
  }
  for (const cycle of cycles(graph)) problems.push(`cycle: ${cycle}`)
  return problems
}
