/** The demo served by a real server, and its pages in a real Chromium. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, expect } from 'vitest'
import { launchBrowser } from './browser.ts'
import { type ServerProcess, startServerProcess } from './serverProcess.ts'

export interface DemoPages {
  readonly server: ServerProcess
  /** A window of its own, which is closed after the test. */
  newPage(): Promise<Page>
  /** A room that no other test has. */
  newRoom(): string
  /** Opens the page in such a window; resolves once both desks are in the room. */
  openPage(room: string, port?: number): Promise<Page>
}

/** For a suite: what a page throws fails its test. */
export const useDemoPages = (name: string): DemoPages => {
  let folder: string
  let server: ServerProcess
  let browser: Browser
  const contexts: BrowserContext[] = []
  const complaints: string[] = []
  let rooms = 0

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), `tutti-${name}-`))
    server = await startServerProcess({ data: folder }, '--demo')
    browser = await launchBrowser()
  })

  afterEach(async () => {
    for (const context of contexts.splice(0)) await context.close()
    expect(complaints.splice(0)).toEqual([])
  })

  afterAll(async () => {
    await browser?.close()
    await server?.stop()
    await rm(folder, { recursive: true, force: true })
  })

  const newPage = async (): Promise<Page> => {
    const context = await browser.newContext({ viewport: { width: 1440, height: 900 } })
    contexts.push(context)
    const page = await context.newPage()
    page.on('pageerror', (error) => complaints.push(error.stack ?? error.message))
    return page
  }

  return {
    get server() {
      return server
    },
    newPage,
    newRoom: () => {
      rooms += 1
      return `${name}-test-${rooms}`
    },
    openPage: async (room, port = server.port) => {
      const page = await newPage()
      await page.goto(`http://127.0.0.1:${port}/?room=${room}`)
      for (const side of ['a', 'b'] as const) {
        await page.locator(`#desk-${side} demo-status`).getByText('saved').first().waitFor()
      }
      return page
    },
  }
}
