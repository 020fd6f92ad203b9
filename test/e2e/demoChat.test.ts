/** The chat of the demo in a real Chromium: events beside what the document keeps. */
import type { Locator, Page } from 'playwright-core'
import { expect, test } from 'vitest'
import type { Side } from '../../demo/schema.ts'
import { describeBrowser } from './browser.ts'
import { chat, desk, said, useDemoPages } from './demoPages.ts'
import { freePort, startServerProcess } from './serverProcess.ts'

describeBrowser('the chat of the demo', () => {
  const { newRoom, openPage } = useDemoPages('chat')

  const kept = (page: Page, side: Side): Locator => chat(page, side).getByRole('list', { name: 'Kept' })

  const write = async (page: Page, side: Side, text: string, button: 'Say' | 'Keep'): Promise<void> => {
    await chat(page, side).getByLabel('Message').fill(text)
    await chat(page, side).getByRole('button', { name: button }).click()
  }

  test('shows what one desk says on both, once', async () => {
    const page = await openPage(newRoom())
    await write(page, 'a', 'Good evening', 'Say')
    for (const side of ['a', 'b'] as const) await said(page, side).getByText('Good evening').waitFor()
    await write(page, 'b', 'And to you', 'Say')
    await said(page, 'a').getByText('And to you').waitFor()
    for (const side of ['a', 'b'] as const) {
      expect(await said(page, side).locator('.said').allInnerTexts()).toEqual([
        expect.stringMatching(/ Good evening$/),
        expect.stringMatching(/ And to you$/),
      ])
    }
  })

  test('shows a newcomer what was kept and not what was said', async () => {
    const room = newRoom()
    const page = await openPage(room)
    await write(page, 'a', 'Only said', 'Say')
    await said(page, 'b').getByText('Only said').waitFor()
    await write(page, 'a', 'Written down', 'Keep')
    const newcomer = await openPage(room)
    await kept(newcomer, 'a').getByText('Written down').waitFor()
    await write(page, 'a', 'Said later', 'Say')
    await said(newcomer, 'a').getByText('Said later').waitFor()
    expect(await said(newcomer, 'a').getByText('Only said').count()).toBe(0)
  })

  test('tells who comes, who writes and who leaves', async () => {
    const room = newRoom()
    const page = await openPage(room)
    const newcomer = await openPage(room)
    const name = await desk(newcomer, 'a').locator('demo-people').getByRole('textbox').inputValue()
    await said(page, 'b')
      .locator('.came', { hasText: `${name} came` })
      .first()
      .waitFor()
    await chat(newcomer, 'a').getByLabel('Message').fill('Still thinking')
    await chat(page, 'b').getByText(`${name} is writing`).waitFor()
    await newcomer.close()
    await said(page, 'b')
      .locator('.left', { hasText: `${name} left` })
      .first()
      .waitFor()
  })

  test('shows what is said at the same moment in the same order on every desk', async () => {
    const room = newRoom()
    const page = await openPage(room)
    const second = await openPage(room)
    const desks = [page, second].flatMap((each) => (['a', 'b'] as const).map((side) => [each, side] as const))
    for (let round = 1; round <= 5; round += 1) {
      // All buttons of a page in one turn of it, and of both pages as nearly at once as can be.
      for (const [each, side] of desks) await chat(each, side).getByLabel('Message').fill(`${side} ${round}`)
      await Promise.all(
        [page, second].map((each) =>
          each.evaluate(() => {
            for (const side of ['a', 'b']) {
              const desk = document.querySelector(`#desk-${side}`)?.shadowRoot
              desk?.querySelector('demo-chat')?.shadowRoot?.querySelector('form')?.requestSubmit()
            }
          }),
        ),
      )
      for (const [each, side] of desks) {
        await said(each, side)
          .locator('.said')
          .nth(4 * round - 1)
          .waitFor()
      }
    }
    const [first, ...others] = await Promise.all(
      desks.map(([each, side]) => said(each, side).locator('.said').allInnerTexts()),
    )
    expect(first).toHaveLength(20)
    for (const lines of others) expect(lines).toEqual(first)
  })

  test('tells writers of the same name apart', async () => {
    const room = newRoom()
    const page = await openPage(room)
    const second = await openPage(room)
    for (const each of [page, second]) await desk(each, 'a').getByLabel('Your name').fill('Clara')
    await desk(page, 'b').locator('demo-people li', { hasText: 'Clara' }).nth(1).waitFor()
    await chat(second, 'a').getByLabel('Message').fill('A long one')
    const news = chat(page, 'b').getByText('Clara is writing')
    await news.waitFor()
    await write(page, 'a', 'A short one', 'Say')
    await said(page, 'b').getByText('A short one').waitFor()
    expect(await news.count()).toBe(1)
    await chat(second, 'a').getByRole('button', { name: 'Say' }).click()
    await said(page, 'b').getByText('A long one').waitFor()
    expect(await news.count()).toBe(0)
  })

  test('who reads further up stays there while others type, and who reads the end sees each new line', async () => {
    const page = await openPage(newRoom())
    for (let line = 1; line <= 12; line += 1) {
      await write(page, 'b', `Line ${line}`, 'Say')
      await said(page, 'a')
        .locator('li', { hasText: new RegExp(`Line ${line}$`) })
        .waitFor()
    }
    const place = (): Promise<{ top: number; left: number }> =>
      said(page, 'a').evaluate((log) => ({
        top: Math.round(log.scrollTop),
        left: Math.round(log.scrollHeight - log.clientHeight - log.scrollTop),
      }))
    expect((await place()).left).toBe(0)
    await said(page, 'a').evaluate((log) => {
      log.scrollTop = 40
    })
    await chat(page, 'b').getByLabel('Message').pressSequentially('Line 13')
    await chat(page, 'a').getByText('is writing').waitFor()
    expect((await place()).top).toBe(40)
    await chat(page, 'b').getByRole('button', { name: 'Say' }).click()
    await said(page, 'a').getByText('Line 13').waitFor()
    expect((await place()).top).toBe(40)
    await said(page, 'a').evaluate((log) => {
      log.scrollTop = log.scrollHeight
    })
    await write(page, 'b', 'Line 14', 'Say')
    await said(page, 'a').getByText('Line 14').waitFor()
    expect((await place()).left).toBe(0)
  })

  test('a message whose button is clicked twice is said once', async () => {
    const page = await openPage(newRoom())
    await chat(page, 'a').getByLabel('Message').fill('Once')
    const button = chat(page, 'a').getByRole('button', { name: 'Say' })
    await button.evaluate((element: HTMLButtonElement) => {
      element.focus()
      element.click()
      element.click()
    })
    await said(page, 'a').getByText('Once').waitFor()
    await write(page, 'a', 'Then another', 'Say')
    await said(page, 'b').getByText('Then another').waitFor()
    expect(await said(page, 'b').locator('.said').count()).toBe(2)
    expect(await button.evaluate((element) => element.matches(':focus'))).toBe(true)
  })

  test('after a restart of the server says once that messages may be missing, as nobody knows', async () => {
    const port = await freePort()
    let own = await startServerProcess({ data: 'memory', port }, '--demo')
    try {
      const page = await openPage(newRoom(), port)
      await write(page, 'a', 'Before', 'Say')
      await said(page, 'b').getByText('Before').waitFor()
      await own.stop('SIGKILL')
      own = await startServerProcess({ data: 'memory', port }, '--demo')
      for (const side of ['a', 'b'] as const) {
        await said(page, side).getByText('Messages may be missing here: the server restarted').waitFor()
        expect(await said(page, side).locator('.gap').count()).toBe(1)
      }
    } finally {
      await own.stop()
    }
  })

  test('says why a message was not sent, and keeps its text in the field', async () => {
    const page = await openPage(newRoom())
    await desk(page, 'a').getByRole('button', { name: 'Go offline' }).click()
    await write(page, 'a', 'Into the void', 'Say')
    await chat(page, 'a').getByText('NOT_CONNECTED').waitFor()
    expect(await chat(page, 'a').getByLabel('Message').inputValue()).toBe('Into the void')
    expect(await said(page, 'a').getByText('Into the void').count()).toBe(0)
    await desk(page, 'a').getByRole('button', { name: 'Go online' }).click()
    await chat(page, 'a').getByText('NOT_CONNECTED').waitFor({ state: 'detached' })
    await chat(page, 'b').getByLabel('Message').fill('Are you back')
    await chat(page, 'a').getByText('is writing').waitFor()
  })
})
