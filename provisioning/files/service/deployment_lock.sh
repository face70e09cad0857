#!/usr/bin/env bash
# The lock of a service's deployments, a session of Consul's: there is one deployment at a time, whoever deploys.
#   take SERVICE WHO SECONDS   takes it, after SECONDS at the latest, and prints its id; exit 3: another deployment runs
#   runs SERVICE               whether a deployment runs
#
# The lock names the process with whose end the deployment has ended too: Ansible's, or that of an SSH connection. One that
# was killed keeps no lock: the next deployment takes it once nothing of the other's goes on, and is told "left by" whom.
set -u -o pipefail
. /etc/lab/waiting.sh
word=$1 service=$2
consul=http://localhost:8500
lock=$consul/v1/kv/services/$service/lock
works='docker-compose|start_color.sh|direct_test.sh|restore_records|cut_over.sh|stop_color.sh'  # names have 15 characters
held_by='' held_as='' left=''  # what the lock notes, and its session; what is said of one that was taken over

read_facts() {  # PID: its state, its parent and so on, as /proc has them, into `facts`; no program is started for it
  local line
  { read -r line <"/proc/$1/stat"; } 2>/dev/null && read -ra facts <<<"${line##*) }"
}
began() { local facts; read_facts "$1" && echo "${facts[19]}"; }  # ticks since the boot: a PID comes again
holder() {  # the outermost playbook around this script, or the SSH connection that asked for it; fails when that has ended
  local pid=$$ playbook='' start name facts
  while read_facts "$pid" && pid=${facts[1]} && [ "$pid" -gt 1 ]; do
    { read -r name <"/proc/$pid/comm"; } 2>/dev/null || break
    case $name in
      ansible-playboo*) playbook=$pid ;;
      sshd*) break ;;
    esac
  done
  pid=${playbook:-$pid}
  [ "${pid:-0}" -gt 1 ] && start=$(began "$pid") && [ "$start" ] && echo "process $pid-$start"
}
look() {  # fails when there is no lock, or Consul does not say
  local entry
  entry=$(ask "$lock" 2>/dev/null) || return
  held_by=$(jq -r '.[0].Value // "" | @base64d' <<<"$entry")
  held_as=$(jq -r '.[0].Session // "" | @uri' <<<"$entry")
  [ "$held_as" ]
}
was_killed() {  # whoever holds it: that process is gone, or is another one by now; of one that is not named nobody can tell
  local process
  process=$(grep -oE '[0-9]+-[0-9]+$' <<<"$held_by") && [ "$(began "${process%-*}")" != "${process#*-}" ]
}
goes_on() { ! was_killed || pgrep -x "$works" >/dev/null; }

acquired() { [ "$(curl -fsS -X PUT -d "$note" "$lock?acquire=$session")" = true ]; }
destroy() { curl -fsS -X PUT "$consul/v1/session/destroy/$1" >/dev/null; }
takes_over() { acquired || { look && ! goes_on && destroy "$held_as" && acquired && left=" left by $held_by"; }; }
take() {  # WHO SECONDS
  note="$1 since $(date +%T), $(holder)" || { echo "the deployment that asked for a lock has ended" >&2; exit 1; }
  session=$(curl -fsS -X PUT -d '{"TTL": "'"$(stretched 180)"'s", "Behavior": "delete", "LockDelay": "0s"}' \
    "$consul/v1/session/create" | jq -r .ID) || {
    echo "Consul does not answer at $consul. Nothing was changed. Try next: sudo systemctl start consul" >&2
    exit 1
  }
  trap 'destroy "$session"; exit 1' TERM
  if until_true "$2" takes_over || { was_killed && until_true 60 takes_over; }; then
    echo "$session$left"
  else
    echo "another deployment of $service is running: $held_by" >&2
    destroy "$session"
    exit 3
  fi
}

case $word in
  take) take "${@:3}" ;;
  runs) look && goes_on ;;
  *) exit 2 ;;
esac
