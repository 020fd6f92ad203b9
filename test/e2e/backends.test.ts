/** The applications in demo/backends, each run as it is against a real server. */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Browser } from 'playwright-core'
import { createServer, type Server } from 'tutti/server'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { describeBrowser, launchBrowser } from './browser.ts'
import { freePort } from './serverProcess.ts'
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

/** The chat of an application, which `open` starts and gives the address of. */
const showsInBoth = (open: () => Promise<string>): void => {
  let browser: Browser
  beforeAll(async () => {
    browser = await launchBrowser()
  })
  afterAll(() => browser.close())

  it('shows in both what is posted in one, and what is pushed from elsewhere', async () => {
    const url = await open()
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
    await server.room('chat').trigger('show-message', { name: 'Ann', text: 'a back end' })
    await server.room('chat').trigger('show-message', 'plain text')
    for (const page of pages) {
      await page.waitForSelector('li:nth-child(3)')
      expect((await page.locator('li').allTextContents()).slice(1)).toEqual(['Ann: a back end', 'someone: plain text'])
    }
  })
}

/** What a command said, and how it ended. */
const attempt = async (
  command: string,
  args: string[],
  env: NodeJS.ProcessEnv = {},
): Promise<{ code: number | string; stdout: string; stderr: string }> => {
  try {
    return { code: 0, ...(await run(command, args, { env: { ...environment(), ...env } })) }
  } catch (error) {
    // As `execFile` rejects for a command that failed.
    const { code, stdout, stderr } = error as { code: number | string; stdout: string; stderr: string }
    return { code, stdout, stderr }
  }
}

const WRONG_SECRET = { TUTTI_APP: `${APP.id}:${APP.key}:another-secret` }
/** What JSON and a shell both give a meaning. */
const ODD_TEXT = 'He said "no\\yes", $HOME `date` it\'s\n\ttwo lines, 50 % für Ünal 🎺'

/** Both commands take the same arguments. */
const commands = (script: string, command: string, first: string[]): void => {
  const push = (...args: string[]) => attempt(command, [...first, ...args])

  it('pushes JSON and plain text by signature', async () => {
    const before = heard.length
    expect(await push('chat', 'show-message', `{"text":"from ${script}"}`)).toMatchObject({ code: 0, stderr: '' })
    expect(await lastHeard(before)).toEqual({ event: 'show-message', data: { text: `from ${script}` } })
    expect(await push('chat', 'show-message', ODD_TEXT)).toMatchObject({ code: 0, stderr: '' })
    expect(await lastHeard(before + 1)).toEqual({ event: 'show-message', data: ODD_TEXT })
  })

  it('pushes a name and a text, as the chat of the other applications wants them', async () => {
    const before = heard.length
    expect(await push('chat', 'show-message', 'Ann "A" B\\', ODD_TEXT)).toMatchObject({ code: 0, stderr: '' })
    expect(await lastHeard(before)).toEqual({ event: 'show-message', data: { name: 'Ann "A" B\\', text: ODD_TEXT } })
  })

  it('says how it is used, with exit code 2', async () => {
    for (const args of [[], ['chat', 'show-message'], ['chat', 'show-message', 'Ann', 'text', 'more']]) {
      const { code, stdout, stderr } = await push(...args)
      expect([code, stdout]).toEqual([2, ''])
      expect(stderr).toMatch(/^Usage: /)
    }
  })

  it('fails with a clear line on a wrong secret and without a server', async () => {
    const wrong = await attempt(command, [...first, 'chat', 'show-message', 'x'], WRONG_SECRET)
    expect(wrong.code).not.toBe(0)
    expect(wrong.stderr).toMatch(/401/)
    const port = await freePort()
    const away = await attempt(command, [...first, 'chat', 'show-message', 'x'], {
      TUTTI_URL: `http://127.0.0.1:${port}`,
    })
    expect(away.code).not.toBe(0)
    expect(away.stderr).toMatch(new RegExp(`${port}`))
    expect(away.stdout).toBe('')
  })
}

describeWithTool('php', 'a PHP application', (php) => {
  commands('PHP', php, [`${BACKENDS}/php/trigger.php`])
})

describeWithTool('openssl', 'a shell', () => {
  commands('a shell', 'sh', [`${BACKENDS}/shell/trigger.sh`])
})

describe('an Express application', () => {
  const startExpress = async (env: NodeJS.ProcessEnv = {}): Promise<string> => {
    const port = await freePort()
    start(process.execPath, [`${BACKENDS}/express/chat.mjs`], { PORT: String(port), ...env })
    await until('Express listens', () => answers(`http://127.0.0.1:${port}/`))
    return `http://127.0.0.1:${port}/`
  }

  const post = async (url: string, form: Record<string, string> = {}) => {
    const response = await fetch(`${url}messages`, { method: 'POST', body: new URLSearchParams(form) })
    return { status: response.status, answer: (await response.json()) as unknown }
  }

  it('pushes what is posted to it', async () => {
    const url = await startExpress()
    const before = heard.length
    expect(await post(url, { name: 'Ann', text: 'from Express' })).toEqual({ status: 200, answer: { sent: true } })
    expect(await lastHeard(before)).toEqual({ event: 'show-message', data: { name: 'Ann', text: 'from Express' } })
    expect(await post(url)).toEqual({ status: 400, answer: { error: 'Post a text.' } })
  })

  it('tells as JSON that Tutti refused it, or does not answer', async () => {
    const refused = await post(await startExpress(WRONG_SECRET), { text: 'x' })
    expect(refused.status).toBe(502)
    expect(refused.answer).toEqual({
      error: expect.stringMatching(/^The Tutti server did not take it: it answered 401: /),
    })
    const nobody = `http://127.0.0.1:${await freePort()}`
    expect(await post(await startExpress({ TUTTI_URL: nobody }), { text: 'x' })).toEqual({
      status: 502,
      answer: { error: 'The Tutti server did not take it: it does not answer' },
    })
  })

  describeBrowser('in two windows of Chromium', () => {
    showsInBoth(() => startExpress())
  })
})

describeWithTool('django', "the talk's Django application", (python) => {
  describeBrowser('in two windows of Chromium', () => {
    showsInBoth(async () => {
      const port = await freePort()
      start(python, [`${BACKENDS}/django/chat.py`, 'runserver', '--noreload', `127.0.0.1:${port}`])
      const url = `http://127.0.0.1:${port}/`
      await until('Django listens', () => answers(url), 30_000)
      return url
    })
  })
})
