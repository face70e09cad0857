#!/usr/bin/env bash
# Consul calls this with the critical checks as JSON, whenever their list changes. Each critical service is healed by a unit
# of its own: one that is being healed already is left alone, and healing outlives a restart of Consul.

SERVICES="[[ lab.services | map(attribute="name") | join(" ") ]]"
RED='\033[0;31m'
NC='\033[0;0m'

read -r JSON
echo "Consul watch request:"
echo "$JSON"
echo "$JSON" | jq -r '[.[] | select((.ServiceTags // []) | index("service")) | .ServiceName] | unique | .[]' | while read -r SERVICE_NAME
do
  # The name comes from Consul, where anybody can write, and becomes a unit and a job.
  printf '%s\n' $SERVICES | grep -qxF -- "$SERVICE_NAME" || { echo "a critical service is none of this lab's"; continue; }
  echo ""
  echo -e ">>> ${RED}Service $SERVICE_NAME is critical${NC}"
  echo ""
  systemd-run --quiet --collect --unit="lab-heal-$SERVICE_NAME" \
    --property=StandardOutput=append:/data/consul/logs/watchers.log \
    --property=StandardError=append:/data/consul/logs/watchers.log \
    /data/consul/scripts/heal_service.sh "$SERVICE_NAME" 2>/dev/null || echo "$SERVICE_NAME is being healed already"
done

# The list also changes when a node comes back from the dead: it may bring containers that were replaced meanwhile.
systemd-run --quiet --collect --unit=lab-remove-doubles \
  --property=StandardOutput=append:/data/consul/logs/watchers.log \
  --property=StandardError=append:/data/consul/logs/watchers.log \
  /data/consul/scripts/remove_doubles.sh 2>/dev/null || true
