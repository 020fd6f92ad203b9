// @ts-check
import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const CHILD = fileURLToPath(new URL('./serverChild.mjs', import.meta.url))

/**
 * @typedef {object} ServerProcess
 * @property {number} port
 * @property {() => Promise<number>} cpu seconds of all threads since it started
 * @property {() => Promise<number>} memory resident anonymous memory in bytes, after a garbage collection
 * @property {() => Promise<number>} heap what lives in V8's heap, and outside of it for objects there, in bytes
 * @property {() => Promise<void>} close stops it as its command would; resolves when the process has ended
 * @property {() => Promise<void>} kill `kill -9`
 */

/**
 * Starts a server in a process of its own; resolves once it accepts connections.
 * @param {'tutti' | 'reference' | 'relay' | 'publisher'} kind
 * @param {object} [options] of Tutti's `createServer`
 * @param {readonly string[]} [nodeOptions] of Node itself
 * @returns {Promise<ServerProcess>}
 */
export const startServer = (kind, options = {}, nodeOptions = []) =>
  new Promise((resolve, reject) => {
    const child = fork(CHILD, [kind, JSON.stringify(options)], { execArgv: ['--expose-gc', ...nodeOptions] })
    /** @type {Map<number, (value: number) => void>} */
    const questions = new Map()
    let asked = 0
    const ended = new Promise((end) => child.once('exit', () => end(undefined)))

    /** @param {string} ask @returns {Promise<number>} */
    const ask = (ask) =>
      new Promise((answer) => {
        asked++
        questions.set(asked, answer)
        child.send({ id: asked, ask })
      })

    child.once('exit', (code, signal) => reject(new Error(`The ${kind} server ended (${code ?? signal}).`)))
    child.on('message', (/** @type {{ port: number } | { id: number, value: number }} */ message) => {
      if ('port' in message) {
        resolve({
          port: message.port,
          cpu: () => ask('cpu'),
          memory: () => ask('memory'),
          heap: () => ask('heap'),
          close: async () => {
            await ask('close')
            await ended
          },
          kill: async () => {
            child.kill('SIGKILL')
            await ended
          },
        })
      } else {
        questions.get(message.id)?.(message.value)
        questions.delete(message.id)
      }
    })
  })
