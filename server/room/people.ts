/**
 * Who is in a room: people, each once however many connections they have. Someone whose last connection broke stays
 * for a grace period; coming back within it is neither a leave nor a join.
 */
import type { Person, Socket } from '../contracts.ts'

export interface PeopleParts {
  readonly graceMs: number
  /** Someone came. `by`: the connection they came by, which knows it already. */
  joined(person: Person, by: Socket | undefined): void
  left(person: Person): void
}

interface Presence {
  person: Person
  readonly keys: Set<unknown>
  /** Runs while nobody is there and the grace lasts. */
  timer: NodeJS.Timeout | undefined
}

export class People {
  readonly #parts: PeopleParts
  readonly #byId = new Map<string, Presence>()
  /** The person of each connection, by whatever stands for the connection. */
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
   * @param key stands for the connection's place in this room
   * @param by the connection, if it must not be told of itself
   * @returns whether nobody of this id was there
   */
  enter(key: unknown, person: Person, by?: Socket): boolean {
    const before = this.#ids.get(key)
    this.#ids.set(key, person.id)
    const known = this.#byId.get(person.id)
    if (known) {
      clearTimeout(known.timer)
      known.timer = undefined
      known.person = person
      known.keys.add(key)
    } else {
      this.#byId.set(person.id, { person, keys: new Set([key]), timer: undefined })
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
    for (const { timer } of this.#byId.values()) clearTimeout(timer)
    this.#byId.clear()
    this.#ids.clear()
  }

  #release(id: string, key: unknown, hasBroken: boolean): void {
    const known = this.#byId.get(id)
    if (!known) return
    known.keys.delete(key)
    if (known.keys.size > 0) return
    if (hasBroken && this.#parts.graceMs > 0) {
      known.timer = setTimeout(() => this.#gone(id, known), this.#parts.graceMs)
    } else {
      this.#gone(id, known)
    }
  }

  #gone(id: string, { person }: Presence): void {
    this.#byId.delete(id)
    this.#parts.left(person)
  }
}
