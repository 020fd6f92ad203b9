import { runInNewContext } from 'node:vm'
import { type BuildOptions, build, type Rolldown } from 'vite'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { Doc } from 'yjs'

/** What the script does with a store: every mistake that it can make, and what it is told. */
const SCRIPT = `
  import { createStore, s } from ${JSON.stringify(new URL('../../lib/index.ts', import.meta.url).pathname)}
  const { state } = createStore({ schema: { count: s.number(), todos: s.list(s.object({ title: s.string() })) } })
  state.todos.push({ title: 'x' })
  const failing = (write) => {
    try {
      write()
    } catch ({ code, path, message, hint }) {
      return { code, path: [...path], message, hint }
    }
  }
  globalThis.errors = [
    failing(() => { state.cuont = 1 }),
    failing(() => { state.todos[0].title = 5 }),
  ]`

const CODES = [
  { code: 'UNKNOWN_KEY', path: ['cuont'], message: 'cuont: not in the schema' },
  {
    code: 'INVALID_VALUE',
    path: ['todos', 0, 'title'],
    message: 'todos.0.title: expected s.string(), got Number',
  },
]

/** One file with everything in it, as a page without bundler or `process` would load it. */
const bundle = async (options: BuildOptions, nodeEnv?: string): Promise<string> => {
  const result = await build({
    configFile: false,
    logLevel: 'error',
    ...(nodeEnv === undefined ? {} : { define: { 'process.env.NODE_ENV': JSON.stringify(nodeEnv) } }),
    plugins: [
      {
        name: 'entry',
        resolveId: (id) => (id.endsWith('virtual:entry') ? '\0virtual:entry' : undefined),
        load: (id) => (id === '\0virtual:entry' ? SCRIPT : undefined),
      },
    ],
    build: {
      ...options,
      write: false,
      lib: { entry: 'virtual:entry', formats: ['iife'], name: 'entry' },
      rolldownOptions: { external: ['y-indexeddb'], output: { codeSplitting: false } },
    },
  })
  const [output] = (Array.isArray(result) ? result : [result as Rolldown.RolldownOutput]) as Rolldown.RolldownOutput[]
  return output?.output.map((file) => (file.type === 'chunk' ? file.code : '')).join('\n') ?? ''
}

const run = (code: string, globals: object = {}): unknown => {
  const context = {
    crypto,
    console,
    setTimeout,
    queueMicrotask,
    TextEncoder,
    TextDecoder,
    ...globals,
    errors: undefined,
  }
  runInNewContext(code, context)
  // Arrays and objects of another context are not equal to ours.
  return JSON.parse(JSON.stringify(context.errors))
}

describe('a build for production', () => {
  test('has no word of the hints; its errors keep code, path and message', async () => {
    const code = await bundle({ minify: true }, 'production')
    expect(code).not.toContain('Did you mean')
    expect(code).not.toContain('or another name.')
    // Nor what looks for mistakes that a program makes each time it runs.
    for (const message of ['not a schema', 'not a usable name', 'asynchronous', 'persist is']) {
      expect(code).not.toContain(message)
    }
    expect(run(code)).toEqual(CODES.map((error) => ({ ...error, hint: '' })))
  })
})

describe('any other build', () => {
  const withHints = [
    { ...CODES[0], hint: 'Did you mean count, todos?' },
    { ...CODES[1], hint: 's.number(), if finite, takes Number.' },
  ]

  test('of development has the hints', async () => {
    expect(run(await bundle({ minify: true }, 'development'))).toEqual(withHints)
  })

  test('that leaves the question open asks `process`, and works where there is none', async () => {
    const code = await bundle({ minify: false })
    expect(code).toContain('process.env.NODE_ENV')
    expect(run(code, { process: { env: {} } })).toEqual(withHints)
    expect(run(code, { process: { env: { NODE_ENV: 'production' } } })).toEqual(
      CODES.map((error) => ({ ...error, hint: '' })),
    )
    expect(run(code)).toEqual(CODES.map((error) => ({ ...error, hint: '' })))
  })
})

describe('in production', () => {
  beforeEach(() => {
    vi.stubEnv('NODE_ENV', 'production')
    vi.resetModules()
  })

  afterEach(() => {
    vi.unstubAllEnvs()
    vi.resetModules()
  })

  test('a back end that edits is told of a wrong schema all the same', async () => {
    const { editDocument } = await import('../../lib/store/state.ts')
    const wrong = { title: 5 as never }
    expect(() => editDocument(new Doc(), wrong, () => undefined)).toThrow('title: not a schema')
  })

  test('a write while a component renders warns once', async () => {
    const { createStore, s } = await import('../../lib/index.ts')
    const { rendering } = await import('../../lib/store/render.ts')
    const warn = vi.spyOn(console, 'warn').mockReturnValue()
    const { state } = createStore({ schema: { count: s.number().default(0) } })
    for (let time = 0; time < 2; time++) {
      rendering(() => {
        state.count++
      })
    }
    expect(state.count).toBe(2)
    expect(warn).toHaveBeenCalledTimes(1)
    warn.mockRestore()
  })
})
