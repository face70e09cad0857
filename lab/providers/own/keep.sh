#!/usr/bin/env bash
# Notes how a thing of this machine was before the lab changes it: keep KEY, as provisioning calls its resources.
# Each thing is noted once; give_back.sh reads the notes from the last to the first.
set -eu
home=/var/lib/bluegreen-lab
record=$home/record

note() { grep -qxF -- "$*" "$record" || echo "$*" >>"$record"; }

is_new() { # PATH: it, or a folder around it, was made for the lab
  local at=$1
  while [ "$at" != / ]; do
    if grep -qxF "new $at" "$record"; then return; fi
    at=$(dirname "$at")
  done
  return 1
}

# What is there is copied; what is not, is noted as the topmost folder that will be made for it.
path() { # PATH
  local at=$1
  if is_new "$at" || grep -qxF "old $at" "$record"; then return; fi
  if [ -e "$at" ] || [ -L "$at" ]; then
    if [ -d "$at" ] && [ ! -L "$at" ]; then return; fi # a folder that was there stays
    mkdir -p "$home/before$(dirname "$at")"
    cp -a "$at" "$home/before$at.new"
    mv "$home/before$at.new" "$home/before$at"
    note "old $at"
    return
  fi
  while [ ! -e "$(dirname "$at")" ]; do at=$(dirname "$at"); done
  note "new $at"
}

package() { # NAME...: those that are not installed
  local name
  for name; do
    if dpkg-query -W -f='${Status}' "$name" 2>/dev/null | grep -q 'ok installed'; then continue; fi
    note "package $name"
    if [ "$name" = docker.io ]; then # the engine's own, which its package leaves behind
      for place in /var/lib/docker /var/lib/containerd /etc/docker; do [ -e $place ] || note "purged $place"; done
    fi
  done
}

unit() { # NAME
  if grep -q "^unit $1 " "$record"; then return; fi
  note "unit $1 $(systemctl is-enabled "$1" 2>/dev/null || true) $(systemctl is-active "$1" 2>/dev/null || true)"
}

kind=${1%%:*} name=${1#*:}
case $kind in
  file | folder | directory) path "$name" ;;
  program)
    path "/usr/local/bin/$name"
    path /opt/bluegreen-lab
    ;;
  package)
    IFS=, read -ra names <<<"$name"
    package "${names[@]}"
    ;;
  unit | masked) unit "$name" ;;
  *) ;; # containers go by their mark, users are noted where they are made
esac
