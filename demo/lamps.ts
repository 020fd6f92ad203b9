import type { Desk } from './desk.ts'
import { DEFAULT_LEVEL, LAMP_IDS } from './schema.ts'

export interface Lamp {
  readonly id: string
  /** What the document wants, in percent; 0 is dark. */
  readonly set: number
  /** What the lamp said last that it shows; `null`: it has said nothing yet. */
  readonly shown: number | null
  readonly state: 'confirmed' | 'waiting' | 'unsent' | 'refused' | 'alone'
}

export interface LampSetting {
  readonly on: boolean
  readonly level: number
}

const DARK: LampSetting & { readonly shown: null } = { on: false, level: DEFAULT_LEVEL, shown: null }

// #region lamps
/** What is wanted and what is confirmed, side by side: the light itself is what the lamp confirmed. */
export const lampsOf = ({ store }: Desk): Lamp[] => {
  const { lamps, street } = store.state
  const { connection } = store.status
  return LAMP_IDS.map((id) => {
    const { on, level, shown } = lamps.get(id) ?? DARK
    const set = on ? Math.round(level) : 0
    if (connection !== 'connected') {
      return { id, set, shown, state: set === shown ? 'confirmed' : connection === 'denied' ? 'refused' : 'unsent' }
    }
    if (!street.hasGateway) return { id, set, shown, state: 'alone' }
    return { id, set, shown, state: set === shown ? 'confirmed' : 'waiting' }
  })
}
// #endregion

/** The brightness that a lamp has, or will have when it is switched on. */
export const settingOf = ({ store }: Desk, id: string): LampSetting => store.state.lamps.get(id) ?? DARK

// #region set
/** One change of the document, whatever number of lamps it is for: undone as one, sent as one. */
export const setLamps = ({ store }: Desk, ids: readonly string[], setting: Partial<LampSetting>): void =>
  store.transact(() => {
    const { lamps } = store.state
    for (const id of LAMP_IDS) if (!lamps.has(id)) lamps.set(id, {}) // a room that is older than its street
    for (const id of ids) Object.assign(lamps.get(id)!, setting)
  })
// #endregion

/** A lamp's state as a sentence. */
export const lampWords = ({ id, set, shown, state }: Lamp): string => {
  const wanted = `Lamp ${id}: ${set === 0 ? 'off' : `set to ${set} %`}`
  const last = shown === null ? '' : `, last seen ${shown === 0 ? 'dark' : `at ${shown} %`}`
  switch (state) {
    case 'confirmed':
      return `${wanted}, confirmed`
    case 'waiting':
      return `${wanted}, not confirmed yet${last}`
    case 'unsent':
      return `${wanted}, not confirmed: this desk is offline${last}`
    case 'refused':
      return `${wanted}, not confirmed: the server does not let this desk in${last}`
    case 'alone':
      return `${wanted}, not confirmed: no lamp answers${last}`
    default:
      return state satisfies never
  }
}

/** The same of several at once. */
export const streetWords = (lamps: readonly Lamp[]): string => {
  const [only] = lamps
  if (only === undefined) return 'Choose a lamp: click it, or use the arrow keys.'
  if (lamps.length === 1) return lampWords(only)
  const open = lamps.filter(({ state }) => state !== 'confirmed')
  const [first] = open
  if (first === undefined) return `${lamps.length} lamps, all confirmed`
  const why = {
    confirmed: '',
    waiting: ' yet',
    unsent: ': this desk is offline',
    refused: ': the server does not let this desk in',
    alone: ': no lamp answers',
  }
  return `${lamps.length} lamps, ${open.length} not confirmed${why[first.state]}`
}
