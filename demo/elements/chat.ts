import { css, html, type PropertyValues } from 'lit'
import { repeat } from 'lit/directives/repeat.js'
import { TuttiError } from 'tutti'
import { type ChatLine, keep, listen, say } from '../chat.ts'
import type { Desk } from '../desk.ts'
import { controls, DemoElement, fields } from './demoElement.ts'

/** Lines kept on the page, of a chat that nobody stores. */
const MAX_LINES = 50
/** Milliseconds between two events that tell of typing, and for how long one is shown. */
const TYPING_EVERY = 2_000
const TYPING_SHOWN = 3_000

interface Writer {
  readonly person: string
  readonly name: string
  readonly timer: ReturnType<typeof setTimeout>
}

/** A list stands at its end, within a part of a line (px). */
const isAtEnd = ({ scrollHeight, scrollTop, clientHeight }: Element): boolean =>
  scrollHeight - scrollTop - clientHeight < 10

const writingWords = (names: readonly string[]): string => {
  if (names.length > 2) return `${names.length} are writing`
  return names.length === 0 ? '' : `${names.join(' and ')} ${names.length === 1 ? 'is' : 'are'} writing`
}

/** What is said, as events, beside what is kept, in the document. */
export class ChatElement extends DemoElement {
  static override properties = {
    desk: { attribute: false },
    lines: { state: true },
    writers: { state: true },
    problem: { state: true },
    isSaying: { state: true },
  }
  static override styles = [
    controls,
    fields,
    css`
      :host {
        display: block;
        padding: 0 16px 12px;
      }
      .columns {
        display: grid;
        grid-template-columns: 1fr 1fr;
        gap: 16px;
      }
      h3 {
        margin: 0;
        font-size: var(--size-s);
        font-weight: 500;
        line-height: 20px;
        color: var(--ink-soft);
      }
      ol {
        list-style: none;
        margin: 4px 0 0;
        padding: 0;
        block-size: 120px;
        overflow: hidden auto;
        overflow-wrap: anywhere;
        font-size: var(--size-s);
        line-height: 20px;
        scrollbar-width: thin;
      }
      .came,
      .left,
      .gap,
      .empty,
      .news {
        color: var(--ink-soft);
      }
      .news {
        margin: 0;
        min-block-size: 20px;
        font-size: var(--size-s);
        line-height: 20px;
      }
      form {
        display: flex;
        gap: 8px;
      }
    `,
  ]

  declare desk: Desk
  declare lines: readonly ChatLine[]
  /** Who is writing. */
  declare writers: readonly Writer[]
  declare problem: string
  /** Until the room has it, or not. */
  declare isSaying: boolean
  #release: (() => void)[] = []
  /** Whether somebody reads further up than the end of the lists, before they are rendered again. */
  #isReading = { said: false, kept: false }
  #keptCount = 0
  #toldTyping = -TYPING_EVERY

  constructor() {
    super()
    this.lines = []
    this.writers = []
    this.problem = ''
    this.isSaying = false
  }

  override connectedCallback(): void {
    super.connectedCallback()
    if (this.#release.length > 0) return
    const { room, store } = this.desk
    this.#release.push(
      listen(this.desk, {
        line: (line) => this.#add(line),
        typing: (name, person = name) => this.#showWriter(name, person),
      }),
      // Why something was not sent before says nothing of what is sent from now on.
      store.effect(() => {
        if (room.status.connection === 'connected') this.problem = ''
      }),
    )
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback()
    for (const { timer } of this.writers) clearTimeout(timer)
    this.writers = []
    for (const release of this.#release.splice(0)) release()
  }

  override render() {
    const kept = [...this.desk.store.state.kept]
    const news = this.problem || writingWords(this.writers.map(({ name }) => name))
    return html`
      <div class="columns">
        <section>
          <h3 id="said">Said: events, not stored</h3>
          <ol role="log" aria-live="polite" aria-labelledby="said" tabindex="0">
            ${repeat(
              this.lines,
              (line) => line, // what goes at the top moves nothing of what is read
              ({ kind, name, text }) => html`<li class=${kind}>${name && html`<b>${name}</b> `}${text}</li>`,
            )}
            ${this.lines.length === 0 ? html`<li class="empty">Say something: it shows on the other desk.</li>` : ''}
          </ol>
        </section>
        <section>
          <h3 id="kept">Kept: a list in the document</h3>
          <ol aria-labelledby="kept" tabindex="0">
            ${kept.map(({ name, text }) => html`<li><b>${name}</b> ${text}</li>`)}
            ${kept.length === 0 ? html`<li class="empty">Keep something: a reload still shows it.</li>` : ''}
          </ol>
        </section>
      </div>
      <p class="news" role="status">${news}</p>
      <form @submit=${this.#say}>
        <input name="text" aria-label="Message" placeholder="Message" maxlength="500" autocomplete="off" @input=${this.#type} />
        <button class="primary" aria-disabled=${this.isSaying}>Say</button>
        <button type="button" @click=${this.#keep}>Keep</button>
      </form>
    `
  }

  protected override willUpdate(): void {
    const [said, kept] = this.#lists
    this.#isReading = { said: said !== undefined && !isAtEnd(said), kept: kept !== undefined && !isAtEnd(kept) }
  }

  /** A new line scrolls into view, unless someone reads further up. */
  protected override updated(changed: PropertyValues): void {
    super.updated(changed)
    const [said, kept] = this.#lists
    const keptCount = this.desk.store.state.kept.length
    if (said && changed.has('lines') && !this.#isReading.said) said.scrollTop = said.scrollHeight
    if (kept && keptCount !== this.#keptCount && !this.#isReading.kept) kept.scrollTop = kept.scrollHeight
    this.#keptCount = keptCount
  }

  get #lists(): HTMLElement[] {
    return [...this.renderRoot.querySelectorAll('ol')]
  }

  #add(line: ChatLine): void {
    this.lines = [...this.lines, line].slice(-MAX_LINES)
    if (line.kind !== 'came' && line.person !== undefined) this.#forgetWriter(line.person)
  }

  #showWriter(name: string, person: string): void {
    this.#forgetWriter(person)
    const timer = setTimeout(() => this.#forgetWriter(person), TYPING_SHOWN)
    this.writers = [...this.writers, { person, name, timer }]
  }

  #forgetWriter(person: string): void {
    const writer = this.writers.find((each) => each.person === person)
    if (writer === undefined) return
    clearTimeout(writer.timer)
    this.writers = this.writers.filter((each) => each !== writer)
  }

  get #input(): HTMLInputElement {
    return this.renderRoot.querySelector('input')!
  }

  async #type(): Promise<void> {
    const now = performance.now()
    const { room } = this.desk
    if (now - this.#toldTyping < TYPING_EVERY || room.status.connection !== 'connected') return
    this.#toldTyping = now
    await this.#attempt(() => room.events.trigger('typing', { name: room.presence.self.name }, { ack: false }))
  }

  async #say(event: Event): Promise<void> {
    event.preventDefault()
    const input = this.#input
    const text = input.value.trim()
    if (text === '' || this.isSaying) return
    this.isSaying = true
    // Its place among the others' lines is where the room published it: the answer comes between them, in order.
    const isSaid = await this.#attempt(() => say(this.desk, text)).finally(() => {
      this.isSaying = false
    })
    if (!isSaid) return
    if (input.value.trim() === text) input.value = ''
    this.#toldTyping = -TYPING_EVERY
    this.#add({ kind: 'said', name: this.desk.room.presence.self.name, text })
  }

  #keep(): void {
    const text = this.#input.value.trim()
    if (text === '') return
    keep(this.desk, text)
    this.#input.value = ''
  }

  /** The text of what is not sent stays in its field; why stands above it. */
  async #attempt(send: () => Promise<void>): Promise<boolean> {
    try {
      await send()
      this.problem = ''
      return true
    } catch (error) {
      if (!(error instanceof TuttiError)) throw error
      this.problem = `${error.code}: ${error.message}`
      return false
    }
  }
}

customElements.define('demo-chat', ChatElement)
