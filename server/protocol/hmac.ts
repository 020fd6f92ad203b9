/** HMAC-SHA256 as Pusher's protocol signs with it: lower-case hexadecimal. */
import { hash, timingSafeEqual } from 'node:crypto'

/** Signs texts with one secret. */
export type Signer = (text: string | Uint8Array) => string

/** Bytes that SHA-256 takes at a time, and bytes of what it makes. */
const BLOCK = 64
const DIGEST = 32
/** What the key is combined with (RFC 2104). */
const INNER_PAD = 0x36
const OUTER_PAD = 0x5c

const lengthOf = (text: string | Uint8Array): number =>
  typeof text === 'string' ? Buffer.byteLength(text) : text.byteLength

/**
 * HMAC by its definition, with what depends on the secret alone done once. `createHmac` makes two objects outside of
 * the JavaScript heap for each text; without them a signed request took a fifth less of the processor (measured).
 */
export const createSigner = (secret: string): Signer => {
  const bytes = Buffer.from(secret)
  const key = bytes.byteLength > BLOCK ? hash('sha256', bytes, 'buffer') : bytes
  const innerKey = Buffer.alloc(BLOCK, INNER_PAD)
  const outer = Buffer.alloc(BLOCK + DIGEST, OUTER_PAD)
  for (const [at, byte] of key.entries()) {
    innerKey[at] = byte ^ INNER_PAD
    outer[at] = byte ^ OUTER_PAD
  }
  return (text) => {
    const inner = Buffer.allocUnsafe(BLOCK + lengthOf(text))
    innerKey.copy(inner)
    if (typeof text === 'string') inner.write(text, BLOCK)
    else inner.set(text, BLOCK)
    outer.write(hash('sha256', inner, 'hex'), BLOCK, 'hex')
    return hash('sha256', outer, 'hex')
  }
}

/** Signs one text; who has many for one secret makes a signer. */
export const sign = (secret: string, text: string | Uint8Array): string => createSigner(secret)(text)

/** Whether two texts are equal, in a time that does not tell where they differ. */
export const equalsInConstantTime = (a: string, b: string): boolean => {
  const [left, right] = [Buffer.from(a), Buffer.from(b)]
  return left.byteLength === right.byteLength && timingSafeEqual(left, right)
}

/** Whether one of the signers signed the text; each is tried. Upper-case hexadecimal is no signature. */
export const isSignedByAny = (signers: readonly Signer[], text: string | Uint8Array, signature: string): boolean => {
  let isSigned = false
  for (const sign of signers) if (equalsInConstantTime(sign(text), signature)) isSigned = true
  return isSigned
}
