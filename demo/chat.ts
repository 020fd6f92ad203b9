import type { Desk } from './desk.ts'

/** A line of the chat: lives in this page only. */
export interface ChatLine {
  readonly kind: 'said' | 'came' | 'left' | 'gap'
  readonly name: string
  readonly text: string
  /** Whose it is: names are not unique. `undefined`: a back end's, or nobody's. */
  readonly person?: string | undefined
}

export interface ChatNews {
  line(line: ChatLine): void
  typing(name: string, person: string | undefined): void
}

/** The name that a person shows with their presence, if they do. */
const nameOf = (info: unknown): string =>
  typeof info === 'object' && info !== null && 'name' in info ? String(info.name) : 'A guest'

/** A server that began anew knows nothing of what was said before: there may have been something or nothing. */
const GAP = 'Messages may be missing here: the server restarted, or you were away for long'

// #region listen
/** Events are heard by who is here now. Returns the function that ends it. */
export const listen = ({ room: { events } }: Desk, { line, typing }: ChatNews): (() => void) => {
  const ends = [
    events.bind('message', ({ name, text }, { userId }) => line({ kind: 'said', name, text, person: userId })),
    events.bind('typing', ({ name }, { recovered, userId }) => recovered || typing(name, userId)),
    events.on('join', ({ id, info }) => line({ kind: 'came', name: nameOf(info), text: 'came', person: id })),
    events.on('leave', ({ id, info }) => line({ kind: 'left', name: nameOf(info), text: 'left', person: id })),
    events.on('gap', () => line({ kind: 'gap', name: '', text: GAP })),
  ]
  return () => ends.forEach((end) => void end())
}
// #endregion

// #region say
/** An event: resolves once the room has it, rejects if it does not reach the room. Nobody stores it. */
export const say = ({ room }: Desk, text: string): Promise<void> =>
  room.events.trigger('message', { name: room.presence.self.name, text })

/** A change of the document: stored, there for whoever comes later, and merged after a cut. */
export const keep = ({ room, store }: Desk, text: string): void =>
  void store.state.kept.push({ name: room.presence.self.name, text })
// #endregion
