import { TuttiError } from '../../lib/errors.ts'
import { roomNameProblem } from '../../lib/protocol.ts'

/** @throws TuttiError `INVALID_ROOM` */
export const checkRoomName = (name: string): void => {
  // What is not TypeScript may give anything.
  const problem = typeof name === 'string' ? roomNameProblem(name) : `it is of type ${typeof name}, not a string`
  if (problem === undefined) return
  throw new TuttiError('INVALID_ROOM', `This is no room name: ${problem}.`, {
    hint: 'Use 1–255 bytes of UTF-8 without control characters and without empty, "." or ".." segments.',
  })
}
