import { css, html, LitElement } from 'lit'
import confirmCode from '../backend/street.ts?region=confirm&code'
import listenCode from '../chat.ts?region=listen&code'
import sayCode from '../chat.ts?region=say&code'
import type { Desk } from '../desk.ts'
import connectCode from '../desk.ts?region=connect&code'
import frameCode from '../lampFrames.ts?region=frame&code'
import lampsCode from '../lamps.ts?region=lamps&code'
import setCode from '../lamps.ts?region=set&code'
import eventsCode from '../schema.ts?region=events&code'
import schemaCode from '../schema.ts?region=schema&code'
import seedCode from '../schema.ts?region=seed&code'
import letterCode from '../textBinding.ts?region=letter&code'
import tapCode from '../traffic.ts?region=tap&code'
import statusCode from '../words.ts?region=status&code'
import { BoardElement } from './board.ts'
import boardCode from './board.ts?region=board&code'
import historyCode from './boardActions.ts?region=history&code'
import cursorCode from './cursors.ts?region=cursors&code'
import { controls } from './demoElement.ts'
import caretCode from './letter.ts?region=carets&code'
import noteCode from './note.ts?region=note&code'
import peopleCode from './people.ts?region=people&code'
import './boardActions.ts'
import './chat.ts'
import './cursors.ts'
import './inspector.ts'
import './lamps.ts'
import './letter.ts'
import './panel.ts'
import './people.ts'
import './status.ts'

/** One client with all its panels. Itself it renders once: what changes is within. */
export class DeskElement extends LitElement {
  static override properties = { desk: { attribute: false } }
  static override styles = [
    controls,
    css`
      .desk {
        position: relative;
        border: 1px solid var(--rule-strong);
        border-radius: var(--radius);
        background: var(--sheet);
        container-type: inline-size;
      }
      demo-panel:first-child {
        border: 0;
      }
      .inspector {
        block-size: calc(40px + var(--inspector-height));
      }
    `,
  ]

  declare desk: Desk | undefined

  override render() {
    const { desk } = this
    if (desk === undefined) return ''
    const title = `Desk ${desk.side.toUpperCase()}`
    return html`
      <section class="desk" aria-label=${title} @pointermove=${this.#shareCursor} @pointerleave=${this.#hideCursor} @keydown=${this.#onKey}>
        <demo-panel .tabs=${[title]} .codes=${['connect', 'status', 'people']}>
          <div slot=${title}>
            <demo-status .desk=${desk}></demo-status>
            <demo-people .desk=${desk}></demo-people>
          </div>
          <demo-code slot="connect" .code=${connectCode}></demo-code>
          <demo-code slot="status" .code=${statusCode}></demo-code>
          <demo-code slot="people" .code=${peopleCode}></demo-code>
        </demo-panel>
        <demo-panel .tabs=${['Board']} .codes=${['board', 'note', 'undo']}>
          <demo-board-actions slot="actions" .desk=${desk} @add-note=${this.#addNote}></demo-board-actions>
          <demo-board slot="Board" .desk=${desk}></demo-board>
          <demo-code slot="board" .code=${boardCode}></demo-code>
          <demo-code slot="note" .code=${noteCode}></demo-code>
          <demo-code slot="undo" .code=${historyCode}></demo-code>
        </demo-panel>
        <demo-panel .tabs=${['Letter']} .codes=${['text', 'carets', 'cursors']}>
          <demo-letter slot="Letter" .desk=${desk}></demo-letter>
          <demo-code slot="text" .code=${letterCode}></demo-code>
          <demo-code slot="carets" .code=${caretCode}></demo-code>
          <demo-code slot="cursors" .code=${cursorCode}></demo-code>
        </demo-panel>
        <demo-panel .tabs=${['Chat']} .codes=${['say', 'listen', 'events']}>
          <demo-chat slot="Chat" .desk=${desk}></demo-chat>
          <demo-code slot="say" .code=${sayCode}></demo-code>
          <demo-code slot="listen" .code=${listenCode}></demo-code>
          <demo-code slot="events" .code=${eventsCode}></demo-code>
        </demo-panel>
        <demo-panel .tabs=${['Street lamps']} .codes=${['set', 'state', 'confirm', 'frame']}>
          <demo-lamps slot="Street lamps" .desk=${desk}></demo-lamps>
          <demo-code slot="set" .code=${setCode}></demo-code>
          <demo-code slot="state" .code=${lampsCode}></demo-code>
          <demo-code slot="confirm" .code=${confirmCode}></demo-code>
          <demo-code slot="frame" .code=${frameCode}></demo-code>
        </demo-panel>
        <demo-panel class="inspector" .tabs=${['Transactions', 'Snapshot']} .codes=${['schema', 'seed', 'tap']}>
          <demo-transactions slot="Transactions" .desk=${desk}></demo-transactions>
          <demo-snapshot slot="Snapshot" .desk=${desk}></demo-snapshot>
          <demo-code slot="schema" .code=${schemaCode}></demo-code>
          <demo-code slot="seed" .code=${seedCode}></demo-code>
          <demo-code slot="tap" .code=${tapCode}></demo-code>
        </demo-panel>
        <demo-cursors .desk=${desk}></demo-cursors>
      </section>
    `
  }

  #addNote(): void {
    const board = this.renderRoot.querySelector('demo-board')
    if (board instanceof BoardElement) board.add()
  }

  #shareCursor(event: PointerEvent): void {
    if (event.pointerType === 'touch') return
    const { left, top, width, height } = (event.currentTarget as HTMLElement).getBoundingClientRect()
    const x = (event.clientX - left) / width
    const y = (event.clientY - top) / height
    this.desk?.room.presence.set({ cursor: { x: rounded(x), y: rounded(y) } })
  }

  #hideCursor(): void {
    this.desk?.room.presence.set({ cursor: null })
  }

  /** This desk's own undo, wherever the focus is in it: the browser's would take back what others wrote. */
  #onKey(event: KeyboardEvent): void {
    if (!(event.ctrlKey || event.metaKey) || event.altKey) return
    const key = event.key.toLowerCase()
    if (key !== 'z' && key !== 'y') return
    event.preventDefault()
    const history = this.desk?.store.history
    if (key === 'y' || event.shiftKey) history?.redo()
    else history?.undo()
  }
}

/** A tenth of a percent is less than a pixel: fewer digits, fewer bytes. */
const rounded = (part: number): number => Math.round(part * 1000) / 1000

customElements.define('demo-desk', DeskElement)
