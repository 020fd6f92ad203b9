/** What options and command lines are read as. */
import { commandFrom, type Options } from '../../server/options.ts'

/** The options that a command line, and an environment, start a server with. */
export const served = (argv: string[], env: Record<string, string | undefined> = {}): Options => {
  const command = commandFrom(argv, env)
  if (command.name !== 'serve') throw new Error(`the command is ${command.name}`)
  return command.options
}
