import * as Y from 'yjs'
import { TuttiError } from './errors.ts'
import type { LocalChanges } from './localChanges.ts'
import { encodeSyncStep2, isSyncStep2 } from './protocol.ts'

export interface OutboxOptions {
  doc: Y.Doc
  changes: LocalChanges
  transmit(frame: Uint8Array): void
  /** Something is too large for the server; `null` once it is not any more. */
  onTooLarge(error: TuttiError | null): void
}

/** What of the document leaves on one socket after the other, and what of it the server has acknowledged. */
export interface Outbox {
  /** A socket opened, or closed: what belonged to the last one is void. */
  reset(): void
  /** The server acknowledges, and takes messages of at most so many bytes. */
  greet(maxMessageBytes: number): void
  /** The server's sync step 1; its answer comes by `admit`. */
  ask(stateVector: Uint8Array): void
  /** Whether a document frame may leave now; if so, it is taken as sent. */
  admit(frame: Uint8Array): boolean
  /** The first `frames` document frames of this socket are durable. */
  acknowledge(frames: number): void
  destroy(): void
}

/** Between attempts to send what was too large, in milliseconds. */
const RESEND_INTERVAL = 1_000

export const createOutbox = ({ doc, changes, transmit, onTooLarge }: OutboxOptions): Outbox => {
  /** A plain y-websocket server says nothing, and never acknowledges. */
  let maxBytes: number | undefined
  /**
   * Every local change has left in a document frame. A sync step 2 makes it so; a change that could not leave ends it.
   * Until then no update may leave: it would build on something the server lacks, and its acknowledgement would be
   * taken for one of the changes before it.
   */
  let flows = false
  let framesSent = 0
  /** `changes.total` when the last document frame left. */
  let changesSent = -1
  /** What each document frame covers, for acknowledgements to come. */
  let records: { frame: number; changes: number }[] = []
  /** What the server has at least; `undefined` until it asked. */
  let serverHas: Map<number, number> | undefined
  let isTooLarge = false
  let isResending = false
  let timer: ReturnType<typeof setTimeout> | undefined

  const tellTooLarge = (error: TuttiError | null): void => {
    if (isTooLarge === (error !== null)) return
    isTooLarge = error !== null
    onTooLarge(error)
  }

  const schedule = (): void => {
    timer ??= setTimeout(resend, RESEND_INTERVAL)
  }

  /**
   * Tries a sync step 2 of our own with what did not leave: an undo may have made it small enough. A fresh document
   * drops what was deleted, which this one keeps while it can be undone.
   */
  const resend = (): void => {
    timer = undefined
    if (flows || serverHas === undefined) return
    const fresh = new Y.Doc({ gc: doc.gc })
    Y.applyUpdate(fresh, Y.encodeStateAsUpdate(doc))
    isResending = true
    transmit(encodeSyncStep2(Y.encodeStateAsUpdate(fresh, Y.encodeStateVector(serverHas))))
    isResending = false
    fresh.destroy()
  }

  changes.onChange = (before) => {
    if (serverHas === undefined) return
    if (changesSent === changes.total) serverHas = before
    // An earlier change never left: the provider found the socket closing.
    else flows = false
    if (!flows) schedule()
  }

  const reset = (): void => {
    clearTimeout(timer)
    timer = undefined
    flows = false
    framesSent = 0
    changesSent = -1
    records = []
    serverHas = undefined
    maxBytes = undefined
    isTooLarge = false
  }

  return {
    reset,
    greet: (maxMessageBytes) => {
      maxBytes = maxMessageBytes
    },
    ask: (stateVector) => {
      serverHas = Y.decodeStateVector(stateVector)
    },
    admit: (frame) => {
      const isStep2 = isSyncStep2(frame)
      if (!flows && !isStep2) return false
      if (maxBytes !== undefined && frame.byteLength > maxBytes) {
        flows = false
        // The provider's step 2 carries text that was deleted and is kept for undo; ours does not.
        if (isStep2 && !isResending) schedule()
        tellTooLarge(
          new TuttiError('TOO_LARGE', `a message of ${frame.byteLength} bytes; the server takes ${maxBytes}`, {
            hint: 'It and what follows it are kept here only. Undo it, make it smaller, or raise the limit of the server.',
          }),
        )
        return false
      }
      flows = true
      framesSent++
      changesSent = changes.total
      if (maxBytes !== undefined) records.push({ frame: framesSent, changes: changesSent })
      tellTooLarge(null)
      return true
    },
    acknowledge: (frames) => {
      const after = records.findIndex(({ frame }) => frame > frames)
      const covered = records.splice(0, after < 0 ? records.length : after).at(-1)
      if (covered !== undefined) changes.acknowledge(covered.changes)
    },
    destroy: () => {
      reset()
      changes.onChange = undefined
    },
  }
}
