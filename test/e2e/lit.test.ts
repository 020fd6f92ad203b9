import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { describeBrowser, launchBrowser } from './browser.ts'
import { serveVitePages, type VitePages } from './vitePages.ts'

describeBrowser('the Lit bindings', () => {
  let pages: VitePages
  let browser: Browser
  let page: Page

  beforeAll(async () => {
    pages = await serveVitePages('lit', [
      'lit',
      'lit/async-directive.js',
      'lit/directive.js',
      'lit/directives/repeat.js',
      'yjs',
      'y-indexeddb',
    ])
    browser = await launchBrowser()
  })

  afterAll(async () => {
    await browser?.close()
    await pages?.close()
  })

  beforeEach(async () => {
    await page?.close()
    page = await browser.newPage()
    await page.goto(pages.url)
    await page.waitForFunction(() => window.page !== undefined)
  })

  test('an element renders again when something it read changed, and for nothing else', async () => {
    const result = await page.evaluate(async () => {
      const { peer, renders, mount, updated, text } = window.page
      peer.rows.push(...Array.from({ length: 1000 }, (_, index) => ({ title: `row ${index}` })))
      mount('test-list')
      await updated()
      const first = { ...renders }
      peer.rows[500]!.title = 'changed'
      await updated()
      const edited = { ...renders }
      const shown = text('test-row:nth-of-type(501)')
      peer.count = 1
      await updated()
      const unrelated = { ...renders }
      peer.rows.insert(0, { title: 'new' })
      peer.rows.remove(10)
      await updated()
      return {
        first,
        edited,
        unrelated,
        shown,
        inserted: { ...renders },
        rows: document.querySelectorAll('test-row').length,
      }
    })
    expect(result).toEqual({
      first: { list: 1, row: 1000 },
      edited: { list: 1, row: 1001 },
      shown: 'changed',
      unrelated: { list: 1, row: 1001 },
      inserted: { list: 2, row: 1002 },
      rows: 1000,
    })
  })

  test.each(['test-list', 'test-derived', 'test-controller', 'test-live'])(
    '1,000 mounts and unmounts of %s leave no subscription',
    async (name) => {
      const result = await page.evaluate(async (element) => {
        const { peer, cycle, mount, unmount, updated, subscriptions } = window.page
        peer.rows.push({ title: 'a' }, { title: 'b' })
        mount(element)
        await updated()
        const mounted = subscriptions()
        unmount()
        const before = subscriptions()
        await cycle(element, 1000)
        return { mounted, before, after: subscriptions() }
      }, name)
      expect(result.mounted).toBeGreaterThan(0)
      expect([result.before, result.after]).toEqual([0, 0])
    },
  )

  test('an element that is mounted again shows what changed meanwhile, and follows again', async () => {
    const result = await page.evaluate(async () => {
      const { peer, mount, updated, text, subscriptions, renders } = window.page
      const shown: string[] = []
      const show = (): void => {
        shown.push(['test-derived', 'test-controller', 'test-live'].map(text).join(' '))
      }
      const elements = ['test-derived', 'test-controller', 'test-live'].map(mount)
      await updated()
      show()
      const subscribed = subscriptions()
      for (const each of elements) each.remove()
      const rendered = { ...renders }
      peer.count = 10
      await Promise.all(elements.map((each) => each.updateComplete))
      const unmounted = [subscriptions(), JSON.stringify(renders) === JSON.stringify(rendered)]
      for (const each of elements) document.body.append(each)
      await updated()
      show()
      peer.count = 2
      await updated()
      show()
      return { shown, unmounted, again: subscriptions() === subscribed }
    })
    expect(result).toEqual({ shown: ['0 false 0', '20 true 10', '4 false 2'], unmounted: [0, true], again: true })
  })

  test('what willUpdate read counts, and updated may write', async () => {
    const result = await page.evaluate(async () => {
      const { peer, state, mount, updated, text } = window.page
      mount('test-derived')
      await updated()
      peer.count = 4
      await updated()
      await updated()
      return [text('test-derived'), state.extra, peer.extra]
    })
    expect(result).toEqual(['8', 4, 4])
  })

  test('live changes one place of a template without a render', async () => {
    const result = await page.evaluate(async () => {
      const { peer, mount, updated, renders, text, title } = window.page
      mount('test-live')
      await updated()
      peer.count = 3
      return [text('test-live'), title(), renders.live]
    })
    expect(result).toEqual(['3', 'title 3', 1])
  })

  test('a controller updates its host only when the selected value is another one', async () => {
    const result = await page.evaluate(async () => {
      const { peer, mount, updated, renders } = window.page
      mount('test-controller')
      await updated()
      const before = renders.controller
      peer.count = 1
      await updated()
      const same = renders.controller
      peer.count = 7
      await updated()
      return [before, same, renders.controller]
    })
    expect(result).toEqual([1, 1, 2])
  })

  test('a write in render is refused with WRITE_IN_RENDER', async () => {
    const result = await page.evaluate(async () => {
      const { state, mount } = window.page
      const element = mount('test-writer')
      const error: unknown = await element.updateComplete.catch((thrown: unknown) => thrown)
      state.count = 5
      return [(error as { code?: string }).code, state.count]
    })
    expect(result).toEqual(['WRITE_IN_RENDER', 5])
  })
})
