# What a node has of a service, each part behind a line `@@ NAME`; the master also tells of Consul, Jenkins and what users get.
# deployments/observed.py reads it.
part() { printf '\n@@ %s\n' "$1"; }

part node
echo "$HOSTNAME"
part containers
there=()
for word in $([[ ask(socket("/containers/json", "-G -d all=1 --data-urlencode 'filters={\"label\":[\"com.docker.compose.project=%s\"]}'" % service.project)) ]] | grep -o '"Id":"[0-9a-f]*"'); do
  there+=("http://localhost/containers/${word:6:-1}/json")  # of "Id":"0f..." without what is around it
done
[ ! "${there[*]}" ] || [[ ask('--unix-socket /var/run/docker.sock "${there[@]}"') ]]  # a line each
part volume
[ ! -d /var/lib/docker/volumes/[[ service.volume ]] ] || echo [[ service.volume ]]
[% if node == lab.master %]
part releases
cat [[ service.folder ]]/.env
part upstream
cat [[ service.upstream ]]
part healing
for file in /etc/consul.d/service-*.json; do [ ! -e "$file" ] || echo "$file"; done
systemctl list-units -q --plain --no-legend 'lab-heal-*'
# With nothing critical the watch still says what it was called with; with something it is Consul's whole JSON.
grep -m 3 -vxE 'Consul watch request:|\[\]|null|' /data/consul/logs/watchers.log | cut -c 1-120
part answers
[[ ask("-w $'%{http_code}\\036'") ]] \
[% for part in service.parts %]
  'http://localhost:8500/v1/health/service/[[ service.registered(part) ]]?passing' \
[% endfor %]
  'http://localhost:8500/v1/kv/services/[[ service.name ]]/?recurse' \
  http://localhost:8500/v1/agent/checks \
  http://[[ lab.master.address ]]:8080/queue/api/json http://[[ lab.master.address ]]:8080/api/json
part users
[[ ask("-i " ~ lab.public_address(service)) ]]
[% endif %]
true
