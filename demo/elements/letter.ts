import { css, html, type PropertyValues } from 'lit'
import * as Y from 'yjs'
import type { Desk } from '../desk.ts'
import { bindText } from '../textBinding.ts'
import { CountedElement, controls, memberColours } from './demoElement.ts'
import { memberStyle } from './people.ts'

interface RemoteCaret {
  readonly name: string
  readonly hue: number
  readonly from: number
  readonly to: number
  readonly head: number
}

/** One text for all: a plain textarea, and under it the same text unseen, which carries the carets of the others. */
export class LetterElement extends CountedElement {
  static override properties = { desk: { attribute: false } }
  static override styles = [
    controls,
    memberColours,
    css`
      :host {
        display: block;
        block-size: var(--letter-height);
        overflow: hidden;
      }
      textarea,
      .mirror {
        position: absolute;
        inset: 0;
        margin: 0;
        border: 0;
        padding: 4px 16px 20px;
        font: 400 var(--size-m) / 24px var(--text);
        letter-spacing: normal;
        white-space: pre-wrap;
        overflow-wrap: break-word;
        overflow: hidden auto;
        scrollbar-gutter: stable;
        scrollbar-width: thin;
      }
      textarea {
        inline-size: 100%;
        block-size: 100%;
        resize: none;
        background: transparent;
        color: var(--ink);
        caret-color: var(--ink);
        outline-offset: -2px;
      }
      .mirror {
        color: transparent;
        pointer-events: none;
      }
      .picked {
        background: color-mix(in oklch, var(--member), transparent 72%);
        border-radius: 2px;
      }
      .caret {
        position: relative;
        display: inline-block;
        inline-size: 0;
        block-size: 20px;
        margin-inline-end: -0.1px;
        vertical-align: text-bottom;
        box-shadow: 0 0 0 1px var(--member);
      }
      .caret > span {
        position: absolute;
        inset-block-end: -15px;
        inset-inline-start: -1px;
        padding: 0 4px;
        border-radius: 0 2px 2px 2px;
        background: var(--member);
        color: var(--on-member);
        font: 600 10px / 14px var(--text);
        white-space: nowrap;
      }
    `,
  ]

  declare desk: Desk
  #release: (() => void)[] = []

  override disconnectedCallback(): void {
    super.disconnectedCallback()
    for (const release of this.#release.splice(0)) release()
  }

  override render() {
    return html`
      <div class="mirror" aria-hidden="true">${this.#renderMirror()}</div>
      <textarea aria-label="Letter" spellcheck="false" @scroll=${this.#followScroll} @blur=${this.#hideCaret}></textarea>
    `
  }

  protected override updated(changed: PropertyValues): void {
    super.updated(changed)
    this.#followScroll()
    if (this.#release.length > 0) return
    const { letter } = this.desk.store.state
    const area = this.#area!
    const unbind = bindText(area, letter.y, ({ index, removed, inserted }) =>
      this.desk.store.transact(() => {
        if (removed > 0) letter.delete(index, removed)
        if (inserted !== '') letter.insert(index, inserted)
      }),
    )
    document.addEventListener('selectionchange', this.#shareCaret)
    this.#release.push(unbind, () => document.removeEventListener('selectionchange', this.#shareCaret))
  }

  get #area(): HTMLTextAreaElement | null {
    return this.renderRoot.querySelector('textarea')
  }

  #renderMirror() {
    const text = this.desk.store.state.letter.toString()
    const carets = this.#carets()
    const cuts = new Set([0, text.length, ...carets.flatMap(({ from, to }) => [from, to])])
    const places = [...cuts].sort((a, b) => a - b)
    return places.map((place, at) => {
      const here = carets.filter(({ head }) => head === place)
      const piece = text.slice(place, places[at + 1] ?? place)
      const within = carets.find(({ from, to }) => from <= place && place < to)
      const marks = here.map(
        ({ name, hue }) => html`<span class="caret member" style=${memberStyle(hue)}><span>${name}</span></span>`,
      )
      const shown = within ? html`<span class="picked member" style=${memberStyle(within.hue)}>${piece}</span>` : piece
      // A last empty line has no height of its own in a block, but has in a textarea.
      return html`${marks}${shown}${at === places.length - 1 ? '\u200b' : ''}`
    })
  }

  // #region carets
  #carets(): RemoteCaret[] {
    const { presence, store } = this.desk.room
    return presence.others.flatMap(({ state: { name, hue, caret } }) => {
      const anchor = caret && absolute(caret.anchor, store.doc)
      const head = caret && absolute(caret.head, store.doc)
      if (anchor === null || head === null) return []
      return { name, hue, from: Math.min(anchor, head), to: Math.max(anchor, head), head }
    })
  }

  // #endregion

  #caret(start: number, end: number, backward: boolean): { anchor: string; head: string } {
    const { y } = this.desk.store.state.letter
    const first = Y.createRelativePositionFromTypeIndex(y, start)
    // The end of a selection keeps to the letter before it, a mere caret to the one after it.
    const last = Y.createRelativePositionFromTypeIndex(y, end, start === end ? 0 : -1)
    const [anchor, head] = backward ? [last, first] : [first, last]
    return { anchor: JSON.stringify(anchor), head: JSON.stringify(head) }
  }

  #shareCaret = (): void => {
    const area = this.#area
    if (!area?.matches(':focus')) return
    const { selectionStart, selectionEnd, selectionDirection } = area
    this.desk.room.presence.set({ caret: this.#caret(selectionStart, selectionEnd, selectionDirection === 'backward') })
  }

  #hideCaret(): void {
    this.desk.room.presence.set({ caret: null })
  }

  #followScroll(): void {
    const mirror = this.renderRoot.querySelector('.mirror')
    if (mirror && this.#area) mirror.scrollTop = this.#area.scrollTop
  }
}

/** Where a relative position is now; `null` if this document does not have its letter yet, or it is none. */
const absolute = (position: string, doc: Y.Doc): number | null => {
  try {
    const relative = Y.createRelativePositionFromJSON(JSON.parse(position))
    return Y.createAbsolutePositionFromRelativePosition(relative, doc)?.index ?? null
  } catch (error) {
    // Presence is what others say: a caret that can't be read is not shown, and nothing else suffers.
    if (error instanceof Error) return null
    throw error
  }
}

customElements.define('demo-letter', LetterElement)
