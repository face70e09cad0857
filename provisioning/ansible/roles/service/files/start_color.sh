#!/usr/bin/env bash
# FOLDER PROJECT COLOR RELEASE db|no-db SERVICE SWARM NODE,NODE...
# The database runs and is known, the compose file has its address, and COLOR runs RELEASE.
set -eu -o pipefail
. /etc/lab/waiting.sh
folder=$1 project=$2 color=$3 release=$4 database=$5 service=$6 nodes=${8//,/ }
export DOCKER_HOST=$7
cd "$folder"

render() { DOCKER_HOST='' consul-template -consul localhost:8500 -template docker-compose.yml.ctmpl:docker-compose.yml -once; }
# A node that came back may bring an old container of the same name, which Swarm cannot tell from the new one.
forget() {
  for node in $nodes; do
    within 10 docker -H "tcp://$node:2375" rm -f "$1" >/dev/null 2>&1 || true
  done
}

sed -i "s/^${color^^}_RELEASE=.*/${color^^}_RELEASE=$release/" .env
[ -e docker-compose.yml ] || render
if [ "$database" = db ] && ! registered "$service-db"; then
  docker-compose up -d --no-recreate db
  wait_for 60 registered "$service-db"
fi
render
docker-compose pull -q "$color"
forget "${project}_${color}_1"
docker-compose up -d --no-deps "$color"
wait_for 30 registered "$service-$color"
