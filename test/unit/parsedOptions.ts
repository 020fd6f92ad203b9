/** What options and command lines are read as, or refused with. */
import { TuttiError } from '../../lib/errors.ts'
import { commandFrom, type Options } from '../../server/options.ts'

export const refusal = (run: () => unknown): TuttiError => {
  try {
    run()
  } catch (error) {
    if (error instanceof TuttiError) return error
    throw error
  }
  throw new Error('nothing was refused')
}

/** The options that a command line, and an environment, start a server with. */
export const served = (argv: string[], env: Record<string, string | undefined> = {}): Options => {
  const command = commandFrom(argv, env)
  if (command.name !== 'serve') throw new Error(`the command is ${command.name}`)
  return command.options
}
