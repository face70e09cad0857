#!/usr/bin/env bash
# Prints what the lab has to know of a machine before it is taken: look ADDRESS, the node's in the lab.
set -u
address=$1
home=/var/lib/bluegreen-lab

# shellcheck source=/dev/null
echo "system=$(. /etc/os-release && echo "${ID:-unknown} ${VERSION_ID:-}")"
echo "init=$(cat /proc/1/comm)"
echo "architecture=$(dpkg --print-architecture 2>/dev/null || uname -m)"
echo "has_address=$(ip -o -4 addr show to "$address/32" 2>/dev/null | wc -l)"
echo "disk=$(df --output=avail -B1M /var/lib | tail -n 1 | tr -d ' ')"
echo "memory=$(awk '/^MemTotal/ { print int($2 / 1024) }' /proc/meminfo)"
echo "claim=$(cat $home/name 2>/dev/null)"
echo "claimed_by=$(cut -d ' ' -f 2 $home/owner 2>/dev/null)"
echo "containers=$(docker ps -aq 2>/dev/null | wc -l)"
echo "vagrant=$(id -u vagrant 2>/dev/null)"
echo "host_key=$(cut -d ' ' -f 1,2 /etc/ssh/ssh_host_ed25519_key.pub 2>/dev/null)"
# Who listens where components will: on the lab's address or on all of them.
for port in 80 2375 5000 8080 8500; do
  who=$(ss -Hltnp "( sport = :$port )" 2>/dev/null | awk -v address="$address" '
    { at = $4; sub(/:[0-9]+$/, "", at) }
    at == address || at == "0.0.0.0" || at == "*" || at == "[::]" { print $NF; exit }')
  [ -z "$who" ] || echo "taken=$port by $(sed -E 's/.*\(\("([^"]*)".*/\1/' <<<"$who")"
done
