import { css, html } from 'lit'
import type { Desk } from '../desk.ts'
import { CountedElement, controls } from './demoElement.ts'

/** Undo, redo and a new note. Renders when what can be undone changes. */
export class BoardActionsElement extends CountedElement {
  static override properties = { desk: { attribute: false } }
  static override styles = [
    controls,
    css`
      :host {
        --renders-display: none;
        display: flex;
        gap: 8px;
      }
    `,
  ]
  declare desk: Desk

  // #region history
  override render() {
    const { history } = this.desk.store
    return html`
      <button ?disabled=${!history.canUndo} @click=${() => history.undo()}>Undo</button>
      <button ?disabled=${!history.canRedo} @click=${() => history.redo()}>Redo</button>
      <button @click=${() => this.dispatchEvent(new Event('add-note', { bubbles: true }))}>Add note</button>
    `
  }
  // #endregion
}

customElements.define('demo-board-actions', BoardActionsElement)
