# Prints what runs here and Consul's catalogue does not have: the agent lost its data, or the catalogue still has it as another.
unknown() {
  local catalogue own
  own=$([[ ask('http://localhost:8500/v1/agent/self') ]] | jq -r .Config.NodeID)
  catalogue=$([[ ask('http://localhost:8500/v1/catalog/node/%s' % node.name) ]])
  [ -n "$own" ] && [ -n "$catalogue" ] || return  # Consul is silent: nothing can be told
  jq -r '.Node.ID // empty' <<<"$catalogue" | grep -qx "$own" || echo "the agent $own"
  docker ps --format '{{.Names}} {{.Ports}}' | while read -r name ports; do
    grep -o -- '->[0-9]*/tcp' <<<"$ports" | tr -dc '0-9\n' | sort -u | while read -r port; do
      id=[[ node.name ]]:$name:$port
      jq -r '.Services // {} | keys[]' <<<"$catalogue" | grep -qxF "$id" || echo "$id"
    done
  done
}
[ -z "$(unknown)" ] || { sleep 2; unknown; }  # one that has just started is registered in a second
