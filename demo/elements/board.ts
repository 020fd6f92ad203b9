import { css, html } from 'lit'
import { repeat } from 'lit/directives/repeat.js'
import type { Desk } from '../desk.ts'
import { NOTE_COLOURS } from '../schema.ts'
import { CountedElement, controls, hints } from './demoElement.ts'
import { NoteElement } from './note.ts'

/** The board renders when a note comes or goes; what is within a note is that note's own matter. */
export class BoardElement extends CountedElement {
  static override properties = { desk: { attribute: false } }
  static override styles = [
    controls,
    hints,
    css`
      :host {
        /* Three beside each other, down to the narrowest desk. */
        --note-width: clamp(72px, 27cqi, 132px);
        --note-height: 104px;
        display: block;
        padding: 0 16px;
      }
      .board {
        position: relative;
        block-size: var(--board-height);
        background-image: radial-gradient(var(--rule) 1px, transparent 1.5px);
        background-size: 20px 20px;
        background-position: 4px 4px;
        border: 1px solid var(--rule);
        border-radius: 2px;
        /* Layers of notes stay below all else. */
        isolation: isolate;
      }
      .empty {
        position: absolute;
        inset: 0;
        display: grid;
        place-content: center;
        justify-items: center;
        gap: 12px;
        color: var(--ink-soft);
      }
      .hint {
        padding-block: 6px;
        line-height: 18px;
      }
    `,
  ]

  declare desk: Desk
  #release: (() => void) | undefined
  /** Notes that others drag right now. */
  #away = new Set<string>()

  override connectedCallback(): void {
    super.connectedCallback()
    this.addEventListener('note-delete', this.#onDelete)
    this.#release = this.desk.store.effect(() => this.#followDrags())
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback()
    this.#release?.()
  }

  // #region board
  override render() {
    const { notes } = this.desk.store.state
    const ids = notes.keys().sort()
    return html`
      <div class="board" role="group" aria-label="Board">
        ${repeat(
          ids,
          (id) => id,
          (id) => html`<demo-note .desk=${this.desk} .note=${notes.get(id)} .noteId=${id}></demo-note>`,
        )}
        ${ids.length === 0 ? this.#renderEmpty() : ''}
      </div>
      ${HINT}
    `
  }
  // #endregion

  add(): void {
    const { notes } = this.desk.store.state
    const count = notes.keys().length
    const id = notes.add({
      text: '',
      colour: NOTE_COLOURS[count % NOTE_COLOURS.length]!,
      x: 0.3 + 0.4 * ((count * 0.382) % 1),
      y: 0.3 + 0.4 * ((count * 0.618) % 1),
      layer: 1 + notes.values().reduce((top, note) => Math.max(top, note.layer), 0),
    })
    void this.updateComplete.then(async () => {
      const note = this.#find(id)
      await note?.updateComplete
      note?.edit()
    })
  }

  #renderEmpty() {
    return html`<div class="empty">Nothing on the board.<button @click=${this.add}>Add the first note</button></div>`
  }

  #find(id: string): NoteElement | undefined {
    return this.#notes().find((note) => note.noteId === id)
  }

  #notes(): NoteElement[] {
    return [...this.renderRoot.querySelectorAll('demo-note')].filter((element) => element instanceof NoteElement)
  }

  #onDelete(event: Event): void {
    if (!(event instanceof CustomEvent)) return
    const notes = this.#notes()
    const at = notes.findIndex((note) => note.noteId === event.detail)
    const neighbour = notes[at + 1] ?? notes[at - 1]
    this.desk.store.state.notes.delete(String(event.detail))
    neighbour?.focus()
  }

  /** A note that somebody drags moves here too, by presence: no render, no write until it is dropped. */
  // #region drag
  #followDrags(): void {
    const away = new Set<string>()
    for (const { state } of this.desk.room.presence.others) {
      if (state.drag === null) continue
      away.add(state.drag.note)
      this.#find(state.drag.note)?.carry(state.drag.x, state.drag.y)
    }
    const back = [...this.#away].filter((id) => !away.has(id))
    this.#away = away
    // Not within the effect, which would come to depend on where these notes lie.
    queueMicrotask(() => {
      for (const id of back) this.#find(id)?.restore()
    })
  }
  // #endregion
}

const HINT = html`
  <p class="hint">
    <span class="keys">Drag, or Shift and arrow keys to move. Enter or a click writes, Delete removes.</span>
    <span class="touch">Drag a note to move it, tap it to write.</span>
  </p>
`

customElements.define('demo-board', BoardElement)
