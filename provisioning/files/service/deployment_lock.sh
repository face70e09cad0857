#!/usr/bin/env bash
# SERVICE WHO SECONDS: takes the lock of a service's deployments, after SECONDS at the latest, and prints its id, a session
# of Consul's. There is one deployment of a service at a time, whoever deploys.
#
# The lock names the process with whose end the deployment has ended too: Ansible's, or that of an SSH connection. One that
# was killed keeps no lock: the next deployment takes it once nothing of the other's goes on, and is told "left by" whom.
set -u -o pipefail
. /etc/lab/waiting.sh
service=$1 who=$2 seconds=$3
consul=http://localhost:8500
lock=$consul/v1/kv/services/$service/lock
works='docker-compose|start_color.sh|direct_test.sh|restore_records|cut_over.sh'  # names have 15 characters
left=

began() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20; }  # ticks since the boot: a PID comes again
holder() {  # the outermost playbook around this script, or the SSH connection that asked for it
  local pid=$$ playbook=
  while pid=$(ps -o ppid= -p "$pid" | tr -d ' ') && [ "${pid:-0}" -gt 1 ]; do
    case $(ps -o comm= -p "$pid") in
      ansible-playboo*) playbook=$pid ;;
      sshd*) break ;;
    esac
  done
  pid=${playbook:-$pid}
  echo "process $pid-$(began "$pid")"
}
acquired() { [ "$(curl -fsS -X PUT -d "$note" "$lock?acquire=$session")" = true ]; }
destroy() { curl -fsS -X PUT "$consul/v1/session/destroy/$1" >/dev/null; }
is_dead() {  # NOTE: its process is gone, or is another one by now; of a lock that names none nobody can tell
  local process
  process=$(grep -oE '[0-9]+-[0-9]+$' <<<"$1") && [ "$(began "${process%-*}")" != "${process#*-}" ]
}
takes() {
  local entry other
  acquired && return
  entry=$(ask "$lock") || return
  other=$(jq -r '.[0].Value | @base64d' <<<"$entry")
  is_dead "$other" || return
  left=$other
  ! pgrep -x "$works" >/dev/null && destroy "$(jq -r '.[0].Session | @uri' <<<"$entry")" && acquired
}

note="$who since $(date +%T), $(holder)"
session=$(curl -fsS -X PUT -d '{"TTL": "'"$(stretched 180)"'s", "Behavior": "delete", "LockDelay": "0s"}' \
  "$consul/v1/session/create" | jq -r .ID) || exit
trap 'destroy "$session"; exit 1' TERM
if until_true "$seconds" takes || { [ "$left" ] && until_true 60 takes; }; then
  echo "$session${left:+ left by $left}"
else
  echo "another deployment of $service is running: $(ask "$lock?raw")" >&2
  destroy "$session"
  exit 3
fi
