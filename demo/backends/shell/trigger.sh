#!/bin/sh
# A push from a shell, with openssl and curl. TUTTI_URL is where the Tutti server is, TUTTI_APP its app as id:key:secret.
set -eu
export LC_ALL=C
case $# in
3 | 4) ;;
*)
  echo 'Usage: trigger.sh <channel> <event> <data, as JSON or any text>' >&2
  echo '       trigger.sh <channel> <event> <name> <text>, for the chat of the other applications' >&2
  exit 2
  ;;
esac

# Text as a JSON string; control characters other than tab and newline are left out.
quote() {
  printf %s "$1" | tr -d '\001-\010\013-\037' | sed -e 's/[\\"]/\\&/g' -e "s/$(printf '\t')/\\\\t/g" |
    awk 'BEGIN { printf "\"" } { printf "%s%s", (NR > 1 ? "\\n" : ""), $0 } END { printf "\"" }'
}

# --- The real-time part: 12 lines ------------------------------------------------------------------------------------
trigger() {
  IFS=: read -r id key secret <<END
${TUTTI_APP:-1:app-key:app-secret}
END
  body="{\"name\":$(quote "$2"),\"channel\":$(quote "$1"),\"data\":$(quote "$3")}"
  md5=$(printf %s "$body" | openssl dgst -md5 | sed 's/^.* //')
  path="/apps/$id/events"
  query="auth_key=$key&auth_timestamp=$(date +%s)&auth_version=1.0&body_md5=$md5"
  signature=$(printf 'POST\n%s\n%s' "$path" "$query" | openssl dgst -sha256 -hmac "$secret" | sed 's/^.* //')
  curl -sS --fail-with-body -H 'Content-Type: application/json' --data-binary "$body" \
    "${TUTTI_URL:-http://127.0.0.1:1234}$path?$query&auth_signature=$signature"
}
# ---------------------------------------------------------------------------------------------------------------------

data=$3
[ $# = 3 ] || data="{\"name\":$(quote "$3"),\"text\":$(quote "$4")}"
trigger "$1" "$2" "$data"
