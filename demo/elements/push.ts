import { css, html } from 'lit'
import { announce } from '../application.ts'
import formCode from '../application.ts?region=form&code'
import applicationCode from '../backend/application.ts?region=application&code'
import { copyText } from '../copy.ts'
import type { Desk } from '../desk.ts'
import { asCurl, eventPush, nextPush, type PushRequest } from '../push.ts'
import code from '../push.ts?region=push&code'
import { controls, DemoElement, fields } from './demoElement.ts'
import './panel.ts'

export type PushStage = 'sent' | 'stored' | 'failed'
/** What the back end changes: what is kept, or only what is heard. */
export type PushKind = 'document' | 'event'

const TABS = ['Your back end', 'Event', 'Form'] as const

/** The back end: HTTP requests that push into the room, to copy or to send from here, and a form of an application. */
export class PushElement extends DemoElement {
  static override properties = {
    desk: { attribute: false },
    answer: { state: true },
    tab: { state: true },
    sent: { state: true },
    isPosting: { state: true },
  }
  static override styles = [
    controls,
    fields,
    css`
      :host {
        display: block;
      }
      section {
        block-size: 100%;
        container-type: inline-size;
        display: flex;
        flex-direction: column;
        border: 1px solid var(--rule-strong);
        border-radius: var(--radius);
        background: var(--sheet);
        overflow: hidden;
      }
      demo-panel {
        flex: 1;
        min-block-size: 0;
        border: 0;
      }
      [slot='actions'] {
        display: flex;
        align-items: center;
        gap: 8px;
        min-inline-size: 0;
      }
      .answer {
        margin: 0;
        padding: 0 16px 8px;
        max-inline-size: none;
        min-block-size: 28px;
        overflow: hidden;
        text-overflow: ellipsis;
        white-space: nowrap;
        font-size: var(--size-s);
        line-height: 20px;
        color: var(--ink-soft);
      }
      .answer[hidden] {
        display: none;
      }
      pre {
        margin: 0;
        padding: 2px 16px 4px;
        overflow-x: auto;
        font: 400 11.5px / 20px var(--mono);
        scrollbar-width: thin;
      }
      pre:focus-visible {
        outline-offset: -2px;
      }
      form {
        display: flex;
        gap: 8px;
        padding: 4px 16px;
      }
      .hint {
        margin: 0;
        padding: 0 16px;
        max-inline-size: none;
        font-size: var(--size-s);
        line-height: 20px;
        color: var(--ink-soft);
      }
    `,
  ]

  declare desk: Desk | undefined
  /** Told when a request leaves, and how it ended: `stored` is the answer that the room has it. */
  onPush: ((kind: PushKind, stage: PushStage, bytes: number) => void) | undefined
  declare answer: string
  declare tab: string
  /** Events sent from here: each is another one. */
  declare sent: number
  /** Until the application has answered. */
  declare isPosting: boolean

  constructor() {
    super()
    this.answer = ''
    this.tab = TABS[0]
    this.sent = 0
    this.isPosting = false
  }

  override render() {
    if (this.desk === undefined) return ''
    const { name } = this.desk.room
    const change = nextPush(name, this.desk.store.state)
    const event = eventPush(name, this.sent)
    const [documentTab, eventTab, formTab] = TABS
    const isCode = !TABS.some((tab) => tab === this.tab)
    return html`
      <section aria-label="Your back end">
        <demo-panel
          .tabs=${TABS}
          .codes=${['request', 'form', 'application']}
          @tab=${(chosen: CustomEvent<string>) => this.#choose(chosen.detail)}
        >
          <div slot="actions">${this.#renderActions(change, event)}</div>
          <pre slot=${documentTab} tabindex="0" aria-label="The request as curl">${asCurl(change)}</pre>
          <pre slot=${eventTab} tabindex="0" aria-label="The event as curl">${asCurl(event)}</pre>
          <div slot=${formTab}>
            <form @submit=${this.#post}>
              <input name="text" aria-label="Announcement" placeholder="An announcement to everyone" maxlength="200" autocomplete="off" />
              <button class="primary" aria-disabled=${this.isPosting}>Post it</button>
            </form>
            <p class="hint">An application of its own pushes it to everyone.</p>
          </div>
          <demo-code slot="request" .code=${code}></demo-code>
          <demo-code slot="form" .code=${formCode}></demo-code>
          <demo-code slot="application" .code=${applicationCode}></demo-code>
        </demo-panel>
        <p class="answer number" role="status" aria-live="polite" ?hidden=${isCode}>${this.answer}</p>
      </section>
    `
  }

  #renderActions(change: PushRequest, event: PushRequest) {
    const [documentTab, eventTab] = TABS
    if (this.tab !== documentTab && this.tab !== eventTab) return ''
    const [kind, request] = this.tab === eventTab ? (['event', event] as const) : (['document', change] as const)
    return html`
      <button @click=${() => this.#copy(asCurl(request))}>Copy</button>
      <button class="primary" @click=${() => this.#send(kind, request)}>Send it</button>
    `
  }

  #choose(tab: string): void {
    this.tab = tab
    this.answer = ''
  }

  async #copy(curl: string): Promise<void> {
    this.answer = (await copyText(curl)) ? 'copied' : 'select and copy it'
  }

  async #send(kind: PushKind, { url, ...request }: PushRequest): Promise<void> {
    const start = performance.now()
    const bytes = new TextEncoder().encode(request.body).byteLength
    this.onPush?.(kind, 'sent', bytes)
    try {
      const response = await fetch(url, request)
      const answer: unknown = await response.json()
      const code = typeof answer === 'object' && answer !== null && 'code' in answer ? ` ${String(answer.code)}` : ''
      this.answer = `${response.status}${code} in ${Math.round(performance.now() - start)} ms`
      if (kind === 'event' && response.ok) this.sent += 1
      this.onPush?.(kind, response.ok ? 'stored' : 'failed', bytes)
    } catch (error) {
      if (!(error instanceof TypeError || error instanceof SyntaxError)) throw error
      this.answer = 'no answer from the server'
      this.onPush?.(kind, 'failed', bytes)
    }
  }

  async #post(event: SubmitEvent): Promise<void> {
    event.preventDefault()
    const form = event.currentTarget as HTMLFormElement
    const text = String(new FormData(form).get('text')).trim()
    if (text === '' || this.desk === undefined || this.isPosting) return
    this.isPosting = true
    const { isPushed, answer } = await announce(this.desk.room.name, text).finally(() => {
      this.isPosting = false
    })
    this.answer = answer
    if (isPushed) form.reset()
  }
}

customElements.define('demo-push', PushElement)
