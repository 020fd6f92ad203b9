/** HMAC-SHA256 as Pusher's protocol signs with it: lower-case hexadecimal. */
import { createHmac, timingSafeEqual } from 'node:crypto'

export const sign = (secret: string, text: string | Uint8Array): string =>
  createHmac('sha256', secret).update(text).digest('hex')

/** Whether two texts are equal, in a time that does not tell where they differ. */
export const equalsInConstantTime = (a: string, b: string): boolean => {
  const [left, right] = [Buffer.from(a), Buffer.from(b)]
  return left.byteLength === right.byteLength && timingSafeEqual(left, right)
}

/** Whether one of the secrets signed the text; each is tried. Upper-case hexadecimal is no signature. */
export const isSignedByAny = (secrets: readonly string[], text: string | Uint8Array, signature: string): boolean => {
  let isSigned = false
  for (const secret of secrets) if (equalsInConstantTime(sign(secret, text), signature)) isSigned = true
  return isSigned
}
