#!/usr/bin/env python3
"""The chat of the talk: a Django application that pushes what one browser posts to all of them.

    python3 chat.py runserver 8000

Needs Django and nothing else: a push is one signed HTTP request, made with the standard library. `TUTTI_URL` is where
the Tutti server is (http://127.0.0.1:1234), `TUTTI_APP` its app as id:key:secret (1:app-key:app-secret).
"""
import hashlib
import hmac
import json
import os
import sys
import time
import urllib.parse
import urllib.request

from django.conf import settings
from django.core.management import execute_from_command_line
from django.http import HttpResponse, HttpResponseBadRequest, JsonResponse
from django.urls import path

TUTTI_URL = os.environ.get("TUTTI_URL", "http://127.0.0.1:1234")
APP_ID, KEY, SECRET = os.environ.get("TUTTI_APP", "1:app-key:app-secret").split(":")
# pusher-js as it comes from its package, unmodified.
PUSHER_JS = os.environ.get("PUSHER_JS", "node_modules/pusher-js/dist/web/pusher.min.js")

settings.configure(
    DEBUG=True,
    SECRET_KEY="only for this demonstration",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
)


# --- The real-time part: 12 lines ---------------------------------------------------------------------------------
def trigger(channel, event, data):
    """Pushes an event to everyone who is subscribed to the channel."""
    body = json.dumps({"name": event, "channel": channel, "data": json.dumps(data)}).encode()
    query = urllib.parse.urlencode(sorted({
        "auth_key": KEY,
        "auth_timestamp": int(time.time()),
        "auth_version": "1.0",
        "body_md5": hashlib.md5(body).hexdigest(),
    }.items()))
    where = f"/apps/{APP_ID}/events"
    signature = hmac.new(SECRET.encode(), f"POST\n{where}\n{query}".encode(), hashlib.sha256).hexdigest()
    url = f"{TUTTI_URL}{where}?{query}&auth_signature={signature}"
    urllib.request.urlopen(urllib.request.Request(url, body, {"Content-Type": "application/json"}), timeout=5).close()


def post_message(request):
    """A browser posts to its own application, which pushes to all."""
    text = request.POST.get("text", "").strip()
    if request.method != "POST" or not text:
        return HttpResponseBadRequest("Post a text.")
    trigger("chat", "show-message", {"name": request.POST.get("name", "someone"), "text": text})
    return JsonResponse({"sent": True})
# ------------------------------------------------------------------------------------------------------------------


def index(request):
    address = urllib.parse.urlsplit(TUTTI_URL)
    page = PAGE.replace("@KEY@", json.dumps(KEY)).replace("@HOST@", json.dumps(address.hostname))
    return HttpResponse(page.replace("@PORT@", json.dumps(address.port or 80)))


def pusher_js(request):
    with open(PUSHER_JS, "rb") as file:
        return HttpResponse(file.read(), content_type="text/javascript")


PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Chat with Django</title>
<style>body { font: 1rem/1.5 system-ui; max-width: 40rem; margin: 2rem auto; padding: 0 1rem; color-scheme: light dark }</style>
<h1>Chat with Django</h1>
<ul id="messages" aria-live="polite"></ul>
<form id="form">
  <label>Message <input name="text" required autocomplete="off"></label>
  <button>Send</button>
</form>
<p id="problem" role="alert"></p>
<script src="pusher.js"></script>
<script>
  const pusher = new Pusher(@KEY@, {
    cluster: '', wsHost: @HOST@, wsPort: @PORT@, wssPort: @PORT@, forceTLS: false, enabledTransports: ['ws', 'wss'],
  })
  pusher.subscribe('chat').bind('show-message', (data) => {
    const { name, text } = typeof data === 'string' ? { name: 'someone', text: data } : data
    const item = document.createElement('li')
    item.textContent = `${name}: ${text}`
    document.querySelector('#messages').append(item)
  })
  document.querySelector('#form').addEventListener('submit', async (event) => {
    event.preventDefault()
    const form = event.target
    const answer = await fetch('messages', { method: 'POST', body: new URLSearchParams(new FormData(form)) })
    document.querySelector('#problem').textContent = answer.ok ? '' : `Not sent: the server answered ${answer.status}.`
    if (answer.ok) form.reset()
  })
</script>
"""

urlpatterns = [path("", index), path("messages", post_message), path("pusher.js", pusher_js)]

if __name__ == "__main__":
    execute_from_command_line(sys.argv)
