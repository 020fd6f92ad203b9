/** Door 1: `ws://host/<room>`, the y-websocket wire. */
import { ERRORS, meaningOf, TuttiError } from '../../lib/errors.ts'
import { OPT_IN_PARAM, OPT_IN_VALUE } from '../../lib/protocol.ts'
import type { Connection, Door, Handshake, Socket } from '../contracts.ts'
import { hasBroken } from '../protocol/closeCode.ts'
import type { Refusals } from './refusals.ts'
import type { Room } from './room.ts'
import type { Session } from './session.ts'

export interface RoomDoorParts {
  openRoom(name: string): Room
  readonly refusals: Refusals
}

/** One connection, which joins the one room that its path names. */
class RoomConnection implements Connection {
  readonly #room: Room
  readonly #session: Session

  constructor(room: Room, session: Session) {
    this.#room = room
    this.#session = session
  }

  receive(bytes: Uint8Array, isBinary: boolean): void {
    if (isBinary) {
      this.#room.receive(this.#session, bytes)
      return
    }
    const error = new TuttiError('PROTOCOL', 'A text frame came; expected binary frames of the y-websocket protocol.')
    this.#room.refuse(this.#session, error)
  }

  missed(): void {
    this.#room.missed(this.#session)
  }

  drained(): void {
    this.#room.drained(this.#session)
  }

  ponged(): void {
    this.#room.ponged(this.#session)
  }

  left(code: number): void {
    this.#room.leave(this.#session, hasBroken(code))
  }
}

export const createRoomDoor = ({ openRoom, refusals }: RoomDoorParts): Door => ({
  open: (socket, handshake) => {
    const room = openRoom(roomNameOf(handshake.path))
    return new RoomConnection(room, room.join(socket, hasOptedIn(handshake)))
  },
  refuse: (socket: Socket, error: TuttiError) => {
    const code = meaningOf(error.code).close ?? ERRORS.INTERNAL.close
    refusals.delay(socket.address, () => socket.close(code, error.message))
  },
  goingAway: { code: ERRORS.GOING_AWAY.close, reason: 'The server is stopping.' },
})

const hasOptedIn = ({ query }: Handshake): boolean => new URLSearchParams(query).get(OPT_IN_PARAM) === OPT_IN_VALUE

/**
 * The room a path names: percent-decoded UTF-8 without the leading slash.
 * @throws TuttiError `INVALID_ROOM` where it can't be decoded.
 */
const roomNameOf = (path: string): string => {
  try {
    return decodeURIComponent(path.slice(1))
  } catch (error) {
    throw new TuttiError('INVALID_ROOM', 'The path is not percent-encoded UTF-8.', {
      cause: error,
      hint: 'Encode each segment of the room name with encodeURIComponent.',
    })
  }
}
