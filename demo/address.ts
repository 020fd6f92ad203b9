const FIRST = ['quiet', 'bright', 'late', 'early', 'slow', 'lively', 'gentle', 'bold', 'warm', 'clear']
const SECOND = ['oboe', 'viola', 'harp', 'horn', 'cello', 'flute', 'organ', 'drum', 'lute', 'celesta']

const pick = (words: readonly string[]): string => words[randomBelow(words.length)]!

export const randomBelow = (limit: number): number => {
  const [value = 0] = crypto.getRandomValues(new Uint32Array(1))
  return value % limit
}

/** Eight hex digits. `crypto.randomUUID` is absent where the page is served without TLS to another device. */
const randomDigits = (): string => {
  const bytes = crypto.getRandomValues(new Uint8Array(4))
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

/** The room of `?room=`, or a new one, which is put into the address so that copying it is sharing it. */
export const roomFromAddress = (): string => {
  const address = new URL(location.href)
  const given = address.searchParams.get('room')
  if (given) return given
  const room = `${pick(FIRST)}-${pick(SECOND)}-${randomDigits()}`
  address.searchParams.set('room', room)
  history.replaceState(null, '', address)
  return room
}

/** Where the page came from is where its server is. */
export const serverAddress = (): string => {
  const address = new URL('/', location.href)
  address.protocol = address.protocol === 'https:' ? 'wss:' : 'ws:'
  return address.href
}

/** A part of the room at the HTTP door, for back ends. */
export const roomAddress = (room: string, part: 'document' | 'events'): string =>
  new URL(`/rooms/${encodeURIComponent(room)}/${part}`, location.href).href
