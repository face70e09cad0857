#!/usr/bin/env bash
# SERVICE COLOR LIVE URL: the color in Consul and nginx's upstream change together, and URL answers after it. LIVE
# ("none" before the first deployment) and its upstream are put back when nginx cannot be told.
set -eu
service=$1 color=$2 live=$3 url=$4
key=http://localhost:8500/v1/kv/services/$service/color
upstream=/data/nginx/upstreams/$service.conf

put_back() {
  [ ! -s "$before" ] || cp "$before" "$upstream"  # or the next start of nginx would send users to COLOR
  if [ "$live" = none ]; then curl -fsS -X DELETE "$key"; else curl -fsS -X PUT -d "$live" "$key"; fi >/dev/null
  echo "$service stays on $live: nginx was not told" >&2
}
[ "$(docker inspect -f '{{.State.Running}}' nginx)" = true ] || docker start nginx >/dev/null
before=$(mktemp)
trap 'rm -f "$before"' EXIT
[ ! -e "$upstream" ] || cp "$upstream" "$before"
curl -fsS -X PUT -d "$color" "$key" >/dev/null
trap put_back ERR
consul-template -consul localhost:8500 \
  -template "/data/nginx/templates/$service-$color-upstream.conf.ctmpl:$upstream:docker kill -s HUP nginx" -once
trap - ERR
curl -fsS -m 5 --retry 20 --retry-delay 0 --retry-all-errors --retry-max-time 10 -o /dev/null "$url"
