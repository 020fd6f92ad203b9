// @ts-check
/** One person typing: updates of a Yjs client that appends one character each, and how far a frame brings its reader. */
import * as Y from 'yjs'
import { encodeSyncUpdate, MESSAGE_SYNC, SYNC_STEP_1, SYNC_STEP_2, SYNC_UPDATE } from '../../dist/lib/protocol.js'

/** Root type that is typed into. */
export const TEXT = 'text'

/**
 * The frames of `count` characters typed one by one.
 * @param {number} count
 */
export const typedFrames = (count) => {
  const doc = new Y.Doc()
  /** @type {Uint8Array[]} */
  const frames = []
  doc.on('update', (update) => frames.push(encodeSyncUpdate(update)))
  const text = doc.getText(TEXT)
  for (let at = 0; at < count; at++) text.insert(at, String.fromCharCode(97 + (at % 26)))
  doc.destroy()
  return frames
}

/** Reads numbers off a frame. */
class Reader {
  at = 0
  /** @param {Uint8Array} bytes */
  constructor(bytes) {
    this.bytes = bytes
  }
  byte() {
    return /** @type {number} */ (this.bytes[this.at++])
  }
  number() {
    let value = 0
    for (let factor = 1; ; factor *= 128) {
      const byte = this.byte()
      value += (byte & 0x7f) * factor
      if (byte < 0x80) return value
    }
  }
  skip() {
    const length = this.number()
    this.at += length
    return length
  }
}

/**
 * What a frame of the server holds: `ask` for a sync step 1, or the clock after the last typed character in it, or
 * `undefined` for what carries none. Reads only the forms that appended ASCII text takes, alone or merged.
 * @param {Uint8Array} frame
 * @returns {'ask' | { from: number, to: number } | undefined}
 */
export const readTyping = (frame) => {
  const reader = new Reader(frame)
  if (reader.number() !== MESSAGE_SYNC) return undefined
  const type = reader.number()
  if (type === SYNC_STEP_1) return 'ask'
  if (type !== SYNC_STEP_2 && type !== SYNC_UPDATE) return undefined
  reader.number()
  const clients = reader.number()
  if (clients === 0) return undefined
  if (clients !== 1) throw new Error('A frame with more than the one author.')
  const structs = reader.number()
  reader.number()
  const from = reader.number()
  let to = from
  for (let i = 0; i < structs; i++) {
    const kind = reader.byte()
    if ((kind & 0x1f) !== 4) throw new Error(`A struct of kind ${kind & 0x1f}, where only text was sent.`)
    if (kind & 0x80) {
      reader.number()
      reader.number()
    }
    if (kind & 0x40) {
      reader.number()
      reader.number()
    }
    if ((kind & 0xc0) === 0) {
      if (reader.number() === 1) reader.skip()
      else {
        reader.number()
        reader.number()
      }
    }
    // ASCII: as many characters as bytes.
    to += reader.skip()
  }
  return { from, to }
}

/**
 * Whether these frames make up the text that was typed.
 * @param {readonly Uint8Array[]} frames
 * @param {number} count
 */
export const isWhole = (frames, count) => {
  const doc = new Y.Doc()
  doc.transact(() => {
    for (const frame of frames) {
      const reader = new Reader(frame)
      if (reader.number() !== MESSAGE_SYNC || reader.number() === SYNC_STEP_1) continue
      const length = reader.number()
      Y.applyUpdate(doc, frame.subarray(reader.at, reader.at + length))
    }
  })
  const text = doc.getText(TEXT).toString()
  doc.destroy()
  for (let at = 0; at < count; at++) if (text.charCodeAt(at) !== 97 + (at % 26)) return false
  return text.length === count
}
