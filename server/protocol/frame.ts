/** What a client may send at door 1, decoded. Bytes in, data out; updates and states stay views of the frame. */
import * as decoding from 'lib0/decoding'
import { TuttiError } from '../../lib/errors.ts'
import {
  decodeTrigger,
  MAX_FORMER_SESSIONS,
  type Subscribe,
  type Trigger,
  TUTTI_SUBSCRIBE,
  TUTTI_TRIGGER,
  TUTTI_UNSUBSCRIBE,
} from '../../lib/eventProtocol.ts'
import {
  type ClientHello,
  MESSAGE_AWARENESS,
  MESSAGE_QUERY_AWARENESS,
  MESSAGE_SYNC,
  MESSAGE_TUTTI,
  SYNC_STEP_1,
  SYNC_STEP_2,
  SYNC_UPDATE,
  TUTTI_CLIENT_HELLO,
  TUTTI_PING,
} from '../../lib/protocol.ts'
import { type AwarenessEntry, readAwareness } from './awareness.ts'

export type ClientFrame =
  /** `stateVector` is not decoded yet. */
  | { readonly type: 'step1'; readonly stateVector: Uint8Array }
  /** `update` has not passed the gate yet. */
  | { readonly type: 'step2'; readonly update: Uint8Array }
  | { readonly type: 'update'; readonly update: Uint8Array }
  | { readonly type: 'awareness'; readonly entries: readonly AwarenessEntry[] }
  | { readonly type: 'queryAwareness' }
  | { readonly type: 'hello'; readonly hello: ClientHello }
  | { readonly type: 'ping'; readonly id: number }
  /** Names of rooms and events are not checked yet. */
  | { readonly type: 'subscribe'; readonly request: Subscribe }
  | { readonly type: 'unsubscribe'; readonly room: string }
  | { readonly type: 'trigger'; readonly trigger: Trigger }

/** Every message has a type and a body, but for the query of awareness: a bound on messages in a hostile frame. */
const MAX_MESSAGES = 1024

/** Characters of an epoch or of a session's id; ours have 12 and up to 31. */
const MAX_POSITION_TEXT = 64

/** Visible ASCII. A resume secret shorter than 16 could be guessed. */
const RESUME = /^[!-~]{16,128}$/
const DOCUMENT_ID = /^[!-~]{1,128}$/

const broken = (message: string, cause?: unknown): TuttiError =>
  new TuttiError('PROTOCOL', message, {
    hint: 'Connect with y-websocket, or with connect() of Tutti.',
    cause,
  })

/**
 * Decodes a binary WebSocket frame. y-websocket up to 3 sends one message a frame; 4 may join several.
 *
 * @throws TuttiError `PROTOCOL` that says what is wrong: an empty frame, an unknown type or sub-type (type 2,
 * "permission denied", is the server's to send and unknown here), a message that ends in the middle, invalid UTF-8,
 * a hello that is not one.
 */
export const decodeClientFrames = (bytes: Uint8Array): ClientFrame[] => {
  if (bytes.length === 0) throw broken('An empty frame is no message.')
  const decoder = decoding.createDecoder(bytes)
  const frames: ClientFrame[] = []
  do {
    if (frames.length === MAX_MESSAGES) throw broken(`A frame joins more than ${MAX_MESSAGES} messages.`)
    try {
      frames.push(readMessage(decoder))
    } catch (error) {
      if (error instanceof TuttiError) throw error
      throw broken('A frame ends in the middle of a message.', error)
    }
  } while (decoding.hasContent(decoder))
  return frames
}

const readMessage = (decoder: decoding.Decoder): ClientFrame => {
  const type = decoding.readVarUint(decoder)
  switch (type) {
    case MESSAGE_SYNC:
      return readSync(decoder)
    case MESSAGE_AWARENESS:
      return { type: 'awareness', entries: readAwareness(decoding.readVarUint8Array(decoder)) }
    case MESSAGE_QUERY_AWARENESS:
      return { type: 'queryAwareness' }
    case MESSAGE_TUTTI:
      return readTutti(decoder)
    default:
      throw broken(`Message type ${type} is unknown; expected 0 (sync), 1 (awareness), 3 (query awareness) or 100.`)
  }
}

const readSync = (decoder: decoding.Decoder): ClientFrame => {
  const type = decoding.readVarUint(decoder)
  switch (type) {
    case SYNC_STEP_1:
      return { type: 'step1', stateVector: decoding.readVarUint8Array(decoder) }
    case SYNC_STEP_2:
      return { type: 'step2', update: decoding.readVarUint8Array(decoder) }
    case SYNC_UPDATE:
      return { type: 'update', update: decoding.readVarUint8Array(decoder) }
    default:
      throw broken(`Sync message ${type} is unknown; expected 0 (step 1), 1 (step 2) or 2 (update).`)
  }
}

const readTutti = (decoder: decoding.Decoder): ClientFrame => {
  const type = decoding.readVarUint(decoder)
  switch (type) {
    case TUTTI_CLIENT_HELLO:
      return { type: 'hello', hello: readHello(decoder) }
    case TUTTI_PING: {
      const id = decoding.readVarUint(decoder)
      if (id > Number.MAX_SAFE_INTEGER) throw broken('The id of a ping is over 2^53.')
      return { type: 'ping', id }
    }
    case TUTTI_SUBSCRIBE:
      return { type: 'subscribe', request: readSubscribe(decoder) }
    case TUTTI_UNSUBSCRIBE:
      return { type: 'unsubscribe', room: decoding.readVarString(decoder) }
    case TUTTI_TRIGGER: {
      const trigger = decodeTrigger(decoder)
      if (trigger.id > Number.MAX_SAFE_INTEGER) throw broken('The id of a trigger is over 2^53.')
      return { type: 'trigger', trigger }
    }
    default:
      throw broken(
        `Tutti message ${type} is unknown; expected ${TUTTI_CLIENT_HELLO} (hello), ${TUTTI_PING} (ping), ` +
          `${TUTTI_SUBSCRIBE} (subscribe), ${TUTTI_TRIGGER} (trigger) or ${TUTTI_UNSUBSCRIBE} (unsubscribe).`,
      )
  }
}

const isPositionText = (value: unknown): value is string =>
  typeof value === 'string' && value.length <= MAX_POSITION_TEXT

const readSubscribe = (decoder: decoding.Decoder): Subscribe => {
  const { room, wantsPeople = false, position } = readObject<Subscribe>(decoder, 'subscription')
  if (typeof room !== 'string') throw broken('A subscription names no room.')
  if (typeof wantsPeople !== 'boolean') throw broken('"wantsPeople" of a subscription is not true or false.')
  if (position === undefined) return { room, wantsPeople }
  if (typeof position !== 'object' || position === null) throw broken('The position of a subscription is no object.')
  const { epoch, offset, former } = position as { [key in keyof NonNullable<Subscribe['position']>]: unknown }
  if (!isPositionText(epoch)) {
    throw broken(`The epoch of a subscription is not a text of at most ${MAX_POSITION_TEXT} characters.`)
  }
  if (typeof offset !== 'number' || !Number.isSafeInteger(offset) || offset < 0) {
    throw broken('The offset of a subscription is not a whole number from 0 to 2^53 - 1.')
  }
  if (!Array.isArray(former) || former.length > MAX_FORMER_SESSIONS || !former.every(isPositionText)) {
    throw broken(
      `The former sessions of a subscription are not an array of at most ${MAX_FORMER_SESSIONS} texts of at most ` +
        `${MAX_POSITION_TEXT} characters.`,
    )
  }
  return { room, wantsPeople, position: { epoch, offset, former } }
}

/** The JSON object that stands in a frame as one text; what its keys hold is not known. */
const readObject = <T>(decoder: decoding.Decoder, what: string): { [key in keyof T]: unknown } => {
  const text = decoding.readVarUint8Array(decoder)
  let value: unknown
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(text))
  } catch (cause) {
    throw broken(`The ${what} is not JSON.`, cause)
  }
  if (typeof value !== 'object' || value === null) throw broken(`The ${what} is not an object.`)
  return value as { [key in keyof T]: unknown }
}

const readHello = (decoder: decoding.Decoder): ClientHello => {
  const { resume, clientId, documentId } = readObject<ClientHello>(decoder, 'hello')
  if (typeof resume !== 'string' || !RESUME.test(resume)) {
    throw broken('The hello has no resume secret of 16 to 128 visible ASCII characters.')
  }
  if (typeof clientId !== 'number' || !Number.isSafeInteger(clientId) || clientId < 0) {
    throw broken('The client id of the hello is not a whole number from 0 to 2^53 - 1.')
  }
  if (documentId === undefined) return { resume, clientId }
  if (typeof documentId !== 'string' || !DOCUMENT_ID.test(documentId)) {
    throw broken('The document id of the hello is not a text of 1 to 128 visible ASCII characters.')
  }
  return { resume, clientId, documentId }
}
