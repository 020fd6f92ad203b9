import { expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { join, joinEvents, startEventServer, until } from './eventRooms.ts'

/** Someone who notes who comes and goes. */
const watch = async (url: string, room: string, user: string) => {
  const watching = await joinEvents(url, { room, user })
  const news: string[] = []
  watching.events.on('join', ({ id }) => news.push(`join ${id}`))
  watching.events.on('leave', ({ id }) => news.push(`leave ${id}`))
  await until(() => watching.events.members.length > 0)
  return { ...watching, news, ids: () => watching.events.members.map(({ id }) => id).sort() }
}

test('a person joins once, however many tabs, and leaves with the last of them, at once', async () => {
  const { url, push } = await startEventServer({ leaveGraceSeconds: 3600 })
  const bob = await watch(url, 'chat', 'bob')
  expect(bob.ids()).toEqual(['bob'])
  const tabs = [join(url, { room: 'chat', user: 'ada' }), join(url, { room: 'chat', user: 'ada' })]
  await until(() => tabs.every(({ room }) => room.presence.others.length === 2))
  await until(() => bob.news.length > 0)
  expect([bob.news, bob.ids()]).toEqual([['join ada'], ['ada', 'bob']])
  tabs[0]!.store.destroy()
  await until(() => bob.room.presence.others.length === 1)
  push('chat', 'after the first tab')
  await until(() => bob.heard.length === 1)
  expect([bob.news, bob.ids()]).toEqual([['join ada'], ['ada', 'bob']])
  tabs[1]!.store.destroy()
  await until(() => bob.news.length === 2)
  expect([bob.news, bob.ids()]).toEqual([['join ada', 'leave ada'], ['bob']])
})

test('one who leaves is told of once, with other clients of the room in the same page', async () => {
  const { url, push } = await startEventServer()
  const bob = await watch(url, 'chat', 'bob')
  // Clients of one page tell each other at once, as tabs do.
  const [ada, eve] = ['ada', 'eve'].map((user) => join(url, { room: 'chat', user, tabs: true }))
  await until(() => bob.news.length === 2)
  ada!.room.disconnect()
  await until(() => ada!.sockets[0]!.readyState === WebSocket.CLOSED && bob.room.presence.others.length === 1)
  push('chat', 'last')
  await until(() => bob.heard.length === 1)
  expect(bob.news.slice(2)).toEqual(['leave ada'])
  ada!.room.connect()
  await until(() => bob.news.length > 3 && bob.room.presence.others.length === 2)
  expect(bob.news.slice(3)).toEqual(['join ada'])
  ada!.room.disconnect()
  await until(() => bob.room.presence.others.length === 1)
  expect(eve!.room.presence.others.map(({ user }) => user)).toEqual([{ id: 'bob' }])
})

test('a reconnect within the grace is neither a leave nor a join, for nobody', async () => {
  const { url, push } = await startEventServer({ leaveGraceSeconds: 3600 })
  const bob = await watch(url, 'chat', 'bob')
  const ada = await watch(url, 'chat', 'ada')
  await until(() => bob.news.length === 1)
  for (let i = 1; i <= 3; i++) {
    await ada.lose()
    await until(() => ada.events.subscribed)
    await bob.lose()
    await until(() => bob.events.subscribed)
  }
  push('chat', 'last')
  await until(() => ada.heard.length === 1 && bob.heard.length === 1)
  expect([bob.news, ada.news]).toEqual([['join ada'], []])
  expect([bob.ids(), ada.ids()]).toEqual([
    ['ada', 'bob'],
    ['ada', 'bob'],
  ])
})

test('one whose connection broke for good leaves after the grace', async () => {
  const { url, channels } = await startEventServer({ leaveGraceSeconds: 1 })
  const bob = await watch(url, 'chat', 'bob')
  const ada = join(url, { room: 'chat', user: 'ada', backoff: { min: 60_000, max: 60_000 } })
  await until(() => bob.news.length === 1)
  ada.cut()
  await until(() => bob.room.presence.others.length === 0)
  // Presence is gone at once, the person not yet.
  expect([bob.news, channels.find('chat')?.people.has('ada')]).toEqual([['join ada'], true])
  await until(() => bob.news.length === 2)
  expect([bob.news, bob.ids()]).toEqual([['join ada', 'leave ada'], ['bob']])
})

test('who came and went while a client was away is told when it is back', async () => {
  const { url, channels } = await startEventServer({ leaveGraceSeconds: 0 })
  const ada = join(url, { room: 'chat', user: 'ada' })
  const bob = await watch(url, 'chat', 'bob')
  await until(() => bob.events.members.length === 2)
  await bob.lose()
  ada.store.destroy()
  await joinEvents(url, { room: 'chat', user: 'cleo' })
  await until(() => channels.find('chat')?.people.has('ada') === false)
  await until(() => bob.news.length === 2)
  expect([bob.news, bob.ids()]).toEqual([
    ['leave ada', 'join cleo'],
    ['bob', 'cleo'],
  ])
})

test('a client that shows itself as someone else is told as both, and lists itself as the new one', async () => {
  const { url } = await startEventServer()
  const bob = await watch(url, 'chat', 'bob')
  const ada = await watch(url, 'chat', 'ada')
  await until(() => bob.news.length === 1)
  ada.room.presence.set({ user: { id: 'eve' } })
  await until(() => bob.news.length === 3 && ada.ids().includes('eve'))
  expect(bob.news).toEqual(['join ada', 'join eve', 'leave ada'])
  await until(() => !ada.ids().includes('ada'))
  expect(ada.ids()).toEqual(['bob', 'eve'])
  // Not a join of its own; that the former self left is news.
  expect(ada.news).toEqual(['leave ada'])
})

test('those who name no user are told apart by their client id', async () => {
  const { url } = await startEventServer()
  const bob = await watch(url, 'chat', 'bob')
  const nobody = join(url, { room: 'chat' })
  await until(() => bob.news.length === 1)
  expect(bob.news).toEqual([`join ${nobody.store.doc.clientID}`])
})

test('a restart of the server is neither a leave nor a join of those who are back within the grace', async () => {
  const { url, server } = await startEventServer({ leaveGraceSeconds: 1 })
  const bob = await watch(url, 'chat', 'bob')
  let isAway = false
  /** While she is away, nothing answers. */
  class AdasSocket extends WebSocket {
    constructor(address: string | URL, protocols?: string | string[]) {
      super(isAway ? 'ws://127.0.0.1:1' : address, protocols)
    }
  }
  const ada = join(url, { room: 'chat', user: 'ada', WebSocket: AdasSocket })
  const cleo = join(url, { room: 'chat', user: 'cleo' })
  await until(() => bob.news.length === 2)
  const gaps: string[] = []
  bob.events.on('gap', ({ epoch }) => gaps.push(epoch))
  isAway = true
  await server.close()
  cleo.store.destroy()
  const again = await startEventServer({ leaveGraceSeconds: 1, port: server.address.port })
  await until(() => gaps.length === 1)
  // Bob is back, and was sent a list without Ada.
  expect(again.channels.find('chat')?.people.has('ada')).toBe(false)
  expect(bob.ids()).toEqual(['ada', 'bob', 'cleo'])
  isAway = false
  await until(() => bob.news.length === 3 && ada.store.status.connection === 'connected')
  expect(bob.news.slice().sort()).toEqual(['join ada', 'join cleo', 'leave cleo'])
  expect([bob.news[2], bob.ids()]).toEqual(['leave cleo', ['ada', 'bob']])
})

test('what someone tells anew is in the members of all, without a join', async () => {
  const { url } = await startEventServer()
  const bob = await watch(url, 'chat', 'bob')
  const ada = await watch(url, 'chat', 'ada')
  const infoOf = (who: typeof bob): unknown => who.events.members.find(({ id }) => id === 'ada')?.info
  await until(() => bob.news.length === 1)
  ada.room.presence.set({ user: { id: 'ada', name: 'Ada' } as { id: string } })
  await until(() => infoOf(bob) !== null && infoOf(ada) !== null)
  expect([infoOf(bob), infoOf(ada), bob.news, ada.news]).toEqual([{ name: 'Ada' }, { name: 'Ada' }, ['join ada'], []])
})
