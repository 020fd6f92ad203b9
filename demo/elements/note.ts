import { css, html, type PropertyValues } from 'lit'
import type { Desk } from '../desk.ts'
import { NOTE_COLOURS, type NoteColour } from '../schema.ts'
import { bindText } from '../textBinding.ts'
import { CountedElement, controls } from './demoElement.ts'

export type Note = NonNullable<ReturnType<Desk['store']['state']['notes']['get']>>

/** One step of the keyboard, in parts of the free way. */
const STEP = 0.05
/** A pointer that moves less than this (px) is a click, not a drag. */
const CLICK_SLOP = 4

/** Between a note and the edge of the board (px); the style sheet has it too. */
const MARGIN = 8

const clamp = (part: number): number => Math.min(1, Math.max(0, part))

/** A note on the board: dragged by pointer or moved with Shift and arrow keys, written with Enter or a click. */
export class NoteElement extends CountedElement {
  static override properties = { desk: { attribute: false }, note: { attribute: false }, noteId: { attribute: false } }
  static override styles = [
    controls,
    css`
      :host {
        position: absolute;
        inline-size: var(--note-width);
        block-size: var(--note-height);
        inset-inline-start: calc(8px + var(--x) * (100% - 16px - var(--note-width)));
        inset-block-start: calc(8px + var(--y) * (100% - 16px - var(--note-height)));
        display: flex;
        flex-direction: column;
        border-radius: 2px;
        border: 1px solid var(--note-edge);
        color: var(--ink);
        cursor: grab;
        touch-action: none;
        user-select: none;
        outline-offset: 0;
      }
      :host(:focus-visible),
      :host([editing]) {
        outline: 2px solid var(--accent);
        outline-offset: 2px;
      }
      /* In a hand, here or at another desk. */
      :host([dragged]),
      :host([carried]) {
        z-index: 2147483647 !important;
      }
      :host([dragged]) {
        cursor: grabbing;
        box-shadow: 0 8px 20px var(--shadow);
      }
      .bar {
        display: flex;
        justify-content: space-between;
        opacity: 0;
      }
      :host(:hover) .bar,
      :host(:focus-within) .bar,
      :host(:focus) .bar {
        opacity: 1;
      }
      @media (hover: none) {
        .bar {
          opacity: 0.75;
        }
      }
      .bar button {
        border: 0;
        inline-size: 24px;
        min-block-size: 24px;
        block-size: 24px;
        padding: 0;
        display: grid;
        place-items: center;
        color: var(--ink);
      }
      .bar svg {
        inline-size: 12px;
        block-size: 12px;
        fill: none;
        stroke: currentcolor;
        stroke-width: 1.5;
      }
      textarea {
        flex: 1;
        min-block-size: 0;
        resize: none;
        border: 0;
        outline: 0;
        background: transparent;
        color: inherit;
        font: 500 14px / 18px var(--text);
        padding: 0 10px 10px;
        pointer-events: none;
        scrollbar-width: none;
      }
      @container (width < 320px) {
        textarea {
          font: 500 12px / 15px var(--text);
          padding: 0 6px 6px;
        }
      }
      /* The note shows it: see [editing]. */
      textarea:focus-visible {
        outline: none;
      }
      textarea:focus {
        pointer-events: auto;
        cursor: text;
        user-select: text;
      }
    `,
  ]

  declare desk: Desk
  declare note: Note
  declare noteId: string
  #release: (() => void) | undefined
  #bound: unknown
  #drag: { pointer: number; dx: number; dy: number; fromX: number; fromY: number; moved: boolean } | undefined

  override connectedCallback(): void {
    super.connectedCallback()
    this.tabIndex = 0
    this.setAttribute('role', 'group')
    this.setAttribute('aria-roledescription', 'note')
    this.addEventListener('keydown', this.#onKey)
    this.addEventListener('pointerdown', this.#onDown)
    this.addEventListener('pointermove', this.#onMove)
    this.addEventListener('pointerup', this.#onUp)
    this.addEventListener('pointercancel', this.#onCancel)
    if (this.hasUpdated) this.#bind()
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback()
    this.#unbind()
  }

  // #region note
  override render() {
    const { colour, x, y, layer, text } = this.note
    this.style.background = `var(--note-${colour})`
    this.style.zIndex = String(layer)
    this.ariaLabel = text.toString() || 'empty note'
    this.showAt(x, y)
    return html`
      ${this.#renderBar(colour)}
      <textarea tabindex="-1" aria-label="Text" @focus=${this.#onFocus} @blur=${this.#onBlur}></textarea>
      <span class="visually-hidden" role="status"></span>
    `
  }
  // #endregion

  #renderBar(colour: NoteColour) {
    const label = `Colour: ${colour}. Take the next`
    return html`
      <div class="bar">
        <button title="Next colour" aria-label=${label} @click=${this.#nextColour}>${DROP}</button>
        <button title="Delete" aria-label="Delete this note" @click=${this.#delete}>${CROSS}</button>
      </div>
    `
  }

  protected override updated(changed: PropertyValues): void {
    super.updated(changed)
    this.dataset.note = this.noteId
    // The document may have moved it while it is in somebody's hand here.
    if (this.#drag?.moved) this.#showDrag(this.#drag)
    this.#bind()
  }

  /** Lifts the note over the others and says where it lies now; one write each, when it comes to rest. */
  place(x: number, y: number): void {
    const { store } = this.desk
    const layer = 1 + store.state.notes.values().reduce((top, each) => Math.max(top, each.layer), 0)
    store.transact(() => {
      this.note.x = clamp(x)
      this.note.y = clamp(y)
      this.note.layer = layer
    })
  }

  edit(): void {
    this.#area?.focus()
  }

  get #area(): HTMLTextAreaElement | null {
    return this.renderRoot.querySelector('textarea')
  }

  #bind(): void {
    const area = this.#area
    const { text } = this.note
    if (area === null || (this.#release !== undefined && this.#bound === text.y)) return
    this.#unbind()
    this.#bound = text.y
    this.#release = bindText(area, text.y, ({ index, removed, inserted }) => {
      const { store } = this.desk
      if (text.y.doc !== store.doc) {
        // A back end has put a plain string there, which can be read but not shared: the first letter makes it a text.
        store.state.notes.set(this.noteId, { ...store.snapshot(this.note), text: area.value })
        return
      }
      store.transact(() => {
        if (removed > 0) text.delete(index, removed)
        if (inserted !== '') text.insert(index, inserted)
      })
    })
  }

  #unbind(): void {
    this.#release?.()
    this.#release = undefined
  }

  #nextColour(): void {
    const next = NOTE_COLOURS[(NOTE_COLOURS.indexOf(this.note.colour) + 1) % NOTE_COLOURS.length] as NoteColour
    this.note.colour = next
  }

  #delete(): void {
    this.dispatchEvent(new CustomEvent('note-delete', { bubbles: true, composed: true, detail: this.noteId }))
  }

  #onFocus(): void {
    this.toggleAttribute('editing', true)
  }

  #onBlur(): void {
    this.toggleAttribute('editing', false)
  }

  /** Tells those who don't see it where the note is now. */
  #tellPlace(): void {
    const { x, y } = this.note
    const words = `${Math.round(x * 100)} percent across, ${Math.round(y * 100)} percent down`
    const status = this.renderRoot.querySelector('[role=status]')
    if (status) status.textContent = words
  }

  #onKey(event: KeyboardEvent): void {
    const inText = event.composedPath()[0] === this.#area
    if (inText) {
      if (event.key === 'Escape') this.focus()
      return
    }
    if (event.composedPath()[0] !== this) return
    const [dx, dy] = DIRECTIONS[event.key] ?? [0, 0]
    if (event.shiftKey && (dx !== 0 || dy !== 0)) {
      this.place(this.note.x + dx * STEP, this.note.y + dy * STEP)
      this.#tellPlace()
    } else if (event.key === 'Enter') this.edit()
    else if (event.key === 'Delete' || event.key === 'Backspace') this.#delete()
    else return
    event.preventDefault()
  }

  #onDown(event: PointerEvent): void {
    const target = event.composedPath()[0]
    if (event.button !== 0 || (target instanceof Element && target.closest('button'))) return
    if (this.#area?.matches(':focus')) return
    this.setPointerCapture(event.pointerId)
    this.#drag = { pointer: event.pointerId, dx: 0, dy: 0, fromX: event.clientX, fromY: event.clientY, moved: false }
  }

  #onMove(event: PointerEvent): void {
    const drag = this.#drag
    if (drag === undefined || drag.pointer !== event.pointerId) return
    drag.dx = event.clientX - drag.fromX
    drag.dy = event.clientY - drag.fromY
    if (!drag.moved && Math.hypot(drag.dx, drag.dy) < CLICK_SLOP) return
    drag.moved = true
    this.toggleAttribute('dragged', true)
    this.desk.room.presence.set({ drag: { note: this.noteId, ...this.#showDrag(drag) } })
  }

  #onUp(event: PointerEvent): void {
    const drag = this.#drag
    if (drag === undefined || drag.pointer !== event.pointerId) return
    this.#endDrag()
    if (!drag.moved) {
      this.edit()
      return
    }
    const { x, y } = this.#dragged(drag)
    this.place(x, y)
    // After the write, so that others never see the note jump back in between.
    this.desk.room.presence.set({ drag: null })
  }

  #onCancel(): void {
    if (this.#drag === undefined) return
    this.#endDrag()
    this.desk.room.presence.set({ drag: null })
    this.restore()
  }

  #endDrag(): void {
    this.#drag = undefined
    this.toggleAttribute('dragged', false)
  }

  /** Where the pointer has taken the note, in parts of the way that the board leaves it. */
  #dragged({ dx, dy }: { dx: number; dy: number }): { x: number; y: number } {
    const board = this.offsetParent as HTMLElement
    const across = board.clientWidth - 2 * MARGIN - this.offsetWidth
    const down = board.clientHeight - 2 * MARGIN - this.offsetHeight
    return { x: clamp(this.note.x + dx / across), y: clamp(this.note.y + dy / down) }
  }

  #showDrag(drag: { dx: number; dy: number }): { x: number; y: number } {
    const place = this.#dragged(drag)
    this.showAt(place.x, place.y)
    return place
  }

  /** Somebody else has the note in hand, here. */
  carry(x: number, y: number): void {
    this.toggleAttribute('carried', true)
    this.showAt(x, y)
  }

  /** Back to where the document has it. */
  restore(): void {
    this.toggleAttribute('carried', false)
    this.showAt(this.note.x, this.note.y)
  }

  /** Shows the note elsewhere without a render and without a write: while it is dragged, here or at another desk. */
  showAt(x: number, y: number): void {
    this.style.setProperty('--x', String(clamp(x)))
    this.style.setProperty('--y', String(clamp(y)))
  }
}

const DIRECTIONS: Readonly<Record<string, readonly [number, number]>> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
}
const DROP = html`<svg viewBox="0 0 12 12" aria-hidden="true"><circle cx="6" cy="6" r="4.5" /><path d="M6 1.5a4.5 4.5 0 0 1 0 9z" fill="currentcolor" /></svg>`
const CROSS = html`<svg viewBox="0 0 12 12" aria-hidden="true"><path d="m2.5 2.5 7 7m0-7-7 7" /></svg>`

customElements.define('demo-note', NoteElement)
