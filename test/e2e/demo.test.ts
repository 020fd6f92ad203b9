/** The demo, served by the built server, in a real Chromium: what a visitor sees and does. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { BrowserContextOptions, Locator, Page } from 'playwright-core'
import { beforeEach, expect, test } from 'vitest'
import type { Side } from '../../demo/schema.ts'
import { describeBrowser, launchBrowser } from './browser.ts'
import { desk, frames, transactions, useDemoPages, WIDE } from './demoPages.ts'
import { freePort, startServerProcess } from './serverProcess.ts'
import { until } from './until.ts'

const PHONE = { width: 390, height: 844 }

describeBrowser('the demo', () => {
  const pages = useDemoPages('demo')
  const { complaints, newRoom } = pages
  /** What Chromium itself logs while a test keeps the server down. */
  let serverIsDown = false

  beforeEach(() => {
    serverIsDown = false
  })

  /** Waits for nothing, as a room can be refused; what Chromium logs as an error fails the test. */
  const openPage = async (
    room: string,
    { port = pages.server.port, ...options }: BrowserContextOptions & { port?: number } = {},
  ): Promise<Page> => {
    const page = await pages.newPage(options)
    page.on('console', (message) => {
      const isNetwork = /WebSocket connection to|Failed to load resource|ERR_CONNECTION_REFUSED/.test(message.text())
      if (message.type() === 'error' && !(serverIsDown && isNetwork)) complaints.push(message.text())
    })
    await page.goto(`http://127.0.0.1:${port}/?room=${room}`)
    return page
  }

  /** A page whose desks both have the first content, acknowledged as stored, and lamps that have answered. */
  const openDemo = async (room = newRoom(), options?: Parameters<typeof openPage>[1]): Promise<Page> => {
    const page = await openPage(room, options)
    for (const side of ['a', 'b'] as const) {
      await note(page, side, 'encore').waitFor()
      await says(page, side, 'saved')
      await desk(page, side).locator('demo-street-map [data-state]:not([data-state="confirmed"])').first().waitFor({
        state: 'detached',
      })
    }
    return page
  }

  test('gives a new room to an address without one and writes it there', async () => {
    const page = await openPage('')
    await page.waitForURL(/\?room=[a-z]+-[a-z]+-[0-9a-f]{8}$/)
    const room = new URL(page.url()).searchParams.get('room')!
    expect(await page.locator('demo-room .name').textContent()).toContain(room)
  })

  test('gives a new room to a page of another address, over plain http, where browsers offer less', async () => {
    const plain = await launchBrowser('--host-resolver-rules=MAP stage.test 127.0.0.1')
    try {
      const page = await plain.newPage()
      await page.goto(`http://stage.test:${pages.server.port}/`)
      await says(page, 'a', 'saved')
      expect(await page.evaluate(() => [isSecureContext, 'randomUUID' in crypto])).toEqual([false, false])
      expect(new URL(page.url()).searchParams.get('room')).toMatch(/^[a-z]+-[a-z]+-[0-9a-f]{8}$/)
      await page.getByRole('button', { name: 'Copy link' }).click()
      await page.getByText('Copy the address of this page.').waitFor()
      await page.locator('demo-push').getByRole('button', { name: 'Copy', exact: true }).click()
      await page.getByText('select and copy it').waitFor()
    } finally {
      await plain.close()
    }
  })

  test.each([
    ['that cannot be', 'a%2F%2Fb', /INVALID_ROOM/],
    ["that is the lamps' own socket", 'lamps', /INVALID_ROOM: "lamps" can't be .* Any other name will do/],
  ])('says what is wrong with a room name %s, with the way out', async (_what, room, words) => {
    const page = await openPage(room)
    const alert = page.getByRole('alert')
    await alert.waitFor()
    expect(await alert.textContent()).toMatch(words)
    await alert.getByRole('link', { name: 'Open a new room.' }).click()
    await page.waitForURL(/\?room=[a-z]+-[a-z]+-[0-9a-f]{8}$/)
  })

  test.each([250, 255])('works in a room with a name of %i bytes, but for the bytes of the lamps', async (length) => {
    const page = await openDemo('n'.repeat(length))
    await desk(page, 'a').locator('demo-street-map [data-lamp="4"]').click()
    await desk(page, 'a').getByRole('switch', { name: 'Light' }).click()
    await desk(page, 'b').getByLabel('Lamp 4: set to 70 %, confirmed').waitFor()
    expect(await desk(page, 'b').locator('[data-bytes="device"]').textContent()).toBe('–')
    expect(await desk(page, 'b').locator('[data-bytes="update"]').textContent()).toMatch(/^\d+ B$/)
  })

  test('shows an edit of one desk on the other and in a second window', async () => {
    const room = newRoom()
    const page = await openDemo(room)
    const second = await openDemo(room)
    await letter(page, 'a').press('Control+End')
    await letter(page, 'a').pressSequentially('Bring your own stand.')
    for (const each of [letter(page, 'b'), letter(second, 'a'), letter(second, 'b')]) {
      await untilValue(each, /Bring your own stand\.$/)
    }
    await editNote(second, 'b', 'oboe', ' at 440 Hz')
    await untilValue(noteText(page, 'a', 'oboe'), /The oboe gives the A at 440 Hz/)
  })

  test('ends with the same letter everywhere when all write at once', async () => {
    const room = newRoom()
    const page = await openDemo(room)
    const second = await openDemo(room)
    await letter(page, 'a').press('Control+Home')
    await letter(second, 'b').press('Control+End')
    await Promise.all([
      page.keyboard.type('Violins first. Then all the others, one desk after another. '),
      second.keyboard.type('Signed, the conductor and everyone else who was there at six.'),
    ])
    const fields = [page, second].flatMap((each) => [letter(each, 'a'), letter(each, 'b')])
    await untilValue(letter(page, 'a'), /who was there at six\.$/)
    await untilValue(letter(second, 'b'), /^Violins first\. Then all the others, one desk after another\. Dear all/)
    await until(
      'equal letters',
      async () => new Set(await Promise.all(fields.map((each) => each.inputValue()))).size === 1,
    )
  })

  test('seeds the board once, however many desks open it at the same time', async () => {
    const room = newRoom()
    const [one, two] = await Promise.all([openDemo(room), openDemo(room)])
    for (const page of [one, two]) {
      expect(await desk(page, 'a').locator('demo-note').count()).toBe(5)
      expect((await letter(page, 'b').inputValue()).match(/Dear all/g)).toHaveLength(1)
    }
  })

  test('counts unsaved changes while offline, and merges both sides on coming back', async () => {
    const page = await openDemo()
    await desk(page, 'a').getByRole('button', { name: 'Go offline' }).click()
    await desk(page, 'b').getByRole('button', { name: 'Go offline' }).click()
    await says(page, 'a', 'offline')
    await says(page, 'b', 'offline')

    await moveByKeys(page, 'a', 'doors', 'Shift+ArrowDown')
    await says(page, 'a', 'offline, 1 unsaved')
    await moveByKeys(page, 'a', 'doors', 'Shift+ArrowDown')
    await says(page, 'a', 'offline, 2 unsaved')
    expect(await page.locator('demo-wire .end.a').textContent()).toBe('A cut2 waiting')
    await editNote(page, 'b', 'doors', ' sharp')
    await desk(page, 'b').getByRole('button', { name: 'Add note' }).click()
    await page.keyboard.type('made by B')
    expect(await noteText(page, 'a', 'doors').inputValue()).toBe('Doors open at 19:30')
    expect(await desk(page, 'a').locator('demo-note').count()).toBe(5)

    await desk(page, 'a').getByRole('button', { name: 'Go online' }).click()
    await desk(page, 'b').getByRole('button', { name: 'Go online' }).click()
    await says(page, 'a', 'saved')
    await says(page, 'b', 'saved')
    for (const side of ['a', 'b'] as const) {
      await untilValue(noteText(page, side, 'doors'), /^Doors open at 19:30 sharp$/)
      await until('the new note', async () => (await desk(page, side).locator('demo-note').count()) === 6)
      await until('the move', async () => (await place(page, side, 'doors')).y > 0.1)
    }
  })

  test('shows the page and the document after a reload without a server, and loses nothing to a kill', async () => {
    const data = await mkdtemp(join(tmpdir(), 'tutti-demo-'))
    const port = await freePort()
    let mortal = await startServerProcess({ data, port }, '--demo')
    try {
      const page = await openDemo('kept', { port })
      await page.evaluate(() => navigator.serviceWorker.ready.then(() => undefined))
      await letter(page, 'a').fill('kept on this device')
      await untilValue(letter(page, 'b'), /^kept on this device$/)
      await says(page, 'a', 'saved')

      serverIsDown = true
      await mortal.stop('SIGKILL')
      await says(page, 'a', /^reconnecting in \d+ s$/)
      await page.locator('demo-wire .server', { hasText: 'no server' }).waitFor()
      await page.reload()
      for (const side of ['a', 'b'] as const) await untilValue(letter(page, side), /^kept on this device$/)
      await letter(page, 'a').press('Control+End')
      await letter(page, 'a').pressSequentially(', and written there')
      await says(page, 'a', /^reconnecting( in \d+ s)?, \d+ unsaved$/)
      // Both clients are real: without a server nothing passes between the two.
      expect(await letter(page, 'b').inputValue()).toBe('kept on this device')

      mortal = await startServerProcess({ data, port }, '--demo')
      for (const side of ['a', 'b'] as const) {
        await untilValue(letter(page, side), /^kept on this device, and written there$/)
        await says(page, side, 'saved')
      }
      const fresh = await openDemo('kept', { port })
      expect(await letter(fresh, 'a').inputValue()).toBe('kept on this device, and written there')
    } finally {
      await mortal.stop()
      await rm(data, { recursive: true, force: true })
    }
  }, 60_000)

  test('renders one note, once, when the back end changes it', async () => {
    const page = await openDemo()
    const before = await renders(page)
    const cells = desk(page, 'a').locator('demo-transactions td:nth-child(2)')
    expect(await cells.allTextContents()).not.toContain('server')
    await page.locator('demo-push').getByRole('button', { name: 'Send it' }).click()
    for (const side of ['a', 'b'] as const) await untilValue(noteText(page, side, 'doors'), /^Doors open at 20:00$/)
    await page.locator('demo-push .answer', { hasText: /^200 in \d+ ms$/ }).waitFor()
    expect((await cells.allTextContents())[0]).toBe('server')
    const after = await renders(page)
    const changed = Object.keys(after).filter((name) => after[name] !== before[name])
    expect(changed.sort()).toEqual(['a doors', 'b doors'])
    expect(changed.map((name) => after[name]! - before[name]!)).toEqual([1, 1])
  })

  test('shows a curl command that does the same', async () => {
    const page = await openDemo()
    const curl = await page.locator('demo-push pre').first().textContent()
    const [, method, url] = /^curl -X (\w+) '([^']+)'/.exec(curl!)!
    const [, name, value] = /-H '([^:]+): ([^']+)'/.exec(curl!)!
    const [, body] = /-d '(.+)'$/.exec(curl!)!
    const response = await fetch(url!, { method: method!, headers: { [name!]: value! }, body: body! })
    expect(await response.json()).toEqual({ changed: true })
    await untilValue(noteText(page, 'a', 'doors'), /^Doors open at 20:00$/)
    // Told apart from the two members by its writer, and shown as coming from the back end.
    await desk(page, 'a').locator('demo-transactions td', { hasText: 'server' }).first().waitFor()
    await page.locator('demo-push pre', { hasText: 'Doors open at 19:45' }).first().waitFor()
  })

  test('writes on in a note that a back end made with plain strings', async () => {
    const room = newRoom()
    const page = await openDemo(room)
    const response = await fetch(`http://127.0.0.1:${pages.server.port}/rooms/${room}/document`, {
      method: 'PATCH',
      headers: { 'content-type': 'application/merge-patch+json' },
      body: JSON.stringify({ notes: { plain: { text: 'as JSON', colour: 'rose', x: 0.5, y: 0.5 } } }),
    })
    expect(response.status).toBe(200)
    await note(page, 'a', 'plain').waitFor()
    await editNote(page, 'a', 'plain', ', then')
    await untilValue(noteText(page, 'b', 'plain'), /^as JSON, then$/)
    await editNote(page, 'b', 'plain', ' shared')
    await untilValue(noteText(page, 'a', 'plain'), /^as JSON, then shared$/)
  })

  test('a refused request says its code', async () => {
    const page = await openDemo()
    await page.route('**/rooms/**', (route) => route.continue({ headers: { 'content-type': 'text/plain' } }))
    await page.locator('demo-push').getByRole('button', { name: 'Send it' }).click()
    await page.locator('demo-push .answer', { hasText: /^415 UNSUPPORTED_TYPE/ }).waitFor()
    // Chromium reports the answer's status by itself.
    complaints.splice(0, complaints.length, ...complaints.filter((text) => !text.includes('415')))
  })

  test('undoes the own changes of a desk and leaves those of the other', async () => {
    const page = await openDemo()
    await moveByKeys(page, 'a', 'doors', 'Shift+ArrowDown')
    await until('the move', async () => (await place(page, 'b', 'doors')).y > 0.08)
    await moveByKeys(page, 'b', 'encore', 'Shift+ArrowUp')
    await until('the move', async () => (await place(page, 'a', 'encore')).y < 0.95)

    await desk(page, 'a').getByRole('button', { name: 'Undo' }).click()
    await until('the undo', async () => (await place(page, 'b', 'doors')).y === 0.05)
    expect((await place(page, 'a', 'encore')).y).toBeCloseTo(0.92)
    expect(await desk(page, 'a').getByRole('button', { name: 'Undo' }).isDisabled()).toBe(true)

    await note(page, 'a', 'doors').press('Control+Shift+z')
    await until('the redo', async () => (await place(page, 'b', 'doors')).y > 0.08)
    await note(page, 'b', 'doors').press('Control+z')
    await until('the undo', async () => (await place(page, 'a', 'encore')).y === 0.97)
    expect((await place(page, 'a', 'doors')).y).toBeCloseTo(0.1)
  })

  test('moves, writes and deletes a note by keyboard alone', async () => {
    const page = await openDemo()
    await note(page, 'a', 'stands').focus()
    await page.keyboard.press('Shift+ArrowRight')
    await page.keyboard.press('Shift+ArrowUp')
    await until('the move', async () => {
      const { x, y } = await place(page, 'b', 'stands')
      return Math.abs(x - 0.55) < 0.001 && Math.abs(y - 0.07) < 0.001
    })
    expect(await note(page, 'a', 'stands').getByRole('status').textContent()).toBe('55 percent across, 7 percent down')
    await page.keyboard.press('Enter')
    await page.keyboard.type('Found. ')
    await page.keyboard.press('Escape')
    await untilValue(noteText(page, 'b', 'stands'), /Found\. /)
    await page.keyboard.press('Delete')
    await note(page, 'b', 'stands').waitFor({ state: 'detached' })
  })

  test('drags a note with the pointer, seen by the other desk on the way, written once', async () => {
    const page = await openDemo()
    const before = await transactions(page, 'b')
    const box = (await note(page, 'a', 'lights').boundingBox())!
    await page.mouse.move(box.x + 60, box.y + 60)
    await page.mouse.down()
    await page.mouse.move(box.x + 110, box.y - 20, { steps: 4 })
    const { y } = await place(page, 'a', 'lights')
    expect(y).toBeLessThan(0.7)
    await until('the drag at the other desk', async () => (await place(page, 'b', 'lights')).y === y)
    expect(await transactions(page, 'b')).toBe(before)
    await page.mouse.up()
    await until('the drop', async () => (await transactions(page, 'b')) === before + 1)
    expect((await place(page, 'b', 'lights')).y).toBe(y)
  })

  test('shows names, carets and pointers of the others', async () => {
    const room = newRoom()
    const page = await openDemo(room)
    const second = await openDemo(room)
    await desk(page, 'a').getByLabel('Your name').fill('Clara')
    await desk(page, 'b').locator('demo-people li', { hasText: 'Clara' }).waitFor()
    await desk(page, 'a')
      .getByRole('button', { name: /^Your colour/ })
      .click()
    await desk(page, 'a').getByRole('button', { name: 'teal' }).click()
    await until('the colour', async () =>
      (await desk(page, 'b').locator('demo-people li', { hasText: 'Clara' }).getAttribute('style'))!.includes('180'),
    )
    await letter(page, 'a').press('Control+Home')
    await page.keyboard.press('Shift+ArrowRight')
    await desk(page, 'b').locator('demo-letter .caret > span', { hasText: 'Clara' }).waitFor()
    expect(await desk(page, 'b').locator('demo-letter .picked').textContent()).toBe('D')
    // Text that others put before it moves the selection along.
    await letter(second, 'b').press('Control+Home')
    await second.keyboard.type('My ')
    await untilValue(letter(page, 'a'), /^My Dear all/)
    const selection = await letter(page, 'a').evaluate((area: HTMLTextAreaElement) => [
      area.selectionStart,
      area.selectionEnd,
    ])
    expect(selection).toEqual([3, 4])
    await until('the others to see it', async () =>
      (await desk(second, 'a').locator('demo-letter .picked').allTextContents()).includes('D'),
    )
    const board = (await desk(page, 'a').locator('demo-board').boundingBox())!
    await page.mouse.move(board.x + 200, board.y + 150)
    await desk(page, 'b').locator('demo-cursors .cursor:not([style*="hidden"])', { hasText: 'Clara' }).waitFor()

    await page.reload()
    expect(await desk(page, 'a').getByLabel('Your name').inputValue()).toBe('Clara')
  })

  test('a pointer that moves renders nothing', async () => {
    const page = await openDemo()
    const board = (await desk(page, 'a').locator('demo-board').boundingBox())!
    await page.mouse.move(board.x + 100, board.y + 130)
    const cursor = desk(page, 'b').locator('demo-cursors .cursor:not([style*="hidden"])')
    await cursor.waitFor()
    const before = await renders(page)
    const people = await desk(page, 'b').locator('demo-people').getAttribute('data-renders')
    const at = await cursor.getAttribute('style')
    await page.mouse.move(board.x + 300, board.y + 160, { steps: 10 })
    await until('the pointer', async () => (await cursor.getAttribute('style')) !== at)
    expect(await renders(page)).toEqual(before)
    expect(await desk(page, 'b').locator('demo-people').getAttribute('data-renders')).toBe(people)
  })

  test('draws what really passes: an edit leaves one desk, is acknowledged, and reaches the other', async () => {
    const page = await openDemo()
    const before = await frames(page)
    await moveByKeys(page, 'a', 'oboe', 'Shift+ArrowDown')
    await until('the frames', async () => {
      const now = await frames(page)
      return (
        now['a-document-out']! > before['a-document-out']! &&
        now['a-ack-in']! > before['a-ack-in']! &&
        now['b-document-in']! > before['b-document-in']!
      )
    })
    expect((await frames(page))['b-document-out']).toBe(before['b-document-out'])
  })

  test('has text of at least 4.5:1 on its ground, light and dark', async () => {
    for (const colorScheme of ['light', 'dark'] as const) {
      const page = await openDemo(newRoom(), { colorScheme })
      const failing = (await contrasts(page)).filter(({ ratio, least }) => ratio < least)
      expect(failing, colorScheme).toEqual([])
      // Of the soft ink, whose contrast is among those.
      const [placeholder, soft] = await desk(page, 'a')
        .locator('demo-chat input')
        .evaluate((input) => {
          const { color, opacity } = getComputedStyle(input, '::placeholder')
          const news = getComputedStyle((input.getRootNode() as ShadowRoot).querySelector('.news')!)
          return [`${color} ${opacity}`, `${news.color} 1`]
        })
      expect(placeholder).toBe(soft)
    }
  })

  test('has no scroll bar across on a phone, and stacks the desks with the wire between', async () => {
    const page = await openDemo(newRoom(), { viewport: PHONE, hasTouch: true, isMobile: true })
    const width = await page.evaluate(() => document.documentElement.scrollWidth)
    expect(width).toBeLessThanOrEqual(PHONE.width)
    const tops = await page.evaluate(() =>
      ['#desk-a', 'demo-wire', '#desk-b'].map(
        (selector) => (document.querySelector(selector) as HTMLElement).offsetTop,
      ),
    )
    // The wire sticks to the window's edge, so its place in the flow is what its neighbours leave.
    expect(tops[0]).toBeLessThan(tops[2]!)
    await desk(page, 'b').scrollIntoViewIfNeeded()
    await desk(page, 'b').getByRole('button', { name: 'Go offline' }).tap()
    await says(page, 'b', 'offline')
  })

  test.each([1080, 1100, 1130, 1200, 1240, 1300, 1340])('cuts nothing and covers nothing at %i px', async (width) => {
    const page = await openDemo(newRoom(), { viewport: { width, height: 800 } })
    const found = await page.evaluate(() => {
      const textOf = (element: Element): DOMRect => {
        const range = document.createRange()
        range.selectNodeContents(element)
        return range.getBoundingClientRect()
      }
      const within = (selector: string): ParentNode => document.querySelector(selector)!.shadowRoot!
      const meet = (a: DOMRect, b: DOMRect): boolean =>
        a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom
      const push = document.querySelector('demo-push')!.getBoundingClientRect()
      const room = [...within('demo-room').querySelectorAll('button, .name, .hint')]
      const covered = [...room, ...document.querySelectorAll('.title > *')].filter((each) => meet(textOf(each), push))
      const actions = within('demo-push').querySelector('[slot=actions]')!.getBoundingClientRect()
      const tabs = within('demo-push').querySelector('demo-panel')!.shadowRoot!.querySelector('[role=tablist]')!
      const desk = within('#desk-a')
      const hints = ['demo-board', 'demo-lamps'].map(
        (name) => desk.querySelector(name)!.shadowRoot!.querySelector('.hint')!,
      )
      return {
        covered: covered.map(({ textContent }) => textContent),
        tabsAreCut: tabs.scrollWidth > tabs.clientWidth,
        actionsAreCut: actions.right > push.right,
        tableIsCut:
          within('demo-wire').querySelector('table')!.offsetWidth >
          document.querySelector<HTMLElement>('demo-wire')!.offsetWidth,
        cutHints: hints.filter((hint) => hint.scrollWidth > hint.clientWidth || hint.scrollHeight > hint.clientHeight)
          .length,
      }
    })
    expect(found).toEqual({ covered: [], tabsAreCut: false, actionsAreCut: false, tableIsCut: false, cutHints: 0 })
  })

  test.each([
    [WIDE, ['demo-push', 'demo-room', 'desk-a', 'desk-b']],
    [PHONE, ['demo-room', 'desk-a', 'demo-push', 'desk-b']],
  ])('Tab goes through the page in the order that is seen: $width px', async (viewport, order) => {
    const page = await openDemo(newRoom(), { viewport })
    const seen: string[] = []
    for (let press = 0; press < 120; press += 1) {
      await page.keyboard.press('Tab')
      const part = await page.evaluate(() => document.activeElement?.id || document.activeElement?.localName)
      if (part === 'body' || part === undefined) break
      if (seen.at(-1) !== part) seen.push(part)
    }
    expect(seen.slice(0, order.length)).toEqual(order)
    // Turned, a tablet changes the one for the other.
    const other = viewport === WIDE ? PHONE : WIDE
    await page.setViewportSize(other)
    await until(
      'the other order',
      async () =>
        (await page.locator('demo-push').evaluate((push) => push.nextElementSibling?.localName)) ===
        (other === WIDE ? 'demo-room' : 'demo-wire'),
    )
    await page.locator('demo-push').getByRole('button', { name: 'Send it' }).click()
    await untilValue(noteText(page, 'b', 'doors'), /^Doors open at 20:00$/)
  })

  test('does not move what is shown already', async () => {
    const page = await openDemo()
    const shifts = await page.evaluate(async () => {
      const seen: number[] = []
      const take = (entries: PerformanceEntryList): void => {
        // TypeScript's library has no type for this kind of entry.
        for (const entry of entries) seen.push((entry as unknown as { value: number }).value)
      }
      const observer = new PerformanceObserver((list) => take(list.getEntries()))
      observer.observe({ type: 'layout-shift', buffered: true })
      // What came before is delivered with the next frames.
      for (let frame = 0; frame < 3; frame += 1) await new Promise((resolve) => requestAnimationFrame(resolve))
      take(observer.takeRecords())
      return seen
    })
    expect(Math.max(0, ...shifts)).toBeLessThan(0.01)
  })

  test('keeps renders unlit under reduced motion until asked', async () => {
    const page = await openDemo(newRoom(), { reducedMotion: 'reduce' })
    const root = page.locator('html')
    expect(await root.getAttribute('data-flash')).toBe('off')
    await page.getByRole('switch', { name: 'Renders hidden' }).click()
    expect(await root.getAttribute('data-flash')).toBe('on')
  })

  test('shows in a code tab the source that runs', async () => {
    const page = await openDemo()
    await desk(page, 'a').getByRole('tab', { name: 'Code: connect' }).click()
    const code = desk(page, 'a').locator('demo-code[slot="connect"]')
    expect(await code.locator('pre').textContent()).toContain('tabs: false')
    expect(await code.locator('[style*="--code-token-keyword"]').count()).toBeGreaterThan(0)
    await page.keyboard.press('ArrowRight')
    expect(await desk(page, 'a').getByRole('tab', { name: 'Code: status' }).getAttribute('aria-selected')).toBe('true')
  })
})

const letter = (page: Page, side: Side): Locator => desk(page, side).locator('demo-letter textarea')

const note = (page: Page, side: Side, id: string): Locator => desk(page, side).locator(`demo-note[data-note="${id}"]`)

const noteText = (page: Page, side: Side, id: string): Locator => note(page, side, id).locator('textarea')

/** Waits until the status pill of a desk says this. */
const says = async (page: Page, side: Side, words: string | RegExp): Promise<void> => {
  const pill = desk(page, side).locator('demo-status .words')
  let last = ''
  const matches = async (): Promise<boolean> => {
    last = (await pill.textContent({ timeout: 10_000 })) ?? ''
    return typeof words === 'string' ? last === words : words.test(last)
  }
  await until(`desk ${side} to say "${words}"`, matches, 15_000).catch((error: Error) => {
    throw new Error(`${error.message}; it says "${last}"`)
  })
}

const untilValue = (field: Locator, pattern: RegExp): Promise<void> =>
  until(`a text like ${pattern}`, async () => pattern.test(await field.inputValue()))

const moveByKeys = async (page: Page, side: Side, id: string, keys: string): Promise<void> => {
  await note(page, side, id).focus()
  await page.keyboard.press(keys)
}

const editNote = async (page: Page, side: Side, id: string, text: string): Promise<void> => {
  await note(page, side, id).focus()
  await page.keyboard.press('Enter')
  await page.keyboard.press('Control+End')
  await page.keyboard.type(text)
}

/** Where a note lies, in parts of its free way. */
const place = (page: Page, side: Side, id: string): Promise<{ x: number; y: number }> =>
  note(page, side, id).evaluate((element: HTMLElement) => ({
    x: Number(element.style.getPropertyValue('--x')),
    y: Number(element.style.getPropertyValue('--y')),
  }))

/** How often every note, and each board, has rendered. */
const renders = async (page: Page): Promise<Record<string, number>> => {
  const counts: Record<string, number> = {}
  for (const side of ['a', 'b'] as const) {
    const elements = desk(page, side).locator('demo-note, demo-board, demo-letter')
    for (const element of await elements.all()) {
      const name = (await element.getAttribute('data-note')) ?? (await element.evaluate(({ localName }) => localName))
      counts[`${side} ${name}`] = Number(await element.getAttribute('data-renders'))
    }
  }
  return counts
}

interface Contrast {
  readonly pair: string
  readonly ratio: number
  readonly least: number
}

/** WCAG contrast of the page's colours, as Chromium paints them. */
const contrasts = (page: Page): Promise<Contrast[]> =>
  page.evaluate(() => {
    const TEXT = 4.5
    const SHAPE = 3
    const probe = document.body.appendChild(document.createElement('span'))
    const context = document.createElement('canvas').getContext('2d', { willReadFrequently: true })!
    const luminance = (colour: string): number => {
      probe.style.color = colour
      context.fillStyle = getComputedStyle(probe).color
      context.fillRect(0, 0, 1, 1)
      const [red = 0, green = 0, blue = 0] = [...context.getImageData(0, 0, 1, 1).data].map((byte) => {
        const part = byte / 255
        return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4
      })
      return 0.2126 * red + 0.7152 * green + 0.0722 * blue
    }
    const compare = (one: string, other: string, least: number): Contrast => {
      const [dark = 0, light = 0] = [luminance(one), luminance(other)].sort((a, b) => a - b)
      return { pair: `${one} on ${other}`, ratio: (light + 0.05) / (dark + 0.05), least }
    }
    const named = (name: string): string => `var(--${name})`
    const pairs: Contrast[] = []
    const check = (texts: string[], grounds: string[], least: number): void => {
      for (const text of texts) for (const ground of grounds) pairs.push(compare(named(text), named(ground), least))
    }
    const notes = ['straw', 'apricot', 'rose', 'sky', 'sage', 'lilac'].map((name) => `note-${name}`)
    check(['ink', 'ink-soft'], ['paper', 'sheet', 'sunken'], TEXT)
    check(['ink', 'ink-soft'], notes, TEXT)
    check(['wire-document', 'wire-presence', 'wire-event', 'wire-ack', 'accent'], ['paper', 'sheet'], TEXT)
    check(['lamp-soft', 'lamp-open', 'lamp-light', 'lamp-ink'], ['street', 'house', 'square'], SHAPE)
    check(['on-accent'], ['accent'], TEXT)
    check(['code-keyword', 'code-string', 'code-name', 'code-number'], ['sunken'], TEXT)
    check(['rule-strong'], ['paper', 'sheet'], SHAPE)
    check(['accent'], notes, SHAPE)
    probe.remove()
    // Members' colours come from their hue, in every element that shows one.
    const members = document.querySelector('#desk-a')!.shadowRoot!.querySelector('demo-people')!.shadowRoot!
    for (const swatch of members.querySelectorAll('.hues .member')) {
      const inside = swatch.appendChild(document.createElement('span'))
      inside.style.color = 'var(--on-member)'
      const text = getComputedStyle(inside).color
      inside.style.color = 'var(--member)'
      const ground = getComputedStyle(inside).color
      inside.remove()
      document.body.append(probe)
      pairs.push({ ...compare(text, ground, TEXT), pair: `member ${swatch.getAttribute('title')}` })
      probe.remove()
    }
    return pairs
  })
