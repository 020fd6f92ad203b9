import { onTestFinished } from 'vitest'
import type { ApiParts } from '../../server/api/router.ts'
import { createChannels } from '../../server/room/channels.ts'

/** What the API needs besides documents: rooms that nobody is in, and events that nobody hears. */
export const createEmptyParts = (): Omit<ApiParts, 'documents' | 'log' | 'ready'> => {
  const channels = createChannels({
    publisher: { publish: () => undefined },
    present: () => [],
    limits: { eventHistoryCount: 100, eventHistorySeconds: 300, eventHistoryBytes: 1e6, leaveGraceSeconds: 3 },
  })
  onTestFinished(() => channels.close())
  return {
    rooms: {
      list: async () => [],
      inUse: () => [],
      find: () => undefined,
      describe: async () => ({ isStored: false, connections: 0, bytes: 0, sequence: 0 }),
      delete: async () => true,
    },
    channels,
    membersOf: async () => [],
    limits: { maxEventBytes: 1000 },
    openApi: '{"openapi":"3.1.0"}',
  }
}
