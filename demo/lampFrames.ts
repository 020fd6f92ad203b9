/**
 * The binary frames of the street lamps' own socket, `/lamps`: from the server, what lamps are to show; from the
 * gateway of the lamps, what they show. Four bytes for each lamp, any number of them in a frame:
 *
 *     street  2 bytes, the more significant first: the number that the server gave the street
 *     lamp    1 byte, 1 to 24
 *     level   1 byte, 0 (dark) to 100 (percent)
 */
export const LAMP_COUNT = 24
export const BRIGHTEST = 100
export const BYTES_PER_LAMP = 4

export interface LampLevel {
  readonly street: number
  readonly lamp: number
  readonly level: number
}

// #region frame
export const encodeLevels = (levels: readonly LampLevel[]): Uint8Array<ArrayBuffer> => {
  const frame = new Uint8Array(levels.length * BYTES_PER_LAMP)
  for (const [at, { street, lamp, level }] of levels.entries()) {
    frame.set([street >> 8, street & 0xff, lamp, level], at * BYTES_PER_LAMP)
  }
  return frame
}
// #endregion

/** `undefined` for bytes that are no such frame. */
export const decodeLevels = (frame: Uint8Array): LampLevel[] | undefined => {
  if (frame.byteLength === 0 || frame.byteLength % BYTES_PER_LAMP !== 0) return undefined
  const levels: LampLevel[] = []
  for (let at = 0; at < frame.byteLength; at += BYTES_PER_LAMP) {
    const [high = 0, low = 0, lamp = 0, level = 0] = frame.subarray(at, at + BYTES_PER_LAMP)
    if (lamp < 1 || lamp > LAMP_COUNT || level > BRIGHTEST) return undefined
    levels.push({ street: high * 256 + low, lamp, level })
  }
  return levels
}

/** Text of the server: there is this street, or no more. Its number stands in the frames until then. */
export interface StreetNews {
  readonly street: number
  readonly room: string
  readonly there: boolean
}

/** Text of the server, before all else: it has street lamps, whose frames are these. */
export const HELLO = 'street lamps 1'
