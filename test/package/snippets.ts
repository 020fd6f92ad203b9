/** Fenced snippets of a Markdown text, and what each kind of them is held to. */

export interface Snippet {
  /** What stands after the opening fence, e.g. `ts` or `sh run`. */
  readonly kind: string
  /** Line of the first line of code, from 1. */
  readonly line: number
  readonly code: string
}

const FENCE = /^ {0,3}(`{3,}|~{3,})\s*(.*?)\s*$/

/** Every fenced snippet, in order; throws for a fence that is never closed. */
export const readSnippets = (markdown: string): Snippet[] => {
  const snippets: Snippet[] = []
  let open: { fence: string; kind: string; line: number; code: string[] } | undefined
  for (const [index, text] of markdown.split('\n').entries()) {
    const [, fence, kind] = FENCE.exec(text) ?? []
    if (open === undefined) {
      if (fence !== undefined) open = { fence, kind: kind ?? '', line: index + 2, code: [] }
    } else if (fence?.startsWith(open.fence) && kind === '') {
      snippets.push({ kind: open.kind, line: open.line, code: open.code.join('\n') })
      open = undefined
    } else {
      open.code.push(text)
    }
  }
  if (open !== undefined) throw new Error(`The snippet at line ${open.line} is never closed.`)
  return snippets
}

/** A command of a plain `sh` snippet. */
export type Command =
  /** An npm script of this package. */
  | { readonly type: 'script'; readonly name: string }
  | { readonly type: 'install'; readonly package: string | undefined }
  /** The package's own command, with its arguments. */
  | { readonly type: 'tutti'; readonly args: readonly string[] }

/**
 * The commands of a plain `sh` snippet, which newcomers type. Only these few forms are known, so that each can be
 * checked; anything else throws.
 */
export const readCommands = (snippet: Snippet): Command[] =>
  snippet.code
    .split('\n')
    .flatMap((line) => line.replace(/\s+#.*$/, '').split('&&'))
    .map((part) => part.trim())
    .filter((part) => part !== '' && !part.startsWith('#'))
    .map((part): Command => {
      const [program, ...args] = part.split(/\s+/)
      if (program === 'npx' && args[0] === 'tutti') return { type: 'tutti', args: args.slice(1) }
      if (program === 'npm' && args[0] === 'install' && args.length <= 2) return { type: 'install', package: args[1] }
      if (program === 'npm' && args[0] === 'run' && args[1] !== undefined) return { type: 'script', name: args[1] }
      if (program === 'npm' && (args[0] === 'start' || args[0] === 'test')) return { type: 'script', name: args[0] }
      throw new Error(
        `"${part}" (line ${snippet.line} on) is no command that this test knows how to check. ` +
          'Write `sh run` to have a snippet run, or teach test/package/snippets.ts the command.',
      )
    })

/** What a snippet is held to, by its kind; a kind that is not here is an error, so that none escapes. */
export const CHECKS = {
  /** Compiled against the built package. */
  ts: 'compile',
  /** Run by a shell, with a server at the address that the snippet names. */
  'sh run': 'run',
  /** Each command is one that exists. */
  sh: 'commands',
  /** Stands, line by line, in the Django application of demo/backends, which another test runs. */
  python: 'django',
} as const

export const checkOf = (snippet: Snippet): (typeof CHECKS)[keyof typeof CHECKS] => {
  const check = Object.entries(CHECKS).find(([kind]) => kind === snippet.kind)?.[1]
  if (check !== undefined) return check
  throw new Error(
    `A snippet of kind "${snippet.kind}" at line ${snippet.line}: nothing would check it. ` +
      `Known kinds: ${Object.keys(CHECKS).join(', ')}.`,
  )
}
