/** Node with a file to run, as a process of its own: arguments in; stdout, stderr and the exit code out. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import process from 'node:process'
import { afterEach } from 'vitest'

export interface NodeProcess {
  /** What it wrote so far. */
  stdout(): string
  stderr(): string
  kill(signal: NodeJS.Signals): void
  /** The exit code, or the name of the signal that ended it. */
  readonly ended: Promise<number | string>
}

interface NodeOptions {
  readonly cwd?: string
  readonly env?: NodeJS.ProcessEnv
}

const startNode = (args: readonly string[], options: NodeOptions): NodeProcess => {
  const child = spawn(process.execPath, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] })
  let [stdout, stderr] = ['', '']
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  return {
    stdout: () => stdout,
    stderr: () => stderr,
    kill: (signal) => child.kill(signal),
    ended: once(child, 'close').then(([code, signal]) => (code ?? signal) as number | string),
  }
}

/** For a file of tests: what a test starts is ended after it. */
export const useNodeProcesses = (): ((args: readonly string[], options?: NodeOptions) => NodeProcess) => {
  const started: NodeProcess[] = []

  afterEach(async () => {
    for (const each of started.splice(0)) {
      each.kill('SIGKILL')
      await each.ended
    }
  })

  return (args, options = {}) => {
    const each = startNode(args, options)
    started.push(each)
    return each
  }
}

/** @param pid of a process, or negative, of a group of them */
export const isRunning = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false
    throw error
  }
}
