import { execFileSync } from 'node:child_process'
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

test('signals-core still tells a fresh signal that was read in a computation by the field the store looks at', () => {
  const script = `
    import { effect, signal, computed } from '@preact/signals-core'
    const read = (run) => { const fresh = signal(0); const before = 'n' in fresh && fresh.n === undefined; let during; run(() => { fresh.value; during = fresh.n !== undefined }); return before && during }
    console.log(read((fn) => fn()), read((fn) => effect(fn)), read((fn) => computed(fn).value))`
  const output = execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' })
  expect(output.trim()).toBe('false true true')
})
