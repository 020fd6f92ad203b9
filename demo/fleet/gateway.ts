/** The lamps' end of `/lamps`: one connection for all of them, which comes back when it is lost. */
import { decodeLevels, encodeLevels, HELLO, type StreetNews } from '../lampFrames.ts'
import { createLamps } from './lamps.ts'

/** What is used of a WebSocket: Node's own and the one of the package ws both have it. */
interface Socket {
  binaryType: string
  readonly readyState: number
  send(frame: Uint8Array<ArrayBuffer>): void
  close(code?: number): void
  addEventListener(type: 'open', listener: () => void): void
  addEventListener(type: 'message', listener: (event: { readonly data: unknown }) => void): void
  addEventListener(type: 'error', listener: (event: object) => void): void
  addEventListener(type: 'close', listener: (event: { readonly code: number; readonly reason: string }) => void): void
}

export type SocketClass = new (address: URL) => Socket

export interface GatewayOptions {
  readonly url: string
  /** The one street that it has; default all of them. */
  readonly room?: string | undefined
  readonly WebSocket: SocketClass
  /** Told what people at a terminal may want to know. */
  say(line: string): void
  /** It is over: trying again would lead to the same. */
  fail(reason: string): void
}

/** Milliseconds before the first new attempt; doubled for each further one up to the longest, and up to half more. */
const FIRST_WAIT = 500
const LONGEST_WAIT = 10_000
/** Milliseconds in which a server with street lamps greets. */
const GREETING_TIME = 5_000
/** `WebSocket.OPEN`. */
const OPEN = 1
/** Close codes of a server that refuses for good. */
const isPermanent = (code: number): boolean => code >= 4400 && code <= 4499

/** What the package ws knows of an attempt that met nobody, such as ` (ECONNREFUSED)`; Node's own keeps it to itself. */
const causeOf = (event: object): string => {
  const error = 'error' in event ? event.error : undefined
  return error instanceof Error && 'code' in error ? ` (${String(error.code)})` : ''
}

export const addressOf = (url: string, room: string | undefined): URL => {
  const address = new URL('lamps', url.endsWith('/') ? url : `${url}/`)
  if (room !== undefined) address.searchParams.set('room', room)
  return address
}

/** Connects, and stays connected. Returns the function that ends it. */
export const openGateway = ({ url, room, WebSocket, say, fail }: GatewayOptions): (() => void) => {
  const address = addressOf(url, room)
  let isOver = false
  let attempts = 0
  let retry: ReturnType<typeof setTimeout> | undefined
  let current: Socket | undefined

  const end = (reason?: string): void => {
    if (isOver) return
    isOver = true
    clearTimeout(retry)
    current?.close(1000)
    if (reason !== undefined) fail(reason)
  }

  const connect = (): void => {
    const socket = new WebSocket(address)
    socket.binaryType = 'arraybuffer'
    current = socket
    const rooms = new Map<number, string>()
    let isOpened = false
    let isGreeted = false
    let isLost = false
    const lamps = createLamps((levels) => {
      const there = levels.filter(({ street }) => rooms.has(street))
      if (socket.readyState === OPEN && there.length > 0) socket.send(encodeLevels(there))
    })
    const noLamps = (): void =>
      end(`The server at ${url} has no street lamps; start it with --demo, as npm start does.`)
    let greeting: ReturnType<typeof setTimeout> | undefined

    const hear = (text: string): void => {
      if (!isGreeted) {
        if (text !== HELLO) {
          noLamps()
          return
        }
        isGreeted = true
        attempts = 0
        clearTimeout(greeting)
        say(`Connected to ${address.origin}${room === undefined ? '' : `, for ${room}`}`)
        return
      }
      const { street, room: name, there } = JSON.parse(text) as StreetNews
      if (there) rooms.set(street, name)
      else rooms.delete(street)
      say(`Street ${name} ${there ? 'has light' : 'is asleep'}`)
    }

    const lost = (): void => {
      if (isLost) return
      isLost = true
      clearTimeout(greeting)
      lamps.stop()
      if (isOver) return
      const wait = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** attempts) * (1 + Math.random() / 2)
      if (attempts === 0) say('Trying until it is there')
      attempts += 1
      retry = setTimeout(connect, wait)
    }

    socket.addEventListener('open', () => {
      isOpened = true
      greeting = setTimeout(noLamps, GREETING_TIME)
    })
    socket.addEventListener('message', ({ data }) => {
      if (typeof data === 'string') {
        hear(data)
        return
      }
      const levels = isGreeted && data instanceof ArrayBuffer ? decodeLevels(new Uint8Array(data)) : undefined
      if (levels) lamps.command(levels)
      else noLamps()
    })
    // What went wrong is told by the close that follows, but for an attempt that met nobody: after that some versions
    // of Node say nothing more.
    socket.addEventListener('error', (event) => {
      if (isOpened) return
      if (attempts === 0 && !isOver) say(`No server at ${address.origin}${causeOf(event)}`)
      lost()
    })
    socket.addEventListener('close', ({ code, reason }) => {
      if (isPermanent(code)) end(`The server at ${url} refused: ${code} ${reason}`)
      lost()
    })
  }

  connect()
  return () => end()
}
