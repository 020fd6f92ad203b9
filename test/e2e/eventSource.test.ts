import { once } from 'node:events'
import { connect, createServer as createTcpServer, type Socket } from 'node:net'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createServer, type Server } from '../../server/index.ts'
import { describeBrowser, launchBrowser } from './browser.ts'

interface Seen {
  readonly type: string
  readonly id: string
  readonly data: unknown
}

/** A way to the server that can be cut. */
const createWay = async (target: number) => {
  const pairs = new Set<Socket>()
  let isOpen = true
  const proxy = createTcpServer((near) => {
    if (!isOpen) {
      near.destroy()
      return
    }
    const far = connect(target, '127.0.0.1')
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      pairs.add(from)
      from.on('error', () => from.destroy())
      from.on('close', () => {
        pairs.delete(from)
        to.destroy()
      })
      from.pipe(to)
    }
  })
  proxy.listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  const { port } = proxy.address() as { port: number }
  const cut = (): void => {
    isOpen = false
    for (const socket of pairs) socket.destroy()
  }
  return {
    url: `http://127.0.0.1:${port}`,
    cut,
    open: () => {
      isOpen = true
    },
    close: () => {
      cut()
      proxy.close()
    },
  }
}

describeBrowser('an EventSource in Chromium', () => {
  let browser: Browser
  let server: Server | undefined
  beforeAll(async () => {
    browser = await launchBrowser()
  })
  afterAll(async () => {
    await browser.close()
    await server?.close()
  })

  test('misses no event while its connection is cut, and is told of a gap after a restart', async () => {
    server = await createServer({ port: 0, data: 'memory', logLevel: 'silent' })
    const { port } = server.address
    const way = await createWay(port)
    const room = server.room('a')
    const context = await browser.newContext()
    const page = await context.newPage()
    // Any page of the server's own origin.
    await page.goto(`${way.url}/health`)
    await page.evaluate(() => {
      const seen: Seen[] = []
      const source = new EventSource('/rooms/a/events')
      const note = ({ type, lastEventId, data }: MessageEvent): void => {
        seen.push({ type, id: lastEventId, data: JSON.parse(data) })
      }
      source.onmessage = note
      source.addEventListener('gap', note)
      source.onopen = () => {
        const opened = Number(document.body.dataset.opened ?? 0) + 1
        document.body.dataset.opened = String(opened)
      }
      Object.assign(window, { seen })
    })
    const opened = (): Promise<number> => page.evaluate(() => Number(document.body.dataset.opened ?? 0))
    const seen = (): Promise<Seen[]> => page.evaluate(() => (window as unknown as { seen: Seen[] }).seen)
    await expect.poll(opened).toBe(1)

    const { epoch } = await room.trigger('say', { n: 1 })
    await expect.poll(async () => (await seen()).length).toBe(1)

    way.cut()
    await room.trigger('say', { n: 2 })
    await room.trigger('say', { n: 3 })
    way.open()
    await expect.poll(async () => (await seen()).length, { timeout: 20_000 }).toBe(3)
    expect(await opened()).toBe(2)
    expect((await seen()).map(({ type, id, data }) => [type, id, (data as { data: unknown }).data])).toEqual([
      ['message', `${epoch}.1`, { n: 1 }],
      ['message', `${epoch}.2`, { n: 2 }],
      ['message', `${epoch}.3`, { n: 3 }],
    ])

    await server.close()
    server = await createServer({ port, data: 'memory', logLevel: 'silent' })
    await expect.poll(async () => (await seen()).at(-1)?.type, { timeout: 20_000 }).toBe('gap')
    await server.room('a').trigger('say', { n: 4 })
    await expect.poll(async () => (await seen()).length).toBe(5)
    const last = (await seen()).slice(3)
    expect(last[0]!.data).toMatchObject({ offset: 0 })
    expect(last[1]).toMatchObject({ type: 'message', data: { offset: 1, data: { n: 4 } } })
    await context.close()
    way.close()
  }, 60_000)
})
