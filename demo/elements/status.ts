import { css, html } from 'lit'
import type { Desk } from '../desk.ts'
import { statusWords } from '../words.ts'
import { CountedElement, controls } from './demoElement.ts'

const explanation = ({ room }: Desk): string => {
  const { connection, error, unsyncedChanges, synced } = room.status
  switch (connection) {
    case 'denied':
      return `${error?.code ?? ''}: ${error?.message ?? ''} ${error?.hint ?? ''}`
    case 'disconnected':
      return 'You cut the wire. What you change waits on this device.'
    case 'reconnecting':
      return 'No answer from the server. What you change waits on this device.'
    case 'connected':
      if (error !== null) return `${error.code}: ${error.message} ${error.hint}`
      if (!synced) return 'Fetching what the server has.'
      return unsyncedChanges === 0
        ? 'The server has acknowledged every change as stored on its disk.'
        : 'On the way: the server has not acknowledged these yet.'
    default:
      return 'Opening the connection.'
  }
}

/** State of the connection in words, the round trip, and the switch that cuts the wire. */
export class StatusElement extends CountedElement {
  static override properties = { desk: { attribute: false }, now: { state: true } }
  static override styles = [
    controls,
    css`
      :host {
        display: grid;
        grid-template-columns: minmax(0, 1fr) auto;
        align-items: center;
        gap: 2px 12px;
        padding: 0 16px 8px;
      }
      .pill {
        display: flex;
        align-items: center;
        gap: 8px;
        font-weight: 600;
        font-variant-numeric: tabular-nums;
        min-inline-size: 0;
      }
      .words {
        overflow: hidden;
        text-overflow: ellipsis;
        white-space: nowrap;
      }
      .sign {
        flex: none;
        inline-size: 10px;
        block-size: 10px;
        border-radius: 50%;
        border: 1.5px solid var(--ink);
      }
      .full .sign {
        background: var(--wire-presence);
        border-color: var(--wire-presence);
      }
      .half .sign {
        border-color: var(--wire-document);
        background: linear-gradient(90deg, var(--wire-document) 50%, transparent 50%);
      }
      .bar .sign {
        border-color: var(--accent);
        background: linear-gradient(transparent 35%, var(--accent) 35% 65%, transparent 65%);
      }
      .trip {
        flex: none;
        font-weight: 400;
        font-size: var(--size-s);
        color: var(--ink-soft);
      }
      p {
        grid-column: 1 / -1;
        margin: 0;
        min-block-size: 36px;
        font-size: var(--size-s);
        line-height: 18px;
        color: var(--ink-soft);
        text-wrap: pretty;
      }
      @container (width <= 410px) {
        .words {
          font-size: var(--size-s);
        }
      }
      @container (width > 410px) {
        p {
          min-block-size: 18px;
        }
      }
    `,
  ]

  declare desk: Desk
  declare now: number
  #clock: ReturnType<typeof setInterval> | undefined

  constructor() {
    super()
    this.now = Date.now()
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback()
    clearInterval(this.#clock)
    this.#clock = undefined
  }

  override render() {
    const { status } = this.desk.room
    const { text, sign } = statusWords(status, Date.now())
    this.#runClock(status.retryAt !== null)
    const online = status.connection !== 'disconnected'
    const trip = status.connection === 'connected' && status.roundTrip !== null ? status.roundTrip : null
    return html`
      <div class="pill ${sign}">
        <span class="sign"></span>
        <span class="words">${text}</span>
        <span class="trip number" title="Round trip to the server">${trip === null ? '' : `${formatTrip(trip)} ms`}</span>
      </div>
      <button class="switch" @click=${this.#toggle}>${online ? 'Go offline' : 'Go online'}</button>
      <p>${explanation(this.desk)}</p>
      <span class="visually-hidden" role="status" aria-live="polite">${spoken(this.desk)}</span>
    `
  }

  #runClock(needed: boolean): void {
    if (needed && this.#clock === undefined) {
      this.#clock = setInterval(() => {
        this.now = Date.now()
      }, 500)
    } else if (!needed) {
      clearInterval(this.#clock)
      this.#clock = undefined
    }
  }

  // #region offline
  #toggle(): void {
    const { room } = this.desk
    if (room.status.connection === 'disconnected') room.connect()
    else room.disconnect()
  }
  // #endregion
}

/** For assistive technology: neither the seconds nor the moment's way to the disk, which would speak without end. */
const spoken = ({ room, side }: Desk): string => {
  const { connection, unsyncedChanges } = room.status
  const waiting = connection === 'connected' || unsyncedChanges === 0 ? '' : `, ${unsyncedChanges} unsaved`
  return `Desk ${side.toUpperCase()}: ${connection === 'denied' ? 'not allowed' : connection}${waiting}`
}

const formatTrip = (milliseconds: number): string =>
  milliseconds < 10 ? milliseconds.toFixed(1) : String(Math.round(milliseconds))

customElements.define('demo-status', StatusElement)
