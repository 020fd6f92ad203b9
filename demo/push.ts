import { roomAddress } from './address.ts'
import type { DemoStore } from './schema.ts'

/** An HTTP request that a back end would make: shown as `curl`, and sent as it stands by the button. */
export interface PushRequest {
  readonly url: string
  readonly method: 'PATCH' | 'POST'
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

const TIMES = ['Doors open at 20:00', 'Doors open at 19:45', 'Doors open at 19:30']
const MADE = { colour: 'straw', x: 0, y: 0.05 }

/** The next change of one note: reads the board, so that it always proposes something that is not so yet. */
// #region push
export const nextPush = (room: string, { notes }: DemoStore['state']): PushRequest => {
  const id = notes.has('doors') ? 'doors' : (notes.keys().sort()[0] ?? 'doors')
  const note = notes.get(id)
  const text = TIMES[(TIMES.indexOf(note?.text.toString() ?? '') + 1) % TIMES.length]!
  const patch = { notes: { [id]: note ? { text } : { text, ...MADE } } }
  return {
    // A new note's text is to become one that can be written together.
    url: roomAddress(room, 'document') + (note ? '' : `?text=notes.${id}.text`),
    method: 'PATCH',
    headers: { 'content-type': 'application/merge-patch+json' },
    body: JSON.stringify(patch),
  }
}
// #endregion

const ANNOUNCEMENTS = ['The bus leaves at 23:10', 'Coffee is ready', 'Please leave by the side door']

/** An event: everyone who is there hears it, nobody stores it. */
export const eventPush = (room: string, sent: number): PushRequest => {
  const text = ANNOUNCEMENTS[sent % ANNOUNCEMENTS.length]!
  return {
    url: roomAddress(room, 'events'),
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ event: 'message', data: { name: 'Back end', text } }),
  }
}

const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`

export const asCurl = ({ url, method, headers, body }: PushRequest): string =>
  [
    `curl -X ${method} ${quoted(url)}`,
    ...Object.entries(headers).map(([name, value]) => `  -H ${quoted(`${name}: ${value}`)}`),
    `  -d ${quoted(body)}`,
  ].join(' \\\n')
