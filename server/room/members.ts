/** Awareness frames of a session: whose entry is it, may it be taken, and what happens when two claim one client id. */
import { type AwarenessEntry, checkState, encodeAwareness, isNullState } from '../protocol/awareness.ts'
import type { Presence } from './presence.ts'
import type { Session } from './session.ts'

/** How long the owner of a claimed client id has to answer a ping. */
const CLAIM_PONG_MS = 1000

export interface MembersParts {
  readonly presence: Presence<Session>
  readonly limits: { readonly maxAwarenessEntries: number; readonly maxAwarenessBytes: number }
  /** Something will have to be sent at the end of this turn. */
  changed(): void
  /** Ends a session whose place is taken. */
  end(session: Session, reason: string): void
  /** Something of the session failed outside of `receive` and `declare`. */
  failed(session: Session, error: unknown): void
}

export interface Members {
  /** Takes the entries of one awareness frame. Throws `PROTOCOL` or `TOO_LARGE` for a bad own state. */
  receive(session: Session, entries: readonly AwarenessEntry[]): void
  /** The client id a hello declares. */
  declare(session: Session, client: number): void
}

export const createMembers = ({ presence, limits, changed, end, failed }: MembersParts): Members => {
  /** Client ids about which an owner is being asked. */
  const contested = new Set<number>()

  /**
   * Gives a client id to a session. Adopted ids are limited, and what is beyond is dropped, not refused: a browser with
   * many tabs forwards the entries of all of them through the first socket that is open.
   */
  const own = (session: Session, client: number, declared: boolean): boolean => {
    if (!session.ids.includes(client)) {
      // An id that another session took over in the meantime no longer counts.
      session.ids = session.ids.filter((id) => presence.ownerOf(id) === session)
      if (!declared && session.ids.length >= limits.maxAwarenessEntries) return false
      session.ids.push(client)
    }
    presence.bind(session, client, declared)
    return true
  }

  /**
   * The first own entry may come with a clock that the others knew already (a reconnect): they would ignore it for up
   * to 15 s. Seeing `null` for itself, a client raises its clock and announces itself again.
   */
  const nudge = (session: Session, entry: AwarenessEntry, known: number): void => {
    if (session.wasNudged || entry.client !== session.ownId || isNullState(entry)) return
    session.wasNudged = true
    session.socket.send(encodeAwareness([{ client: entry.client, clock: Math.max(entry.clock, known), state: 'null' }]))
  }

  const take = (session: Session, entry: AwarenessEntry): void => {
    const known = presence.clockOf(entry.client)
    presence.apply(entry, limits.maxAwarenessBytes)
    nudge(session, entry, known)
    if (presence.hasChanges) changed()
  }

  const takeOver = (session: Session, owner: Session, client: number): void => {
    own(session, client, true)
    end(owner, 'this client connected again')
  }

  const contest = (session: Session, owner: Session, entry: AwarenessEntry): void => {
    // A claim that could not be taken must not end the owner.
    if (!isNullState(entry)) checkState(entry, limits.maxAwarenessBytes)
    if (contested.has(entry.client)) return
    contested.add(entry.client)
    const settle = (isAlive: boolean): void => {
      clearTimeout(timer)
      if (!contested.delete(entry.client)) return
      if (session.isEnded) return
      if (isAlive && !owner.isEnded && presence.ownerOf(entry.client) === owner) return
      try {
        takeOver(session, owner, entry.client)
        take(session, entry)
      } catch (error) {
        failed(session, error)
      }
    }
    const timer = setTimeout(settle, CLAIM_PONG_MS, false)
    owner.onPong.push(() => settle(true))
    owner.socket.ping()
  }

  const receive = (session: Session, entries: readonly AwarenessEntry[]): void => {
    const first = entries[0]
    if (session.expectsOwnEntry && entries.length === 1 && first) session.ownId = first.client
    session.expectsOwnEntry = false
    for (const entry of entries) {
      const declares = entry.client === session.ownId
      const claim = presence.claim(session, entry, declares)
      switch (claim.outcome) {
        case 'echo':
          break
        case 'taken':
          if (session.resume !== undefined && claim.owner.resume === session.resume) {
            takeOver(session, claim.owner, entry.client)
            take(session, entry)
          } else {
            contest(session, claim.owner, entry)
          }
          break
        case 'free':
          if (own(session, entry.client, declares)) take(session, entry)
          break
        case 'owned':
          take(session, entry)
          break
        default:
          claim satisfies never
      }
    }
  }

  const declare = (session: Session, client: number): void => {
    session.ownId = client
    const owner = presence.ownerOf(client)
    if (owner && owner !== session && owner.resume !== undefined && owner.resume === session.resume) {
      takeOver(session, owner, client)
    }
  }

  return { receive, declare }
}
