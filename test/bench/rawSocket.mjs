// @ts-check
/** A WebSocket client over a plain TCP socket, so that what a bench's client side costs stays small and known. */
import { randomBytes } from 'node:crypto'
import { connect } from 'node:net'

const TEXT = 0x1
const BINARY = 0x2
const CLOSE = 0x8
const PING = 0x9
const PONG = 0xa

/**
 * A client frame. The mask is zero, which is legal and leaves the payload as it is.
 * @param {number} opcode
 * @param {Uint8Array} payload
 */
const encodeFrame = (opcode, payload) => {
  const { length } = payload
  const extended = length < 126 ? 0 : length < 65_536 ? 2 : 8
  const header = Buffer.alloc(2 + extended + 4)
  header[0] = 0x80 | opcode
  if (extended === 0) header[1] = 0x80 | length
  else if (extended === 2) {
    header[1] = 0x80 | 126
    header.writeUInt16BE(length, 2)
  } else {
    header[1] = 0x80 | 127
    header.writeBigUInt64BE(BigInt(length), 2)
  }
  return Buffer.concat([header, payload])
}

/**
 * @typedef {object} RawSocket
 * @property {(messages: readonly Uint8Array[]) => void} send each message in a frame of its own, all in one write
 * @property {(messages: readonly string[]) => void} sendText likewise
 * @property {() => void} close
 */

/**
 * Opens a WebSocket; resolves once the server has accepted it.
 * @param {number} port
 * @param {string} path
 * @param {(message: Buffer) => void} onMessage gets a view that is valid until it returns
 * @param {(reason: string) => void} [onEnd] the server closed; without it that is an error of the bench
 * @returns {Promise<RawSocket>}
 */
export const openRawSocket = (port, path, onMessage, onEnd) =>
  new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    let accepted = false
    let closing = false
    /** @type {Buffer} */
    let rest = Buffer.alloc(0)

    /** @param {string} reason */
    const end = (reason) => {
      if (closing) return
      closing = true
      socket.destroy()
      const error = new Error(`${path}: ${reason}`)
      if (!accepted) reject(error)
      else if (onEnd) onEnd(reason)
      else throw error
    }

    /** @type {RawSocket} */
    const raw = {
      send: (messages) => {
        socket.write(Buffer.concat(messages.map((message) => encodeFrame(BINARY, message))))
      },
      sendText: (messages) => {
        socket.write(Buffer.concat(messages.map((message) => encodeFrame(TEXT, Buffer.from(message)))))
      },
      close: () => {
        closing = true
        socket.end(encodeFrame(CLOSE, Buffer.from([0x03, 0xe8])))
        socket.resume()
      },
    }

    /** @param {number} opcode @param {Buffer} payload */
    const take = (opcode, payload) => {
      if (opcode === BINARY || opcode === TEXT) onMessage(payload)
      else if (opcode === PING) socket.write(encodeFrame(PONG, payload))
      else if (opcode === CLOSE) {
        end(`closed by the server: ${payload.length >= 2 ? payload.readUInt16BE(0) : 1005} ${payload.subarray(2)}`)
      }
    }

    /** Takes whole frames off the front of what has arrived. */
    const readFrames = () => {
      let at = 0
      while (!closing && rest.length - at >= 2) {
        const short = /** @type {number} */ (rest[at + 1]) & 0x7f
        const extended = short === 126 ? 2 : short === 127 ? 8 : 0
        const start = at + 2 + extended
        if (rest.length < start) break
        const length =
          extended === 0 ? short : extended === 2 ? rest.readUInt16BE(at + 2) : Number(rest.readBigUInt64BE(at + 2))
        if (rest.length < start + length) break
        take(/** @type {number} */ (rest[at]) & 0x0f, rest.subarray(start, start + length))
        at = start + length
      }
      rest = rest.subarray(at)
    }

    socket.on('connect', () => {
      socket.write(
        `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
          `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\n\r\n`,
      )
    })
    socket.on('data', (chunk) => {
      rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
      if (!accepted) {
        const headersEnd = rest.indexOf('\r\n\r\n')
        if (headersEnd < 0) return
        const status = rest.subarray(0, rest.indexOf('\r\n')).toString()
        if (!status.includes(' 101 ')) return end(`refused: ${status}`)
        accepted = true
        rest = rest.subarray(headersEnd + 4)
        resolve(raw)
        // The opener gets its turn before the first message.
        return void setImmediate(readFrames)
      }
      readFrames()
    })
    socket.on('error', (error) => end(error.message))
    socket.on('close', () => end('connection lost'))
  })
