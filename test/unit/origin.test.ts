import { expect, it } from 'vitest'
import { WireClient } from '../e2e/wireClient.ts'
import { join, until } from './eventRooms.ts'
import { MERGE, requestTo } from './roomRequest.ts'
import { startServer } from './testServer.ts'

it('clients that opted in hear who made a change, with the change in the store; nobody else is told', async () => {
  const { server, url } = await startServer()
  const request = requestTo(url)
  const stock = await WireClient.join(`${url}/a`)
  await stock.synced()
  const { room, store } = join(url, { room: 'a' })
  await until(() => room.status.synced)
  const heard: [string, string][] = []
  const stop = room.on('edit', ({ origin }) => heard.push([origin, store.state.title]))
  const patch = (title: string, name?: string) =>
    request('a/document', {
      method: 'PATCH',
      type: MERGE,
      headers: name ? { 'x-tutti-origin': name } : {},
      body: { title },
    })
  await patch('one', 'M%C3%BCnchen')
  await patch('two')
  await server.room('a').edit((doc) => doc.getMap('').set('title', 'three'), { origin: 'Warehouse' })
  await until(() => store.state.title === 'three' && heard.length === 2)
  expect(heard).toEqual([
    ['München', 'one'],
    ['Warehouse', 'three'],
  ])
  expect(stock.frames.filter(({ type }) => type === 'tutti')).toEqual([])
  stop()
  for (const name of ['%', 'x'.repeat(65), '%0A']) expect((await patch('four', name)).status).toBe(400)
  await expect(server.room('a').edit(() => undefined, { origin: '' })).rejects.toMatchObject({ code: 'INVALID_VALUE' })
  expect(store.state.title).toBe('three')
})
