import { type Room, type Store, s } from 'tutti'
import { LAMP_COUNT } from './lampFrames.ts'

export const NOTE_COLOURS = ['straw', 'apricot', 'rose', 'sky', 'sage', 'lilac'] as const
export type NoteColour = (typeof NOTE_COLOURS)[number]

/** Percent of light of a lamp that nobody has dimmed. */
export const DEFAULT_LEVEL = 70

/** The street lamps: set by the desks, confirmed by the server for the devices, which know nothing of documents. */
export const lampSchema = {
  lamps: s.record(
    s.object({
      on: s.boolean().default(false),
      level: s.number().default(DEFAULT_LEVEL), // percent
      shown: s.number().nullable().default(null), // what the lamp said it shows
    }),
  ),
  street: s.object({ hasGateway: s.boolean().default(false) }),
}

export const LAMP_IDS = Array.from({ length: LAMP_COUNT }, (_, index) => String(index + 1))

// #region schema
export const schema = {
  notes: s.record(
    s.object({
      text: s.text(),
      colour: s.literal(...NOTE_COLOURS).default('straw'),
      // Parts of the free way across and down the board, 0 to 1.
      x: s.number().default(0.5),
      y: s.number().default(0.5),
      layer: s.number().default(0), // Higher lies over lower; the last one moved is on top.
    }),
  ),
  letter: s.text(),
  kept: s.list(s.object({ name: s.string(), text: s.string() })),
  ...lampSchema,
}
// #endregion

// #region presence
export const presenceSchema = {
  // Who the room's members and its join and leave events tell of.
  user: s.object({ id: s.string(), name: s.string() }),
  name: s.string(),
  hue: s.number(),
  // Over the desk, in parts of its width and height; null when the pointer is elsewhere.
  cursor: s.object({ x: s.number(), y: s.number() }).nullable(),
  // A note on its way: shown to others, written once, when it is dropped.
  drag: s.object({ note: s.string(), x: s.number(), y: s.number() }).nullable(),
  // A selection in the letter, as Yjs relative positions: it stays at its letters while others write.
  caret: s.object({ anchor: s.string(), head: s.string() }).nullable(),
}
// #endregion

// #region events
/** What the chat sends: heard by who is there, stored by nobody. */
export const eventSchema = {
  message: s.object({ name: s.string(), text: s.string() }),
  typing: s.object({ name: s.string() }),
}
// #endregion

/** What passed on the lamps' own socket for changes that were confirmed just now; in a channel of its own. */
export const lampEventSchema = {
  confirmed: s.object({
    lamps: s.number(),
    // Bytes: to the gateway, back from it, and of the same as JSON one way.
    out: s.number(),
    back: s.number(),
    json: s.number(),
  }),
}

/** Longer ones are no names of rooms. */
const MAX_ROOM_BYTES = 255

/** `undefined`: with the room's own name so long, there can be none. */
export const lampChannel = (room: string): string | undefined => {
  const name = `${room}/lamps`
  return new TextEncoder().encode(name).byteLength <= MAX_ROOM_BYTES ? name : undefined
}

export type DemoStore = Store<typeof schema>

// #region seed
/** First content. Both desks call it: the update is the same, byte for byte, so that one copy comes out. */
export const seedBoard = (store: DemoStore): Promise<boolean> =>
  store.seed((state) => {
    for (const [id, note] of Object.entries(FIRST_NOTES)) state.notes.set(id, note)
    for (const id of LAMP_IDS) state.lamps.set(id, { on: FIRST_LIT.includes(id) })
    state.letter.insert(0, FIRST_LETTER)
  })
// #endregion

const FIRST_NOTES = {
  doors: { text: 'Doors open at 19:30', colour: 'straw', x: 0, y: 0.05, layer: 0 },
  stands: { text: 'Two stands are missing in row three', colour: 'sky', x: 0.5, y: 0.12, layer: 0 },
  oboe: { text: 'The oboe gives the A', colour: 'sage', x: 1, y: 0.02, layer: 0 },
  lights: { text: 'Cut the wire, move this, come back', colour: 'rose', x: 0.18, y: 0.9, layer: 0 },
  encore: { text: 'Encore, if they ask', colour: 'lilac', x: 0.74, y: 0.97, layer: 0 },
} as const

const FIRST_LIT = ['2', '5', '9', '13', '16', '20', '23']

const FIRST_LETTER =
  'Dear all,\n\nthe rehearsal begins at six. Write into this letter from both desks at once: each letter keeps its place.\n'

export type DemoRoom = Room<DemoStore, typeof presenceSchema, typeof eventSchema>

/** The left desk (above, on a phone) and the right one. */
export type Side = 'a' | 'b'
