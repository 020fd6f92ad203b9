import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createServer, type Server } from '../../server/index.ts'
import { describeBrowser, launchBrowser } from './browser.ts'
import { serveVitePages, type VitePages } from './vitePages.ts'

describeBrowser('events between two windows', () => {
  let pages: VitePages
  let browser: Browser
  let server: Server

  beforeAll(async () => {
    pages = await serveVitePages('events', ['yjs', 'y-websocket', 'y-protocols/awareness', 'y-indexeddb'])
    browser = await launchBrowser()
    server = await createServer({ port: 0, data: 'memory', logLevel: 'silent' })
  })

  afterAll(async () => {
    await browser?.close()
    await pages?.close()
    await server?.close()
  })

  /** A window of its own browser profile: tabs of one would also meet without the server. */
  const enter = async (user: string): Promise<Page> => {
    const page = await (await browser.newContext()).newPage()
    await page.goto(pages.url)
    await page.waitForFunction(() => window.talk !== undefined)
    await page.evaluate(
      ([url, user]) => {
        window.talk.current = window.talk.open(url!, user!)
      },
      [server.url, user],
    )
    await page.waitForFunction(() => window.talk.current?.room.events.subscribed)
    return page
  }
  const heard = (page: Page): Promise<unknown[]> => page.evaluate(() => window.talk.current!.heard)
  const untilHeard = (page: Page, count: number): Promise<unknown> =>
    page.waitForFunction((count) => window.talk.current!.heard.length >= count, count)

  test('arrive as they were sent, missed ones after a reconnect, and people once', async () => {
    const ada = await enter('ada')
    const bob = await enter('bob')
    expect(await bob.evaluate(() => window.talk.current!.atOnce)).toBe('published')
    await bob.evaluate(() => window.talk.current!.room.events.trigger('raw', Uint8Array.of(0, 128, 255)))
    await untilHeard(ada, 3)
    expect(await heard(ada)).toEqual([
      'join bob',
      { event: 'say', offset: 2, recovered: false, data: { text: 'bob is here' } },
      { event: 'raw', offset: 3, recovered: false, data: [0, 128, 255] },
    ])
    await ada.evaluate(() => window.talk.current!.room.disconnect())
    await bob.evaluate(() => window.talk.current!.room.events.trigger('say', { text: 'missed' }))
    expect(
      await ada.evaluate(() => window.talk.current!.room.events.trigger('say', { text: '' }).catch((e) => e.code)),
    ).toBe('NOT_CONNECTED')
    await ada.evaluate(() => window.talk.current!.room.connect())
    await untilHeard(ada, 4)
    await bob.close()
    await untilHeard(ada, 5)
    expect((await heard(ada)).slice(3)).toEqual([
      { event: 'say', offset: 4, recovered: true, data: { text: 'missed' } },
      'leave bob',
    ])
    await ada.close()
  })
})
