/** The lamps' end of `/lamps`: one connection for all of them, which comes back when it is lost. */
import type { WebSocket } from 'ws'
import { decodeLevels, encodeLevels, HELLO, type StreetNews } from '../lampFrames.ts'
import { createLamps } from './lamps.ts'

export interface GatewayOptions {
  readonly url: string
  /** The one street that it has; default all of them. */
  readonly room?: string | undefined
  readonly WebSocket: typeof WebSocket
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
/** Close codes of a server that refuses for good. */
const isPermanent = (code: number): boolean => code >= 4400 && code <= 4499

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
  let current: WebSocket | undefined

  const end = (reason?: string): void => {
    if (isOver) return
    isOver = true
    clearTimeout(retry)
    current?.close(1000)
    if (reason !== undefined) fail(reason)
  }

  const connect = (): void => {
    const socket = new WebSocket(address)
    current = socket
    const rooms = new Map<number, string>()
    let isGreeted = false
    const lamps = createLamps((levels) => {
      const there = levels.filter(({ street }) => rooms.has(street))
      if (socket.readyState === WebSocket.OPEN && there.length > 0) socket.send(encodeLevels(there))
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

    socket.on('open', () => {
      greeting = setTimeout(noLamps, GREETING_TIME)
    })
    socket.on('message', (message: Buffer, isBinary) => {
      const levels = isBinary && isGreeted ? decodeLevels(message) : undefined
      if (levels) lamps.command(levels)
      else if (isBinary) noLamps()
      else hear(message.toString())
    })
    // What went wrong is told by the close that follows, but for an attempt that met nobody.
    socket.on('error', (error) => {
      if (attempts === 0) say(`No server at ${address.origin} (${'code' in error ? error.code : error.message})`)
    })
    socket.on('close', (code, reason) => {
      clearTimeout(greeting)
      lamps.stop()
      if (isOver) return
      if (isPermanent(code)) return end(`The server at ${url} refused: ${code} ${reason.toString()}`)
      const wait = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** attempts) * (1 + Math.random() / 2)
      if (attempts === 0) say('Trying until it is there')
      attempts += 1
      retry = setTimeout(connect, wait)
    })
  }

  connect()
  return () => end()
}
