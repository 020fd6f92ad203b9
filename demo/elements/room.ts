import { css, html } from 'lit'
import { copyText } from '../copy.ts'
import { flashes, setFlashes } from '../flash.ts'
import { controls, DemoElement } from './demoElement.ts'

const THEME_KEY = 'tutti-demo/theme'
const THEMES = ['auto', 'light', 'dark'] as const

export const restoreTheme = (): void => {
  const kept = localStorage.getItem(THEME_KEY)
  if (kept === 'light' || kept === 'dark') document.documentElement.dataset.theme = kept
}

/** The room's name and link, and how the page shows itself. */
export class RoomElement extends DemoElement {
  static override properties = { name: { attribute: false }, copied: { state: true } }
  static override styles = [
    controls,
    css`
      :host {
        display: flex;
        flex-direction: column;
        align-items: flex-end;
        gap: 8px;
        text-align: end;
      }
      .name {
        font: 500 var(--size-m) / 32px var(--mono);
        overflow-wrap: anywhere;
      }
      .name span {
        font: 400 var(--size-s) / 32px var(--text);
        color: var(--ink-soft);
        margin-inline-end: 8px;
      }
      .row {
        display: flex;
        flex-wrap: wrap;
        justify-content: flex-end;
        gap: 8px;
      }
      .hint {
        margin: 0;
        font-size: var(--size-s);
        line-height: 20px;
        text-wrap: balance;
        color: var(--ink-soft);
      }
      @media (width < 1080px) {
        :host {
          align-items: flex-start;
          text-align: start;
        }
        .row {
          justify-content: flex-start;
        }
      }
    `,
  ]

  declare name: string
  declare copied: string

  constructor() {
    super()
    this.name = ''
    this.copied = ''
  }

  override render() {
    const theme = document.documentElement.dataset.theme ?? 'auto'
    return html`
      <div class="name"><span>Room</span>${this.name}</div>
      <div class="row">
        <button class="copy" @click=${this.#copy}>Copy link</button>
        <button role="switch" aria-checked=${flashes()} @click=${this.#toggleFlash}>
          Renders ${flashes() ? 'shown' : 'hidden'}
        </button>
        <button aria-label="Theme: ${theme}. Take the next" @click=${this.#nextTheme}>Theme: ${theme}</button>
      </div>
      <p class="hint" role="status" aria-live="polite">${this.copied || 'Open the link in a second window, or on a phone.'}</p>
    `
  }

  async #copy(): Promise<void> {
    this.copied = (await copyText(location.href)) ? 'The link is copied.' : 'Copy the address of this page.'
  }

  #toggleFlash(): void {
    setFlashes(!flashes())
    this.requestUpdate()
  }

  #nextTheme(): void {
    const root = document.documentElement
    const now = THEMES.findIndex((theme) => theme === (root.dataset.theme ?? 'auto'))
    const next = THEMES[(now + 1) % THEMES.length]!
    if (next === 'auto') delete root.dataset.theme
    else root.dataset.theme = next
    localStorage.setItem(THEME_KEY, next)
    this.requestUpdate()
    dispatchEvent(new Event('themechange'))
  }
}

customElements.define('demo-room', RoomElement)
