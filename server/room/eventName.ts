import { TuttiError } from '../../lib/errors.ts'
import { eventNameProblem } from '../../lib/protocol.ts'

/** @throws TuttiError `INVALID_VALUE` */
export const checkEventName = (name: unknown): void => {
  const problem = typeof name === 'string' ? eventNameProblem(name) : `it is of type ${typeof name}, not a string`
  if (problem === undefined) return
  throw new TuttiError('INVALID_VALUE', `This is no name of an event: ${problem}.`, {
    hint: 'Use 1–200 characters.',
  })
}
