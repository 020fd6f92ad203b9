/** The street lamps of the demo in a real Chromium, with real devices, and what its back ends push. */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import process from 'node:process'
import { promisify } from 'node:util'
import type { Locator, Page } from 'playwright-core'
import { afterEach, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { decodeLevels, type LampLevel } from '../../demo/lampFrames.ts'
import type { Side } from '../../demo/schema.ts'
import { findTool } from '../../scripts/tools.mjs'
import { describeBrowser } from './browser.ts'
import { chat, desk, frames, said, transactions, useDemoPages } from './demoPages.ts'
import { FLEET, killFleet } from './fleet.ts'
import { type ServerProcess, startServerProcess } from './serverProcess.ts'
import { until } from './until.ts'

const run = promisify(execFile)

describeBrowser('the street lamps of the demo', () => {
  const pages = useDemoPages('lamps')
  const { newPage, newRoom, openPage } = pages
  const fleets: ChildProcess[] = []

  afterEach(() => {
    for (const fleet of fleets.splice(0)) fleet.kill('SIGKILL')
  })

  test('a lamp set in one window is told to the device, lit by it, and confirmed in every window', async () => {
    const room = newRoom()
    const page = await openPage(room)
    const second = await openPage(room)
    const device = await listen(pages.server, room)
    await confirmed(page, 'a', 24)
    expect(await light(second, 'b', 4)).toBe(0)

    await lamp(page, 'a', 4).click()
    await panel(page, 'a').getByRole('slider').fill('35')
    for (const [each, side] of [
      [page, 'a'],
      [page, 'b'],
      [second, 'a'],
      [second, 'b'],
    ] as const) {
      await until('the light', async () => (await light(each, side, 4)) === 35)
      expect(await lamp(each, side, 4).getAttribute('aria-label')).toBe('Lamp 4: set to 35 %, confirmed')
    }
    expect(await words(page, 'a')).toBe('Lamp 4: set to 35 %, confirmed')
    expect(device.levels.get(4)).toBe(35)

    await panel(page, 'a').getByRole('switch', { name: 'Light' }).click()
    await until('the dark', async () => (await light(second, 'b', 4)) === 0)
    expect(await lamp(second, 'b', 4).getAttribute('aria-label')).toBe('Lamp 4: off, confirmed')
    device.close()
  })

  test('shows what passed for a change, in bytes: on the wire of the document, and of the devices', async () => {
    const room = newRoom()
    const page = await openPage(room)
    const device = await listen(pages.server, room)
    await confirmed(page, 'a', 24)
    device.frames.length = 0
    await lamp(page, 'a', 4).click()
    await panel(page, 'a').getByRole('switch', { name: 'Light' }).click()
    await confirmed(page, 'a', 24)
    await until('the bytes', async () => (await bytes(page, 'b', 'device')) === '4 B, 4 back')
    expect(device.frames).toEqual([4])
    for (const side of ['a', 'b'] as const) {
      // What the inspector counted for the same transaction, before the one that confirms.
      const rows = desk(page, side).locator('demo-transactions tbody tr')
      expect(await bytes(page, side, 'update')).toBe(`${await rows.nth(1).locator('td').nth(3).textContent()} B`)
      expect(await bytes(page, side, 'update-json')).toBe(`${'{"lamps":{"4":{"on":true}}}'.length} B`)
      const json = Number((await bytes(page, side, 'device-json')).replace(' B', ''))
      expect(json).toBeGreaterThanOrEqual('{"street":1,"lamp":4,"level":70}'.length)
    }

    await panel(page, 'b').getByRole('button', { name: 'All 24' }).click()
    await panel(page, 'b').getByRole('slider').fill('90')
    await until('the bytes of all', async () => (await bytes(page, 'a', 'device')) === '96 B, 96 back')
    expect(await words(page, 'b')).toBe('24 lamps, all confirmed')
    device.close()
  })

  test('says in words that no lamp answers while the devices are gone, and what they showed last', async () => {
    const own = await startServerProcess({ data: 'memory' }, '--demo')
    try {
      const room = newRoom()
      const page = await openPage(room, own.port)
      await confirmed(page, 'a', 24)
      await killFleet(own)
      await until('the words', async () =>
        (await words(page, 'a')).startsWith('Lamp 8: off, not confirmed: no lamp answers'),
      )
      await lamp(page, 'b', 5).click()
      await panel(page, 'b').getByRole('slider').fill('20')
      await until('the change', async () => (await lamp(page, 'a', 5).getAttribute('style'))!.includes('--set: 20'))
      expect(await words(page, 'b')).toBe('Lamp 5: set to 20 %, not confirmed: no lamp answers, last seen at 70 %')
      expect(await light(page, 'a', 5)).toBe(70)
      expect(await lamps(page, 'b', 'alone').count()).toBe(24)

      fleets.push(spawn(process.execPath, [FLEET, '--url', own.url, '--room', room], { stdio: 'ignore' }))
      await confirmed(page, 'a', 24)
      expect(await light(page, 'a', 5)).toBe(20)
      expect(await words(page, 'b')).toBe('Lamp 5: set to 20 %, confirmed')
    } finally {
      await own.stop()
    }
  })

  test('a lamp set on a desk without its wire is confirmed once it is back', async () => {
    const page = await openPage(newRoom())
    await confirmed(page, 'a', 24)
    await desk(page, 'a').getByRole('button', { name: 'Go offline' }).click()
    await lamp(page, 'a', 1).click()
    await panel(page, 'a').getByRole('switch', { name: 'Light' }).click()
    expect(await words(page, 'a')).toBe('Lamp 1: set to 70 %, not confirmed: this desk is offline, last seen dark')
    await lamp(page, 'b', 2).click()
    await panel(page, 'b').getByRole('slider').fill('15')
    await until('the other desk', async () => (await light(page, 'b', 2)) === 15)
    await desk(page, 'a').getByRole('button', { name: 'Go online' }).click()
    for (const side of ['a', 'b'] as const) {
      await until(
        'both changes',
        async () => (await light(page, side, 1)) === 70 && (await light(page, side, 2)) === 15,
      )
    }
    expect(await words(page, 'a')).toBe('Lamp 1: set to 70 %, confirmed')
  })

  test('a room that had content before there were lamps gets its street with the first one that is set', async () => {
    const room = newRoom()
    const response = await fetch(`http://127.0.0.1:${pages.server.port}/rooms/${room}/document`, {
      method: 'PATCH',
      headers: { 'content-type': 'application/merge-patch+json' },
      body: JSON.stringify({ kept: [{ name: 'Viola', text: 'of old' }] }),
    })
    expect(response.status).toBe(200)
    const page = await openPage(room)
    expect(await lamps(page, 'a', 'alone').count()).toBe(24)
    await panel(page, 'a').getByRole('switch', { name: 'Light' }).click()
    await confirmed(page, 'b', 24)
    expect(await light(page, 'b', 8)).toBe(70)
    expect(await light(page, 'b', 9)).toBe(0)
  })

  test('is used by keyboard alone: choose, add, switch, dim', async () => {
    const page = await openPage(newRoom())
    await confirmed(page, 'a', 24)
    await lamp(page, 'a', 8).click()
    await page.keyboard.press('ArrowRight')
    expect(await words(page, 'a')).toBe('Lamp 9: set to 70 %, confirmed')
    await page.keyboard.press('ArrowDown')
    expect(await words(page, 'a')).toMatch(/^Lamp 18:/)
    await page.keyboard.press('ArrowLeft')
    await page.keyboard.press('Shift+ArrowLeft')
    expect(await chosen(page, 'a')).toEqual(['16', '17'])
    await page.keyboard.press(' ')
    expect(await chosen(page, 'a')).toEqual(['17'])
    await page.keyboard.press('Enter')
    await until('the light', async () => (await light(page, 'b', 17)) === 70)
    await page.keyboard.press('-')
    await page.keyboard.press('-')
    await until('less light', async () => (await light(page, 'b', 17)) === 50)
    await page.keyboard.press('Control+a')
    expect((await chosen(page, 'a')).length).toBe(24)
    await page.keyboard.press('Enter')
    await until(
      'the dark',
      async () => (await lamps(page, 'b', 'confirmed').count()) === 24 && (await light(page, 'b', 17)) === 0,
    )
    await page.keyboard.press('Control+z')
    await until('the undo', async () => (await light(page, 'b', 2)) === 70)
  })

  test('Tab comes to the lamp that is chosen, on a fresh page and after another was given up', async () => {
    const page = await openPage(newRoom())
    await confirmed(page, 'a', 24)
    const stop = panel(page, 'a').locator('[role=option][tabindex="0"]')
    expect(await stop.getAttribute('data-lamp')).toBe('8')
    await panel(page, 'a').locator('..').locator('..').getByRole('tab', { name: 'Street lamps' }).focus()
    await page.keyboard.press('Tab')
    expect(await stop.evaluate((lamp) => lamp.matches(':focus'))).toBe(true)
    await page.keyboard.press('Enter')
    await until('the light', async () => (await light(page, 'b', 8)) === 70)

    // The focus stays where it is, but who comes back finds what is chosen.
    await page.keyboard.press('Shift+ArrowRight')
    await page.keyboard.press(' ')
    expect(await chosen(page, 'a')).toEqual(['8'])
    expect(await stop.getAttribute('data-lamp')).toBe('9')
    await page.keyboard.press('Tab')
    await until('the tab stop', async () => (await stop.getAttribute('data-lamp')) === '8')
    await page.keyboard.press('Shift+Tab')
    await page.keyboard.press('Enter')
    await until('the dark', async () => (await light(page, 'b', 8)) === 0)
  })

  test('a slider that is drawn writes now and then on its way, and where it stops', async () => {
    const page = await openPage(newRoom())
    await confirmed(page, 'a', 24)
    await lamp(page, 'a', 4).click()
    const before = await transactions(page, 'a')
    const box = (await panel(page, 'a').getByRole('slider').boundingBox())!
    const start = performance.now()
    await page.mouse.move(box.x + 10, box.y + box.height / 2)
    await page.mouse.down()
    await page.mouse.move(box.x + box.width - 40, box.y + box.height / 2, { steps: 80 })
    await page.mouse.up()
    const tenths = Math.ceil((performance.now() - start) / 100)
    const value = Number(await panel(page, 'a').getByRole('slider').inputValue())
    expect(value).toBeGreaterThan(70)
    await until('the light', async () => (await light(page, 'b', 4)) === value)
    await confirmed(page, 'a', 24)
    // One of its own and one that confirms it, every tenth of a second, and at the end.
    expect((await transactions(page, 'a')) - before).toBeLessThanOrEqual(2 * (tenths + 2))

    // Let go within the tenth of a second that began with the first place.
    await panel(page, 'a')
      .getByRole('slider')
      .evaluate((slider: HTMLInputElement) => {
        for (const place of ['30', '60', '45']) {
          slider.value = place
          slider.dispatchEvent(new Event('input', { bubbles: true }))
        }
        slider.dispatchEvent(new Event('change', { bubbles: true }))
      })
    await until('the last place', async () => (await light(page, 'b', 4)) === 45)
  })

  test('a form post to the application reaches both desks of both windows', async () => {
    const room = newRoom()
    const page = await openPage(room)
    const second = await openPage(room)
    const push = page.locator('demo-push')
    await push.getByRole('tab', { name: 'Form', exact: true }).click()
    await push.getByLabel('Announcement').fill('The organist is ill')
    await push.getByRole('button', { name: 'Post it' }).click()
    for (const each of [page, second]) {
      for (const side of ['a', 'b'] as const) {
        await said(each, side).getByText('The application The organist is ill').waitFor()
      }
    }
    expect(await push.locator('.answer').textContent()).toBe('200 Pushed to everyone.')
    expect(await push.getByLabel('Announcement').inputValue()).toBe('')
    expect(await said(page, 'a').locator('.said').count()).toBe(1)
  })

  test('a form that is posted twice before the answer is sent once, and keeps the focus on its button', async () => {
    const page = await openPage(newRoom())
    const push = page.locator('demo-push')
    await push.getByRole('tab', { name: 'Form', exact: true }).click()
    await push.getByLabel('Announcement').fill('Once is enough')
    const posts: string[] = []
    let release = (): void => undefined
    const held = new Promise<void>((resolve) => {
      release = resolve
    })
    await page.route('**/announcements', async (route) => {
      posts.push(route.request().postData() ?? '')
      await held
      await route.continue()
    })
    const button = push.getByRole('button', { name: 'Post it' })
    await button.dblclick()
    await until('the post', () => posts.length > 0)
    expect(await button.getAttribute('aria-disabled')).toBe('true')
    expect(await button.evaluate((element) => element.matches(':focus'))).toBe(true)
    release()
    await push.getByText('200 Pushed to everyone.').waitFor()
    await said(page, 'b').getByText('Once is enough').waitFor()
    expect(posts).toHaveLength(1)
    expect(await button.getAttribute('aria-disabled')).toBe('false')
  })

  test('in a room that needs a signature, says in words why no lamp and no form does anything', async () => {
    const own = await startServerProcess({ data: 'memory' }, '--demo', '--app', '1:key:secret')
    try {
      const page = await newPage()
      await page.goto(`http://127.0.0.1:${own.port}/?room=private-hall`)
      await desk(page, 'a').locator('demo-status').getByText('not allowed').first().waitFor()
      await until('the words', async () => (await words(page, 'a')).endsWith('the server does not let this desk in'))
      const push = page.locator('demo-push')
      await push.getByRole('tab', { name: 'Form', exact: true }).click()
      await push.getByLabel('Announcement').fill('Anybody')
      await push.getByRole('button', { name: 'Post it' }).click()
      await push.getByText(/^502 Tutti refused it: /).waitFor()
      expect(await push.locator('.answer').textContent()).not.toContain('{')
    } finally {
      await own.stop()
    }
  })

  test('says that the application does not answer, and keeps the text', async () => {
    const page = await openPage(newRoom())
    await page.route('**/announcements', (route) => route.abort())
    const push = page.locator('demo-push')
    await push.getByRole('tab', { name: 'Form', exact: true }).click()
    await push.getByLabel('Announcement').fill('Is anybody there')
    await push.getByRole('button', { name: 'Post it' }).click()
    await push.getByText('The application does not answer.').waitFor()
    expect(await push.getByLabel('Announcement').inputValue()).toBe('Is anybody there')
  })

  test('an event is pushed from here, and by the copied curl from a shell', async () => {
    const room = newRoom()
    const page = await openPage(room)
    const second = await openPage(room)
    const push = page.locator('demo-push')
    await push.getByRole('tab', { name: 'Event', exact: true }).click()
    await push.getByRole('button', { name: 'Send it' }).click()
    for (const each of [page, second]) await said(each, 'b').getByText('Back end The bus leaves at 23:10').waitFor()
    await push.locator('.answer', { hasText: /^200 in \d+ ms$/ }).waitFor()

    const curl = await push.getByLabel('The event as curl').textContent()
    expect(curl).toContain('Coffee is ready')
    const command = findTool('curl')
    if (command === undefined) return
    const { stdout } = await run('sh', ['-c', curl!])
    expect(JSON.parse(stdout)).toMatchObject({ offset: 2 })
    for (const each of [page, second]) await said(each, 'a').getByText('Back end Coffee is ready').waitFor()
  })

  test('draws events apart from all else on the wire', async () => {
    const page = await openPage(newRoom())
    await confirmed(page, 'a', 24)
    const before = await frames(page)
    await chat(page, 'a').getByLabel('Message').fill('Good evening')
    await chat(page, 'a').getByRole('button', { name: 'Say' }).click()
    await said(page, 'b').getByText('Good evening').waitFor()
    await until('the frames', async () => {
      const now = await frames(page)
      return (
        now['a-event-out']! > before['a-event-out']! &&
        now['a-event-in']! > before['a-event-in']! &&
        now['b-event-in']! > before['b-event-in']!
      )
    })
    const now = await frames(page)
    for (const name of ['a-control-out', 'b-control-out', 'b-event-out', 'a-document-out']) {
      expect(now[name], name).toBe(before[name])
    }
  })
})

const panel = (page: Page, side: Side): Locator => desk(page, side).locator('demo-lamps')

const lamp = (page: Page, side: Side, number: number): Locator => panel(page, side).locator(`[data-lamp="${number}"]`)

const lamps = (page: Page, side: Side, state: string): Locator => panel(page, side).locator(`[data-state="${state}"]`)

const confirmed = (page: Page, side: Side, count: number): Promise<void> =>
  until(`${count} confirmed lamps`, async () => (await lamps(page, side, 'confirmed').count()) === count)

const words = async (page: Page, side: Side): Promise<string> =>
  (await panel(page, side).getByRole('status').textContent()) ?? ''

const chosen = (page: Page, side: Side): Promise<(string | undefined)[]> =>
  panel(page, side)
    .locator('[aria-selected="true"]')
    .evaluateAll((all: HTMLElement[]) => all.map(({ dataset }) => dataset.lamp))

/** Percent of light that the map shows of a lamp, which is what the lamp confirmed. */
const light = async (page: Page, side: Side, number: number): Promise<number> =>
  Number(await lamp(page, side, number).evaluate((element: HTMLElement) => element.style.getPropertyValue('--shown')))

const bytes = async (page: Page, side: Side, name: string): Promise<string> =>
  (await panel(page, side).locator(`[data-bytes="${name}"]`).textContent()) ?? ''

/** A device that only listens. */
const listen = async (server: ServerProcess, room: string) => {
  const socket = new WebSocket(`${server.url}/lamps?room=${room}`)
  const levels = new Map<number, number>()
  const frames: number[] = []
  socket.on('message', (message: Buffer, isBinary) => {
    if (!isBinary) return
    frames.push(message.byteLength)
    for (const { lamp, level } of decodeLevels(message) as LampLevel[]) levels.set(lamp, level)
  })
  await once(socket, 'open')
  await until('the levels', () => levels.size === 24)
  return { levels, frames, close: () => socket.terminate() }
}
