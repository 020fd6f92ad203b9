/**
 * What keeps a store's document on this device. `offline.ts` implements it over IndexedDB; an application may give its
 * own as `persist`.
 */
export interface Persistence {
  /** Resolves once the stored document has been applied to the Y.Doc; rejects if the storage can't be read. */
  readonly whenLoaded: Promise<void>
  /** The origin of the transactions that apply what was stored; the persistence itself where this is left out. */
  readonly origin?: unknown
  /** The document id met in the last session, or `undefined`; meaningful after `whenLoaded`. */
  documentId(): string | undefined
  setDocumentId(id: string): void
  /** Whether the last session ended with changes that the server had not acknowledged; after `whenLoaded`. */
  unacknowledged(): boolean
  setUnacknowledged(value: boolean): void
  /** Deletes the stored copy. */
  clear(): Promise<void>
  destroy(): Promise<void>
}
