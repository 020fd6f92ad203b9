import type { Change, ChangeSource, ChangeWatch } from '../contracts.ts'

/** A room's changes on their way to those who listen to it: told once they are relayed, and once they are durable. */
export class PendingChanges {
  readonly #room: string
  readonly #watch: ChangeWatch
  #unrelayed: Change[] = []
  #unstored: { readonly seq: number; readonly change: Change }[] = []

  constructor(room: string, watch: ChangeWatch) {
    this.#room = room
    this.#watch = watch
  }

  add(seq: number, update: Uint8Array, source: ChangeSource): void {
    const change: Change = { update, ...source }
    this.#unrelayed.push(change)
    this.#unstored.push({ seq, change })
  }

  relayed(): void {
    if (this.#unrelayed.length === 0) return
    const changes = this.#unrelayed
    this.#unrelayed = []
    this.#watch.relayed(this.#room, changes)
  }

  /** Everything up to `seq` is durable. */
  stored(seq: number): void {
    const count = this.#unstored.findIndex((waiting) => waiting.seq > seq)
    const stored = this.#unstored.splice(0, count < 0 ? this.#unstored.length : count)
    if (stored.length === 0) return
    this.#watch.stored(
      this.#room,
      stored.map(({ change }) => change),
    )
  }
}
