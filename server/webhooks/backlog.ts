/**
 * Parcels by age. A list, since each leaves it from wherever it stands: a Map would be searched through all that left
 * before its oldest entry is found.
 */
import type { Parcel } from './lane.ts'

interface Entry {
  readonly parcel: Parcel
  older: Entry | undefined
  newer: Entry | undefined
}

/** A string in V8 takes at most this for each UTF-16 unit. */
const CHARACTER_BYTES = 2

export const bytesOf = ({ text }: Parcel): number => text.length * CHARACTER_BYTES

export class Backlog {
  readonly #entries = new Map<number, Entry>()
  #oldest: Entry | undefined
  #newest: Entry | undefined
  #bytes = 0

  get size(): number {
    return this.#entries.size
  }

  get bytes(): number {
    return this.#bytes
  }

  has({ id }: Parcel): boolean {
    return this.#entries.has(id)
  }

  /** Adds a parcel as the newest one. */
  add(parcel: Parcel): void {
    const entry: Entry = { parcel, older: this.#newest, newer: undefined }
    if (this.#newest) this.#newest.newer = entry
    else this.#oldest = entry
    this.#newest = entry
    this.#entries.set(parcel.id, entry)
    this.#bytes += bytesOf(parcel)
  }

  remove({ id }: Parcel): void {
    const entry = this.#entries.get(id)
    if (!entry) return
    const { older, newer, parcel } = entry
    if (older) older.newer = newer
    else this.#oldest = newer
    if (newer) newer.older = older
    else this.#newest = older
    // Else an old entry that is garbage would keep the newer ones from being young garbage.
    entry.older = undefined
    entry.newer = undefined
    this.#entries.delete(id)
    this.#bytes -= bytesOf(parcel)
  }

  /** The oldest parcel for which this holds. */
  oldest(holds: (parcel: Parcel) => boolean): Parcel | undefined {
    for (let entry = this.#oldest; entry; entry = entry.newer) if (holds(entry.parcel)) return entry.parcel
    return undefined
  }
}
