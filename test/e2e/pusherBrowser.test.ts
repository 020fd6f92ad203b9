/** pusher-js 8 as it is, in Chromium, with an application's own back end behind it. */
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer as createHttpServer, type IncomingMessage } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import type { Browser, Page } from 'playwright-core'
import PusherServer from 'pusher'
import { afterAll, afterEach, expect, test } from 'vitest'
import type { CreateServerOptions } from '../../server/index.ts'
import { APP } from '../unit/pusherClient.ts'
import { recorded } from '../unit/pusherRecorder.ts'
import { startServer } from '../unit/testServer.ts'
import { describeBrowser, launchBrowser } from './browser.ts'
import { until } from './until.ts'

const SCRIPT = createRequire(import.meta.url).resolve('pusher-js/dist/web/pusher-with-encryption.js')

const PAGE = `<!doctype html><title>chat</title><script src="/pusher.js"></script><script>
  window.heard = []
  window.connected = 0
  window.connect = (port, key, user) => {
    window.pusher = new Pusher(key, {
      cluster: '', wsHost: '127.0.0.1', wsPort: port, wssPort: port, forceTLS: false, enabledTransports: ['ws', 'wss'],
      channelAuthorization: { endpoint: '/pusher/auth', params: { user } },
      userAuthentication: { endpoint: '/pusher/user-auth', params: { user } },
    })
    pusher.connection.bind('connected', () => connected++)
  }
  window.subscribe = (name) => pusher.subscribe(name).bind_global((event, data) => heard.push([event, data]))
</script>`

const bodyOf = async (request: IncomingMessage): Promise<URLSearchParams> => {
  let text = ''
  for await (const chunk of request) text += String(chunk)
  return new URLSearchParams(text)
}

const ends: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

/** The application: a page, and the two addresses by which it lets its users in. */
const serveApplication = async (backEnd: PusherServer): Promise<string> => {
  const script = await readFile(SCRIPT)
  const application = createHttpServer(async (request, response) => {
    const answer = (type: string, text: string | Uint8Array): void => {
      response.writeHead(200, { 'content-type': type }).end(text)
    }
    if (request.url === '/pusher.js') {
      answer('text/javascript', script)
    } else if (request.method === 'POST') {
      const body = await bodyOf(request)
      const socketId = body.get('socket_id') ?? ''
      const channel = body.get('channel_name')
      const user = body.get('user') ?? ''
      const auth =
        channel === null
          ? backEnd.authenticateUser(socketId, { id: user })
          : channel.startsWith('presence-')
            ? backEnd.authorizeChannel(socketId, channel, { user_id: user, user_info: { name: user.toUpperCase() } })
            : backEnd.authorizeChannel(socketId, channel)
      answer('application/json', JSON.stringify(auth))
    } else answer('text/html', PAGE)
  })
  application.listen(0, '127.0.0.1')
  await once(application, 'listening')
  ends.push(() => {
    application.closeAllConnections()
    application.close()
  })
  return `http://127.0.0.1:${(application.address() as AddressInfo).port}/`
}

let browser: Browser | undefined
afterAll(() => browser?.close())

const start = async (options: CreateServerOptions = {}) => {
  browser ??= await launchBrowser()
  const { server, url } = await startServer({ apps: [APP], ...options })
  const proxy = await recorded(url)
  const { host, port } = server.address
  const backEnd = new PusherServer({
    appId: APP.id,
    key: APP.key,
    secret: APP.secret,
    host,
    port: String(port),
    useTLS: false,
    encryptionMasterKeyBase64: Buffer.alloc(32, 7).toString('base64'),
  })
  const address = await serveApplication(backEnd)
  const open = async (user: string, key: string = APP.key): Promise<Page> => {
    const page = await (browser as Browser).newPage()
    ends.push(() => page.close())
    await page.goto(address)
    await page.evaluate(`connect(${proxy.port}, ${JSON.stringify(key)}, ${JSON.stringify(user)})`)
    return page
  }
  return { server, proxy, backEnd, open }
}

/** Frames of animation, by which playwright looks otherwise, are rare in a window behind another. */
const becomes = (page: Page, condition: string): Promise<unknown> =>
  page.waitForFunction(condition, undefined, { polling: 50 })

const subscribe = async (page: Page, channel: string): Promise<void> => {
  await page.evaluate(`void subscribe(${JSON.stringify(channel)})`)
  await becomes(page, `pusher.channel(${JSON.stringify(channel)}).subscribed`)
}

/** What the application's listeners got. */
const heard = async (page: Page): Promise<unknown[]> =>
  ((await page.evaluate('heard')) as [string, unknown][]).filter(([event]) => !event.startsWith('pusher:'))

describeBrowser('pusher-js in Chromium', () => {
  test.each(['news', 'private-a', 'private-encrypted-a', 'presence-a'])(
    'two windows hear on %s what a back end triggers',
    async (channel) => {
      const { backEnd, open } = await start()
      const [a, b] = [await open('ada'), await open('bob')]
      for (const page of [a, b]) await subscribe(page, channel)
      await backEnd.trigger(channel, 'message', { text: 'hello' })
      for (const page of [a, b]) {
        await becomes(page, "heard.some(([event]) => event === 'message')")
        expect(await heard(page)).toEqual([['message', { text: 'hello' }]])
      }
    },
  )

  test('windows see each other come, send and go', async () => {
    const { open } = await start()
    const [a, b] = [await open('ada'), await open('bob')]
    await subscribe(a, 'presence-a')
    await subscribe(b, 'presence-a')
    await becomes(a, "pusher.channel('presence-a').members.count === 2")
    await b.evaluate("pusher.channel('presence-a').trigger('client-typing', { on: true })")
    await becomes(a, "heard.some(([event]) => event === 'client-typing')")
    expect(await a.evaluate("pusher.channel('presence-a').members.get('bob')")).toEqual({
      id: 'bob',
      info: { name: 'BOB' },
    })
    await b.close({ runBeforeUnload: false })
    await becomes(a, "pusher.channel('presence-a').members.count === 1")
  })

  test('a window signs in and gets what is sent to its user', async () => {
    const { backEnd, open } = await start()
    const page = await open('ada')
    await page.evaluate("pusher.user.bind('hello', (data) => heard.push(['hello', data])); pusher.signin()")
    await until('the event', async () => {
      // Its channel is subscribed after the sign-in.
      await backEnd.sendToUser('ada', 'hello', 1)
      return (await heard(page)).length > 0
    })
  })

  test('a window is back a second after a cut, and makes one attempt where the key is wrong', async () => {
    const { backEnd, open, proxy } = await start()
    const page = await open('ada')
    await subscribe(page, 'private-a')
    const stranger = await open('eve', 'unknown')
    await becomes(stranger, "pusher.connection.state === 'disconnected'")
    const before = proxy.connections()
    proxy.cut()
    await becomes(page, "connected === 2 && pusher.channel('private-a').subscribed")
    await backEnd.trigger('private-a', 'after', 1)
    await becomes(page, "heard.some(([event]) => event === 'after')")
    expect(proxy.connections()).toBe(before + 1)
    expect(await stranger.evaluate('pusher.connection.state')).toBe('disconnected')
  })
})
