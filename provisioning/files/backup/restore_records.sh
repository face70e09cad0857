#!/usr/bin/env bash
# SERVICE CONTAINER URL: when CONTAINER is another database than the last backup's, and an empty one or one of another node, it
# gets exactly the records of that backup through URL, the service's own address. On another node it finds what that node
# kept of an earlier life. From then on the backups are of this database.
set -eu -o pipefail
. /etc/lab/waiting.sh
service=$1 container=$2 url=$3
home=/data/backups/$service
export DOCKER_HOST=[[ lab.swarm_endpoint ]]

found=$(docker inspect -f '{{.Id}} {{.Node.Name}}' "$container")
id=${found% *} node=${found#* }
ids() { jq -r '.[]._id | @uri'; }
moved() { [ -e "$home/node" ] && [ "$node" != "$(cat "$home/node")" ]; }

[ "$id" != "$(cat "$home/database" 2>/dev/null)" ] || { echo "$node" >"$home/node"; exit 0; }
there=$(ask "$url")
if [ -s "$home/records.json" ] &&
  { moved || [ "$(jq length <<<"$there")" = 0 ] || [ "$id" = "$(cat "$home/restoring" 2>/dev/null)" ]; }; then
  echo "$id" >"$home/restoring"  # a restore that breaks off is begun again, though its database is empty no more
  ids <<<"$there" | { grep -vxFf <(ids <"$home/records.json") || true; } | while read -r old; do
    ask --path-as-is -o /dev/null -X DELETE "$url/_id/$old"
  done
  jq -c '.[]' "$home/records.json" | while read -r record; do
    # By its input: a record may be longer than an argument can be.
    ask -o /dev/null -X PUT -H 'Content-Type: application/json' --data-binary @- "$url" <<<"$record"
  done
  echo "$service: a new database, $(jq length "$home/records.json") records restored of the copy made at $(date -r "$home/records.json" +%T)"
fi
echo "$node" >"$home/node"
echo "$id" >"$home/database"
