/** A real Chromium for end-to-end tests, over playwright-core (which brings no browser of its own). */
import process from 'node:process'
import { type Browser, chromium } from 'playwright-core'
import { describe, test } from 'vitest'
import { chromiumHint, findChromium } from '../../scripts/chromium.mjs'

/** Path of the browser, or `undefined` if this machine has none. */
export const browserPath = (): string | undefined => findChromium()

const ARGS = [
  '--disable-gpu',
  // QUIC would go around a proxy or a network cut that a test set up.
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

/** Starts a browser of its own, with more arguments; the caller closes it (`afterAll(() => browser.close())`). */
export const launchBrowser = (...more: string[]): Promise<Browser> => {
  const executablePath = browserPath()
  if (executablePath === undefined) throw new Error(`No Chromium here. To get it: ${chromiumHint()}`)
  // Chromium's sandbox refuses to run as root.
  const args = [...ARGS, ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []), ...more]
  return chromium.launch({ executablePath, args, headless: true })
}

/**
 * `describe` for suites that need a browser: without one they are skipped, and their title says how to get it. Under
 * `CI=true` a missing browser is a failure instead.
 */
export const describeBrowser = (title: string, suite: () => void): void => {
  if (browserPath() !== undefined) {
    describe(title, suite)
  } else if (process.env.CI === 'true') {
    describe(title, () => {
      test('has a browser', () => {
        throw new Error(`No Chromium here, and CI=true skips nothing. To get it: ${chromiumHint()}`)
      })
    })
  } else {
    describe.skip(`${title} (skipped: no Chromium here; to get it: ${chromiumHint()})`, suite)
  }
}
