/** Who is shown in a room's awareness without a session of it, since they are here by another door. */
import type { Presence } from './presence.ts'
import type { Session } from './session.ts'

/** y-protocols drops an entry that was not renewed for 30 s; its clients renew their own after half of that. */
const RENEWAL_MS = 15_000

export class Hosted {
  readonly #presence: Presence<Session>
  /** By client id, with whom to tell that the room is closed. */
  readonly #closed = new Map<number, () => void>()
  /** When they were last shown, in ms of `Date.now()`. */
  #shownAt = 0

  constructor(presence: Presence<Session>) {
    this.#presence = presence
  }

  get isEmpty(): boolean {
    return this.#closed.size === 0
  }

  /** @returns the function that ends it; it answers `false` if that was so already. */
  show(state: object, closed: () => void): () => boolean {
    const client = this.#presence.host(JSON.stringify(state))
    this.#closed.set(client, closed)
    return () => {
      if (!this.#closed.delete(client)) return false
      this.#presence.dismiss(client)
      return true
    }
  }

  /** Shows them again if it is time. @returns whether it was. */
  renew(now: number): boolean {
    if (this.isEmpty || now - this.#shownAt < RENEWAL_MS) return false
    this.#shownAt = now
    this.#presence.renew(this.#closed.keys())
    return true
  }

  /** The room is closed: tells everyone. */
  close(): void {
    const hosted = [...this.#closed.values()]
    this.#closed.clear()
    for (const closed of hosted) closed()
  }
}
