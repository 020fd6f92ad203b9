/** pusher-js 8, unmodified, as an application sets it up. What is connected here is disconnected after the test. */
import type PusherServer from 'pusher'
import PusherJs from 'pusher-js'
import { afterEach } from 'vitest'
import { until } from '../e2e/until.ts'

// CommonJS: its types tell of a default export, in Node the module itself is the constructor.
export const Pusher = PusherJs as unknown as typeof PusherJs.default
export type Pusher = InstanceType<typeof Pusher>
export type PusherChannel = ReturnType<Pusher['subscribe']>

const clients: Pusher[] = []
afterEach(() => {
  for (const client of clients.splice(0).reverse()) client.disconnect()
})

export interface User {
  readonly id: string
  readonly info?: Record<string, unknown>
  readonly watchlist?: string[]
}

/** Options with the authorization that an application would have behind two addresses of its own. */
export const optionsFor = (port: number, backEnd: PusherServer, user: User) => ({
  cluster: '',
  wsHost: '127.0.0.1',
  wsPort: port,
  wssPort: port,
  forceTLS: false,
  enabledTransports: ['ws' as const],
  channelAuthorization: {
    customHandler: (
      { socketId, channelName }: { socketId: string; channelName: string },
      callback: (error: null, auth: { auth: string }) => void,
    ) => {
      const isPresence = channelName.startsWith('presence-')
      const told = user.info === undefined ? {} : { user_info: user.info }
      callback(
        null,
        isPresence
          ? backEnd.authorizeChannel(socketId, channelName, { user_id: user.id, ...told })
          : backEnd.authorizeChannel(socketId, channelName),
      )
    },
  },
  userAuthentication: {
    customHandler: (
      { socketId }: { socketId: string },
      callback: (error: null, auth: { auth: string; user_data: string }) => void,
    ) => {
      const { id, watchlist } = user
      callback(null, backEnd.authenticateUser(socketId, { id, ...(watchlist ? { watchlist } : {}) }))
    },
  },
})

export const connectPusher = (key: string, port: number, backEnd: PusherServer, user: User): Pusher => {
  // The types know only the handlers' exact shapes; these are what the documentation shows.
  const client = new Pusher(key, optionsFor(port, backEnd, user) as never)
  clients.push(client)
  return client
}

export const subscribed = async (pusher: Pusher, name: string): Promise<PusherChannel> => {
  const channel = pusher.subscribe(name)
  await until(`the subscription of ${name}`, () => channel.subscribed)
  return channel
}
