import { describe, expect, it } from 'vitest'
import { join, joinEvents, until, untilTrue } from './eventRooms.ts'
import { startServer } from './testServer.ts'

describe('an event', () => {
  it('reaches everyone else in the room', async () => {
    const { url } = await startServer()
    const [a, b, c] = await Promise.all([1, 2, 3].map(() => joinEvents(url, { room: 'chat' })))
    await a!.events.trigger('say', { text: 'hello' })
    await untilTrue(() => b!.heard.length === 1 && c!.heard.length === 1)
    expect(b!.heard).toEqual([
      {
        event: 'say',
        data: { text: 'hello' },
        meta: {
          event: 'say',
          epoch: expect.any(String),
          offset: 1,
          recovered: false,
          from: 'peer',
          userId: String(a!.store.doc.clientID),
        },
      },
    ])
    expect(c!.heard).toEqual(b!.heard)
    expect(a!.heard).toEqual([])
  })
})
