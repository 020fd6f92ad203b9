import { TuttiError } from 'tutti'
import { roomFromAddress } from './address.ts'
import { type Desk, openDesk } from './desk.ts'
import { DeskElement } from './elements/desk.ts'
import { PushElement, type PushKind } from './elements/push.ts'
import { RoomElement, restoreTheme } from './elements/room.ts'
import { WireElement } from './elements/wire.ts'
import { restoreFlashes } from './flash.ts'
import type { Side } from './schema.ts'
import { keepSourceOrder } from './sourceOrder.ts'

const find = <E extends Element>(selector: string, kind: abstract new () => E): E => {
  const element = document.querySelector(selector)
  if (!(element instanceof kind)) throw new Error(`the page has no ${selector}`)
  return element
}

const start = (): void => {
  restoreTheme()
  restoreFlashes()
  const wire = find('demo-wire', WireElement)
  const push = find('demo-push', PushElement)
  const roomElement = find('demo-room', RoomElement)
  keepSourceOrder(push, roomElement, wire)
  const name = roomFromAddress()
  refuseTaken(name)
  const open = (side: Side): Desk => openDesk(name, side, (frame) => wire.report(side, frame))
  const desks = [open('a'), open('b')] as const
  for (const desk of desks) find(`#desk-${desk.side}`, DeskElement).desk = desk
  wire.desks = desks
  push.desk = desks[0]
  drawPushes(desks, push, wire)
  roomElement.name = desks[0].room.name
}

/** Draws the back end's requests: those of the buttons as they leave, others when what they pushed shows here. */
const drawPushes = ([a, b]: readonly [Desk, Desk], push: PushElement, wire: WireElement): void => {
  const unseen = { document: 0, event: 0 }
  push.onPush = (kind, stage, bytes) => {
    if (stage === 'sent') {
      unseen[kind] += 1
      wire.reportPush(bytes)
    } else if (stage === 'stored') wire.reportStored()
    else unseen[kind] -= 1
  }
  for (const desk of [a, b]) {
    const seen = (kind: PushKind, bytes: number): void => {
      const heard = a.room.status.connection === 'connected' ? a : b
      if (desk !== heard) return
      if (unseen[kind] > 0) unseen[kind] -= 1
      else wire.reportPush(bytes)
    }
    desk.transactions.subscribe(({ origin, bytes }) => {
      if (origin === 'server') seen('document', bytes)
    })
    desk.room.events.bindAll((_event, data, { from }) => {
      if (from === 'server') seen('event', JSON.stringify(data).length)
    })
  }
}

/** A room of this path is never asked for: the street lamps' own socket stands there (demo/backend/lamps.ts). */
const TAKEN_ROOM = 'lamps'

const refuseTaken = (room: string): void => {
  if (room !== TAKEN_ROOM) return
  throw new TuttiError(
    'INVALID_ROOM',
    `"${room}" can't be the name of a room here: the street lamps' own socket has it`,
    {
      hint: 'Any other name will do, such as lamps/1.',
    },
  )
}

/** The address may name a room that can't be: said where the desks would be, with the way out. */
const showError = (error: TuttiError): void => {
  const text = document.createElement('p')
  text.className = 'failure'
  text.setAttribute('role', 'alert')
  text.textContent = `${error.code}: ${error.message}. ${error.hint} `
  const out = document.createElement('a')
  out.href = location.pathname
  out.textContent = 'Open a new room.'
  text.append(out)
  document.querySelector('main')?.replaceChildren(text)
}

try {
  start()
} catch (error) {
  if (!(error instanceof TuttiError)) throw error
  showError(error)
}

if (import.meta.env.PROD && 'serviceWorker' in navigator) void navigator.serviceWorker.register('./serviceWorker.js')
