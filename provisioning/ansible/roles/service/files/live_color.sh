#!/usr/bin/env bash
# SERVICE URL: prints the color that is live: blue or green, or none before the first deployment. Changes nothing.
# Consul notes it. A deployment that lost Consul in its cut-over may have left the two at odds: what serves users at URL
# is not to be replaced, so it counts for more.
set -u
. /etc/lab/waiting.sh
key=services/$1/color url=$2
consul=http://localhost:8500

stop() { echo "$* Nothing was changed." >&2; exit 1; }
serving() { ask -o /dev/null -D - "$url" 2>/dev/null; }

answer=$(curl -sS -m "$(stretched 5)" -w '%{http_code}' "$consul/v1/kv/$key?raw" 2>&1) ||
  stop "Consul does not answer at $consul: $answer. Try next: sudo systemctl start consul."
status=${answer: -3} noted=${answer%???}
case $status:${noted%$'\n'} in
  200:blue | 200:green) color=${noted%$'\n'} ;;
  404:*) color=none ;;
  200:*) stop "color=$(printf %q "${noted:0:80}"): the key $key must be blue or green." ;;
  *) stop "Consul does not say which color is live: HTTP $status, ${noted:0:120}." ;;
esac
headers=$(serving) || headers=
served=$(sed -En 's/^x-color: (blue|green)\r?$/\1/Ip' <<<"$headers")
echo "${served:-$color}"
