# The catalogue takes this node's agent as it is now, and Registrator tells the agent anew what runs here.
own=$([[ ask('http://localhost:8500/v1/agent/self') ]] | jq -r .Config.NodeID)
known=$([[ ask('http://localhost:8500/v1/catalog/node/%s' % node.name) ]] | jq -r '.Node.ID // empty')
[ "$own" = "$known" ] ||
  [[ ask("-o /dev/null -X PUT -d '{\"Node\": \"%s\"}' http://localhost:8500/v1/catalog/deregister" % node.name) ]]
docker restart -t 1 registrator >/dev/null
