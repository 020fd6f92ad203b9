// The chat of the talk with Express: `npm install express pusher pusher-js`, then `node chat.mjs`.
// TUTTI_URL is where the Tutti server is, TUTTI_APP its app as id:key:secret, PORT where this listens.
import { createRequire } from 'node:module'
import process from 'node:process'
import express from 'express'
import Pusher from 'pusher'

const { protocol, hostname, port } = new URL(process.env.TUTTI_URL ?? 'http://127.0.0.1:1234')
const useTLS = protocol === 'https:'
const [appId, key, secret] = (process.env.TUTTI_APP ?? '1:app-key:app-secret').split(':')
/** pusher-js as it comes from its package, unmodified. */
const PUSHER_JS = createRequire(import.meta.url).resolve('pusher-js/dist/web/pusher.min.js')

const app = express()

// --- The real-time part: 9 lines -------------------------------------------------------------------------------------
const pusher = new Pusher({ appId, key, secret, host: hostname, port, useTLS })

/** A browser posts to its own application, which pushes to all. */
app.post('/messages', express.urlencoded({ extended: false }), async (request, response) => {
  const { name = 'someone', text = '' } = request.body ?? {}
  if (text.trim() === '') return response.status(400).json({ error: 'Post a text.' })
  await pusher.trigger('chat', 'show-message', { name, text: text.trim() })
  return response.json({ sent: true })
})
// ---------------------------------------------------------------------------------------------------------------------

app.get('/', (_request, response) => response.type('html').send(PAGE))
app.get('/pusher.js', (_request, response) => response.sendFile(PUSHER_JS, { dotfiles: 'allow' }))

/** The application's own log has the whole error; the browser is told what it can do something about. */
app.use((error, _request, response, _next) => {
  process.stderr.write(`${error.stack}\n${error.error ?? ''}\n`)
  if (!(error instanceof Pusher.RequestError)) {
    return response
      .status(error.status ?? 500)
      .json({ error: error.expose ? error.message : 'The application failed.' })
  }
  const why = error.status === undefined ? 'it does not answer' : `it answered ${error.status}: ${error.body}`.trim()
  return response.status(502).json({ error: `The Tutti server did not take it: ${why}` })
})

const OPTIONS = {
  cluster: '',
  wsHost: hostname,
  wsPort: Number(port || 80),
  wssPort: Number(port || 443),
  forceTLS: useTLS,
  enabledTransports: ['ws', 'wss'],
}

const PAGE = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Chat with Express</title>
<style>body { font: 1rem/1.5 system-ui; max-width: 40rem; margin: 2rem auto; padding: 0 1rem; color-scheme: light dark }</style>
<h1>Chat with Express</h1>
<ul id="messages" aria-live="polite"></ul>
<form id="form">
  <label>Message <input name="text" required autocomplete="off"></label>
  <button>Send</button>
</form>
<p id="problem" role="alert"></p>
<script src="pusher.js"></script>
<script>
  const pusher = new Pusher(${JSON.stringify(key)}, ${JSON.stringify(OPTIONS)})
  pusher.subscribe('chat').bind('show-message', (data) => {
    const { name, text } = typeof data === 'string' ? { name: 'someone', text: data } : data
    const item = document.createElement('li')
    item.textContent = name + ': ' + text
    document.querySelector('#messages').append(item)
  })
  document.querySelector('#form').addEventListener('submit', async (event) => {
    event.preventDefault()
    const form = event.target
    const answer = await fetch('messages', { method: 'POST', body: new URLSearchParams(new FormData(form)) })
    const { error = '' } = await answer.json()
    document.querySelector('#problem').textContent = error
    if (answer.ok) form.reset()
  })
</script>
`

const listening = app.listen(Number(process.env.PORT ?? 8000), '127.0.0.1', () => {
  process.stdout.write(`http://127.0.0.1:${listening.address().port}\n`)
})
