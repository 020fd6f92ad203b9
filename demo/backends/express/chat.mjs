// The chat of the talk with Express: `npm install express pusher`, then `node chat.mjs`.
// TUTTI_URL is where the Tutti server is, TUTTI_APP its app as id:key:secret, PORT where this listens.
import process from 'node:process'
import express from 'express'
import Pusher from 'pusher'

const { hostname, port } = new URL(process.env.TUTTI_URL ?? 'http://127.0.0.1:1234')
const [appId, key, secret] = (process.env.TUTTI_APP ?? '1:app-key:app-secret').split(':')
const pusher = new Pusher({ appId, key, secret, host: hostname, port, useTLS: false })

const app = express()
app.use(express.urlencoded({ extended: false }))
app.post('/messages', async (request, response) => {
  const { name = 'someone', text = '' } = request.body ?? {}
  if (text === '') return response.status(400).send('Post a text.\n')
  await pusher.trigger('chat', 'show-message', { name, text })
  return response.json({ sent: true })
})

const listening = app.listen(Number(process.env.PORT ?? 8000), '127.0.0.1', () => {
  process.stdout.write(`http://127.0.0.1:${listening.address().port}\n`)
})
