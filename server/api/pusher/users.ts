/** `POST /users/<id>/terminate_connections`. */
import type { Answer } from './contracts.ts'
import { EMPTY_ANSWER } from './failure.ts'

export const terminateConnections: Answer = ({ pusher }, { app, path }) => {
  pusher.users.terminate(app, path[1] ?? '')
  return EMPTY_ANSWER
}
