#!/usr/bin/env bash
# Of two containers of a service with the same name on different nodes, the younger one stays. Waits until every swarm node
# that Consul believes alive answers, so that one just coming back is looked at too.
set -u
. /etc/lab/waiting.sh
consul=http://localhost:8500
declare -A engines=([% for node in lab.swarm_nodes %] ["[[ node.name ]]"]=[[ node.address ]]:2375[% endfor %] )

alive() {  # the names of the swarm nodes that Consul believes alive
  ask "$consul/v1/health/state/passing" | jq -r '.[] | select(.CheckID == "serfHealth") | .Node'
}
answers() { ask -o /dev/null "http://${engines[$1]}/_ping" 2>/dev/null; }
containers() {  # NODE... -> lines NAME CREATED NODE; only those that compose made
  local node
  for node; do
    echo "\"$node\""
    ask -G -d all=1 --data-urlencode 'filters={"label":["com.docker.compose.project"]}' "http://${engines[$node]}/containers/json" ||
      echo '[]'
  done | jq -rs 'range(0; length; 2) as $i | .[$i] as $node | .[$i + 1][]
    | "\(.Names | map(select(split("/") | length == 2))[0]) \(.Created) \($node)"'
}

nodes=()
for node in $(alive); do
  [ -n "${engines[$node]:-}" ] || continue
  until_true 60 answers "$node"
  nodes+=("$node")
done
containers "${nodes[@]}" | sort -k1,1 -k2,2r | while read -r name created node; do
  if [ "$name" = "${last:-}" ]; then
    within 20 docker -H "tcp://${engines[$node]}" rm -f "$name" >/dev/null &&
      echo "$(date +%H:%M:%S) ${name#/} on $node (made $created) was replaced meanwhile: removed"
  fi
  last=$name
done
