/** Lit bindings: `Reactive` for elements, `StoreController` for one selected value, `live` for one place in a template. */
import { isServer, type ReactiveController, type ReactiveControllerHost, type ReactiveElement } from 'lit'
import { AsyncDirective } from 'lit/async-directive.js'
import { type DirectiveResult, directive, type PartInfo } from 'lit/directive.js'
import { computed, effect, untracked } from './store/reactive.ts'
import { rendering } from './store/render.ts'

// biome-ignore lint/suspicious/noExplicitAny: TypeScript wants exactly this of the base of a mixin
type Constructor<T> = new (...args: any[]) => T

/**
 * An element that renders again when something changed that its last render read: `class Row extends
 * Reactive(LitElement)`. While it is disconnected it subscribes to nothing. Writes while it renders are refused.
 */
export const Reactive = <B extends Constructor<ReactiveElement>>(Base: B): B => {
  class Tracking extends Base {
    #stop: (() => void) | undefined

    protected override performUpdate(): void {
      if (!this.isUpdatePending) return
      this.#stop?.()
      if (!this.isConnected) {
        super.performUpdate()
        return
      }
      let isFirst = true
      this.#stop = effect(() => {
        // The second run reads nothing and so waits for nothing more: the update that it asks for starts anew.
        if (isFirst) super.performUpdate()
        else this.requestUpdate()
        isFirst = false
      })
    }

    protected override update(changed: Map<PropertyKey, unknown>): void {
      rendering(() => super.update(changed))
    }

    override connectedCallback(): void {
      super.connectedCallback()
      if (this.hasUpdated) this.requestUpdate()
    }

    override disconnectedCallback(): void {
      super.disconnectedCallback()
      this.#stop?.()
      this.#stop = undefined
    }
  }
  return Tracking
}

/**
 * Follows one value for a host that is not `Reactive`: `#count = new StoreController(this, () => state.todos.length)`,
 * then `this.#count.value` in `render`. The host updates when the selected value is another one (`===`).
 */
export class StoreController<V> implements ReactiveController {
  readonly #host: ReactiveControllerHost
  readonly #select: () => V
  #stop: (() => void) | undefined
  #value: V | undefined

  constructor(host: ReactiveControllerHost, select: () => V) {
    this.#host = host
    this.#select = select
    host.addController(this)
  }

  get value(): V {
    return this.#stop ? (this.#value as V) : untracked(this.#select)
  }

  hostConnected(): void {
    if (isServer) return
    const selected = computed(this.#select)
    this.#stop = effect(() => {
      const { value } = selected
      if (value === this.#value) return
      this.#value = value
      this.#host.requestUpdate()
    })
  }

  hostDisconnected(): void {
    this.#stop?.()
    this.#stop = undefined
  }
}

class Live extends AsyncDirective {
  #read: () => unknown
  #stop: (() => void) | undefined

  constructor(part: PartInfo) {
    super(part)
    this.#read = () => undefined
  }

  render(read: () => unknown): unknown {
    return untracked(read)
  }

  override update(_part: unknown, [read]: [() => unknown]): unknown {
    this.#read = read
    return this.isConnected ? this.#follow() : untracked(read)
  }

  override disconnected(): void {
    this.#stop?.()
  }

  override reconnected(): void {
    this.setValue(this.#follow())
  }

  #follow(): unknown {
    this.#stop?.()
    let isFirst = true
    let first: unknown
    this.#stop = effect(() => {
      const value = rendering(this.#read)
      if (isFirst) first = value
      else untracked(() => this.setValue(value))
      isFirst = false
    })
    return first
  }
}

/** One place of a template that follows what `read` returns, without a render of its element: `${live(() => cursor.x)}`. */
export const live: (read: () => unknown) => DirectiveResult = directive(Live)
