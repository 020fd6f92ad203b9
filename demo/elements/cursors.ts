import { css, html } from 'lit'
import { repeat } from 'lit/directives/repeat.js'
import { live } from 'tutti/lit'
import type { Desk } from '../desk.ts'
import { DemoElement, memberColours } from './demoElement.ts'
import { memberStyle } from './people.ts'

type Member = Desk['room']['presence']['others'][number]

const cursorStyle = ({ state }: Member): string =>
  state.cursor === null
    ? 'visibility: hidden'
    : `inset-inline-start: ${state.cursor.x * 100}%; inset-block-start: ${state.cursor.y * 100}%`

/** The pointers of the others over this desk. One that moves changes its own style attribute; nothing renders. */
export class CursorsElement extends DemoElement {
  static override properties = { desk: { attribute: false } }
  static override styles = [
    memberColours,
    css`
      :host {
        position: absolute;
        inset: 0;
        z-index: 4;
        overflow: hidden;
        pointer-events: none;
      }
      .cursor {
        position: absolute;
        transition: inset 60ms linear;
      }
      @media (prefers-reduced-motion: reduce) {
        .cursor {
          transition: none;
        }
      }
      svg {
        display: block;
        inline-size: 16px;
        block-size: 16px;
        fill: var(--member);
        stroke: var(--sheet);
        stroke-width: 1.25;
      }
      .name {
        display: block;
        margin: -2px 0 0 11px;
        padding: 0 5px;
        border-radius: 0 3px 3px 3px;
        background: var(--member);
        color: var(--on-member);
        font: 600 11px / 16px var(--text);
        white-space: nowrap;
        inline-size: max-content;
      }
    `,
  ]

  declare desk: Desk

  // #region cursors
  override render() {
    return repeat(
      this.desk.room.presence.others,
      (member) => member.id,
      (member) => html`
        <div class="cursor" style=${live(() => cursorStyle(member))}>
          <div class="member" style=${memberStyle(member.state.hue)}>
            ${ARROW}<span class="name">${member.state.name}</span>
          </div>
        </div>
      `,
    )
  }
  // #endregion
}

const ARROW = html`<svg viewBox="0 0 16 16" aria-hidden="true"><path d="M1.5 1.2 14 7.4 8.3 9 5.6 14.4z" /></svg>`

customElements.define('demo-cursors', CursorsElement)
