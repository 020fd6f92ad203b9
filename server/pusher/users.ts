/** The users of one app who are signed in, each with their connections, and those who watch them come and go. */
import { createHash } from 'node:crypto'
import { roomNameProblem } from '../../lib/protocol.ts'
import type { App } from '../apps.ts'
import type { Publisher, Socket } from '../contracts.ts'
import { type WatchlistNews, watchlistFrame } from '../protocol/pusherMessage.ts'
import { USER_CHANNEL_PREFIX } from '../protocol/pusherName.ts'
import type { PusherUser } from '../protocol/pusherUser.ts'
import { People } from '../room/people.ts'

/** A connection, as far as its user is concerned. */
export interface UserConnection {
  readonly socket: Socket
  send(frame: string): void
  /** Ends it for good: it is not one that broke. */
  end(code: number, reason: string): void
}

export interface UsersParts {
  readonly app: App
  readonly publisher: Publisher
  /** How long a user whose last connection broke is not offline yet. */
  readonly graceMs: number
}

/**
 * The room of a user's own channel. An id is free text and may be long, a room's name is neither: then a digest of it
 * stands there. `#` begins no other room of the app.
 */
export const userRoomOf = ({ prefix }: Pick<App, 'prefix'>, userId: string): string => {
  const room = `${prefix}${USER_CHANNEL_PREFIX}${userId}`
  if (roomNameProblem(room) === undefined) return room
  return `${prefix}#sha256-${createHash('sha256').update(userId).digest('hex')}`
}

export class Users {
  readonly #parts: UsersParts
  readonly #connections = new Map<string, Set<UserConnection>>()
  readonly #people: People

  constructor(parts: UsersParts) {
    this.#parts = parts
    this.#people = new People({
      graceMs: parts.graceMs,
      joined: ({ id }) => this.#tellWatchers('online', id),
      left: ({ id }) => this.#tellWatchers('offline', id),
    })
  }

  ids(): string[] {
    return [...this.#connections.keys()]
  }

  signIn(connection: UserConnection, { id, info }: PusherUser): void {
    const connections = this.#connections.get(id)
    if (connections) connections.add(connection)
    else this.#connections.set(id, new Set([connection]))
    if (this.#parts.app.watchlist) this.#people.enter(connection, { id, info })
  }

  signOut(connection: UserConnection, { id }: PusherUser, hasBroken: boolean): void {
    const connections = this.#connections.get(id)
    if (!connections?.delete(connection)) return
    if (connections.size === 0) this.#connections.delete(id)
    this.#people.exit(connection, hasBroken)
  }

  /** Ends every connection of a user. @returns how many there were */
  terminate(id: string, code: number, reason: string): number {
    const connections = [...(this.#connections.get(id) ?? [])]
    for (const connection of connections) connection.end(code, reason)
    return connections.length
  }

  /** Has a connection hear of these users, now and from now on, until it is gone. */
  watch(connection: UserConnection, ids: readonly string[]): void {
    const online = ids.filter((id) => this.#people.has(id))
    const offline = ids.filter((id) => !this.#people.has(id))
    const news: WatchlistNews[] = []
    if (online.length > 0) news.push({ name: 'online', user_ids: online })
    if (offline.length > 0) news.push({ name: 'offline', user_ids: offline })
    if (news.length > 0) connection.send(watchlistFrame(news))
    for (const id of ids) connection.socket.subscribe(this.#topicOf(id))
  }

  close(): void {
    this.#people.clear()
  }

  #tellWatchers(name: WatchlistNews['name'], id: string): void {
    this.#parts.publisher.publish(this.#topicOf(id), watchlistFrame([{ name, user_ids: [id] }]))
  }

  /** Two control characters: no topic of a channel has more than one. */
  #topicOf(id: string): string {
    return `w\u0000${this.#parts.app.id}\u0000${id}`
  }
}
