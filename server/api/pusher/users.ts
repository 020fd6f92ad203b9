/** `POST /users/<id>/terminate_connections`. */
import type { Answer } from './contracts.ts'
import { EMPTY_ANSWER, Failure } from './failure.ts'

export const terminateConnections: Answer = ({ pusher }, { app, path }) => {
  const id = path[1]
  if (!id) throw new Failure(400, 'The path names no user; expected /users/<id>/terminate_connections.')
  pusher.users.terminate(app, id)
  return EMPTY_ANSWER
}
