/** A page that talks in a room; `events.test.ts` drives it in a real browser. */
import { connect, createStore, type EventMeta, s } from '../../../lib/index.ts'

const shape = { say: s.object({ text: s.string() }), raw: s.bytes() }

/** Connects and notes what happens. */
const open = (url: string, user: string) => {
  const heard: unknown[] = []
  const note = (data: unknown, { event, offset, recovered }: EventMeta): void => {
    heard.push({ event, offset, recovered, data: data instanceof Uint8Array ? [...data] : data })
  }
  const store = createStore({ schema: { title: s.string().default('') } })
  const room = connect(store, {
    url,
    room: 'chat',
    events: shape,
    presence: { schema: { user: s.json<{ id: string }>() }, initial: { user: { id: user } } },
  })
  room.events.bind('say', note)
  room.events.bind('raw', note)
  room.events.on('join', ({ id }) => heard.push(`join ${id}`))
  room.events.on('leave', ({ id }) => heard.push(`leave ${id}`))
  /** What came of a trigger in the very moment in which the status said connected. */
  const atOnce = new Promise<string>((resolve) => {
    const stop = room.on('status', ({ connection }) => {
      if (connection !== 'connected') return
      stop()
      room.events.trigger('say', { text: `${user} is here` }).then(
        () => resolve('published'),
        (error: unknown) => resolve(String(error)),
      )
    })
  })
  return { room, heard, atOnce }
}

const page = { open, current: undefined as ReturnType<typeof open> | undefined }

declare global {
  interface Window {
    talk: typeof page
  }
}

window.talk = page
