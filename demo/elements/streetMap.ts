import { css, html, svg } from 'lit'
import { type Lamp, lampWords } from '../lamps.ts'
import { HOUSES, isDirection, LAMP_PLACES, neighbourOf } from '../streetMap.ts'
import { controls, DemoElement } from './demoElement.ts'

const ALL = LAMP_PLACES.map((_, index) => index)

const HOUSE_SHAPES = HOUSES.map(
  ([x, y, width, height]) =>
    svg`<rect class="house" x=${x} y=${y} width=${width} height=${height} rx="0.8" ry="1.6" />`,
)

/** Lamps on a map. Fires `choose` (the chosen indices), `switch` and `dim` (percent more or less). */
export class StreetMapElement extends DemoElement {
  static override properties = { lamps: { attribute: false }, chosen: { attribute: false }, current: { state: true } }
  static override styles = [
    controls,
    css`
      :host {
        display: block;
        block-size: 100%;
      }
      .map {
        position: absolute;
        inset: 0;
        overflow: hidden;
        border-radius: var(--radius);
        background: var(--street);
        /* Lights add up. */
        isolation: isolate;
        user-select: none;
      }
      svg {
        position: absolute;
        inset: 0;
        inline-size: 100%;
        block-size: 100%;
      }
      .house {
        fill: var(--house);
      }
      .square {
        fill: var(--square);
      }
      .lamp {
        position: absolute;
        inset: var(--y) auto auto var(--x);
        inline-size: 26px;
        block-size: 26px;
        margin: -13px;
        border-radius: 50%;
        cursor: pointer;
      }
      .lamp:focus-visible {
        outline-color: var(--lamp-ink);
        outline-offset: 0;
      }
      /* The light that the lamp confirmed. */
      .light {
        position: absolute;
        inset: -34px;
        border-radius: 50%;
        pointer-events: none;
        mix-blend-mode: screen;
        background: radial-gradient(
          circle closest-side,
          color-mix(in oklch, var(--lamp-light), transparent 14%),
          color-mix(in oklch, var(--lamp-light), transparent 62%) 34%,
          transparent
        );
        opacity: calc(var(--shown) * 1%);
        transition: opacity 260ms;
      }
      /* What it is set to: a filled head, or a hollow one. */
      .head {
        position: absolute;
        inset: 8px;
        border: 1.5px solid var(--lamp-soft);
        border-radius: 50%;
        background: var(--house);
      }
      .on .head {
        border-color: var(--lamp-light);
        background: color-mix(in oklch, var(--lamp-light) calc(30% + 0.7% * var(--set)), var(--house));
      }
      /* Not confirmed: a broken ring round it. */
      .open::after {
        content: '';
        position: absolute;
        inset: 3px;
        border: 1.5px dashed var(--lamp-open);
        border-radius: 50%;
      }
      .lamp[aria-selected='true']::before {
        content: '';
        position: absolute;
        inset: 0;
        border: 1.5px solid var(--lamp-ink);
        border-radius: 50%;
      }
      @media (prefers-reduced-motion: reduce) {
        .light {
          transition: none;
        }
      }
    `,
  ]

  declare lamps: readonly Lamp[]
  declare chosen: readonly number[]
  /** The one that Tab comes to. */
  declare current: number

  constructor() {
    super()
    this.lamps = []
    this.chosen = []
    this.current = 0
  }

  /** Tab comes to a lamp that is chosen: Enter, right after it, switches that one. */
  protected override willUpdate(): void {
    const isFocused = this.shadowRoot?.activeElement != null
    if (!isFocused && !this.chosen.includes(this.current)) this.current = this.chosen[0] ?? this.current
  }

  override render() {
    return html`
      <div
        class="map"
        role="listbox"
        aria-label="Street lamps"
        aria-multiselectable="true"
        @keydown=${this.#onKey}
        @focusout=${() => this.requestUpdate()}
      >
        <svg viewBox="0 0 100 100" preserveAspectRatio="none" aria-hidden="true">
          <rect class="square" x="37" y="29" width="26" height="42" rx="1" ry="2" />
          ${HOUSE_SHAPES}
        </svg>
        ${this.lamps.map((lamp, index) => this.#renderLamp(lamp, index))}
      </div>
    `
  }

  #renderLamp(lamp: Lamp, index: number) {
    const { x = 0, y = 0 } = LAMP_PLACES[index] ?? {}
    const classes = `lamp${lamp.set > 0 ? ' on' : ''}${lamp.state === 'confirmed' ? '' : ' open'}`
    return html`
      <div
        class=${classes}
        role="option"
        data-lamp=${lamp.id}
        data-state=${lamp.state}
        aria-label=${lampWords(lamp)}
        aria-selected=${this.chosen.includes(index)}
        title=${lampWords(lamp)}
        tabindex=${index === this.current ? 0 : -1}
        style="--x: ${x}%; --y: ${y}%; --set: ${lamp.set}; --shown: ${lamp.shown ?? 0}"
        @click=${(event: MouseEvent) => this.#onClick(event, index)}
      >
        <span class="light"></span><span class="head"></span>
      </div>
    `
  }

  #onClick(event: MouseEvent, index: number): void {
    this.current = index
    if (event.shiftKey || event.ctrlKey || event.metaKey) this.#choose(this.#toggled(index))
    else if (this.chosen.length === 1 && this.chosen[0] === index) this.#tell('switch')
    else this.#choose([index])
  }

  #onKey(event: KeyboardEvent): void {
    if (!this.#act(event)) return
    event.preventDefault()
    event.stopPropagation()
  }

  /** Whether the key means something here. */
  #act(event: KeyboardEvent): boolean {
    const { key } = event
    if (event.ctrlKey || event.metaKey) {
      if (key.toLowerCase() !== 'a') return false
      this.#choose(ALL)
      return true
    }
    if (isDirection(key)) {
      this.current = neighbourOf(this.current, key)
      this.#choose(event.shiftKey ? [...new Set([...this.chosen, this.current])] : [this.current])
      void this.updateComplete.then(() => this.renderRoot.querySelector<HTMLElement>('[tabindex="0"]')?.focus())
    } else if (key === ' ') this.#choose(this.#toggled(this.current))
    else if (key === 'Enter') this.#tell('switch')
    else if (key === '+' || key === '=') this.#tell('dim', 10)
    else if (key === '-') this.#tell('dim', -10)
    else return false
    return true
  }

  #toggled(index: number): number[] {
    return this.chosen.includes(index) ? this.chosen.filter((each) => each !== index) : [...this.chosen, index]
  }

  #choose(chosen: readonly number[]): void {
    this.#tell('choose', chosen)
  }

  #tell(name: 'choose' | 'switch' | 'dim', detail?: unknown): void {
    this.dispatchEvent(new CustomEvent(name, { detail }))
  }
}

customElements.define('demo-street-map', StreetMapElement)
