import { css, html } from 'lit'
import type { Desk } from '../desk.ts'
import { HUE_NAMES, HUES, rememberPerson } from '../person.ts'
import { CountedElement, controls, memberColours } from './demoElement.ts'

/** More members than this are told by their number. */
const MOST_SHOWN = 6

const hueAt = (place: number): number => HUES[place] ?? HUES[0]!

export const memberStyle = (place: number): string => `--hue: ${hueAt(place)}`

const initials = (name: string): string => [...name.trim()].slice(0, 2).join('') || '?'

/** Who is in the room. The first is the person at this desk, whose name and colour can be changed here. */
export class PeopleElement extends CountedElement {
  static override properties = { desk: { attribute: false }, news: { state: true } }
  static override styles = [
    controls,
    memberColours,
    css`
      :host {
        display: flex;
        align-items: center;
        gap: 8px 16px;
        block-size: 44px;
        padding: 0 16px 12px;
      }
      .self {
        display: flex;
        align-items: center;
        gap: 8px;
        flex: none;
      }
      .badge {
        display: grid;
        place-items: center;
        flex: none;
        inline-size: 28px;
        block-size: 28px;
        border-radius: 50%;
        background: var(--member);
        color: var(--on-member);
        font-size: 11px;
        font-weight: 650;
        line-height: 1;
      }
      button.badge {
        padding: 0;
        border: 0;
        min-block-size: 28px;
      }
      button.badge:hover {
        box-shadow: 0 0 0 2px var(--sheet), 0 0 0 3px var(--member);
      }
      button.badge:active {
        background: var(--member);
      }
      input {
        font: inherit;
        font-weight: 600;
        color: var(--ink);
        background: transparent;
        border: 0;
        border-block-end: 1px solid var(--rule-strong);
        border-radius: 0;
        padding: 0 0 1px;
        inline-size: 104px;
        block-size: 26px;
      }
      ul {
        display: flex;
        gap: 4px 12px;
        margin: 0;
        padding: 0;
        list-style: none;
        min-inline-size: 0;
        overflow: hidden;
        font-size: var(--size-s);
      }
      li {
        position: relative;
        display: flex;
        align-items: center;
        gap: 6px;
        min-inline-size: 28px;
        white-space: nowrap;
      }
      .name {
        min-inline-size: 0;
        overflow: hidden;
        text-overflow: ellipsis;
      }
      /* No room for names: the letters in the circles stand for them, to the eye. */
      @media (width < 640px) {
        .name {
          position: absolute;
          clip-path: inset(50%);
        }
      }
      .alone {
        color: var(--ink-soft);
        font-size: var(--size-s);
      }
      [popover] {
        inset: auto;
        margin: 0;
        padding: 12px;
        border: 1px solid var(--rule-strong);
        border-radius: var(--radius);
        background: var(--sheet);
        box-shadow: 0 6px 20px var(--shadow);
      }
      .hues {
        display: grid;
        grid-template-columns: repeat(6, 32px);
        gap: 6px;
      }
      .hues button {
        inline-size: 32px;
        block-size: 32px;
        padding: 0;
        border: 0;
        border-radius: 50%;
        background: var(--member);
      }
      .hues button[aria-pressed='true'] {
        box-shadow: 0 0 0 2px var(--sheet), 0 0 0 4px var(--member);
      }
    `,
  ]

  declare desk: Desk
  declare news: string
  #release: (() => void)[] = []

  constructor() {
    super()
    this.news = ''
  }

  override connectedCallback(): void {
    super.connectedCallback()
    const { presence } = this.desk.room
    this.#release.push(
      presence.on('join', (member) => this.#tell(`${member.state.name} came`)),
      presence.on('leave', (member) => this.#tell(`${member.state.name} left`)),
    )
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback()
    for (const release of this.#release.splice(0)) release()
  }

  override render() {
    // #region people
    const { self, others } = this.desk.room.presence
    const list = others.slice(0, MOST_SHOWN).map(
      ({ id, state }) => html`
        <li class="member" style=${memberStyle(state.hue)} data-member=${id} title=${state.name}>
          <span class="badge" aria-hidden="true">${initials(state.name)}</span><span class="name">${state.name}</span>
        </li>
      `,
    )
    // #endregion
    const { connection } = this.desk.room.status
    return html`
      <div class="self member" style=${memberStyle(self.hue)}>
        <button class="badge" popovertarget="hues" title="Change your colour" aria-label="Your colour: ${HUE_NAMES[self.hue]}. Change it">
          ${initials(self.name)}
        </button>
        <input aria-label="Your name" maxlength="24" .value=${self.name} autocomplete="off" spellcheck="false"
          @input=${this.#rename} @blur=${this.#restoreName} @keydown=${this.#onKey} />
      </div>
      ${
        others.length === 0
          ? html`<span class="alone">${connection === 'connected' ? 'Nobody else is here.' : 'Nobody in sight.'}</span>`
          : html`<ul aria-label="Others in the room">
              ${list}${others.length > MOST_SHOWN ? html`<li>${others.length - MOST_SHOWN} more</li>` : ''}
            </ul>`
      }
      <div id="hues" popover @beforetoggle=${this.#place}>
        <div class="hues" role="group" aria-label="Your colour">
          ${HUE_NAMES.map(
            (name, place) => html`
              <button class="member" style=${memberStyle(place)} title=${name} aria-label=${name}
                aria-pressed=${place === self.hue} @click=${() => this.#recolour(place)}></button>
            `,
          )}
        </div>
      </div>
      <span class="visually-hidden" role="status" aria-live="polite">${this.news}</span>
    `
  }

  #tell(news: string): void {
    this.news = news
  }

  #rename(event: Event): void {
    const name = (event.target as HTMLInputElement).value.trim()
    if (name === '') return
    const { presence } = this.desk.room
    presence.set({ name, user: { ...presence.self.user, name } })
    this.#remember()
  }

  #restoreName(event: Event): void {
    const input = event.target as HTMLInputElement
    input.value = this.desk.room.presence.self.name
  }

  #onKey(event: KeyboardEvent): void {
    if (event.key === 'Enter') (event.target as HTMLInputElement).blur()
  }

  #recolour(hue: number): void {
    this.desk.room.presence.set({ hue })
    this.#remember()
    this.renderRoot.querySelector<HTMLElement>('[popover]')?.hidePopover()
  }

  #remember(): void {
    const { name, hue } = this.desk.room.presence.self
    rememberPerson(this.desk.side, { name, hue })
  }

  #place(event: Event): void {
    const popover = event.target as HTMLElement
    const { left, bottom } = this.renderRoot.querySelector('button.badge')!.getBoundingClientRect()
    popover.style.left = `${Math.max(8, left - 8)}px`
    popover.style.top = `${bottom + 6}px`
  }
}

customElements.define('demo-people', PeopleElement)
