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
  /** A program of this repository, which a test of its own runs. */
  | { readonly type: 'program'; readonly path: string }

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
      // Which is the package's own command, and the demo.
      if (program === 'npm' && args[0] === 'start' && args[1] === '--') return { type: 'tutti', args: args.slice(2) }
      if (program === 'python3' && args[0] !== undefined) return { type: 'program', path: args[0] }
      if (program === 'npm' && (args[0] === 'start' || args[0] === 'test')) return { type: 'script', name: args[0] }
      throw new Error(
        `"${part}" (line ${snippet.line} on) is no command that this test knows how to check. ` +
          'Write `sh run` to have a snippet run, or teach test/package/snippets.ts the command.',
      )
    })

/** A request of a `sh run` snippet, with what it is answered. */
export interface Step {
  /** Line of the answer in the README. */
  readonly line: number
  /** All commands since the step before it. */
  readonly code: string
  /** `undefined`: any that tells success. */
  readonly status: number | undefined
  /** `…` stands for any text. */
  readonly answer: string
}

const isComment = (line: string): boolean => line.startsWith('#')

/** Commands on one line each, as a shell takes them. */
const logicalLines = (code: string): string[] => code.replaceAll('\\\n', ' ').split('\n')

/**
 * The requests of a `sh run` snippet. The answer to each stands in comments directly below it: an HTTP status, or the
 * body, or both. A request without an answer is an error, so that none is merely shown.
 */
export const readSteps = (snippet: Snippet): Step[] => {
  const steps: Step[] = []
  const lines = snippet.code.split('\n')
  let code: string[] = []
  for (let i = 0; i < lines.length; ) {
    const line = lines[i] as string
    const isAnswer = isComment(line) && i > 0 && lines[i - 1] !== '' && !isComment(lines[i - 1] as string)
    if (!isAnswer) {
      code.push(line)
      i++
      continue
    }
    const start = i
    while (i < lines.length && isComment(lines[i] as string)) i++
    const text = lines.slice(start, i).map((comment) => comment.replace(/^# ?/, ''))
    const [, status, answer = ''] = /^(?:(\d{3})(?:\s+|$))?([\s\S]*)$/.exec(text.join('\n')) ?? []
    const step: Step = {
      line: snippet.line + start,
      code: code.join('\n'),
      status: status === undefined ? undefined : Number(status),
      answer,
    }
    checkRequests(step.code, step.line, 1)
    steps.push(step)
    code = []
  }
  checkRequests(code.join('\n'), snippet.line + lines.length, 0)
  return steps
}

const checkRequests = (code: string, line: number, expected: number): void => {
  const requests = logicalLines(code).filter((command) => !isComment(command) && /\bcurl\b/.test(command))
  if (requests.length === expected) return
  throw new Error(
    `${requests.length} requests before line ${line} of the README have ${expected} answers. ` +
      'Write the answer to each in a comment directly below it.',
  )
}

/** White space between the parts of JSON means nothing. */
const packed = (text: string): string => text.replace(/\s+/g, '')

/** Whether this is what the README says that the answer is. */
export const isAnswer = (answer: string, expected: string): boolean => {
  const parts = packed(expected)
    .split('…')
    .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
  return new RegExp(`^${parts.join('.*')}$`).test(packed(answer))
}

/** What a snippet is held to, by its kind; a kind that is not here is an error, so that none escapes. */
export const CHECKS = {
  /** Compiled against the built package. */
  ts: 'compile',
  /** Compiled as well, and run, with a server at the address that the snippet names. */
  'ts run': 'execute',
  /** Run by a shell, with a server at the address that the snippet names; answers are as `readSteps` reads them. */
  'sh run': 'run',
  /** Each command is one that exists. */
  sh: 'commands',
  /** The file that `--apps` names in another snippet, which is started with it. */
  'json apps': 'apps',
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
