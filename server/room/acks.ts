/**
 * Which document frames of a connection are durable, as one cumulative number: "your first n". A frame that was held
 * or dropped stops the count until a sync step 2 that covers it is durable.
 */
export class Acks {
  #received = 0
  #acknowledged = 0
  /** The socket was too full for the last acknowledgement. */
  isRefused = false
  /** The first frame that nothing durable covers. */
  #stalledAt = Number.POSITIVE_INFINITY
  /** Frames in order, with the sequence number that must be durable. */
  #pending: { readonly frame: number; readonly seq: number }[] = []

  get hasPending(): boolean {
    return this.#pending.length > 0
  }

  /** Counts a frame as it arrives and returns its number. */
  receive(): number {
    return ++this.#received
  }

  /** The frame's content was not stored. */
  stall(frame: number): void {
    this.#stalledAt = Math.min(this.#stalledAt, frame)
  }

  /** The frame's content is stored once `seq` is durable; `covers`: so is that of all frames before it. */
  settle(frame: number, seq: number, covers: boolean): void {
    if (covers && frame >= this.#stalledAt) this.#stalledAt = Number.POSITIVE_INFINITY
    if (frame >= this.#stalledAt) return
    this.#pending.push({ frame, seq })
  }

  /** The number of frames to acknowledge. */
  get acknowledged(): number {
    return this.#acknowledged
  }

  /** Everything up to `durableSeq` is on disk. @returns whether `acknowledged` grew. */
  advance(durableSeq: number): boolean {
    let count = 0
    while (count < this.#pending.length && this.#pending[count]!.seq <= durableSeq) count++
    if (count === 0) return false
    const { frame } = this.#pending[count - 1]!
    this.#pending.splice(0, count)
    if (frame <= this.#acknowledged) return false
    this.#acknowledged = frame
    return true
  }
}
