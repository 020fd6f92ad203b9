/** The composition root: builds a server from its parts. */
import type * as Y from 'yjs'
import type { ApiRequest, ApiResponse, Compactor, Logger, Storage } from './contracts.ts'
import { createNet } from './net/listen.ts'
import { MEMORY, parseOptions, type ServerOptions } from './options.ts'
import { createCompactor } from './room/compaction.ts'
import { createRooms } from './room/rooms.ts'
import { openLmdbStorage } from './storage/lmdb.ts'
import { createMemoryStorage } from './storage/memory.ts'

export interface Server {
  readonly url: string
}
void ({} as [ApiRequest, ApiResponse, Compactor, Logger, Storage, Y.Doc])

export const createServer = async (input: ServerOptions = {}) => {
  const options = parseOptions(input)
  const storage = options.data === MEMORY ? createMemoryStorage() : await openLmdbStorage(options.data)
  const logger: Logger = { debug() {}, info() {}, warn: console.warn, error: console.error }
  const compactor = createCompactor()
  const net = createNet({
    host: options.host,
    port: options.port,
    limits: options,
    openRoom: (name) => rooms.open(name),
    answer: async () => ({ status: 404, headers: {}, body: '' }),
    errorAnswer: () => ({ status: 400, headers: {}, body: '' }),
  })
  const rooms = createRooms({ storage, compactor, publisher: net.publisher, logger, limits: options, refuse: net.refuse })
  const port = await net.listen()
  return {
    port,
    rooms,
    close: async () => {
      net.stopListening()
      await rooms.close()
      net.close()
      await storage.close()
    },
  }
}
