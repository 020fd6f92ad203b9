import { css, html } from 'lit'
import type { Desk } from '../desk.ts'
import { type Lamp, type LampSetting, lampsOf, setLamps, settingOf, streetWords } from '../lamps.ts'
import { LAMP_IDS } from '../schema.ts'
import { CountedElement, controls, hints } from './demoElement.ts'
import './lampBytes.ts'
import './streetMap.ts'

/** Milliseconds between two changes of a slider that is being drawn; the last place is always written. */
const DIM_EVERY = 100
/** The lamp that is chosen at first: over the square. */
const FIRST_CHOSEN = 7

/** Street lamps: set in the document, lit by devices that know nothing of documents, and confirmed by them. */
export class LampsElement extends CountedElement {
  static override properties = {
    desk: { attribute: false },
    chosen: { state: true },
    drawn: { state: true },
  }
  static override styles = [
    controls,
    hints,
    css`
      :host {
        display: block;
        padding: 0 16px 14px;
      }
      .map {
        position: relative;
        block-size: 212px;
      }
      .hint {
        padding-block-start: 4px;
        line-height: 20px;
      }
      .words {
        margin: 0;
        padding-block-start: 4px;
        min-block-size: 24px;
        font-size: var(--size-s);
        line-height: 20px;
      }
      .controls {
        display: flex;
        flex-wrap: wrap;
        align-items: center;
        gap: 8px 12px;
        padding-block: 4px 10px;
      }
      [role='switch'] {
        inline-size: 64px;
        padding-inline: 4px;
      }
      [role='switch'][aria-checked='true'] {
        color: var(--paper);
        background: var(--ink);
        border-color: var(--ink);
      }
      label {
        flex: 1;
        display: flex;
        align-items: center;
        gap: 8px;
        min-inline-size: 180px;
        font-size: var(--size-s);
        color: var(--ink-soft);
      }
      input {
        flex: 1;
        min-inline-size: 60px;
        margin: 0;
        block-size: 28px;
        accent-color: var(--accent);
      }
      .percent {
        inline-size: 5ch;
        text-align: end;
        color: var(--ink);
      }
      @container (width < 440px) {
        .controls {
          gap: 8px;
        }
        label {
          min-inline-size: 120px;
        }
        .name {
          display: none;
        }
        .words {
          min-block-size: 44px;
        }
      }
    `,
  ]

  declare desk: Desk
  /** Indices of lamps. */
  declare chosen: readonly number[]
  /** Where the slider is while it is being drawn. */
  declare drawn: number | undefined
  #dimTimer: ReturnType<typeof setTimeout> | undefined

  constructor() {
    super()
    this.chosen = [FIRST_CHOSEN]
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback()
    clearTimeout(this.#dimTimer)
    this.#dimTimer = undefined
  }

  override render() {
    const lamps = lampsOf(this.desk)
    const chosen = this.chosen.map((index) => lamps[index]).filter((lamp): lamp is Lamp => lamp !== undefined)
    const isOn = chosen.some(({ set }) => set > 0)
    const level = this.drawn ?? Math.round(this.#setting.level)
    const areAll = chosen.length === lamps.length
    return html`
      <div class="map">
        <demo-street-map
          .lamps=${lamps}
          .chosen=${this.chosen}
          @choose=${this.#choose}
          @switch=${this.#switch}
          @dim=${(event: CustomEvent<number>) => this.#dimTo(this.#setting.level + event.detail)}
        ></demo-street-map>
      </div>
      ${HINT}
      <p class="words" role="status">${streetWords(chosen)}</p>
      <div class="controls">
        <button role="switch" aria-checked=${isOn} aria-label=${`Light: ${isOn ? 'On' : 'Off'}`} ?disabled=${chosen.length === 0} @click=${this.#switch}>
          ${isOn ? 'On' : 'Off'}
        </button>
        <label>
          <span class="name">Brightness</span>
          <input
            type="range"
            aria-label="Brightness"
            min="0"
            max="100"
            .value=${String(level)}
            ?disabled=${chosen.length === 0}
            @input=${this.#draw}
            @change=${this.#drop}
          />
          <span class="number percent">${level} %</span>
        </label>
        <button @click=${() => this.#chooseAll(!areAll)}>${areAll ? 'One lamp' : `All ${lamps.length}`}</button>
      </div>
      <demo-lamp-bytes .desk=${this.desk}></demo-lamp-bytes>
    `
  }

  get #ids(): string[] {
    return this.chosen.map((index) => LAMP_IDS[index]).filter((id) => id !== undefined)
  }

  /** What the controls show of several lamps: the first one's. */
  get #setting(): LampSetting {
    return settingOf(this.desk, this.#ids[0] ?? '')
  }

  #choose(event: CustomEvent<readonly number[]>): void {
    this.chosen = event.detail
  }

  #chooseAll(all: boolean): void {
    this.chosen = all ? LAMP_IDS.map((_, index) => index) : [this.chosen[0] ?? FIRST_CHOSEN]
  }

  #switch(): void {
    const ids = this.#ids
    const isOn = ids.some((id) => settingOf(this.desk, id).on)
    // A lamp that was dimmed to nothing would stay dark.
    const isDim = !isOn && this.#setting.level < 1
    setLamps(this.desk, ids, isDim ? { on: true, level: 100 } : { on: !isOn })
  }

  #draw(event: InputEvent): void {
    this.drawn = Number((event.currentTarget as HTMLInputElement).value)
    if (this.#dimTimer !== undefined) return
    const dim = (): void => {
      if (this.drawn !== undefined) this.#dimTo(this.drawn)
      this.#dimTimer = setTimeout(() => {
        this.#dimTimer = undefined
        if (this.drawn !== undefined && this.drawn !== this.#setting.level) dim()
      }, DIM_EVERY)
    }
    dim()
  }

  #drop(): void {
    const { drawn } = this
    this.drawn = undefined
    if (drawn !== undefined && drawn !== this.#setting.level) this.#dimTo(drawn)
  }

  #dimTo(percent: number): void {
    const level = Math.min(100, Math.max(0, percent))
    setLamps(this.desk, this.#ids, { on: level > 0, level })
  }
}

const HINT = html`
  <p class="hint">
    <span class="keys">Click or arrow keys choose, Shift adds. Enter or a second click switches.</span>
    <span class="touch">Tap a lamp to choose it, again to switch it.</span>
  </p>
`

customElements.define('demo-lamps', LampsElement)
