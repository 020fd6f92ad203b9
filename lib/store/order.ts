import { fail } from './failure.ts'

/**
 * Keys are a whole number and, where needed, digits after it, in base 36. A letter in front tells how many digits the
 * number has, so that text order is number order: `a0`, `a1`, …, `az`, `b10`; below zero `Zz`, `Zy`, …, `Yzz`. So keys
 * grow with the logarithm of how many are appended, and with one digit for five insertions at one place.
 */
const BASE = 36
const KEY = /^(?:[a-k]|[P-Z])[0-9a-z]+$/

const encode = (whole: number): string => {
  if (whole >= 0) {
    const digits = whole.toString(BASE)
    return String.fromCharCode(96 + digits.length) + digits
  }
  let length = 1
  while (whole < -(BASE ** length)) length++
  return String.fromCharCode(91 - length) + (whole + BASE ** length).toString(BASE).padStart(length, '0')
}

const decode = (key: string): [whole: number, fraction: string] => {
  const head = key.charCodeAt(0)
  const length = head > 96 ? head - 96 : 91 - head
  if (!KEY.test(key) || key.length < length + 1) {
    fail('INVALID_VALUE', [], `${JSON.stringify(key)} is no order key`)
  }
  const number = Number.parseInt(key.slice(1, length + 1), BASE)
  return [head > 96 ? number : number - BASE ** length, key.slice(length + 1)]
}

/** Digits between two fractions; `undefined` as the upper one means one. */
const middle = (low: string, high: string | undefined): string => {
  let digits = ''
  let limit = high
  for (let index = 0; ; index++) {
    const from = Number.parseInt(low[index] ?? '0', BASE)
    const to = limit === undefined ? BASE : Number.parseInt(limit[index] ?? '0', BASE)
    if (to - from > 1) return digits + ((from + to) >> 1).toString(BASE)
    digits += from.toString(BASE)
    // From here on any digits stay below the upper one.
    if (to > from) limit = undefined
  }
}

/**
 * A key that sorts between `before` and `after` as text (`<`); either may be absent for the start or the end. Give it
 * to the `order` field of a record's value: a move is then the write of one field. Where two peers inserted at one
 * place their keys may be equal; between equal keys it gives one right after them.
 */
export const orderBetween = (before?: string | null, after?: string | null): string => {
  if (!before && !after) return encode(0)
  if (!before) return encode(decode(after!)[0] - 1)
  const [low, lowFraction] = decode(before)
  if (!after) return encode(low + 1)
  const [high, highFraction] = decode(after)
  if (high - low > 1) return encode(low + 1)
  if (high - low === 1 && highFraction !== '') return encode(high)
  const bounded = high === low && before < after
  return encode(low) + middle(lowFraction, bounded ? highFraction : undefined)
}
