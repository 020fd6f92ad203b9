import { css, html } from 'lit'
import { copyText } from '../copy.ts'
import type { Desk } from '../desk.ts'
import { asCurl, nextPush, type PushRequest } from '../push.ts'
import code from '../push.ts?region=push&code'
import { controls, DemoElement } from './demoElement.ts'
import './panel.ts'

export type PushStage = 'sent' | 'stored' | 'failed'

/** The back end: an HTTP request that changes one note, to copy or to send from here. */
export class PushElement extends DemoElement {
  static override properties = { desk: { attribute: false }, answer: { state: true } }
  static override styles = [
    controls,
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
        min-inline-size: 0;
        overflow: hidden;
        text-overflow: ellipsis;
        white-space: nowrap;
        font-size: var(--size-s);
        color: var(--ink-soft);
      }
      @container (width < 440px) {
        .answer {
          order: 1;
        }
      }
      pre {
        margin: 0;
        padding: 2px 16px 12px;
        overflow-x: auto;
        font: 400 11.5px / 20px var(--mono);
        scrollbar-width: thin;
      }
      pre:focus-visible {
        outline-offset: -2px;
      }
    `,
  ]

  declare desk: Desk | undefined
  /** Told when a request leaves, and how it ended: `stored` is the answer that it is durable. */
  onPush: ((stage: PushStage, bytes: number) => void) | undefined
  declare answer: string

  constructor() {
    super()
    this.answer = ''
  }

  override render() {
    if (this.desk === undefined) return ''
    const request = nextPush(this.desk.room.name, this.desk.store.state)
    const curl = asCurl(request)
    return html`
      <section aria-label="Your back end">
        <demo-panel .tabs=${['Your back end']} .codes=${['request']}>
          <div slot="actions">
            <span class="answer number" role="status" aria-live="polite">${this.answer}</span>
            <button @click=${() => this.#copy(curl)}>Copy</button>
            <button class="primary" @click=${() => this.#send(request)}>Send it</button>
          </div>
          <pre slot="Your back end" tabindex="0" aria-label="The request as curl">${curl}</pre>
          <demo-code slot="request" .code=${code}></demo-code>
        </demo-panel>
      </section>
    `
  }

  async #copy(curl: string): Promise<void> {
    this.answer = (await copyText(curl)) ? 'copied' : 'select and copy it'
  }

  async #send({ url, ...request }: PushRequest): Promise<void> {
    const start = performance.now()
    const bytes = new TextEncoder().encode(request.body).byteLength
    this.onPush?.('sent', bytes)
    try {
      const response = await fetch(url, request)
      const answer: unknown = await response.json()
      const code = typeof answer === 'object' && answer !== null && 'code' in answer ? ` ${String(answer.code)}` : ''
      this.answer = `${response.status}${code} in ${Math.round(performance.now() - start)} ms`
      this.onPush?.(response.ok ? 'stored' : 'failed', bytes)
    } catch (error) {
      if (!(error instanceof TypeError || error instanceof SyntaxError)) throw error
      this.answer = 'no answer from the server'
      this.onPush?.('failed', bytes)
    }
  }
}

customElements.define('demo-push', PushElement)
