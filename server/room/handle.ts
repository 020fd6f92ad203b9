/** A room as the back end holds it, in process. The one file of the server that knows the store. */
import type * as Y from 'yjs'
import { TuttiError } from '../../lib/errors.ts'
import type { Live, Shape } from '../../lib/store/schema.ts'
import { editDocument } from '../../lib/store/state.ts'
import type { Documents } from '../contracts.ts'

export interface RoomHandle {
  readonly name: string
  /**
   * Changes the room's document: with a schema through the typed, validated state of a store, without one through the
   * Y.Doc itself. `change` must be synchronous and keep nothing of what it was given. Resolves with what it returned,
   * after the change is durable; everyone in the room sees it as any other change. If `change` throws, nothing of it
   * is kept and the promise rejects with its error.
   *
   *     await server.room('board/42').edit({ title: s.string() }, (state) => { state.title = 'Sold' })
   *
   * @throws TuttiError `TOO_LARGE`, `STORAGE_FAILED`; with a schema also those of the store.
   */
  edit<Sh extends Shape, R>(schema: Sh, change: (state: Live<Sh>) => R): Promise<R>
  edit<R>(change: (doc: Y.Doc) => R): Promise<R>
  /** Calls `read` with the document, which it must not change or keep; `undefined` if the room has no content. */
  read<R>(read: (doc: Y.Doc) => R): Promise<R | undefined>
}

export const createRoomHandle = (name: string, documents: Documents): RoomHandle => {
  const editWhole = async <R>(change: (doc: Y.Doc) => R): Promise<R> => {
    const { result } = await documents.edit(name, (doc) => {
      const returned = change(doc)
      if (isThenable(returned)) {
        throw new TuttiError('INVALID_VALUE', 'The function given to edit is asynchronous.', {
          hint: 'Await what you need first, then call edit with a synchronous function.',
        })
      }
      return returned
    })
    return result
  }

  const edit = <Sh extends Shape, R>(first: Sh | ((doc: Y.Doc) => R), second?: (state: Live<Sh>) => R): Promise<R> => {
    if (typeof first === 'function') return editWhole(first)
    if (typeof second !== 'function') {
      throw new TuttiError('INVALID_VALUE', 'edit was called without a function; expected edit(schema, change).')
    }
    return editWhole((doc) => editDocument(doc, first, second))
  }

  return { name, edit: edit as RoomHandle['edit'], read: (read) => documents.read(name, read) }
}

const isThenable = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'
