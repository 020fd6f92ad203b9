/** Events of one channel on their way to one webhook: in order, and never one before the one before it is done with. */

/** An event that waits for its delivery. */
export interface Parcel {
  /** Its id in the journal. */
  readonly id: number
  readonly channel: string
  /** JSON of the event. */
  readonly text: string
  /** When the last attempt is due, in ms of the clock. */
  readonly expiresAt: number
}

/**
 * A lane is in one state at a time: `ready`, among those to be sent next; `sending`, as many of its first parcels;
 * `resting` between two attempts.
 */
export type LaneState =
  | { readonly name: 'ready' }
  | { readonly name: 'sending'; readonly count: number }
  | { readonly name: 'resting'; callOff(): void }

export interface Lane {
  readonly channel: string
  /** Oldest first. */
  readonly parcels: Parcel[]
  state: LaneState
  /** Attempts that failed since the last one that did not. */
  failures: number
}
