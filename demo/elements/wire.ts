import { css, html } from 'lit'
import type { Desk } from '../desk.ts'
import type { Side } from '../schema.ts'
import type { Frame, FrameKind } from '../traffic.ts'
import { controls, DemoElement } from './demoElement.ts'
import { type Link, type Scene, WirePainter } from './wirePainter.ts'

interface Count {
  frames: number
  bytes: number
}
type Counts = Record<FrameKind, { out: Count; in: Count }>

const KINDS = ['document', 'presence', 'event', 'ack', 'control'] as const
const KIND_NAMES: Readonly<Record<FrameKind, string>> = {
  document: 'document',
  presence: 'presence',
  event: 'event',
  ack: 'ack',
  control: 'hello, ping',
}
/** Counters change many times a second; the table is written at most this often (ms). */
const TABLE_INTERVAL = 200

const noCounts = (): Counts => {
  const none = () => ({ out: { frames: 0, bytes: 0 }, in: { frames: 0, bytes: 0 } })
  return { document: none(), presence: none(), event: none(), ack: none(), control: none() }
}

const linkOf = ({ room }: Desk): Link => {
  switch (room.status.connection) {
    case 'connected':
      return 'up'
    case 'disconnected':
      return 'cut'
    case 'denied':
      return 'denied'
    default:
      return 'lost'
  }
}

/** The wire between the desks and the server in its middle: every frame that really passes is a dot on it. */
export class WireElement extends DemoElement {
  static override properties = { desks: { attribute: false } }
  static override styles = [
    controls,
    css`
      :host {
        display: block;
      }
      .picture {
        position: relative;
        block-size: 412px;
      }
      canvas {
        position: absolute;
        inset: 0;
        inline-size: 100%;
        block-size: 100%;
      }
      .label {
        position: absolute;
        font-size: var(--size-s);
        line-height: 18px;
        color: var(--ink-soft);
        text-align: center;
      }
      .server {
        inset-inline: 0;
        inset-block-start: calc(var(--middle) + 36px);
        font-weight: 600;
        color: var(--ink);
      }
      .server small {
        display: block;
        font-size: 12px;
        line-height: 16px;
        font-weight: 400;
        color: var(--ink-soft);
      }
      .end {
        inset-block-start: calc(var(--middle) + 26px);
        inline-size: calc(50% - 48px);
        padding-inline: 8px;
        font-size: 12px;
        line-height: 16px;
        font-variant-numeric: tabular-nums;
      }
      .waiting {
        display: block;
      }
      .a {
        inset-inline-start: 0;
        text-align: start;
      }
      .b {
        inset-inline-end: 0;
        text-align: end;
      }
      table {
        margin: 0 auto;
        border-collapse: collapse;
        font-size: 12px;
        line-height: 22px;
      }
      th {
        font-weight: 400;
        color: var(--ink-soft);
        text-align: start;
        padding: 0 8px 0 0;
        white-space: nowrap;
      }
      thead th {
        text-align: end;
        padding: 0 0 0 8px;
      }
      td {
        padding: 0 0 0 8px;
        text-align: end;
        font-family: var(--mono);
        font-size: 11px;
        font-variant-numeric: tabular-nums;
        inline-size: 56px;
        white-space: nowrap;
      }
      tbody tr {
        border-block-start: 1px solid var(--rule);
      }
      .key {
        display: inline-block;
        inline-size: 9px;
        block-size: 9px;
        border-radius: 50%;
        margin-inline-end: 7px;
        background: currentcolor;
      }
      .key.document {
        color: var(--wire-document);
      }
      .key.presence {
        color: var(--wire-presence);
      }
      .key.event {
        color: var(--wire-event);
      }
      .key.control {
        color: var(--ink-soft);
        scale: 0.6;
      }
      .key.ack {
        background: none;
        border-radius: 0;
        border: solid var(--wire-ack);
        border-width: 0 1.5px 1.5px 0;
        inline-size: 5px;
        margin-inline: 2px 9px;
        rotate: 40deg;
        translate: 0 -1px;
      }
      @media (width < 1340px) {
        th {
          padding-inline-end: 4px;
        }
        td {
          inline-size: 47px;
          padding-inline-start: 4px;
          font-size: 10.5px;
        }
        .rest {
          display: none;
        }
        .control-row {
          display: none;
        }
      }
      @media (width < 1080px) {
        .picture {
          block-size: 92px;
        }
        table {
          display: none;
        }
        .server {
          inset-block-start: calc(var(--middle) + 22px);
          line-height: 16px;
          font-size: 12px;
        }
        .server small,
        .waiting {
          display: none;
        }
      }
    `,
  ]

  declare desks: readonly Desk[]
  #counts: Record<Side, Counts> = { a: noCounts(), b: noCounts() }
  #painter: WirePainter | undefined
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor() {
    super()
    this.desks = []
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback()
    this.#painter?.stop()
    this.#painter = undefined
    clearTimeout(this.#timer)
  }

  /** A frame has passed on the wire of this side. */
  report(side: Side, frame: Frame): void {
    const count = this.#counts[side][frame.kind][frame.direction]
    count.frames += 1
    count.bytes += frame.bytes
    this.#painter?.add({ lane: frame.direction, side, kind: frame.kind, bytes: frame.bytes })
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      this.requestUpdate()
    }, TABLE_INTERVAL)
  }

  /** A request of the back end is on its way, `bytes` long. */
  reportPush(bytes: number): void {
    this.#painter?.add({ side: 'push', lane: 'out', kind: 'push', bytes })
  }

  /** The back end was told that its change is durable. */
  reportStored(): void {
    this.#painter?.add({ side: 'push', lane: 'in', kind: 'ack', bytes: 0 })
  }

  override render() {
    const scene = this.#scene()
    this.#painter?.show(scene)
    const others = this.#others()
    return html`
      <div class="picture" style="--middle: ${this.#middle()}px">
        <canvas aria-hidden="true"></canvas>
        <div class="label server" role="status">
          ${scene.server === 'gone' ? 'no server' : 'server'}
          <small>${others === 0 ? '' : `${others} more in other windows`}</small>
        </div>
        ${this.desks.map((desk) => html`<div class="label end ${desk.side}">${endWords(desk)}</div>`)}
      </div>
      ${this.#renderTable()}
    `
  }

  protected override firstUpdated(): void {
    const canvas = this.renderRoot.querySelector('canvas')
    if (canvas === null) return
    this.#painter = new WirePainter(canvas, () => this.#middle())
    this.#painter.show(this.#scene())
  }

  /** Height of the wire in the picture (px): as deep as the box of the back end leaves it on a wide screen. */
  #middle(): number {
    return matchMedia('(width < 1080px)').matches ? 40 : 304
  }

  #scene(): Scene {
    const [a, b] = this.desks
    const links = { a: a ? linkOf(a) : 'lost', b: b ? linkOf(b) : 'lost' } as const
    const waiting = { a: a?.room.status.unsyncedChanges ?? 0, b: b?.room.status.unsyncedChanges ?? 0 }
    const ends = Object.values(links)
    const gone = !ends.includes('up') && this.desks.some(({ room }) => room.status.connection === 'reconnecting')
    return { links, waiting, server: gone ? 'gone' : 'there' }
  }

  /** Members of the room that are neither of the two desks. */
  #others(): number {
    const own = this.desks.map(({ store }) => store.doc.clientID)
    const seen = this.desks.flatMap(({ room }) => room.presence.others.map(({ id }) => id))
    return new Set(seen.filter((id) => !own.includes(id))).size
  }

  #renderTable() {
    const cell = (kind: FrameKind, direction: 'out' | 'in') => (side: Side) => {
      const { frames, bytes } = this.#counts[side][kind][direction]
      return html`<td title="${frames} frames, ${bytes} bytes" data-count=${`${side}-${kind}-${direction}`}>${shortBytes(bytes)}</td>`
    }
    return html`
      <table aria-label="Bytes on the wire, sent and received by each desk">
        <thead>
          <tr><th></th><th>A out</th><th>A in</th><th>B out</th><th>B in</th></tr>
        </thead>
        <tbody>
          ${KINDS.map(
            (kind) => html`
              <tr class="${kind}-row">
                <th scope="row"><span class="key ${kind}"></span>${KIND_NAMES[kind]}${kind === 'ack' ? html`<span class="rest">nowledged</span>` : ''}</th>
                ${cell(kind, 'out')('a')}${cell(kind, 'in')('a')}${cell(kind, 'out')('b')}${cell(kind, 'in')('b')}
              </tr>
            `,
          )}
        </tbody>
      </table>
    `
  }
}

/** At most seven letters: what a column has space for. */
const shortBytes = (bytes: number): string => {
  if (bytes < 1000) return `${bytes} B`
  const [count, unit] = bytes < 999_500 ? [bytes / 1000, 'kB'] : [bytes / 1_000_000, 'MB']
  return `${count.toFixed(count < 99.95 ? 1 : 0)} ${unit}`
}

const CONNECTION_WORDS: Readonly<Record<Desk['room']['status']['connection'], string>> = {
  idle: 'not connected',
  connecting: 'connecting',
  connected: '',
  reconnecting: 'reconnecting',
  disconnected: 'cut',
  denied: 'not allowed',
}

const endWords = ({ room, side }: Desk) => {
  const { connection, unsyncedChanges } = room.status
  const waiting = unsyncedChanges === 0 || connection === 'connected' ? '' : `${unsyncedChanges} waiting`
  return html`${side.toUpperCase()} ${CONNECTION_WORDS[connection]}<span class="waiting">${waiting}</span>`
}

customElements.define('demo-wire', WireElement)
