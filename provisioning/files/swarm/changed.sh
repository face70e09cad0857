# Prints the engines that have another ID than the manager knows: it keeps such a node out for ever.
info=$([[ manager ]] info 2>/dev/null)
for engine in[% for node in lab.swarm_nodes %] [[ node.address ]]:2375[% endfor %]; do
  own=$([[ ask('http://$engine/info') ]] | jq -r .ID)
  known=$(grep -o "ID: .*|$engine$" <<<"$info" | tr -d ' ' | cut -d'|' -f1)
  [ -z "$own" ] || [ -z "$known" ] || [ "$known" = "ID:$own" ] || echo "$engine"
done
