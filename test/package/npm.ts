/** Runs a command of the machine and gives its stdout; its failure says what it printed. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import process from 'node:process'

export const run = async (
  command: string,
  args: readonly string[],
  options: { readonly cwd: string; readonly env?: Readonly<Record<string, string>> },
): Promise<string> => {
  // npm is a script file on Windows, which only a shell runs.
  const shell = process.platform === 'win32' && command === 'npm'
  const env = { ...process.env, ...options.env }
  const child = spawn(command, args, { cwd: options.cwd, env, shell, stdio: ['ignore', 'pipe', 'pipe'] })
  const output = { stdout: '', stderr: '' }
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output.stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    output.stderr += text
  })
  const [code] = await once(child, 'close')
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${code}:\n${output.stdout}${output.stderr}`)
  return output.stdout
}
