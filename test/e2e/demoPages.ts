/** The demo served by a real server, and its pages in a real Chromium. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser, BrowserContext, BrowserContextOptions, Locator, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, expect } from 'vitest'
import type { Side } from '../../demo/schema.ts'
import { launchBrowser } from './browser.ts'
import { type ServerProcess, startServerProcess } from './serverProcess.ts'

export interface DemoPages {
  readonly server: ServerProcess
  /** What pages threw, which fails the test that runs; a test can add to it and take from it. */
  readonly complaints: string[]
  /** A window of its own, which is closed after the test. */
  newPage(options?: BrowserContextOptions): Promise<Page>
  /** A room that no other test has. */
  newRoom(): string
  /** Opens the page in such a window; resolves once both desks are in the room. */
  openPage(room: string, port?: number): Promise<Page>
}

export const WIDE = { width: 1440, height: 900 }

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

  const newPage = async (options?: BrowserContextOptions): Promise<Page> => {
    const context = await browser.newContext({ viewport: WIDE, ...options })
    contexts.push(context)
    const page = await context.newPage()
    page.on('pageerror', (error) => complaints.push(error.stack ?? error.message))
    return page
  }

  return {
    get server() {
      return server
    },
    complaints,
    newPage,
    newRoom: () => {
      rooms += 1
      return `${name}-test-${rooms}`
    },
    openPage: async (room, port = server.port) => {
      const page = await newPage()
      await page.goto(`http://127.0.0.1:${port}/?room=${room}`)
      for (const side of ['a', 'b'] as const) {
        await desk(page, side).locator('demo-status').getByText('saved').first().waitFor()
      }
      return page
    },
  }
}

export const desk = (page: Page, side: Side): Locator => page.locator(`#desk-${side}`)

export const chat = (page: Page, side: Side): Locator => desk(page, side).locator('demo-chat')

/** The list of what was said. */
export const said = (page: Page, side: Side): Locator => chat(page, side).getByRole('log')

/** Number of the last transaction of a desk's document. */
export const transactions = async (page: Page, side: Side): Promise<number> =>
  Number(await desk(page, side).locator('demo-transactions tbody td').first().textContent())

/** Frames counted by the wire: by desk, kind and direction. */
export const frames = async (page: Page): Promise<Record<string, number>> => {
  const cells = await page
    .locator('demo-wire td')
    .evaluateAll((all: HTMLElement[]) =>
      all.map((cell): [string, number] => [cell.dataset.count ?? '', Number.parseInt(cell.title, 10)]),
    )
  return Object.fromEntries(cells)
}
