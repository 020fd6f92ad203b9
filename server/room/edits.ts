/** What a back end does with a room's document: reads it, changes it, brings updates. */
import type * as Y from 'yjs'
import type { ChangeSource, Edited, EditOptions, Viewed } from '../contracts.ts'
import { mergeUpdatesInBatches } from '../protocol/update.ts'
import type { Intake } from './intake.ts'
import type { RoomLog } from './log.ts'
import { EMPTY_REVISION, revisionOf } from './revision.ts'

export interface EditsParts {
  readonly log: RoomLog
  readonly intake: Intake
  /** Calls `fn` with the up-to-date document. */
  withDocument<R>(fn: (doc: Y.Doc) => R): Promise<R>
  /** Forgets the document that `withDocument` gave: something is in it that the log does not have. */
  dropDocument(): void
  /** Asks whether a change may be taken in; throws or rejects if not. `undefined`: it may. */
  ask(update: Uint8Array, source: ChangeSource): Promise<void> | undefined
  /** Sends to everyone what was taken in so far; `origin`: who made it. */
  relay(origin?: string): void
  /** Resolves when everything up to `seq` is durable. */
  durable(seq: number): Promise<void>
}

/** See `Documents`. */
export interface Edits {
  view<R>(fn: (doc: Y.Doc) => R): Promise<Viewed<R>>
  edit<R>(fn: (doc: Y.Doc) => R, options: EditOptions): Promise<Edited & { readonly result: R }>
  apply(update: Uint8Array, options: EditOptions): Promise<Edited>
}

interface Accepted extends Edited {
  readonly seq: number
}

type Attempt<R> = { readonly result: R; readonly accepted: Accepted | Promise<Accepted> } | { readonly error: unknown }

export const createEdits = (parts: EditsParts): Edits => {
  const { log, intake } = parts

  /** Takes in, in this turn, what `take` does; if it has a name, relayed by itself, so that nothing else bears it. */
  const accept = (changed: boolean, origin: string | undefined, take: () => void): Accepted => {
    const isNamed = changed && origin !== undefined
    if (isNamed) parts.relay()
    take()
    if (isNamed) parts.relay(origin)
    return { changed, revision: revisionOf(log), seq: log.seq }
  }

  /** Also waits for what was there already: it may have come a moment ago, from the same request. */
  const settled = async ({ seq, ...edited }: Accepted): Promise<Edited> => {
    await parts.durable(seq)
    return edited
  }

  const view = async <R>(fn: (doc: Y.Doc) => R): Promise<Viewed<R>> => {
    if (log.isEmpty) return { revision: EMPTY_REVISION, result: undefined }
    const { seq, ...viewed } = await parts.withDocument((doc) => ({
      result: fn(doc),
      revision: revisionOf(log),
      seq: log.seq,
    }))
    await parts.durable(seq)
    return viewed
  }

  const edit = async <R>(fn: (doc: Y.Doc) => R, options: EditOptions): Promise<Edited & { readonly result: R }> => {
    const { caller, origin, expect } = options
    const source: ChangeSource = { from: 'server', caller, origin }
    const attempt = await parts.withDocument((doc): Attempt<R> => {
      const updates: Uint8Array[] = []
      const collect = (update: Uint8Array): void => {
        updates.push(update)
      }
      const acceptAll = (): Accepted =>
        accept(updates.length > 0, origin, () => {
          for (const update of updates) intake.acceptOwn(update, source)
        })
      doc.on('update', collect)
      try {
        expect?.(revisionOf(log))
        const result = doc.transact(() => fn(doc))
        // All or nothing: checked and taken only after `fn` is through.
        const allowed = updates.length === 0 ? undefined : parts.ask(mergeUpdatesInBatches(updates), source)
        if (!allowed) return { result, accepted: acceptAll() }
        // Nobody may see the change before it is allowed.
        parts.dropDocument()
        const accepted = allowed.then(() => {
          expect?.(revisionOf(log))
          return acceptAll()
        })
        return { result, accepted }
      } catch (error) {
        // Thrown out of here, it would cost the document, which is as it was.
        if (updates.length === 0) return { error }
        throw error
      } finally {
        doc.off('update', collect)
      }
    })
    if ('error' in attempt) throw attempt.error
    return { ...(await settled(await attempt.accepted)), result: attempt.result }
  }

  const apply = async (bytes: Uint8Array, options: EditOptions): Promise<Edited> => {
    const { caller, origin, expect } = options
    const source: ChangeSource = { from: 'server', caller, origin }
    const update = await intake.readPassedOn(bytes)
    expect?.(revisionOf(log))
    if (intake.isNews(update)) {
      const allowed = parts.ask(update.bytes, source)
      if (allowed) {
        await allowed
        expect?.(revisionOf(log))
      }
    }
    // Somebody else may have brought it meanwhile.
    return settled(accept(intake.isNews(update), origin, () => intake.acceptRead(update, source)))
  }

  return { view, edit, apply }
}
