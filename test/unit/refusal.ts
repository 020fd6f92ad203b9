import { TuttiError } from '../../lib/errors.ts'

/** The error that something is refused with. */
export const refusal = (run: () => unknown): TuttiError => {
  try {
    run()
  } catch (error) {
    if (error instanceof TuttiError) return error
    throw error
  }
  throw new Error('nothing was refused')
}

/** The error that a promise is rejected with. */
export const rejection = async (promise: Promise<unknown>): Promise<TuttiError> => {
  try {
    await promise
  } catch (error) {
    if (error instanceof TuttiError) return error
    throw error
  }
  throw new Error('nothing was refused')
}
