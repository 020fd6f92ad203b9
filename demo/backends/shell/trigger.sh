#!/bin/sh
# trigger.sh <channel> <event> <data as text without quotes or backslashes>: a push from a shell, with openssl and curl.
# TUTTI_URL is where the Tutti server is, TUTTI_APP its app as id:key:secret.
set -eu
IFS=: read -r id key secret <<END
${TUTTI_APP:-1:app-key:app-secret}
END
body="{\"name\":\"$2\",\"channel\":\"$1\",\"data\":\"$3\"}"
md5=$(printf %s "$body" | openssl dgst -md5 | sed 's/^.* //')
path="/apps/$id/events"
query="auth_key=$key&auth_timestamp=$(date +%s)&auth_version=1.0&body_md5=$md5"
signature=$(printf 'POST\n%s\n%s' "$path" "$query" | openssl dgst -sha256 -hmac "$secret" | sed 's/^.* //')
curl -sS --fail-with-body -H 'Content-Type: application/json' -d "$body" \
  "${TUTTI_URL:-http://127.0.0.1:1234}$path?$query&auth_signature=$signature"
