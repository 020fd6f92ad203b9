/**
 * What an application was told the beginning of, and not yet the end: channels that are occupied, members who are there.
 * It outlives the server in the journal. After a start all of it is in doubt: whoever comes back is not told of again,
 * and of whoever does not the end is told late.
 */
import type { News } from './news.ts'

/** A channel of an app, or a member of it. */
export interface Standing {
  readonly app: string
  readonly channel: string
  /** Empty, as no user's id is: the channel itself. */
  readonly user: string
}

/** Of news that begin or end something: what. */
export interface Turn extends Standing {
  readonly isBegun: boolean
}

export const turnOf = (app: string, news: News): Turn | undefined => {
  const { channel } = news
  switch (news.name) {
    case 'channel_occupied':
    case 'channel_vacated':
      return { app, channel, user: '', isBegun: news.name === 'channel_occupied' }
    case 'member_added':
    case 'member_removed':
      return { app, channel, user: news.user_id, isBegun: news.name === 'member_added' }
    default:
      return undefined
  }
}

/** The news that something has ended. */
export const endOf = ({ channel, user }: Standing): News =>
  user === '' ? { name: 'channel_vacated', channel } : { name: 'member_removed', channel, user_id: user }

export const encodeStanding = ({ app, channel, user }: Standing): string => JSON.stringify([app, channel, user])

/** `value`: a record of the journal, parsed. */
export const standingOf = (value: unknown): Standing | undefined => {
  if (!Array.isArray(value) || value.length !== 3 || !value.every((part) => typeof part === 'string')) return undefined
  const [app, channel, user] = value as [string, string, string]
  return { app, channel, user }
}

/** Ids in the journal by user, in the order in which they came: a channel, which is occupied first, before its members. */
type ByUser = Map<string, number>

/** By app and channel. */
class Ids {
  readonly #channels = new Map<string, ByUser>()

  set(standing: Standing, id: number): void {
    const key = keyOf(standing)
    const users = this.#channels.get(key) ?? new Map<string, number>()
    users.set(standing.user, id)
    this.#channels.set(key, users)
  }

  /** Takes an id away. */
  take(standing: Standing): number | undefined {
    const key = keyOf(standing)
    const users = this.#channels.get(key)
    const id = users?.get(standing.user)
    users?.delete(standing.user)
    if (users?.size === 0) this.#channels.delete(key)
    return id
  }

  membersOf({ app, channel }: Omit<Standing, 'user'>): Standing[] {
    const users = this.#channels.get(keyOf({ app, channel })) ?? []
    return Array.from(users, ([user]) => ({ app, channel, user })).filter(({ user }) => user !== '')
  }

  all(): Standing[] {
    return [...this.#channels].flatMap(([key, users]) => {
      const [app, channel] = JSON.parse(key) as [string, string]
      return Array.from(users.keys(), (user) => ({ app, channel, user }))
    })
  }

  get isEmpty(): boolean {
    return this.#channels.size === 0
  }
}

const keyOf = ({ app, channel }: Omit<Standing, 'user'>): string => JSON.stringify([app, channel])

export class Standings {
  readonly #certain = new Ids()
  /** Left by the server before; they may come back. */
  readonly #doubtful = new Ids()

  /** @param id of its record in the journal */
  restore(standing: Standing, id: number): void {
    this.#doubtful.set(standing, id)
  }

  /** Whether something that begins has been told before; it is in doubt no more. */
  hasReturned(standing: Standing): boolean {
    const id = this.#doubtful.take(standing)
    if (id === undefined) return false
    this.#certain.set(standing, id)
    return true
  }

  begin(standing: Standing, id: number): void {
    this.#certain.set(standing, id)
  }

  /** @returns the id of its record in the journal, if it has one */
  end(standing: Standing): number | undefined {
    return this.#certain.take(standing) ?? this.#doubtful.take(standing)
  }

  get hasDoubts(): boolean {
    return !this.#doubtful.isEmpty
  }

  /** Members of a channel who have not come back yet. */
  missingIn(channel: Omit<Standing, 'user'>): Standing[] {
    return this.#doubtful.membersOf(channel)
  }

  /** What has not come back yet: of each channel its members, then the channel. */
  missing(): Standing[] {
    // By the same rule as all else: a channel is vacated after its last member was removed.
    return this.#doubtful.all().sort((a, b) => Number(a.user === '') - Number(b.user === ''))
  }
}
