/** Door 1: `ws://host/<room>`, the y-websocket wire. */
import { ERRORS, TuttiError } from '../../lib/errors.ts'
import { OPT_IN_PARAM, OPT_IN_VALUE } from '../../lib/protocol.ts'
import type { Admission, Caller, Connection, Door, Handshake, Logger, Socket } from '../contracts.ts'
import { hasBroken } from '../protocol/closeCode.ts'
import { percentDecoded } from '../protocol/percentDecoded.ts'
import { callerOf } from './caller.ts'
import { closeCodeOf, closeReasonOf, enter, refusalOf } from './entrance.ts'
import type { HookedConnections } from './hookedConnections.ts'
import type { Refusals } from './refusals.ts'
import type { Room } from './room.ts'
import { checkRoomName } from './roomName.ts'
import type { Session } from './session.ts'

export interface RoomDoorParts {
  openRoom(name: string): Room
  readonly refusals: Refusals
  readonly limits: { readonly maxMessageBytes: number }
  readonly log: Logger
  /** Default: everyone may use every room. */
  readonly admission?: Admission | undefined
  /** Default: the server has no hooks. */
  readonly hooked?: HookedConnections | undefined
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

/** The door, which can also refuse who did nothing: `isInnocent`, nobody of the address waits for it then. */
export interface RoomDoor extends Door {
  refuse(socket: Socket, error: TuttiError, isInnocent?: boolean): void
}

export const createRoomDoor = (parts: RoomDoorParts): RoomDoor => {
  const { openRoom, refusals, admission, hooked } = parts
  const { maxMessageBytes } = parts.limits

  const refuse = (socket: Socket, error: TuttiError, isInnocent = false): void => {
    const close = (): void => socket.close(closeCodeOf(error), closeReasonOf(error))
    if (isInnocent) setImmediate(close)
    else refusals.delay(socket.address, close)
  }

  const join = (socket: Socket, handshake: Handshake, name: string, caller?: Caller): Connection => {
    const room = openRoom(name)
    return new RoomConnection(room, room.join(socket, hasOptedIn(handshake), caller))
  }

  const open = (socket: Socket, handshake: Handshake): Connection => {
    const name = roomNameOf(handshake.path)
    if (!admission && !hooked) return join(socket, handshake, name)
    checkRoomName(name)
    const caller = callerOf('room', handshake, socket)
    const hooks = hooked?.open(caller)
    const admit = (): Promise<void> | undefined => admission?.admit(name, caller) ?? undefined
    return enter({
      hooked,
      hooks,
      maxBytes: maxMessageBytes,
      ask: () => hooks?.connect()?.then(admit) ?? admit(),
      open: () => join(socket, handshake, name, caller),
      refuse: (error) => refuse(socket, refusalOf(error, parts.log)),
    })
  }

  return { open, refuse, goingAway: { code: ERRORS.GOING_AWAY.close, reason: 'The server is stopping.' } }
}

const hasOptedIn = ({ query }: Handshake): boolean => new URLSearchParams(query).get(OPT_IN_PARAM) === OPT_IN_VALUE

/**
 * The room a path names: percent-decoded UTF-8 without the leading slash.
 * @throws TuttiError `INVALID_ROOM` where it can't be decoded.
 */
const roomNameOf = (path: string): string => {
  const name = percentDecoded(path.slice(1))
  if (name !== undefined) return name
  throw new TuttiError('INVALID_ROOM', 'The path is not percent-encoded UTF-8.', {
    hint: 'Encode each segment of the room name with encodeURIComponent.',
  })
}
