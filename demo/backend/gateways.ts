/** The server's end of `/lamps`: gateways, each with the lamps of every street, or of the one in its `?room=`. */
import type { OwnSocket, SocketEndpoint } from 'tutti/server'
import { decodeLevels, encodeLevels, HELLO, LAMP_COUNT, type LampLevel, type StreetNews } from '../lampFrames.ts'

/** A street as a gateway needs it. */
export interface LitStreet {
  readonly number: number
  readonly room: string
  /** What each lamp is to show now, lamp 1 first. */
  readonly levels: readonly number[]
  /** This lamp shows this. */
  confirmed(lamp: number, level: number): void
  /** A gateway of the street came or went. */
  gatewaysChanged(): void
}

export interface Gateways {
  readonly endpoint: SocketEndpoint<Gateway>
  /** The street is there, with all its levels. */
  added(street: LitStreet): void
  removed(street: LitStreet): void
  /** Sends what these lamps are to show. Returns the bytes of the frame; 0 if there is no gateway. */
  send(street: LitStreet, levels: readonly LampLevel[]): number
  reaches(street: LitStreet): boolean
}

interface Gateway {
  /** The only street it has; `null`: all. */
  readonly room: string | null
  /** It did not read as fast as this server wrote: it is told all again when it can take more. */
  isBehind: boolean
}

type GatewaySocket = OwnSocket<Gateway>

/** A fault of the other side, as in the rooms' own door. */
const PROTOCOL_ERROR = 4409
/** Of all lamps of some hundred streets. */
const MAX_MESSAGE_BYTES = 16_384

const allLevels = ({ number, levels }: LitStreet): LampLevel[] =>
  levels.map((level, index) => ({ street: number, lamp: index + 1, level }))

const news = ({ number, room }: LitStreet, there: boolean): string =>
  JSON.stringify({ street: number, room, there } satisfies StreetNews)

export const createGateways = (): Gateways => {
  const sockets = new Set<GatewaySocket>()
  const streets = new Map<number, LitStreet>()

  const isOf = ({ data }: GatewaySocket, { room }: LitStreet): boolean =>
    data !== undefined && (data.room === null || data.room === room)

  const send = (socket: GatewaySocket, message: string | Uint8Array): void => {
    if (socket.data && !socket.data.isBehind) socket.data.isBehind = !socket.send(message)
  }

  const introduce = (socket: GatewaySocket, street: LitStreet): void => {
    send(socket, news(street, true))
    send(socket, encodeLevels(allLevels(street)))
  }

  const introduceAll = (socket: GatewaySocket): void => {
    for (const street of streets.values()) if (isOf(socket, street)) introduce(socket, street)
  }

  const tellStreets = (socket: GatewaySocket): void => {
    for (const street of streets.values()) if (isOf(socket, street)) street.gatewaysChanged()
  }

  const fault = (socket: GatewaySocket): void =>
    socket.close(
      PROTOCOL_ERROR,
      `Expected binary frames of 4 bytes for each lamp: street, lamp 1–${LAMP_COUNT}, level.`,
    )

  const endpoint: SocketEndpoint<Gateway> = {
    maxMessageBytes: MAX_MESSAGE_BYTES,
    open: (socket) => {
      socket.data = { room: new URLSearchParams(socket.query).get('room'), isBehind: false }
      sockets.add(socket)
      send(socket, HELLO)
      introduceAll(socket)
      tellStreets(socket)
    },
    message: (socket, message) => {
      const levels = typeof message === 'string' ? undefined : decodeLevels(message)
      if (levels === undefined) return fault(socket)
      for (const { street: number, lamp, level } of levels) {
        const street = streets.get(number)
        // One that is gone by now, or not this gateway's, is no fault of the others in the frame.
        if (street && isOf(socket, street)) street.confirmed(lamp, level)
      }
    },
    drain: (socket) => {
      if (!socket.data?.isBehind) return
      socket.data.isBehind = false
      introduceAll(socket)
    },
    close: (socket) => {
      if (sockets.delete(socket)) tellStreets(socket)
    },
  }

  const those = (street: LitStreet): GatewaySocket[] => [...sockets].filter((socket) => isOf(socket, street))

  return {
    endpoint,
    added: (street) => {
      streets.set(street.number, street)
      for (const socket of those(street)) introduce(socket, street)
    },
    removed: (street) => {
      streets.delete(street.number)
      for (const socket of those(street)) send(socket, news(street, false))
    },
    send: (street, levels) => {
      const frame = encodeLevels(levels)
      const all = those(street)
      for (const socket of all) send(socket, frame)
      return all.length === 0 ? 0 : frame.byteLength
    },
    reaches: (street) => those(street).length > 0,
  }
}
