# The next deployment of a service loses its lock, as when a pull takes longer than the lock's TTL.
#
# Before it: the variables consul (its address) and lock (the key).
# shellcheck shell=bash disable=SC2154
session() { curl -fsS "$consul/v1/kv/$lock" 2>/dev/null | jq -r '.[] | .Session // empty'; }

until held=$(session) && [ -n "$held" ]; do sleep 0.1; done
curl -fsS -X PUT "$consul/v1/session/destroy/$held"
