# Bringing containers back: the undo of everything that takes them down.
#
# Before it: waiting.sh, and the variables
#   services  a line a service: PROJECT NAME COLOR, the color that was live when the fault came, or -
#   master    the master's address
#   swarm     the Swarm manager's address, with its port
# shellcheck shell=bash disable=SC2154

# Sets service and was_live, by a container's name. Fails for a container of no service.
service_of() {  # NAME
  local project
  while read -r project service was_live; do
    case $1 in "${project}"_*) return ;; esac
  done <<<"$services"
  return 1
}

# What replaced a container is not the fault's to touch: another color went live, or one of its name runs elsewhere.
replaced() {  # ID NAME
  local live
  service_of "$2" || return 1
  live=$(ask "http://$master:8500/v1/kv/services/$service/color?raw" 2>/dev/null)
  case $2 in *_db_1) ;; *) [ -n "$live" ] && [ "$live" != "$was_live" ] && return 0 ;; esac
  within 5 docker -H "$swarm" ps --no-trunc --format '{{.ID}} {{.Names}}' 2>/dev/null |
    grep -v "^$1 " | grep -q "/$2$"
}

state() { docker inspect -f '{{.State.Status}}' "$1" 2>/dev/null; }  # ID

back() {  # ID NAME
  local now
  now=$(state "$1") || return 0
  [ "$now" = paused ] && docker unpause "$1" >/dev/null
  [ "$(state "$1")" = running ] || replaced "$1" "$2" || docker start "$1" >/dev/null
}

is_back() {  # ID NAME
  local now
  now=$(state "$1") || return 0
  [ "$now" = running ] || replaced "$1" "$2" || { echo "$2 is $now"; return 1; }
}

engine() {
  until_true 30 within 5 docker version >/dev/null 2>&1 && return
  echo "the Docker engine does not answer in $(stretched 30) s"
  return 1
}
