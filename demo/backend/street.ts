/** The lamps of one room: what its document wants of them goes to the gateways, what they confirm into the document. */
import type { Live } from 'tutti'
import type { Change, Logger, Server } from 'tutti/server'
import type { Doc } from 'yjs'
import { Map as YMap } from 'yjs'
import { BRIGHTEST, BYTES_PER_LAMP, type LampLevel } from '../lampFrames.ts'
import { DEFAULT_LEVEL, LAMP_IDS, lampChannel, lampSchema } from '../schema.ts'
import type { Gateways, LitStreet } from './gateways.ts'

/** How the document's other writers are told who confirmed. */
const ORIGIN = 'Lamps'
/** Milliseconds between two edits that confirm, at least, and for which the first of them waits for others. */
const CONFIRM_EVERY = 100
const CONFIRM_WAIT = 20
/** Milliseconds after which a gateway that is gone is said to be; one that only reconnects changes nothing. */
const GATEWAY_GRACE = 1000

export interface StreetParts {
  readonly number: number
  /** Of the room. */
  readonly name: string
  readonly server: Pick<Server, 'room'>
  readonly gateways: Gateways
  readonly log: Logger
}

const percent = (value: unknown): number =>
  typeof value === 'number' && Number.isFinite(value) ? Math.round(Math.min(BRIGHTEST, Math.max(0, value))) : 0

/** What each lamp is to show; `undefined`: no street, the document has no lamps. */
const readLevels = (doc: Doc): number[] | undefined => {
  if (!doc.share.has('lamps')) return undefined
  const lamps = doc.getMap('lamps')
  if (lamps.size === 0) return undefined
  return LAMP_IDS.map((id) => {
    const lamp = lamps.get(id)
    if (!(lamp instanceof YMap) || lamp.get('on') !== true) return 0
    return percent(lamp.get('level') ?? DEFAULT_LEVEL)
  })
}

/** The first lamp brings the name of its root along: any update before that has none. */
const mayBringLamps = (update: Uint8Array): boolean =>
  Buffer.from(update.buffer, update.byteOffset, update.byteLength).includes('lamps')

// #region confirm
/** What the lamps show now, for `room.edit`: returns how many of them had said something else. */
const writeShown =
  (shown: readonly (readonly [lamp: number, level: number])[]) =>
  ({ lamps }: Live<typeof lampSchema>): number => {
    let count = 0
    for (const [number, level] of shown) {
      const lamp = lamps.get(`${number}`)
      if (lamp === undefined || lamp.shown === level) continue
      lamp.shown = level
      count += 1
    }
    return count
  }
// #endregion

/** What one lamp was told, in bytes, and what it is to show at last. */
interface Asked {
  readonly level: number
  readonly out: number
  readonly json: number
}

/** Bytes of changes that were confirmed, and by how many lamps. */
const nothingPassed = () => ({ lamps: new Set<number>(), out: 0, back: 0, json: 0 })

const jsonBytes = (level: LampLevel): number => JSON.stringify(level).length

export interface Street extends LitStreet {
  close(): void
}

export const openStreet = ({ number, name, server, gateways, log }: StreetParts): Street => {
  const room = server.room(name)
  const told = lampChannel(name)
  /** The events that tell of bytes. */
  const channel = told === undefined ? undefined : server.room(told)
  let isOpen = true
  /** As last read; `undefined`: it is no street yet. */
  let levels: readonly number[] | undefined
  let isLooking = false
  let isStale = false
  let confirmTimer: ReturnType<typeof setTimeout> | undefined
  let gatewayTimer: ReturnType<typeof setTimeout> | undefined
  let lastConfirmed = Number.NEGATIVE_INFINITY
  /** By lamp. */
  const confirmations = new Map<number, number>()
  /** What a change of the document has sent, by lamp, until the lamp confirms it: not what introduces a street. */
  const asked = new Map<number, Asked>()
  let passed = nothingPassed()

  const failed = (error: unknown): void => log.warn({ room: room.name, err: error }, 'street lamps failed')

  /** The document has changed: tells the gateways what differs now. */
  const look = async (): Promise<void> => {
    isStale = true
    if (isLooking) return
    isLooking = true
    try {
      while (isStale && isOpen) {
        isStale = false
        const next = await room.read(readLevels)
        if (next && isOpen) take(next)
      }
    } catch (error) {
      failed(error)
    } finally {
      isLooking = false
    }
  }

  const take = (next: readonly number[]): void => {
    const before = levels
    levels = next
    if (before === undefined) {
      gateways.added(street)
      street.gatewaysChanged()
      return
    }
    const changed: LampLevel[] = []
    for (const [index, level] of next.entries()) {
      if (level !== before[index]) changed.push({ street: number, lamp: index + 1, level })
    }
    if (changed.length === 0) return
    if (gateways.send(street, changed) === 0) return
    for (const each of changed) {
      const before = asked.get(each.lamp)
      const out = (before?.out ?? 0) + BYTES_PER_LAMP
      asked.set(each.lamp, { level: each.level, out, json: (before?.json ?? 0) + jsonBytes(each) })
    }
  }

  /** One edit for all that was confirmed meanwhile: the document does not grow by the lamp. */
  const confirm = async (): Promise<void> => {
    const shown = [...confirmations]
    confirmations.clear()
    const { lamps, ...bytes } = passed
    passed = nothingPassed()
    const written = await room.edit(lampSchema, writeShown(shown), { origin: ORIGIN })
    if (written > 0 && lamps.size > 0) await channel?.trigger('confirmed', { lamps: lamps.size, ...bytes })
  }

  /** Counts the bytes of a change as passed, if this lamp was told one. */
  const count = (lamp: number, level: number): void => {
    const change = asked.get(lamp)
    if (change === undefined) return
    passed.lamps.add(lamp)
    passed.out += change.out
    passed.json += change.json
    passed.back += BYTES_PER_LAMP
    // One that it was told before: the last one is still under way.
    if (change.level === level) asked.delete(lamp)
    else asked.set(lamp, { ...change, out: 0, json: 0 })
  }

  const sayGateway = (): void => {
    const hasGateway = gateways.reaches(street)
    room
      .edit(
        lampSchema,
        ({ street }) => {
          if (street.hasGateway !== hasGateway) street.hasGateway = hasGateway
        },
        { origin: ORIGIN },
      )
      .catch(failed)
  }

  const street: Street = {
    number,
    room: room.name,
    get levels() {
      return levels ?? []
    },
    confirmed: (lamp, level) => {
      confirmations.set(lamp, level)
      count(lamp, level)
      confirmTimer ??= setTimeout(
        () => {
          confirmTimer = undefined
          lastConfirmed = performance.now()
          confirm().catch(failed)
        },
        Math.max(CONFIRM_WAIT, lastConfirmed + CONFIRM_EVERY - performance.now()),
      )
    },
    gatewaysChanged: () => {
      clearTimeout(gatewayTimer)
      if (gateways.reaches(street)) sayGateway()
      else gatewayTimer = setTimeout(sayGateway, GATEWAY_GRACE)
    },
    close: () => {
      isOpen = false
      stop()
      clearTimeout(confirmTimer)
      clearTimeout(gatewayTimer)
      if (levels) gateways.removed(street)
    },
  }

  const stop = room.on('change', ({ update, origin }: Change) => {
    if (origin !== ORIGIN && (levels !== undefined || mayBringLamps(update))) void look()
  })
  void look()
  return street
}
