/** Elements on the three bindings, and what a test may do with them; `lit.test.ts` drives it in a real browser. */
import { html, LitElement, type PropertyValues } from 'lit'
import { repeat } from 'lit/directives/repeat.js'
import * as Y from 'yjs'
import { createStore, type Live, s } from '../../../lib/index.ts'
import { live, Reactive, StoreController } from '../../../lib/lit.ts'
import { internals } from '../../../lib/store/internals.ts'

const row = { id: s.id(), title: s.string(), done: s.boolean().default(false) }
const schema = { rows: s.list(s.object(row)), count: s.number().default(0), extra: s.number().default(0) }

const store = createStore({ schema })
const { state } = store

// Changes come from a second document, as a server would send them.
const peer = createStore({ schema })
store.doc.on('update', (update: Uint8Array, origin: unknown) => {
  if (origin !== 'peer') Y.applyUpdate(peer.doc, update, 'peer')
})
peer.doc.on('update', (update: Uint8Array, origin: unknown) => {
  if (origin !== 'peer') Y.applyUpdate(store.doc, update, 'peer')
})

const renders: Record<string, number> = {}
const count = (name: string): void => {
  renders[name] = (renders[name] ?? 0) + 1
}

class TestRow extends Reactive(LitElement) {
  static override properties = { item: { attribute: false } }
  declare item: Live<typeof row>

  protected override createRenderRoot(): HTMLElement {
    return this
  }

  override render(): unknown {
    count('row')
    return html`<span>${this.item.title}</span>${this.item.done ? ' done' : ''}`
  }
}
customElements.define('test-row', TestRow)

class TestList extends Reactive(LitElement) {
  protected override createRenderRoot(): HTMLElement {
    return this
  }

  override render(): unknown {
    count('list')
    return repeat(
      state.rows,
      (each) => each.id,
      (each) => html`<test-row .item=${each}></test-row>`,
    )
  }
}
customElements.define('test-list', TestList)

class TestDerived extends Reactive(LitElement) {
  #double = 0

  protected override createRenderRoot(): HTMLElement {
    return this
  }

  protected override willUpdate(_changed: PropertyValues): void {
    this.#double = state.count * 2
  }

  override render(): unknown {
    count('derived')
    return html`${this.#double}`
  }

  protected override updated(): void {
    // After rendering a write is allowed.
    if (state.extra < state.count) state.extra = state.count
  }
}
customElements.define('test-derived', TestDerived)

class TestWriter extends Reactive(LitElement) {
  override render(): unknown {
    state.count++
    return html`never`
  }
}
customElements.define('test-writer', TestWriter)

class TestController extends LitElement {
  #count = new StoreController(this, () => state.count > 5)

  protected override createRenderRoot(): HTMLElement {
    return this
  }

  override render(): unknown {
    count('controller')
    return html`${this.#count.value}`
  }
}
customElements.define('test-controller', TestController)

class TestLive extends LitElement {
  protected override createRenderRoot(): HTMLElement {
    return this
  }

  override render(): unknown {
    count('live')
    return html`<i title=${live(() => `title ${state.count}`)}>${live(() => state.count)}</i>`
  }
}
customElements.define('test-live', TestLive)

const mount = (name: string): LitElement => document.body.appendChild(document.createElement(name) as LitElement)

const updated = async (): Promise<void> => {
  // One microtask hop per level of elements.
  for (const each of document.querySelectorAll<LitElement>(
    'test-list,test-row,test-derived,test-controller,test-live',
  )) {
    await each.updateComplete
  }
}

const page = {
  state,
  peer: peer.state,
  renders,
  mount,
  updated,
  text: (name: string): string => document.querySelector(name)?.textContent?.trim() ?? '',
  title: (): string => document.querySelector('test-live i')?.getAttribute('title') ?? '',
  unmount: (): void => {
    document.body.replaceChildren()
  },
  subscriptions: (): number => internals(store).graph.subscriptions ?? 0,
  /** Mounts an element, waits for it, unmounts it, and does so `times` times. */
  cycle: async (name: string, times: number): Promise<void> => {
    for (let each = 0; each < times; each++) {
      const element = mount(name)
      await element.updateComplete
      await updated()
      element.remove()
    }
  },
}

declare global {
  interface Window {
    page: typeof page
  }
}
window.page = page
