/** Data of an event as the application has it, and as it travels: see `NewEvent.body`. */
import { TuttiError } from '../../lib/errors.ts'
import { MAX_DEPTH, nestsWithin } from '../protocol/bounds.ts'

const HINT =
  'Give what JSON can say: plain objects, arrays, strings, numbers, true, false, null. Or a Uint8Array for bytes.'

/** `Map`, `Promise`, `Uint8Array`, `Function`. */
const tagOf = (value: unknown): string => Object.prototype.toString.call(value).slice('[object '.length, -1)

/** Whether JSON writes a value of JavaScript without what is in it: a Map as `{}`, bytes as an object of numbers. */
const isLost = (value: object): boolean => {
  if (ArrayBuffer.isView(value)) return true
  return tagOf(value) !== 'Object' && Object.keys(value).length === 0
}

/** A value and where it stands; what it stands in is kept rather than its path, which only what is lost needs. */
interface Spot {
  readonly value: unknown
  readonly key: string | number
  readonly within: Spot | undefined
}

const pathOf = (spot: Spot): (string | number)[] => {
  const path: (string | number)[] = []
  for (let at = spot; at.within; at = at.within) path.push(at.key)
  return path.reverse()
}

/** Where in the data something is that JSON loses; not within what says itself how it is written. */
const findLost = (data: unknown): Spot | undefined => {
  const waiting: Spot[] = [{ value: data, key: '', within: undefined }]
  for (let spot = waiting.pop(); spot; spot = waiting.pop()) {
    const { value } = spot
    if (typeof value !== 'object' || value === null) continue
    if ('toJSON' in value && typeof value.toJSON === 'function') continue
    if (!Array.isArray(value) && isLost(value)) return spot
    const children = Array.isArray(value) ? value.entries() : Object.entries(value)
    for (const [key, child] of children) {
      if (typeof child === 'object') waiting.push({ value: child, key, within: spot })
    }
  }
  return undefined
}

const unwritable = (data: unknown, cause: unknown): TuttiError => {
  const why = cause instanceof Error ? `: ${cause.message.split('\n')[0]}` : ''
  return new TuttiError(
    'INVALID_VALUE',
    `The data of the event, of type ${tagOf(data)}, can't be written as JSON${why}.`,
    {
      hint: HINT,
      cause,
    },
  )
}

/**
 * @param data JSON, or bytes, which are copied; `undefined` is `null`
 * @throws TuttiError `INVALID_VALUE` for what JSON has no form for
 */
export const bodyOf = (data: unknown): string | Uint8Array => {
  if (data instanceof ArrayBuffer) return new Uint8Array(data.slice(0))
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice()
  if (data === undefined) return 'null'
  let body: string | undefined
  try {
    body = JSON.stringify(data) as string | undefined
  } catch (cause) {
    throw unwritable(data, cause)
  }
  if (body === undefined) throw unwritable(data, undefined)
  // Only what reads like this can be something lost; most data is not searched.
  const lost = body.includes('{}') || body.includes('{"0":') ? findLost(data) : undefined
  if (lost === undefined) return body
  const { value } = lost
  const path = pathOf(lost)
  const place = path.length === 0 ? '' : `, at ${path.join('.')}`
  const message = `JSON has no form for a value of type ${tagOf(value)} in the data of the event${place}.`
  throw new TuttiError('INVALID_VALUE', message, { path, hint: HINT })
}

/**
 * As `bodyOf`, for what came as JSON, which can have lost nothing more.
 * @throws TuttiError `INVALID_VALUE` for what nests too deep to be written
 */
export const jsonBodyOf = (data: unknown): string => {
  if (nestsWithin(data, MAX_DEPTH)) return JSON.stringify(data ?? null)
  throw new TuttiError('INVALID_VALUE', `The data of the event nests deeper than ${MAX_DEPTH}.`, {
    hint: 'Send data that is flatter.',
  })
}

export const bytesOf = (body: string | Uint8Array): number =>
  typeof body === 'string' ? Buffer.byteLength(body) : body.byteLength
