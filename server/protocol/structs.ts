import type * as Y from 'yjs'

/** What an update is made of, as Yjs decodes it. */
export type Struct = Y.Item | Y.GC | Y.Skip

/** Structs of one client without a hole between them. */
export interface Run {
  readonly client: number
  /** First clock. */
  readonly from: number
  /** Clock after the last. */
  readonly to: number
  /** Indices into the update's structs: `[start, end)`. */
  readonly start: number
  readonly end: number
}
