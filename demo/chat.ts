import type { Desk } from './desk.ts'

/** A line of the chat: lives in this page only. */
export interface ChatLine {
  readonly kind: 'said' | 'came' | 'left' | 'gap'
  readonly name: string
  readonly text: string
}

export interface ChatNews {
  line(line: ChatLine): void
  typing(name: string): void
}

/** The name that a person shows with their presence, if they do. */
const nameOf = (info: unknown): string =>
  typeof info === 'object' && info !== null && 'name' in info ? String(info.name) : 'A guest'

// #region listen
/** Events are heard by who is here now. Returns the function that ends it. */
export const listen = ({ room: { events } }: Desk, { line, typing }: ChatNews): (() => void) => {
  const ends = [
    events.bind('message', ({ name, text }) => line({ kind: 'said', name, text })),
    events.bind('typing', ({ name }, { recovered }) => recovered || typing(name)),
    events.on('join', ({ info }) => line({ kind: 'came', name: nameOf(info), text: 'came' })),
    events.on('leave', ({ info }) => line({ kind: 'left', name: nameOf(info), text: 'left' })),
    events.on('gap', () => line({ kind: 'gap', name: '', text: 'Some messages were missed' })),
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
