// @ts-check
/** The same HTTP request again and again over kept connections, each of which waits for its answer. */
import { connect } from 'node:net'

/**
 * @param {string} path with its query
 * @param {string} body JSON
 */
export const requestOf = (path, body) =>
  Buffer.from(
    `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  )

/**
 * Sends a request `count` times over `connections`; resolves when all are answered with 200.
 * @param {number} port
 * @param {Buffer} request
 * @param {number} count
 * @param {number} connections
 * @returns {Promise<void>}
 */
export const sendMany = async (port, request, count, connections) => {
  let left = count
  const run = () =>
    new Promise((resolve, reject) => {
      const socket = connect({ port, host: '127.0.0.1', noDelay: true })
      const next = () => {
        if (left === 0) {
          socket.end()
          resolve(undefined)
          return
        }
        left--
        socket.write(request)
      }
      socket.on('connect', next)
      // An answer is small: it comes in one piece.
      socket.on('data', (answer) => {
        if (answer.toString('latin1', 0, 12) === 'HTTP/1.1 200') next()
        else reject(new Error(`Answered: ${answer.toString()}`))
      })
      socket.on('error', reject)
    })
  await Promise.all(Array.from({ length: connections }, run))
}
