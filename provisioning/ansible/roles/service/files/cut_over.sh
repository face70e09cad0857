#!/usr/bin/env bash
# SERVICE COLOR LIVE URL SESSION: the color in Consul and nginx's upstream change together, and COLOR answers URL after it.
# LIVE ("none" before the first deployment) and its upstream are put back when nginx cannot be told or users stay unserved.
# Nothing is changed when SESSION, the deployment's lock, ran out: another deployment may be running.
set -eu
. /etc/lab/waiting.sh
service=$1 color=$2 live=$3 url=$4 session=$5
key=http://localhost:8500/v1/kv/services/$service/color
upstream=/data/nginx/upstreams/$service.conf

put_back() {
  [ ! -s "$before" ] || cp "$before" "$upstream"  # or the next start of nginx would send users to COLOR
  if [ "$live" = none ]; then curl -fsS -X DELETE "$key"; else curl -fsS -X PUT -d "$live" "$key"; fi >/dev/null
  echo "$service stays on $live: $1" >&2
}
serves() {  # the old color may answer once more until nginx has read its settings
  last=$(ask -o /dev/null -D - "$url" 2>&1) && grep -qi "^x-color: $color" <<<"$last"
}
curl -fsS -X PUT "http://localhost:8500/v1/session/renew/$session" >/dev/null || {
  echo "$service stays on $live: the lock of this deployment could not be renewed: it holds for $(stretched 180) s. Try next: the same again" >&2
  exit 1
}
[ "$(docker inspect -f '{{.State.Running}}' nginx)" = true ] || docker start nginx >/dev/null
before=$(mktemp)
trap 'rm -f "$before"' EXIT
[ ! -e "$upstream" ] || cp "$upstream" "$before"
curl -fsS -X PUT -d "$color" "$key" >/dev/null
trap 'put_back "nginx was not told"' ERR
consul-template -consul localhost:8500 \
  -template "/data/nginx/templates/$service-$color-upstream.conf.ctmpl:$upstream:docker kill -s HUP nginx" -once
trap - ERR
until_true 10 serves || {
  put_back "$color does not answer at $url (docker logs nginx may say why): $last"
  docker kill -s HUP nginx >/dev/null
  exit 1
}
