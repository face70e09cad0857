#!/usr/bin/env bash
# Gives a machine back as it was before claim.sh: give_back "PUBLIC KEY" REGISTRY PROJECTS PURGE FORCE.
# PROJECTS are the services' compose projects, with commas; PURGE and FORCE are yes or no. Again is without effect.
# shellcheck disable=SC2317,SC2329  # functions are called by name
set -u
key=$1 registry=$2 projects=$3 purge=$4 force=$5
home=/var/lib/bluegreen-lab
record=$home/record
if [ ! -e "$record" ]; then
  echo "nothing of a lab is here"
  exit 0
fi
if [ "$(cut -d ' ' -f 2 "$home/owner")" != "$(cut -d ' ' -f 2 <<<"$key")" ] && [ "$force" != yes ]; then
  echo "it belongs to the lab $(cat "$home/name" 2>/dev/null), taken from another folder" >&2
  exit 78
fi

# A library counts as needed only by what depends on it, as in claim.sh.
as_if_alone="-o APT::AutoRemove::RecommendsImportant=false -o APT::AutoRemove::SuggestsImportant=false"
failed=no
try() { "$@" || { echo "failed: $*" >&2; failed=yes; }; }
quiet() { "$@" >/dev/null 2>&1; }
noted() { awk -v kind="$1" '$1 == kind' "$record"; } # KIND: its lines, in the order in which things were changed

end_faults() {
  local faults
  mapfile -t faults < <(systemctl list-units --all --plain --no-legend 'lab-fault-*' | awk '{ print $1 }')
  [ ${#faults[@]} = 0 ] || quiet systemctl stop "${faults[@]}"
}

# The engine goes on until its containers are gone.
stop_units() { noted unit | while read -r _ name _; do [ "$name" = docker.service ] || quiet systemctl stop "$name"; done; }

remove_containers() {
  local filter names filters=(label=bluegreen-lab)
  quiet docker info || return 0
  IFS=, read -ra names <<<"$projects"
  filters+=("${names[@]/#/label=com.docker.compose.project=}")
  for filter in "${filters[@]}"; do
    docker ps -aq --filter "$filter" | xargs -r docker rm -f -v >/dev/null
    docker volume ls -q --filter "$filter" | xargs -r docker volume rm -f >/dev/null
    docker network ls -q --filter "$filter" | xargs -r docker network rm >/dev/null
  done
  docker images -q --filter "reference=$registry/*" | sort -u | xargs -r docker rmi -f >/dev/null
}

disable_units() { noted unit | while read -r _ name enabled _; do [ "$enabled" = enabled ] || quiet systemctl disable "$name"; done; }

put_back() { # KIND NAME: one line of the record
  case $1 in
    new) rm -rf --one-file-system "${2:?}" ;;
    # In place where it cannot be replaced, as a file that is mounted.
    old) cp -aT --remove-destination "$home/before$2" "$2" 2>/dev/null || cp -aT "$home/before$2" "$2" ;;
    hostname) hostname "$2" ;;
    user)
      quiet pkill -KILL -u "$2"
      ! quiet id -u "$2" || userdel --remove "$2" 2>/dev/null
      ;;
    *) ;; # units and packages: all at once
  esac
}

units_as_before() {
  systemctl daemon-reload
  noted unit | while read -r _ name enabled active; do
    [ "$enabled" = masked ] || quiet systemctl unmask "$name"
    [ "$enabled" != enabled ] || quiet systemctl enable "$name"
    if [ "$active" = active ]; then quiet systemctl restart "$name"; else quiet systemctl stop "$name"; fi
  done
  quiet systemctl reset-failed
  quiet systemctl reload ssh.service
  return 0
}

is_installed() { dpkg-query -W -f='${Status}' "$1" 2>/dev/null | grep -q 'ok installed'; } # NAME

remove_packages() {
  local names
  mapfile -t names < <(noted package | cut -d ' ' -f 2 | while read -r name; do is_installed "$name" && echo "$name"; done)
  [ ${#names[@]} = 0 ] && return
  export DEBIAN_FRONTEND=noninteractive
  apt-get purge -qqy "${names[@]}" >/dev/null || return
  # What came with them, and nothing that could have been removed before.
  # shellcheck disable=SC2086
  apt-get -s $as_if_alone autoremove | awk '/^Remv/ { print $2 }' | grep -vxFf "$home/removable" | xargs -r apt-get purge -qqy >/dev/null
  noted purged | cut -d ' ' -f 2 | xargs -r rm -rf --one-file-system
}

end_faults
stop_units
try remove_containers
disable_units
quiet systemctl stop docker.service
while read -r kind name _; do try put_back "$kind" "$name"; done < <(tac "$record")
units_as_before
if [ "$purge" = yes ]; then try remove_packages; fi
[ $failed = no ] || exit 1
rm -rf --one-file-system "$home"
