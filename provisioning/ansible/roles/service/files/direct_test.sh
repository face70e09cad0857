#!/usr/bin/env bash
# NAME PATH CONTAINER SWARM: the instance of NAME in Consul's catalogue answers PATH on its own address and port within 20 s.
# The last line says where. When it does not answer, its container's last lines are shown and it is left stopped.
set -u
. /etc/lab/waiting.sh
name=$1 path=$2 container=$3
export DOCKER_HOST=$4
last="nothing"
passes() {
  address=$(curl -fsS "http://localhost:8500/v1/health/service/$name?passing" |
    jq -r '.[0] | (if .Service.Address == "" then .Node.Address else .Service.Address end) + ":" + (.Service.Port | tostring)')
  last=$(ask -o /dev/null "http://$address$path" 2>&1)
}
until_true 20 passes && { echo "$name answers:"; echo "$address$path"; exit 0; }
echo "$name failed its direct test at http://$address$path: $last" >&2
docker logs --tail 5 "$container" >&2
docker stop "$container" >/dev/null
exit 1
