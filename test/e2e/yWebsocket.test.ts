import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import * as Y from 'yjs'
import { freePort, type ServerProcess, startServerProcess } from './serverProcess.ts'
import { MAJORS, type Major, type StockProvider, stockRoom } from './stockClients.ts'
import { until } from './until.ts'

let server: ServerProcess
let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tutti-stock-'))
  server = await startServerProcess({ data: folder, port: await freePort() })
})
afterAll(async () => {
  await server.stop()
  await rm(folder, { recursive: true, force: true })
})

interface Client {
  readonly version: string
  readonly doc: Y.Doc
  readonly provider: StockProvider
}

const clients: Client[] = []
afterEach(() => {
  for (const { provider, doc } of clients.splice(0)) {
    provider.destroy()
    doc.destroy()
  }
})

const open = (major: Major, room: string): Client => {
  const doc = new Y.Doc()
  const client = { version: major.version, doc, provider: major.open(server.url, stockRoom(room), doc) }
  clients.push(client)
  return client
}

const openSynced = async (room: string): Promise<Client[]> => {
  const opened = MAJORS.map((major) => open(major, room))
  await until('all majors to be synced', () => opened.every(({ provider }) => provider.synced))
  return opened
}

/** Every content type of Yjs that the providers carry, each written by the given client under its own name. */
const fill = ({ version, doc }: Client): void => {
  doc.transact(() => {
    const map = doc.getMap('map')
    map.set(`${version} scalars`, { text: 'ü \u{1F600}', number: 1.5, none: null, yes: true, list: [1, 'two'] })
    map.set(
      `${version} bytes`,
      Uint8Array.from({ length: 256 }, (_, i) => i),
    )
    const nested = new Y.Map()
    map.set(`${version} nested`, nested)
    nested.set('array', Y.Array.from([1, 2, 3]))
    const text = doc.getText('text')
    text.insert(0, `[${version}]`)
    text.format(1, 3, { bold: true })
    text.insertEmbed(0, { image: version })
    doc.getArray('array').push([version, new Y.Text(`text in an array by ${version}`)])
    const element = new Y.XmlElement('p')
    element.setAttribute('by', version)
    element.insert(0, [new Y.XmlText(`in xml by ${version}`), new Y.XmlElement('br')])
    doc.getXmlFragment('xml').push([element])
  })
}

const contentOf = (doc: Y.Doc): unknown => {
  const byKey = (a: [string, unknown], b: [string, unknown]) => (a[0] < b[0] ? -1 : 1)
  return {
    map: Object.entries(doc.getMap('map').toJSON()).sort(byKey),
    text: doc.getText('text').toDelta(),
    array: doc.getArray('array').toJSON(),
    xml: doc.getXmlFragment('xml').toString(),
  }
}

const untilEqual = (opened: readonly Client[]): Promise<void> =>
  until('the documents to be equal', () => {
    const vectors = opened.map(({ doc }) => Buffer.from(Y.encodeStateVector(doc)).toString('hex'))
    const contents = opened.map(({ doc }) => JSON.stringify(contentOf(doc)))
    return new Set(contents).size === 1 && vectors.every((vector) => vector.length === vectors[0]!.length)
  })

describe.each(['stock', 'a/b c/ü', 'nested/deep/er', '100% "quoted" & <odd>?#+\u{1F600}'])('in room "%s"', (room) => {
  test('y-websocket 1.5, 2.1 and 3.1 share documents of every content type, binary included', async () => {
    const opened = await openSynced(room)
    for (const client of opened) fill(client)
    await untilEqual(opened)
    const late = open(MAJORS[2]!, room)
    await until('a newcomer to be synced', () => late.provider.synced)
    expect(contentOf(late.doc)).toEqual(contentOf(opened[0]!.doc))
    for (const { version } of opened) {
      const bytes = late.doc.getMap('map').get(`${version} bytes`) as Uint8Array
      expect([...bytes]).toEqual([...Array(256).keys()])
      expect(late.doc.getXmlFragment('xml').toString()).toContain(
        `<p by="${version}">in xml by ${version}<br></br></p>`,
      )
    }
  })

  test('y-websocket 1.5, 2.1 and 3.1 see each other come, change and go', async () => {
    const opened = await openSynced(room)
    for (const { provider, version } of opened) provider.awareness.setLocalState({ version, at: 1 })
    const statesSeenBy = ({ provider }: Client) =>
      [...provider.awareness.getStates().values()].map((state) => `${state.version}@${state.at}`).sort()
    await until('all to see all', () => opened.every((client) => statesSeenBy(client).join() === '1.5@1,2.1@1,3.1@1'))
    opened[1]!.provider.awareness.setLocalStateField('at', 2)
    await until('all to see the change', () =>
      opened.every((client) => statesSeenBy(client).join() === '1.5@1,2.1@2,3.1@1'),
    )
    opened[0]!.provider.destroy()
    await until('the others to see it gone', () =>
      opened.slice(1).every((client) => statesSeenBy(client).join() === '2.1@2,3.1@1'),
    )
  })
})

test('rooms do not mix: a document of one is not in another whose name begins the same', async () => {
  const [one, other] = [open(MAJORS[2]!, 'apart'), open(MAJORS[2]!, 'apart/below')]
  await until('both to be synced', () => one.provider.synced && other.provider.synced)
  one.doc.getText('text').insert(0, 'only here')
  const witness = open(MAJORS[0]!, 'apart')
  await until('the change to arrive', () => witness.doc.getText('text').toString() === 'only here')
  expect(other.doc.getText('text').toString()).toBe('')
})

test('the address may have a trailing slash, a query and percent-encoding: it is the same room', async () => {
  const doc = new Y.Doc()
  const provider = MAJORS[2]!.open(`${server.url}/`, 'same%20room?token=x', doc)
  clients.push({ version: '3.1', doc, provider })
  const other = open(MAJORS[2]!, 'same room')
  await until('both to be synced', () => provider.synced && other.provider.synced)
  doc.getText('text').insert(0, 'met')
  await until('the change to arrive', () => other.doc.getText('text').toString() === 'met')
})

test('a change larger than a frame of 256 KB reaches every major, live and later', async () => {
  const opened = await openSynced('large')
  const large = Array.from({ length: 60_000 }, (_, i) => `line ${i}\n`).join('')
  opened[0]!.doc.getText('text').insert(0, large)
  opened[1]!.doc.getMap('map').set('bytes', new Uint8Array(300_000).fill(7))
  await untilEqual(opened)
  for (const major of MAJORS) {
    const late = open(major, 'large')
    await until('a newcomer to be synced', () => late.provider.synced)
    expect(late.doc.getText('text').toString()).toBe(large)
    expect(late.doc.getMap('map').get('bytes')).toHaveLength(300_000)
  }
})

test('changes made on both sides of a broken connection merge when it is back', async () => {
  const opened = await openSynced('offline')
  for (const client of opened) fill(client)
  await untilEqual(opened)
  for (const { provider } of opened.slice(0, 2)) provider.disconnect()
  await until('two to be offline', () => opened.slice(0, 2).every(({ provider }) => !provider.wsconnected))
  for (const { doc, version } of opened) {
    doc.getText('text').insert(1, `offline ${version}`)
    doc.getMap('map').delete(`${version} nested`)
  }
  for (const { provider } of opened.slice(0, 2)) provider.connect()
  await untilEqual(opened)
  const text = opened[2]!.doc.getText('text').toString()
  for (const { version } of opened) expect(text).toContain(`offline ${version}`)
  expect(Object.keys(opened[0]!.doc.getMap('map').toJSON()).filter((key) => key.endsWith('nested'))).toEqual([])
})

test('a server that was stopped and started again serves what it had', async () => {
  const [client] = await openSynced('restart')
  fill(client!)
  const witness = open(MAJORS[1]!, 'restart')
  await untilEqual([client!, witness])
  const before = contentOf(client!.doc)
  for (const { provider } of clients) provider.disconnect()
  expect(await server.stop()).toBe(0)
  server = await startServerProcess({ data: folder, port: server.port })
  const late = open(MAJORS[0]!, 'restart')
  await until('a newcomer to be synced', () => late.provider.synced)
  expect(contentOf(late.doc)).toEqual(before)
})
