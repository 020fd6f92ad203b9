import { randomBelow } from './address.ts'
import type { Side } from './schema.ts'

export interface Person {
  readonly name: string
  /** One of `HUES`, by place. */
  readonly hue: number
}

/** Twelve hues, in an order that sets neighbours far apart. */
export const HUES = Array.from({ length: 12 }, (_, place) => (place * 150 + 30) % 360)

export const HUE_NAMES = [
  'terracotta',
  'teal',
  'plum',
  'moss',
  'indigo',
  'amber',
  'azure',
  'rose',
  'green',
  'violet',
  'olive',
  'blue',
] as const

const NAMES: Readonly<Record<Side, readonly string[]>> = {
  a: ['Viola', 'Harp', 'Clarinet', 'Bassoon', 'Celesta', 'Piccolo'],
  b: ['Oboe', 'Cello', 'Horn', 'Flute', 'Trumpet', 'Timpani'],
}

const key = (side: Side): string => `tutti-demo/person/${side}`

const isPerson = (value: unknown): value is Person =>
  typeof value === 'object' &&
  value !== null &&
  'name' in value &&
  typeof value.name === 'string' &&
  'hue' in value &&
  HUES[Number(value.hue)] !== undefined

/** Who sits at this desk, as this browser remembers it. */
export const rememberedPerson = (side: Side): Person => {
  const kept = localStorage.getItem(key(side))
  if (kept !== null) {
    try {
      const person: unknown = JSON.parse(kept)
      if (isPerson(person)) return person
    } catch (error) {
      // Not ours, or cut short: a new person takes the seat.
      if (!(error instanceof SyntaxError)) throw error
    }
  }
  const names = NAMES[side]
  const person = { name: names[randomBelow(names.length)]!, hue: randomBelow(6) * 2 + (side === 'a' ? 0 : 1) }
  rememberPerson(side, person)
  return person
}

export const rememberPerson = (side: Side, person: Person): void =>
  localStorage.setItem(key(side), JSON.stringify(person))
