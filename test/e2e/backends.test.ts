/** The applications in demo/backends, each run as it is against a real server. */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer as createTcp } from 'node:net'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Browser } from 'playwright-core'
import { createServer, type Server } from 'tutti/server'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { describeBrowser, launchBrowser } from './browser.ts'
import { describeWithTool } from './tools.ts'
import { until } from './until.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const BACKENDS = `${ROOT}demo/backends`
const APP = { id: '1', key: 'app-key', secret: 'app-secret' }

const run = promisify(execFile)

let server: Server
let heard: { event: string; data: unknown }[]
const children: ChildProcess[] = []

beforeAll(async () => {
  server = await createServer({ port: 0, data: 'memory', logLevel: 'error', apps: [APP] })
  heard = []
  server.room('chat').on('event', ({ event, data }) => heard.push({ event, data }))
})
afterAll(async () => {
  for (const child of children) child.kill('SIGKILL')
  await server.close()
})

const environment = (): NodeJS.ProcessEnv => ({
  ...process.env,
  TUTTI_URL: server.url,
  TUTTI_APP: `${APP.id}:${APP.key}:${APP.secret}`,
})

const freePort = async (): Promise<number> => {
  const tcp = createTcp().listen(0, '127.0.0.1')
  await once(tcp, 'listening')
  const address = tcp.address()
  tcp.close()
  await once(tcp, 'close')
  if (typeof address !== 'object' || address === null) throw new Error('no port')
  return address.port
}

const start = (command: string, args: string[], env: NodeJS.ProcessEnv = {}): ChildProcess => {
  const child = spawn(command, args, { cwd: ROOT, env: { ...environment(), ...env }, stdio: 'ignore' })
  children.push(child)
  return child
}

const answers = async (url: string): Promise<boolean> => {
  try {
    await fetch(url)
    return true
  } catch (error) {
    if (error instanceof TypeError) return false
    throw error
  }
}

const lastHeard = async (count: number): Promise<unknown> => {
  await until('the event is heard', () => heard.length > count)
  return heard.at(-1)
}

describeWithTool('php', 'a PHP application', (php) => {
  it('pushes by signature', async () => {
    const before = heard.length
    const args = [`${BACKENDS}/php/trigger.php`, 'chat', 'show-message', '{"text":"from PHP"}']
    const { stdout } = await run(php, args, { env: environment() })
    expect(stdout).toBe('{}\n')
    expect(await lastHeard(before)).toEqual({ event: 'show-message', data: { text: 'from PHP' } })
  })
})

describeWithTool('openssl', 'a shell', () => {
  it('pushes by signature', async () => {
    const before = heard.length
    const args = ['chat', 'show-message', 'from a shell']
    const { stdout } = await run(`${BACKENDS}/shell/trigger.sh`, args, { env: environment() })
    expect(stdout).toBe('{}')
    expect(await lastHeard(before)).toEqual({ event: 'show-message', data: 'from a shell' })
  })
})

it('an Express application pushes what is posted to it', async () => {
  const port = await freePort()
  start(process.execPath, [`${BACKENDS}/express/chat.mjs`], { PORT: String(port) })
  await until('Express listens', () => answers(`http://127.0.0.1:${port}/`))
  const before = heard.length
  const body = new URLSearchParams({ name: 'Ann', text: 'from Express' })
  const response = await fetch(`http://127.0.0.1:${port}/messages`, { method: 'POST', body })
  expect(await response.json()).toEqual({ sent: true })
  expect(await lastHeard(before)).toEqual({ event: 'show-message', data: { name: 'Ann', text: 'from Express' } })
  expect((await fetch(`http://127.0.0.1:${port}/messages`, { method: 'POST' })).status).toBe(400)
})

describeWithTool('django', "the talk's Django application", (python) => {
  describeBrowser('in two windows of Chromium', () => {
    let browser: Browser
    beforeAll(async () => {
      browser = await launchBrowser()
    })
    afterAll(() => browser.close())

    it('shows in both what is posted in one', async () => {
      const port = await freePort()
      start(python, [`${BACKENDS}/django/chat.py`, 'runserver', '--noreload', `127.0.0.1:${port}`])
      const url = `http://127.0.0.1:${port}/`
      await until('Django listens', () => answers(url), 30_000)
      const pages = [await (await browser.newContext()).newPage(), await (await browser.newContext()).newPage()]
      for (const page of pages) {
        await page.goto(url)
        await page.waitForFunction("pusher.channel('chat').subscribed === true")
      }
      await pages[0]!.fill('input[name=text]', 'hello from the first window')
      await pages[0]!.click('button')
      for (const page of pages) {
        await page.waitForSelector('li')
        expect(await page.locator('li').allTextContents()).toEqual(['someone: hello from the first window'])
      }
    })
  })
})
