# Prints what runs here and Consul's catalogue does not have: the agent lost its data, or the catalogue still has it as another.
unknown() {
  local told
  told=$([[ ask('http://localhost:8500/v1/agent/self http://localhost:8500/v1/catalog/node/%s' % node.name, socket('/containers/json')) ]]) ||
    return  # Consul is silent: nothing can be told
  jq -rs '
    . as [$agent, $catalogue, $running]
    | ($agent.Config.NodeID | select(. != $catalogue.Node.ID) | "the agent \(.)"),
      ($running[]
       | (.Names | map(ltrimstr("/")) | map(select(contains("/") | not))[0]) as $name
       | .Ports | map(select(.PublicPort and .Type == "tcp").PrivatePort) | unique[]
       | "[[ node.name ]]:\($name):\(.)"
       | select(in($catalogue.Services // {}) | not))' <<<"$told" || echo "cannot be told"
}
[ -z "$(unknown)" ] || { sleep 2; unknown; }  # one that has just started is registered in a second
