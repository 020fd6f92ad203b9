import { html } from 'lit'
import { expect, test } from 'vitest'
import { createStore, s } from '../../lib/index.ts'
import { live, Reactive, StoreController } from '../../lib/lit.ts'

test('the bindings load and a controller reads where there is no window', () => {
  expect(typeof window).toBe('undefined')
  const { state } = createStore({ schema: { count: s.number().default(3) } })
  expect(typeof Reactive).toBe('function')
  expect(html`${live(() => state.count)}`.values).toHaveLength(1)
  const controllers: unknown[] = []
  const host = {
    addController: (controller: unknown) => controllers.push(controller),
    removeController: () => undefined,
    requestUpdate: () => undefined,
    updateComplete: Promise.resolve(true),
  }
  const controller = new StoreController(host, () => state.count)
  controller.hostConnected()
  expect(controllers).toEqual([controller])
  expect(controller.value).toBe(3)
  controller.hostDisconnected()
})
