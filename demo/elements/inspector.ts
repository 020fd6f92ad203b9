import { css, html } from 'lit'
import type { Desk } from '../desk.ts'
import type { LoggedTransaction, Origin } from '../transactions.ts'
import { CountedElement, controls, DemoElement } from './demoElement.ts'

const box = css`
  :host {
    display: block;
    min-block-size: 100%;
  }
  .box {
    position: absolute;
    inset: 0;
    overflow: auto;
    padding: 4px 16px 12px;
    scrollbar-width: thin;
  }
  .box:focus-visible {
    outline-offset: -2px;
  }
`

/** The document as plain JSON, as the store's snapshot gives it. */
export class SnapshotElement extends CountedElement {
  static override properties = { desk: { attribute: false } }
  static override styles = [
    controls,
    box,
    css`
      pre {
        margin: 0;
        font: 400 12px / 17px var(--mono);
      }
    `,
  ]

  declare desk: Desk

  override render() {
    return html`<div class="box" tabindex="0" role="region" aria-label="Snapshot"><pre>${JSON.stringify(
      this.desk.store.snapshot(),
      null,
      2,
    )}</pre></div>`
  }
}

const originWord = (origin: Origin): string => {
  if (typeof origin === 'string') return origin
  return 'member' in origin ? `remote, ${origin.member}` : `server, ${origin.backEnd}`
}

/** The last transactions of a desk's document. */
export class TransactionsElement extends DemoElement {
  static override properties = { desk: { attribute: false } }
  static override styles = [
    controls,
    box,
    css`
      table {
        inline-size: 100%;
        border-collapse: collapse;
        font-size: var(--size-s);
        line-height: 20px;
      }
      th {
        text-align: start;
        font-weight: 500;
        color: var(--ink-soft);
      }
      th,
      td {
        padding: 0 12px 0 0;
        border-block-end: 1px solid var(--rule);
      }
      .number {
        text-align: end;
        font-size: 12px;
      }
      .empty {
        color: var(--ink-soft);
        font-size: var(--size-s);
      }
    `,
  ]

  declare desk: Desk
  #release: (() => void) | undefined

  override connectedCallback(): void {
    super.connectedCallback()
    this.#release = this.desk.transactions.subscribe(() => this.requestUpdate())
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback()
    this.#release?.()
  }

  override render() {
    const { entries } = this.desk.transactions
    return html`<div class="box" tabindex="0" role="region" aria-label="Transactions">
      ${entries.length === 0 ? html`<p class="empty">No change yet. Move a note.</p>` : this.#renderTable(entries)}
    </div>`
  }

  #renderTable(entries: readonly LoggedTransaction[]) {
    return html`
      <table>
        <thead>
          <tr><th class="number">no.</th><th>origin</th><th>changed</th><th class="number">bytes</th></tr>
        </thead>
        <tbody>
          ${entries.map(
            ({ number, origin, roots, bytes }) => html`
              <tr>
                <td class="number">${number}</td><td>${originWord(origin)}</td>
                <td>${roots.join(', ')}</td><td class="number">${bytes}</td>
              </tr>
            `,
          )}
        </tbody>
      </table>
    `
  }
}

customElements.define('demo-snapshot', SnapshotElement)
customElements.define('demo-transactions', TransactionsElement)
