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

const ANSWER = 'HTTP/1.1 '

/**
 * Sends a request `count` times over `connections`; resolves when all are answered with 200.
 * @param {number} port
 * @param {Buffer} request
 * @param {number} count a multiple of `together`
 * @param {number} connections
 * @param {number} together requests that a connection sends in one piece, before it waits for their answers: the server
 * has them in one turn of its event loop, however the two processes happen to be scheduled
 * @returns {Promise<void>}
 */
export const sendMany = async (port, request, count, connections, together = 1) => {
  const piece = Buffer.concat(Array.from({ length: together }, () => request))
  let left = count
  const run = () =>
    new Promise((resolve, reject) => {
      const socket = connect({ port, host: '127.0.0.1', noDelay: true })
      let unanswered = 0
      const next = () => {
        if (left === 0) {
          socket.end()
          resolve(undefined)
          return
        }
        left -= together
        unanswered = together
        socket.write(piece)
      }
      socket.on('connect', next)
      // An answer is small: none comes in two pieces.
      socket.on('data', (data) => {
        for (const answer of data.toString().split(ANSWER).slice(1)) {
          if (!answer.startsWith('200')) reject(new Error(`Answered: ${answer}`))
          unanswered--
        }
        if (unanswered === 0) next()
      })
      socket.on('error', reject)
    })
  await Promise.all(Array.from({ length: connections }, run))
}
