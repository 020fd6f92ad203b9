import type uWS from 'uWebSockets.js'
import { createRequire } from 'node:module'
import process from 'node:process'
import { TuttiError } from '../../lib/errors.ts'

const require = createRequire(import.meta.url)

/**
 * uWebSockets.js with the native binary for this Node. Its current Linux binaries need glibc 2.38 (Debian 13,
 * Ubuntu 24.04); where that is missing, Node 22 takes the older binary that Tutti depends on itself.
 *
 * @throws TuttiError `UNSUPPORTED` if there is none for this Node and system
 */
export const loadUws = (): typeof uWS => {
  try {
    return require('uWebSockets.js') as typeof uWS
  } catch (cause) {
    const older = loadOlder()
    if (older !== undefined) return older
    throw new TuttiError('UNSUPPORTED', `uWebSockets.js has no binary that runs on ${system()}.`, {
      hint: 'Use Node 20, 22, 24 or 26 on Linux with glibc, macOS or Windows; Node 24 and 26 need glibc 2.38 (Debian 13, Ubuntu 24.04).',
      cause,
    })
  }
}

const major = (): string | undefined => process.versions.node.split('.')[0]

const loadOlder = (): typeof uWS | undefined => {
  try {
    return require(`@uwsjs/${process.platform}-${process.arch}-${major()}`) as typeof uWS
  } catch (error) {
    // Not installed, or no better than the newer one: the caller reports the first failure.
    if (error instanceof Error) return undefined
    throw error
  }
}

const system = (): string => `Node ${process.versions.node} on ${process.platform} ${process.arch}`
