import { css, html, LitElement } from 'lit'
import { unsafeHTML } from 'lit/directives/unsafe-html.js'
import { controls } from './demoElement.ts'

/**
 * A part of a desk with tabs: what it shows, and the code that makes it work. Content goes into the slot named like
 * its tab; all tabs share one place, so that changing them moves nothing. Fires `tab` with the name of a chosen one.
 */
export class PanelElement extends LitElement {
  static override properties = { tabs: { attribute: false }, codes: { attribute: false }, chosen: { state: true } }
  static override styles = [
    controls,
    css`
      :host {
        display: flex;
        flex-direction: column;
        min-inline-size: 0;
        border-block-start: 1px solid var(--rule);
      }
      header {
        display: flex;
        align-items: center;
        justify-content: space-between;
        gap: 0 8px;
        min-block-size: 40px;
        padding-inline: 12px;
      }
      [role='tablist'] {
        position: relative;
        display: flex;
        min-inline-size: 0;
        block-size: 40px;
        align-items: center;
        /* Where there are more than fit, a touch or the arrow keys reach them. */
        overflow: auto hidden;
        scrollbar-width: none;
      }
      [role='tab'] {
        flex: none;
      }
      [role='tab'] {
        border: 0;
        border-radius: 0;
        padding: 4px 0;
        margin-inline: 4px var(--tab-gap, 12px);
        color: var(--ink-soft);
        font-size: var(--size-s);
        border-block: 2px solid transparent;
      }
      [role='tab'][aria-selected='true'] {
        color: var(--ink);
        border-block-end-color: var(--ink);
      }
      .first {
        font-size: var(--size-m);
        font-weight: 600;
      }
      .code {
        font: 400 12px / 18px var(--mono);
        margin-inline-end: min(8px, var(--tab-gap, 8px));
      }
      :not(.code) + .code {
        margin-inline-start: 8px;
      }
      :not(.code) + .code::before {
        content: '';
        position: absolute;
        inline-size: 1px;
        block-size: 14px;
        margin: 2px 0 0 calc((var(--tab-gap, 12px) + 8px) / -2);
        background: var(--rule-strong);
      }
      ::slotted([slot='actions']) {
        flex: none;
      }
      @container (width < 440px) {
        header {
          flex-wrap: wrap;
        }
        ::slotted([slot='actions']) {
          flex: 1 0 100%;
          padding: 0 4px 8px;
        }
      }
      .pages {
        display: grid;
        flex: 1;
        min-block-size: 0;
      }
      .page {
        grid-area: 1 / 1;
        min-inline-size: 0;
        min-block-size: 0;
      }
      .page[inert] {
        visibility: hidden;
      }
    `,
  ]

  declare tabs: readonly string[]
  /** Tabs that show code; set apart and in the code's own letters. */
  declare codes: readonly string[]
  declare chosen: string

  constructor() {
    super()
    this.tabs = []
    this.codes = []
    this.chosen = ''
  }

  override render() {
    const all = [...this.tabs, ...this.codes]
    const chosen = all.includes(this.chosen) ? this.chosen : all[0]
    const button = (tab: string, at: number) => html`
      <button
        role="tab"
        id=${`tab-${tab}`}
        class=${at === 0 ? 'first' : at >= this.tabs.length ? 'code' : ''}
        aria-selected=${tab === chosen}
        aria-controls=${`page-${tab}`}
        aria-label=${at >= this.tabs.length ? `Code: ${tab}` : tab}
        tabindex=${tab === chosen ? 0 : -1}
        @click=${() => this.#choose(tab)}
      >
        ${tab}
      </button>
    `
    return html`
      <header>
        <div role="tablist" @keydown=${this.#onKey}>${all.map(button)}</div>
        <slot name="actions"></slot>
      </header>
      <div class="pages">
        ${all.map(
          (tab) => html`
            <div class="page" role="tabpanel" id=${`page-${tab}`} aria-labelledby=${`tab-${tab}`} ?inert=${tab !== chosen}>
              <slot name=${tab}></slot>
            </div>
          `,
        )}
      </div>
    `
  }

  #choose(tab: string): void {
    this.chosen = tab
    this.dispatchEvent(new CustomEvent('tab', { detail: tab }))
  }

  #onKey(event: KeyboardEvent): void {
    const step = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0
    if (step === 0) return
    event.preventDefault()
    const all = [...this.tabs, ...this.codes]
    const now = Math.max(0, all.indexOf(this.chosen))
    const next = all[(now + step + all.length) % all.length]
    if (next === undefined) return
    this.#choose(next)
    void this.updateComplete.then(() => this.renderRoot.querySelector<HTMLElement>('[aria-selected=true]')?.focus())
  }
}

/** Highlighted code of the build, in a box that scrolls on its own. */
export class CodeElement extends LitElement {
  static override properties = { code: { attribute: false } }
  static override styles = css`
    :host {
      display: block;
      position: relative;
      min-block-size: 100%;
    }
    div {
      position: absolute;
      inset: 0;
      overflow: auto;
      scrollbar-width: thin;
      /* Above and below a shade tells that there is more: what is fixed to the text covers it at either end. */
      background:
        linear-gradient(var(--sunken) 40%, transparent) 0 0 / 100% 24px no-repeat local,
        linear-gradient(transparent, var(--sunken) 60%) 0 100% / 100% 24px no-repeat local,
        linear-gradient(var(--shadow), transparent) 0 0 / 100% 10px no-repeat,
        linear-gradient(transparent, var(--shadow)) 0 100% / 100% 10px no-repeat,
        var(--sunken);
      /* The variables that the highlighter's theme uses. */
      --code-foreground: var(--ink);
      --code-background: transparent;
      --code-token-keyword: var(--code-keyword);
      --code-token-string: var(--code-string);
      --code-token-string-expression: var(--code-string);
      --code-token-constant: var(--code-number);
      --code-token-function: var(--code-name);
      --code-token-parameter: var(--ink);
      --code-token-comment: var(--ink-soft);
      --code-token-punctuation: var(--ink-soft);
      --code-token-link: var(--code-string);
    }
    div:focus-visible {
      outline: 2px solid var(--accent);
      outline-offset: -2px;
    }
    pre {
      margin: 0;
      padding: 12px 16px;
      font: 400 12px / 18px var(--mono);
      tab-size: 2;
      inline-size: max-content;
      min-inline-size: 100%;
    }
    code {
      font: inherit;
    }
  `
  declare code: string

  constructor() {
    super()
    this.code = ''
  }

  override render() {
    // Made by our own build from our own source.
    return html`<div tabindex="0" role="region" aria-label="Code">${unsafeHTML(this.code)}</div>`
  }
}

customElements.define('demo-panel', PanelElement)
customElements.define('demo-code', CodeElement)
