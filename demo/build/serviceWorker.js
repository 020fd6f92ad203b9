// Keeps the page, not the document: the store does that itself. The build fills in both constants.
const VERSION = 'VERSION'
const FILES = ['FILES']

const CACHE = `tutti-demo-${VERSION}`

self.addEventListener('install', (event) => {
  self.skipWaiting()
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(FILES)))
})

self.addEventListener('activate', (event) => {
  const clean = async () => {
    for (const name of await caches.keys()) {
      if (name.startsWith('tutti-demo-') && name !== CACHE) await caches.delete(name)
    }
    await self.clients.claim()
  }
  event.waitUntil(clean())
})

self.addEventListener('fetch', (event) => {
  const { request } = event
  if (request.method !== 'GET' || new URL(request.url).origin !== self.location.origin) return
  // The page itself from the server while there is one, so that a new build shows at once; hashed files from here.
  if (request.mode === 'navigate') {
    event.respondWith(fetch(request).catch(() => caches.match('./')))
    return
  }
  event.respondWith(
    (async () => {
      const cache = await caches.open(CACHE)
      return (await cache.match(request)) ?? fetch(request)
    })(),
  )
})
