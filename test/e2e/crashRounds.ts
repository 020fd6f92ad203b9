/**
 * Kills a server under load, again and again, and looks whether it kept its word.
 *
 * Writers change rooms without pause, over the socket and over HTTP, and note what the server acknowledged as durable.
 * After each SIGKILL a server is started on the same folder and port. Before any writer that could hand things back
 * returns, a fresh y-websocket client reads every room: each acknowledged change must be there, or one that its author
 * made after it, and the document must not wait for anything missing.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { WebSocket } from 'ws'
import { WebsocketProvider } from 'y-websocket'
import * as Y from 'yjs'
import { encodeRoomPath } from '../../lib/protocol.ts'
import { createRandom, type Random } from '../fuzz/random.ts'
import { connectRaw, type RawClient } from './rawClient.ts'
import { freePort, type ServerProcess, startServerProcess } from './serverProcess.ts'

const ROOMS = ['crash', 'crash/nested ü', 'crash/third']
const WRITERS_PER_ROOM = 3
/** Keys that one writer goes round; small, so that values are overwritten and compaction has something to win. */
const KEYS_PER_WRITER = 30
const SYNC_TIMEOUT_MS = 15_000
const WRITES = 'writes'
/** Each round has a text of its own: writing to one gets slow for the writers with all that was ever deleted in it. */
const textOf = (round: number): string => `text ${round}`

export interface CrashOptions {
  readonly rounds: number
  readonly seed: number
  /** Called after each round with one line. */
  report?(line: string): void
}

export interface CrashFigures {
  readonly rounds: number
  /** Changes that were acknowledged, over all rounds. */
  readonly acknowledged: number
  /** Changes that were sent but not acknowledged when the server died. */
  readonly unacknowledged: number
  /** Longest time from start to accepting connections. */
  readonly slowestStartMs: number
}

export const runCrashRounds = async (options: CrashOptions): Promise<CrashFigures> => {
  const random = createRandom(options.seed)
  const folder = await mkdtemp(join(tmpdir(), 'tutti-crash-'))
  const ledger = new Ledger()
  const writers = ROOMS.flatMap((room) =>
    Array.from({ length: WRITERS_PER_ROOM }, () => new Writer(room, ledger, random)),
  )
  const backEnds = ROOMS.map((room) => new BackEnd(room, ledger))
  let server: ServerProcess | undefined
  const port = await freePort()
  let slowestStartMs = 0
  let unacknowledged = 0

  const start = async (): Promise<ServerProcess> => {
    const began = performance.now()
    const started = await startServerProcess({ data: folder, port }, '--log-level', 'warn')
    slowestStartMs = Math.max(slowestStartMs, performance.now() - began)
    return started
  }

  try {
    for (let round = 1; round <= options.rounds; round++) {
      server = await start()
      // In one round of five the writers come at once, so that the kill also meets joining and handing back.
      const isChecked = random.chance(0.8)
      if (isChecked) await checkRooms(server.url, ledger)
      for (const writer of writers) writer.start(server.url, round)
      for (const backEnd of backEnds) backEnd.start(port)
      // Mostly in full work, however slow the machine; else also while everybody is still joining.
      if (random.chance(0.75)) {
        const before = ledger.acknowledged
        await within(
          () => `anything to be acknowledged: ${writers.map((writer) => writer.state)}`,
          () => ledger.acknowledged > before,
        )
      }
      const lifetime = random.between(0, 400)
      await delay(lifetime)
      await server.stop('SIGKILL')
      await Promise.all([...writers, ...backEnds].map((writer) => writer.stop()))
      unacknowledged = ledger.unacknowledged
      options.report?.(
        `round ${round}: ${lifetime} ms, ${ledger.acknowledged} acknowledged, ${unacknowledged} open${isChecked ? '' : ', not checked'}`,
      )
      for (const writer of writers) if (random.chance(0.3)) writer.reload()
    }
    server = await start()
    await checkRooms(server.url, ledger)
    await checkConvergence(server, writers, options.rounds)
    const reason = await server.stop('SIGTERM')
    if (reason !== 0) throw new Error(`The last server ended with ${reason}: ${server.stderr()}`)
    return { rounds: options.rounds, acknowledged: ledger.acknowledged, unacknowledged, slowestStartMs }
  } catch (error) {
    throw new Error(`seed ${options.seed}: ${messageOf(error)}\n${server?.stderr() ?? ''}`, { cause: error })
  } finally {
    await Promise.all([...writers, ...backEnds].map((writer) => writer.stop()))
    await server?.stop('SIGKILL')
    await rm(folder, { recursive: true, force: true })
  }
}

/** Values of one key in the order of writing, all by one author; `undefined` is a deletion. */
interface History {
  readonly values: (number | undefined)[]
  /** Index of the last value known to be durable, −1 if none is. */
  durable: number
}

/** What was written to each room, and how far it was acknowledged. */
class Ledger {
  acknowledged = 0
  #rooms = new Map<string, Map<string, History>>()

  /** Notes a write and returns what to call when it is durable. */
  write(room: string, key: string, value: number | undefined): () => void {
    let keys = this.#rooms.get(room)
    if (!keys) {
      keys = new Map()
      this.#rooms.set(room, keys)
    }
    let history = keys.get(key)
    if (!history) {
      history = { values: [], durable: -1 }
      keys.set(key, history)
    }
    const { values } = history
    const index = values.push(value) - 1
    const known = history
    return () => {
      this.acknowledged++
      known.durable = Math.max(known.durable, index)
    }
  }

  get unacknowledged(): number {
    let count = 0
    for (const keys of this.#rooms.values()) {
      for (const { values, durable } of keys.values()) count += values.length - 1 - durable
    }
    return count
  }

  /** What a document lacks, as one line for each key. */
  problems(room: string, read: (key: string) => unknown): string[] {
    const problems: string[] = []
    for (const [key, { values, durable }] of this.#rooms.get(room) ?? []) {
      if (durable < 0) continue
      const found = read(key)
      if (!values.slice(durable).includes(found as number | undefined)) {
        problems.push(`${key} is ${found}, acknowledged was ${values[durable]}`)
      }
    }
    return problems
  }
}

let nextWriter = 1

/** Writes over a socket as fast as the event loop lets it, and keeps its document over connections. */
class Writer {
  readonly room: string
  doc = new Y.Doc()
  isSynced = false
  readonly #ledger: Ledger
  readonly #random: Random
  #name = `writer ${nextWriter++}`
  #writes = 0
  #round = 0
  /** Of the write that is being made. */
  #current: (() => void) | undefined
  /** Made while no frame could carry them: the next sync step 2 will. */
  #unsent: (() => void)[] = []
  /** By number of the frame that carries them. */
  #sent: { readonly frame: number; readonly settle: () => void }[] = []
  #client: RawClient | undefined
  #stopped = true
  #loop: Promise<void> = Promise.resolve()

  constructor(room: string, ledger: Ledger, random: Random) {
    this.room = room
    this.#ledger = ledger
    this.#random = random
  }

  start(url: string, round: number): void {
    this.#round = round
    this.connect(url)
    this.#stopped = false
    this.#loop = this.#write()
  }

  connect(url: string): void {
    this.isSynced = false
    // What an old connection carried unacknowledged goes out again with the next step 2.
    this.#unsent = [...this.#sent.map(({ settle }) => settle), ...this.#unsent]
    this.#sent = []
    this.#client = connectRaw(url, this.room, {
      doc: this.doc,
      onSend: (frame, isStep2) => {
        // An update carries its own write alone, also when it arrives: a deletion before it leaves no gap.
        const carried = isStep2 ? this.#unsent.splice(0) : this.#current ? [this.#current] : []
        if (!isStep2) this.#current = undefined
        for (const settle of carried) this.#sent.push({ frame, settle })
      },
      onAck: (frames) => {
        while (this.#sent.length > 0 && this.#sent[0]!.frame <= frames) this.#sent.shift()!.settle()
      },
      onSynced: () => {
        this.isSynced = true
      },
    })
  }

  /** How far it is, for an error. */
  get state(): string {
    const counts = `${this.#unsent.length} unsent, ${this.#sent.length} unacknowledged`
    return `${this.#name} in "${this.room}": ${this.#client?.ending()}, ${this.isSynced ? '' : 'not '}synced, ${counts}`
  }

  get hasUnacknowledged(): boolean {
    return this.#unsent.length + this.#sent.length > 0
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#client?.terminate()
    await this.#loop
    const code = await this.#client?.closed
    if (code !== undefined && code >= 4000) throw new Error(`refused: ${this.state}`)
  }

  /** As a page that is reloaded without a copy of its own: what was not acknowledged may be gone. */
  reload(): void {
    this.doc.destroy()
    this.doc = new Y.Doc()
    this.#name = `writer ${nextWriter++}`
    this.#unsent = []
    this.#sent = []
  }

  async #write(): Promise<void> {
    while (!this.#stopped) {
      const count = this.#random.between(1, 4)
      for (let i = 0; i < count; i++) this.#writeOnce()
      await delay(this.#random.between(2, 20))
    }
  }

  #writeOnce(): void {
    const map = this.doc.getMap(WRITES)
    const key = `${this.#name}/${this.#random.between(1, KEYS_PER_WRITER)}`
    const value = map.has(key) && this.#random.chance(0.15) ? undefined : ++this.#writes
    // Noted first: the frame leaves while the transaction ends.
    this.#current = this.#ledger.write(this.room, key, value)
    this.doc.transact(() => {
      if (value === undefined) map.delete(key)
      else map.set(key, value)
      if (this.#random.chance(0.6)) return
      const text = this.doc.getText(textOf(this.#round))
      if (text.length > 2000) text.delete(0, 1500)
      const size = this.#random.chance(0.02) ? 20_000 : 8
      text.insert(this.#random.between(0, text.length), 'x'.repeat(size))
    })
    this.#keepUnsent()
  }

  /** No frame took the write: the connection is not open. */
  #keepUnsent(): void {
    if (this.#current) this.#unsent.push(this.#current)
    this.#current = undefined
  }
}

/** Changes a room over HTTP; an answer of 200 is an acknowledgement. */
class BackEnd {
  readonly #room: string
  readonly #ledger: Ledger
  #writes = 0
  #stopped = true
  #loop: Promise<void> = Promise.resolve()

  constructor(room: string, ledger: Ledger) {
    this.#room = room
    this.#ledger = ledger
  }

  start(port: number): void {
    this.#stopped = false
    this.#loop = this.#write(`http://127.0.0.1:${port}/rooms/${encodeURIComponent(this.#room)}/document`)
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await this.#loop
  }

  async #write(url: string): Promise<void> {
    while (!this.#stopped) {
      const value = ++this.#writes
      // Each time a key of its own: a relayed change that died with the server comes back from a writer as a concurrent
      // one, and may then rightly win over a later one.
      const key = `back end ${value}`
      const settle = this.#ledger.write(this.#room, key, value)
      const answer = await fetch(url, {
        method: 'PATCH',
        headers: { 'content-type': 'application/merge-patch+json' },
        body: JSON.stringify({ [WRITES]: { [key]: value } }),
      }).catch((error: unknown) => {
        // The server was killed while it answered.
        if (error instanceof TypeError) return undefined
        throw error
      })
      if (answer && !answer.ok) throw new Error(`PATCH answered ${answer.status}: ${await answer.text()}`)
      if (answer) settle()
      else break
      await delay(5)
    }
  }
}

/** Reads every room by an unmodified provider with an empty document. */
const checkRooms = async (url: string, ledger: Ledger): Promise<void> => {
  for (const room of ROOMS) {
    const doc = await readRoom(url, room)
    const problems = ledger.problems(room, (key) => doc.getMap(WRITES).get(key))
    const { pendingStructs, pendingDs } = doc.store
    if (pendingStructs !== null) problems.push('structs wait for others that are missing')
    if (pendingDs !== null) problems.push('deletions wait for structs that are missing')
    doc.destroy()
    if (problems.length > 0) throw new Error(`room "${room}": ${problems.join('; ')}`)
  }
}

const readRoom = async (url: string, room: string): Promise<Y.Doc> => {
  const doc = new Y.Doc()
  const provider = new WebsocketProvider(url, encodeRoomPath(room), doc, {
    // ws implements the part of the DOM's WebSocket that the provider uses.
    WebSocketPolyfill: WebSocket as unknown as typeof globalThis.WebSocket,
    disableBc: true,
  })
  try {
    await within(
      () => `room "${room}" to sync`,
      () => provider.synced,
    )
  } finally {
    provider.destroy()
  }
  return doc
}

/** Without further writes, all writers and a fresh reader hold the same. */
const checkConvergence = async (server: ServerProcess, writers: readonly Writer[], rounds: number): Promise<void> => {
  for (const writer of writers) writer.connect(server.url)
  const isDone = (writer: Writer) => writer.isSynced && !writer.hasUnacknowledged
  await within(
    () => `writers to be synced and acknowledged: ${writers.filter((w) => !isDone(w)).map((w) => w.state)}`,
    () => writers.every(isDone),
  )
  for (const room of ROOMS) {
    const doc = await readRoom(server.url, room)
    const content = contentOf(doc, rounds)
    doc.destroy()
    await within(
      () => `the writers of room "${room}" to hold what a fresh reader holds`,
      () => writers.every((writer) => writer.room !== room || contentOf(writer.doc, rounds) === content),
    )
  }
}

const contentOf = (doc: Y.Doc, rounds: number): string => {
  const writes = Object.entries(doc.getMap(WRITES).toJSON()).sort(([a], [b]) => (a < b ? -1 : 1))
  if (writes.length === 0) throw new Error('a room is empty')
  const texts = Array.from({ length: rounds }, (_, i) => doc.getText(textOf(i + 1)).toString())
  return JSON.stringify([writes, texts])
}

const within = async (what: () => string, isSo: () => boolean): Promise<void> => {
  const deadline = performance.now() + SYNC_TIMEOUT_MS
  while (!isSo()) {
    if (performance.now() > deadline) throw new Error(`waited ${SYNC_TIMEOUT_MS} ms for ${what()}`)
    await delay(5)
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
