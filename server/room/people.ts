/**
 * Who is in a room: people, each once however many connections they have. Someone is there while one of their
 * connections is, or broke less than a grace period ago; whoever else comes and goes by the same id meanwhile, that is
 * neither a leave nor a join.
 *
 * What is told of a person is what the longest-standing of their connections that are here tells, a signed one before
 * one that nobody vouches for. When that connection goes, the next one's is; when none is here, the last one's stays.
 */
import { isDeepStrictEqual } from 'node:util'
import type { Person, Socket } from '../contracts.ts'

export interface PeopleParts {
  readonly graceMs: number
  /** Someone came. `by`: the connection they came by, which knows it already. */
  joined(person: Person, by: Socket | undefined): void
  left(person: Person): void
  /** Something else is told of someone who is there. */
  changed?(person: Person): void
}

/** What is known of a connection that enters. */
export interface Entering {
  /** The connection, if it must not be told of itself. */
  readonly by?: Socket | undefined
  /** The application vouches for what it tells. Default false. */
  readonly isSigned?: boolean
  /** What stood for the connection that this one comes back for. */
  readonly former?: unknown
}

/** What one connection tells. */
interface Told {
  readonly person: Person
  /** The application vouches for it. */
  readonly isSigned: boolean
}

interface Presence {
  person: Person
  /** By what stands for the connection; the longest-standing first. */
  readonly here: Map<unknown, Told>
  /** Connections that broke, each with the end of its grace. */
  readonly broken: Map<unknown, NodeJS.Timeout>
}

/** A connection that broke is not waited for any more. */
const hasReturned = ({ broken }: Presence, key: unknown): void => {
  clearTimeout(broken.get(key))
  broken.delete(key)
}

export class People {
  readonly #parts: PeopleParts
  readonly #byId = new Map<string, Presence>()
  /** The person of each connection that is here. */
  readonly #ids = new Map<unknown, string>()

  constructor(parts: PeopleParts) {
    this.#parts = parts
  }

  get count(): number {
    return this.#byId.size
  }

  has(id: string): boolean {
    return this.#byId.has(id)
  }

  list(): Person[] {
    return Array.from(this.#byId.values(), ({ person }) => person)
  }

  get(id: string): Person | undefined {
    return this.#byId.get(id)?.person
  }

  /** The id of the person that a connection shows, by what stands for the connection. */
  idOf(key: unknown): string | undefined {
    return this.#ids.get(key)
  }

  /**
   * A connection tells who it is, or tells it anew.
   * @param key stands for the connection's place in this room; one that broke is back if it comes with the same
   * @returns whether nobody of this id was there
   */
  enter(key: unknown, person: Person, { by, isSigned = false, former }: Entering = {}): boolean {
    const before = this.#ids.get(key)
    this.#ids.set(key, person.id)
    const known = this.#byId.get(person.id)
    if (known) {
      hasReturned(known, former)
      this.#take(known, key, { person, isSigned })
    } else {
      this.#byId.set(person.id, { person, here: new Map([[key, { person, isSigned }]]), broken: new Map() })
      this.#parts.joined(person, by)
    }
    if (before !== undefined && before !== person.id) this.#release(before, key, false)
    return known === undefined
  }

  /** A connection is no longer in the room. `hasBroken`: it did not say good-bye, so it may be back in a moment. */
  exit(key: unknown, hasBroken: boolean): void {
    const id = this.#ids.get(key)
    if (id === undefined) return
    this.#ids.delete(key)
    this.#release(id, key, hasBroken)
  }

  /** Forgets everyone, without a word. */
  clear(): void {
    for (const { broken } of this.#byId.values()) for (const timer of broken.values()) clearTimeout(timer)
    this.#byId.clear()
    this.#ids.clear()
  }

  #take(known: Presence, key: unknown, told: Told): void {
    hasReturned(known, key)
    const before = known.here.get(key)
    // Most often it is the same: a presence is told whenever anything in it changes, such as a cursor.
    if (before?.isSigned === told.isSigned && isDeepStrictEqual(before.person.info, told.person.info)) return
    known.here.set(key, told)
    this.#show(known)
  }

  #release(id: string, key: unknown, hasBroken: boolean): void {
    const known = this.#byId.get(id)
    if (!known) return
    known.here.delete(key)
    if (hasBroken && this.#parts.graceMs > 0) {
      const expire = (): void => {
        known.broken.delete(key)
        this.#settle(id, known)
      }
      known.broken.set(key, setTimeout(expire, this.#parts.graceMs))
    }
    this.#settle(id, known)
  }

  #settle(id: string, known: Presence): void {
    if (known.here.size > 0) {
      this.#show(known)
    } else if (known.broken.size === 0) {
      this.#byId.delete(id)
      this.#parts.left(known.person)
    }
  }

  #show(known: Presence): void {
    let shown: Told | undefined
    for (const told of known.here.values()) {
      shown ??= told
      if (!told.isSigned) continue
      shown = told
      break
    }
    if (!shown || isDeepStrictEqual(shown.person.info, known.person.info)) return
    known.person = shown.person
    this.#parts.changed?.(known.person)
  }
}
