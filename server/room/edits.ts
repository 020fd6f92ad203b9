/**
 * What a back end does with a room's document: reads it, changes it, brings updates.
 *
 * Where a hook is asked about changes, those of back ends take turns: each is worked out only when the ones before it
 * have been decided. Peers wait for nobody: if the document changed while the hook was being asked, the change is worked
 * out again, and asked about again if it came out otherwise. So what a change took for granted holds when it is made.
 */
import type * as Y from 'yjs'
import { TuttiError } from '../../lib/errors.ts'
import type { ChangeSource, Edited, EditOptions, Viewed } from '../contracts.ts'
import { mergeUpdatesInBatches } from '../protocol/update.ts'
import { hasPending } from './hotDocuments.ts'
import { conflict, type Intake } from './intake.ts'
import type { RoomLog } from './log.ts'
import { EMPTY_REVISION, revisionOf } from './revision.ts'
import { createTurns } from './turns.ts'

/** How often a hook is asked about one change, where others change the document while it is being asked. */
export const MAX_QUESTIONS = 5
/** Changes of back ends to one room that may wait for a hook. */
export const MAX_WAITING = 1000

export interface EditsParts {
  readonly log: RoomLog
  readonly intake: Intake
  /** Calls `fn` with the up-to-date document. */
  withDocument<R>(fn: (doc: Y.Doc) => R): Promise<R>
  /** Puts the document that `withDocument` gave aside, see `HotDocuments.setAside`. */
  setDocumentAside(): () => void
  /** Asks whether a change may be taken in; throws or rejects if not. Itself `undefined`: nobody minds. */
  readonly ask: ((update: Uint8Array, source: ChangeSource) => Promise<void> | undefined) | undefined
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

/** A change that a hook is being asked about, which is not in the document yet. */
interface Question<R> {
  readonly result: R
  readonly update: Uint8Array
  /** Who made it, as Yjs sees it: made again by the same, an equal change has equal bytes. */
  readonly client: number
  /** What it was worked out on. */
  readonly seq: number
  /** Resolves if it may be taken in; rejects if not. */
  readonly allowed: Promise<void>
  take(): Accepted
}

type Attempt<R> =
  | { readonly outcome: 'taken'; readonly result: R; readonly accepted: Accepted }
  | { readonly outcome: 'asked'; readonly question: Question<R> }
  | { readonly outcome: 'failed'; readonly error: unknown }

const tooBusy = (): TuttiError =>
  new TuttiError(
    'TRY_LATER',
    `The document was changed ${MAX_QUESTIONS} times while the hook beforeChange was asked.`,
    {
      hint: 'Try again in a moment. On the server: make the hook faster.',
    },
  )

const tooMany = (): TuttiError =>
  new TuttiError('TRY_LATER', `${MAX_WAITING} changes of back ends wait in this room.`, {
    hint: 'Send fewer, or several as one. On the server: make the hook beforeChange faster.',
  })

const changedByReader = (): TuttiError =>
  new TuttiError('INVALID_VALUE', 'The function given to read changed the document.', {
    hint: 'Change it with edit; nothing of this change was kept.',
  })

/** Throws for what can't stand for a document of the log any more. */
const checkWhole = (doc: Y.Doc): void => {
  if (doc.isDestroyed) {
    throw new TuttiError('INVALID_VALUE', 'The document was destroyed by the function it was given to.', {
      hint: "The document is the room's; it goes by itself.",
    })
  }
  if (hasPending(doc)) throw conflict()
}

export const createEdits = (parts: EditsParts): Edits => {
  const { log, intake } = parts
  const turns = createTurns()

  const inTurn = <R>(work: () => Promise<R>): Promise<R> => {
    if (!parts.ask) return work()
    return turns.count < MAX_WAITING ? turns.take(work) : Promise.reject(tooMany())
  }

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
    const { seq, ...viewed } = await parts.withDocument((doc) => {
      let isChanged = false
      const note = (): void => {
        isChanged = true
      }
      doc.on('update', note)
      try {
        const result = fn(doc)
        checkWhole(doc)
        // Thrown out of here, it costs the document.
        if (isChanged) throw changedByReader()
        return { result, revision: revisionOf(log), seq: log.seq }
      } finally {
        doc.off('update', note)
      }
    })
    await parts.durable(seq)
    return viewed
  }

  /**
   * Works a change out on the document as it is now, and takes it in if nobody is to be asked first.
   * @param before what was asked about and let in, but not taken in, since the document changed meanwhile
   * @param mayAsk the hook may be asked about another change yet
   */
  const attempt = <R>(
    fn: (doc: Y.Doc) => R,
    { caller, origin, expect }: EditOptions,
    before: Question<R> | undefined,
    mayAsk: boolean,
  ): Promise<Attempt<R>> =>
    parts.withDocument((doc) => {
      const source: ChangeSource = { from: 'server', caller, origin }
      const updates: Uint8Array[] = []
      const collect = (update: Uint8Array): void => {
        updates.push(update)
      }
      const take = (): Accepted =>
        accept(updates.length > 0, origin, () => {
          for (const update of updates) intake.acceptOwn(update, source)
        })
      // Of what it did then, nothing was taken in: the numbers that it used are free.
      if (before) doc.clientID = before.client
      const client = doc.clientID
      doc.on('update', collect)
      try {
        expect?.(revisionOf(log))
        const result = doc.transact(() => fn(doc))
        checkWhole(doc)
        // All or nothing: checked and taken only after `fn` is through.
        if (updates.length === 0 || !parts.ask) return { outcome: 'taken', result, accepted: take() }
        const update = mergeUpdatesInBatches(updates)
        if (before && Buffer.compare(before.update, update) === 0) {
          return { outcome: 'taken', result, accepted: take() }
        }
        if (!mayAsk) throw tooBusy()
        const { seq } = log
        const allowed = parts.ask(update, source)
        if (!allowed) return { outcome: 'taken', result, accepted: take() }
        // Nobody may see the change before it is allowed.
        const putBack = parts.setDocumentAside()
        const takeLater = (): Accepted => {
          const accepted = take()
          putBack()
          return accepted
        }
        return { outcome: 'asked', question: { result, update, client, seq, allowed, take: takeLater } }
      } catch (error) {
        // Thrown out of here, it would cost the document, which is as it was.
        if (updates.length === 0 && !hasPending(doc)) return { outcome: 'failed', error }
        throw error
      } finally {
        doc.off('update', collect)
      }
    })

  const decide = async <R>(
    fn: (doc: Y.Doc) => R,
    options: EditOptions,
  ): Promise<{ readonly result: R; readonly accepted: Accepted }> => {
    let before: Question<R> | undefined
    for (let questions = 0; ; questions++) {
      const made = await attempt(fn, options, before, questions < MAX_QUESTIONS)
      if (made.outcome === 'failed') throw made.error
      if (made.outcome === 'taken') return made
      const { question } = made
      await question.allowed
      if (log.seq === question.seq) return { result: question.result, accepted: question.take() }
      before = question
    }
  }

  const edit = async <R>(fn: (doc: Y.Doc) => R, options: EditOptions): Promise<Edited & { readonly result: R }> => {
    const { result, accepted } = await inTurn(() => decide(fn, options))
    return { ...(await settled(accepted)), result }
  }

  const apply = async (bytes: Uint8Array, { caller, origin, expect }: EditOptions): Promise<Edited> => {
    const source: ChangeSource = { from: 'server', caller, origin }
    const update = await intake.readPassedOn(bytes)
    const accepted = await inTurn(async () => {
      expect?.(revisionOf(log))
      const allowed = intake.isNews(update) ? parts.ask?.(update.bytes, source) : undefined
      if (allowed) {
        await allowed
        expect?.(revisionOf(log))
      }
      // Somebody else may have brought it meanwhile.
      return accept(intake.isNews(update), origin, () => intake.acceptRead(update, source))
    })
    return settled(accepted)
  }

  return { view, edit, apply }
}
