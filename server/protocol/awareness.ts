/**
 * Awareness frames: `varUint n`, then n × (`varUint client`, `varUint clock`, `varString` JSON of the state or null).
 *
 * Every y-websocket client sends back what it hears, so most entries that arrive are echoes. Reading leaves the JSON as
 * bytes: an echo is known by its client id and costs no parsing.
 */
import * as decoding from 'lib0/decoding'
import * as encoding from 'lib0/encoding'
import { TuttiError } from '../../lib/errors.ts'
import { MESSAGE_AWARENESS } from '../../lib/protocol.ts'
import { MAX_CLOCK, MAX_DEPTH, nestsWithin } from './bounds.ts'

export interface AwarenessEntry {
  readonly client: number
  readonly clock: number
  /** JSON text in UTF-8, not looked at yet: a view of the frame. */
  readonly state: Uint8Array
}

export interface CheckedState {
  readonly json: string
  /** An object, or `null`. */
  readonly value: object | null
}

const HINT = 'Send awareness as y-protocols encodes it, each state a JSON object or null.'

/** An entry has two numbers and the length of its state. */
const MIN_ENTRY_BYTES = 3

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * Reads the body of an awareness frame, without looking into the states.
 *
 * @throws TuttiError `PROTOCOL`.
 */
export const readAwareness = (body: Uint8Array): AwarenessEntry[] => {
  const decoder = decoding.createDecoder(body)
  const entries: AwarenessEntry[] = []
  try {
    const count = decoding.readVarUint(decoder)
    if (count * MIN_ENTRY_BYTES > body.length) {
      throw new TuttiError('PROTOCOL', `An awareness frame of ${body.length} bytes claims ${count} entries.`, {
        hint: HINT,
      })
    }
    for (let left = count; left > 0; left--) {
      const client = decoding.readVarUint(decoder)
      const clock = decoding.readVarUint(decoder)
      if (client > Number.MAX_SAFE_INTEGER || clock > MAX_CLOCK) {
        throw new TuttiError('PROTOCOL', `An awareness entry has client id ${client} and clock ${clock}.`, {
          hint: HINT,
        })
      }
      entries.push({ client, clock, state: decoding.readVarUint8Array(decoder) })
    }
  } catch (cause) {
    if (cause instanceof TuttiError) throw cause
    throw new TuttiError('PROTOCOL', 'An awareness frame ends in the middle.', { hint: HINT, cause })
  }
  if (decoding.hasContent(decoder)) {
    const stray = body.length - decoder.pos
    throw new TuttiError('PROTOCOL', `An awareness frame has ${stray} stray bytes after its entries.`, { hint: HINT })
  }
  return entries
}

/** Whether an entry says that its client is gone. */
export const isNullState = ({ state }: AwarenessEntry): boolean => {
  let start = 0
  let end = state.length
  while (start < end && isJsonSpace(state[start]!)) start++
  while (end > start && isJsonSpace(state[end - 1]!)) end--
  return (
    end - start === 4 &&
    state[start] === 0x6e &&
    state[start + 1] === 0x75 &&
    state[start + 2] === 0x6c &&
    state[start + 3] === 0x6c
  )
}

/**
 * Checks the state of an entry and returns it, as JSON text and read.
 *
 * @throws TuttiError `TOO_LARGE` over `maxBytes`; `PROTOCOL` if it is not a JSON object or null, or nests too deep.
 */
export const checkState = (entry: AwarenessEntry, maxBytes: number): CheckedState => {
  const { client, state } = entry
  if (state.length > maxBytes) {
    throw new TuttiError('TOO_LARGE', `The presence of client ${client} has ${state.length} bytes, over ${maxBytes}.`, {
      hint: 'Keep presence small (names, colours, cursors); what is large or lasting belongs into the document.',
    })
  }
  let json: string
  let value: unknown
  try {
    json = utf8.decode(state)
    value = JSON.parse(json)
  } catch (cause) {
    throw new TuttiError('PROTOCOL', `The presence of client ${client} is not JSON.`, { hint: HINT, cause })
  }
  if (typeof value !== 'object' || Array.isArray(value)) {
    const kind = Array.isArray(value) ? 'an array' : `a ${typeof value}`
    throw new TuttiError('PROTOCOL', `The presence of client ${client} is ${kind}, not an object.`, { hint: HINT })
  }
  if (!nestsWithin(value, MAX_DEPTH)) {
    throw new TuttiError('PROTOCOL', `The presence of client ${client} nests deeper than ${MAX_DEPTH}.`, { hint: HINT })
  }
  return { json, value }
}

/** Writes a whole awareness frame, message type included. `state` is JSON text; `'null'` for a client that is gone. */
export const encodeAwareness = (
  entries: Iterable<{ readonly client: number; readonly clock: number; readonly state: string }>,
): Uint8Array => {
  const body = encoding.createEncoder()
  let count = 0
  for (const { client, clock, state } of entries) {
    encoding.writeVarUint(body, client)
    encoding.writeVarUint(body, clock)
    encoding.writeVarString(body, state)
    count++
  }
  const counted = encoding.createEncoder()
  encoding.writeVarUint(counted, count)
  encoding.writeBinaryEncoder(counted, body)
  const frame = encoding.createEncoder()
  encoding.writeVarUint(frame, MESSAGE_AWARENESS)
  encoding.writeVarUint8Array(frame, encoding.toUint8Array(counted))
  return encoding.toUint8Array(frame)
}

const isJsonSpace = (byte: number): boolean => byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09
