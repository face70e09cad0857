#!/usr/bin/env bash
# Of two containers of a service with the same name on different nodes, the younger one stays. Waits until every swarm node
# that Consul believes alive answers, so that one just coming back is looked at too.
set -u
. /etc/lab/waiting.sh
consul=http://localhost:8500
declare -A engines=([% for node in lab.swarm_nodes %] ["[[ node.name ]]"]=tcp://[[ node.address ]]:2375[% endfor %] )

alive() {  # the names of the swarm nodes that Consul believes alive
  ask "$consul/v1/health/state/passing" | jq -r '.[] | select(.CheckID == "serfHealth") | .Node'
}
answers() { within 5 docker -H "${engines[$1]}" version >/dev/null 2>&1; }
containers() {  # NODE -> lines NAME CREATED NODE; only those that compose made
  within 10 docker -H "${engines[$1]}" ps -aq --filter label=com.docker.compose.project |
    xargs -r timeout "$(stretched 10)" docker -H "${engines[$1]}" inspect -f "{{.Name}} {{.Created}} $1"
}

nodes=()
for node in $(alive); do
  [ -n "${engines[$node]:-}" ] || continue
  until_true 60 answers "$node"
  nodes+=("$node")
done
for node in "${nodes[@]}"; do containers "$node"; done | sort -k1,1 -k2,2r | while read -r name created node; do
  if [ "$name" = "${last:-}" ]; then
    within 20 docker -H "${engines[$node]}" rm -f "$name" >/dev/null &&
      echo "$(date +%H:%M:%S) ${name#/} on $node (made $created) was replaced meanwhile: removed"
  fi
  last=$name
done
